"""The protocol that every camera, real, recorded or simulated, follows."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, runtime_checkable

from edge_sdk.frames import Frame

__all__ = ["Camera"]


@runtime_checkable
class Camera(Protocol):
    """A source of frames. Opened by ``open()`` or ``with``; ``read`` blocks, with a bound.

    Attributes:
        name: ``"ir"`` or ``"visible"`` in a two-camera rig; every frame carries it.
        live: True if frames come at their own pace and are lost when nobody reads; False if the
            source waits for the reader (files, and the simulated rig in file mode).
        counts: not every source has it: dict of cause -> how often, of what it saw itself and
            reported in no other way. ``pipeline.stats().cameras`` shows it.
    """

    @property
    def name(self) -> str: ...

    @property
    def live(self) -> bool: ...

    def open(self) -> None:
        """Acquire the device. A failed open releases all that it took and can be tried again."""
        ...

    def read(self, timeout_s: float = 1.0) -> Frame | None:
        """Next frame, oldest first; None at the end of a recording.

        Raises:
            StreamTimeoutError: nothing came within ``timeout_s`` seconds.
            DisconnectedError: the device went away.
        """
        ...

    def close(self) -> None:
        """Release the device. Never raises; may be called twice."""
        ...

    def __enter__(self) -> Camera: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
