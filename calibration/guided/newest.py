"""The newest frame of a camera, whatever time the reader takes; every wait has a bound."""

from __future__ import annotations

import threading
import time
from types import TracebackType

from edge_sdk.capture.bounded import run_bounded
from edge_sdk.capture.camera import Camera
from edge_sdk.errors import EdgeSdkError, SourceError, StreamTimeoutError
from edge_sdk.frames import Frame, FrameFlags

__all__ = ["NewestFrames"]

_BAD = FrameFlags.DAMAGED | FrameFlags.SHUTTER | FrameFlags.STALE
OPEN_S = 10.0
_CLOSE_S = 2.0


class NewestFrames:
    """Reads a live camera in a thread of its own; a recording frame by frame.

    Frames that are damaged, repeated or taken with the shutter closed are passed over.

    Args:
        camera: opened and closed here.
        timeout_s: longest wait for a frame.
    """

    def __init__(self, camera: Camera, timeout_s: float = 5.0) -> None:
        self._camera = camera
        self._timeout_s = timeout_s
        self._changed = threading.Condition()
        self._newest: Frame | None = None
        self._error: EdgeSdkError | None = None
        self._ended = False
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> NewestFrames:
        if not self._camera.live:
            self._camera.open()
        else:
            if not run_bounded(self._camera.open, OPEN_S, f"{self._camera.name} open"):
                raise StreamTimeoutError(
                    f"camera {self._camera.name}: open() of its driver has not returned within "
                    f"{OPEN_S:g} s; unplug the camera and plug it in again"
                )
            self._thread = threading.Thread(target=self._work, name="edge_sdk guided", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_CLOSE_S)
        run_bounded(self._camera.close, _CLOSE_S, f"{self._camera.name} close")

    def read(self) -> Frame | None:
        """A good frame that was not handed out yet; None at the end.

        Raises:
            StreamTimeoutError: none came in time.
            SourceError: the camera failed.
        """
        if self._thread is None:
            while True:
                frame = self._camera.read(self._timeout_s)
                if frame is None or not frame.flags & _BAD:
                    return frame
        deadline = time.monotonic() + self._timeout_s
        with self._changed:
            while self._newest is None and self._error is None and not self._ended:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise StreamTimeoutError(
                        f"{self._camera.name}: no good frame within {self._timeout_s:.0f} s; is "
                        "the camera still connected, and its shutter open?"
                    )
                self._changed.wait(left)
            newest, self._newest = self._newest, None
            if newest is None and self._error is not None:
                raise self._error
            return newest

    def _work(self) -> None:
        while not self._stop.is_set():
            try:
                frame = self._camera.read(1.0)
            except StreamTimeoutError:
                continue
            except Exception as error:  # of a driver, anything; in a thread nobody would see it
                failed = f"camera {self._camera.name}: its driver failed: {error!r}"
                with self._changed:
                    self._error = error if isinstance(error, EdgeSdkError) else SourceError(failed)
                    self._changed.notify_all()
                return
            with self._changed:
                if frame is None:
                    self._ended = True
                elif not frame.flags & _BAD:
                    self._newest = frame
                self._changed.notify_all()
            if frame is None:
                return
