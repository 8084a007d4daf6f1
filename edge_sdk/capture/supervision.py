"""How a live camera can be, and whom its supervisor reports to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from edge_sdk.events import EventKind
from edge_sdk.frames import Frame, FrameFlags

__all__ = ["CameraState", "Owner", "SupervisorSettings"]


class CameraState(Enum):
    """How a camera is; all but ``STARTING`` and ``GOOD`` mean that it has no part in the fusion."""

    STARTING = "starting"
    GOOD = "good"
    SILENT = "silent"
    FROZEN = "frozen"
    LOST = "lost"
    HUNG = "hung"
    ENDED = "ended"


@dataclass(frozen=True)
class SupervisorSettings:
    """Bounds, in seconds; see the rig file's section ``supervision``.

    Attributes:
        silent_after_s: a camera without a frame for so long (at least five frame periods) is
            silent.
        frozen_after_s: a camera that repeats one picture for so long (at least five frames) is
            frozen; None looks at no content.
        reopen_after_s: a camera silent or frozen for so long is closed and opened again.
    """

    silent_after_s: float = 0.5
    frozen_after_s: float | None = 0.5
    reopen_after_s: float = 2.0


class Owner(Protocol):
    """Whom a supervisor reports to. Called from the supervisor's threads."""

    def on_frame(self, frame: Frame) -> None:
        """A frame, with its flags, that may be fused."""
        ...

    def on_state(self, camera: str, state: CameraState) -> None: ...

    def on_end(self, camera: str) -> None:
        """The camera will deliver nothing any more."""
        ...

    def on_event(self, kind: EventKind, message: str, camera: str) -> None: ...

    def on_count(self, counter: str, key: str, amount: int = 1) -> None:
        """``counter`` is ``"frames_in"`` or ``"dropped"``."""
        ...

    def flags_of(self, camera: str) -> FrameFlags:
        """What is known about the camera's frames of this moment from elsewhere (its shutter)."""
        ...
