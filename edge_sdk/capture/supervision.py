"""How a live camera can be, and whom its supervisor reports to."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from typing import Protocol

from edge_sdk.capture.camera import Camera
from edge_sdk.events import EventKind
from edge_sdk.frames import Frame, FrameFlags

__all__ = ["FIRST_FRAME_S", "CameraState", "Owner", "Pace", "SupervisorSettings"]

FIRST_FRAME_S = 3.0
"""A camera that was just opened may take so long to its first frame."""
PERIODS = 5
_STEPS_TO_KNOW = 3


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
        silent_after_s: a camera without a usable frame for so long (at least five frame periods)
            is silent.
        frozen_after_s: a camera that repeats one picture for so long (at least five frames) is
            frozen; None looks at no content.
        reopen_after_s: a camera silent or frozen for so long (at least five frame periods) is
            closed and opened again. Raise it above the period of a camera of less than one frame
            in 3 s that does not say its rate.
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


class Pace:
    """How fast a camera's frames come, and so how long the next one may take.

    Until four frames have shown the period, the camera's own word for it holds (``period_ns`` or
    ``fps``, where it has one), or what its frames showed before it was opened anew, whichever is
    longer. Not safe to use from several threads.
    """

    def __init__(self, camera: Camera) -> None:
        self._camera = camera
        self._arrivals: deque[float] = deque(maxlen=9)
        self._known_s = _stated_period_s(camera)

    def on_opened(self) -> None:
        """The camera was opened; it may have been granted another rate."""
        self._known_s = max(self.period_s, _stated_period_s(self._camera))
        self._arrivals.clear()

    def on_frame(self, now_s: float) -> None:
        """A frame came, usable or not, at ``time.monotonic()``."""
        self._arrivals.append(now_s)

    @property
    def period_s(self) -> float:
        """Time between frames, in seconds; 0 while it is not known."""
        steps = sorted(b - a for a, b in pairwise(self._arrivals))
        if len(steps) >= _STEPS_TO_KNOW:
            return steps[len(steps) // 2]
        return max(self._known_s, *steps, 0.0)

    def patience_s(self, least_s: float) -> float:
        """How long the next frame may take: five periods, but at least ``least_s``."""
        period_s = self.period_s
        return max(least_s, PERIODS * period_s if period_s else FIRST_FRAME_S)


def _stated_period_s(camera: Camera) -> float:
    """What the camera says, in seconds; 0 if it says nothing that can be."""
    try:
        period_ns, fps = (getattr(camera, name, None) for name in ("period_ns", "fps"))
        period_s = float(period_ns) / 1e9 if period_ns else 1 / float(fps) if fps else 0.0
    except Exception:  # a driver's own: whatever it is, it must not end the supervision
        return 0.0
    return period_s if math.isfinite(period_s) and period_s > 0 else 0.0
