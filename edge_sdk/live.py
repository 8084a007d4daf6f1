"""Live cameras: a reading thread for each, and a place that holds the newest pair only."""

from __future__ import annotations

import logging
import threading
import time

from edge_sdk.capture.camera import Camera
from edge_sdk.capture.pairing import Pairer
from edge_sdk.errors import EdgeSdkError, SourceError, StreamTimeoutError
from edge_sdk.frames import FramePair
from edge_sdk.stats import StatsRecorder

__all__ = ["LivePairs"]

_log = logging.getLogger(__name__)

READ_TIMEOUT_S = 0.5
FIRST_RETRY_S = 0.1
LAST_RETRY_S = 5.0


class LivePairs:
    """Reads two cameras and hands out the newest pair; older ones are dropped and counted.

    A camera that times out or goes away does not stop the other one: it is closed and reopened with
    growing pauses until it is back.
    """

    def __init__(self, ir: Camera, visible: Camera, pairer: Pairer, stats: StatsRecorder) -> None:
        self._cameras = (ir, visible)
        self._pairer = pairer
        self._stats = stats
        self._changed = threading.Condition()
        self._newest: tuple[FramePair, int] | None = None
        self._running = 0
        self._failure: Exception | None = None
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin to read; the cameras are open already."""
        self._running = len(self._cameras)
        for camera in self._cameras:
            thread = threading.Thread(
                target=self._read, args=(camera,), name=f"edge_sdk {camera.name}", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def get(self, timeout_s: float) -> tuple[FramePair, int] | None:
        """Newest pair that was not handed out yet, and its arrival (``time.monotonic_ns()``).

        Returns None when both streams have ended.

        Raises:
            StreamTimeoutError: nothing came within ``timeout_s``.
            Exception: what a camera raised that is no fault of the device.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._newest is not None or self._running == 0, timeout_s
            )
            newest, self._newest = self._newest, None
            if self._failure is not None:
                raise self._failure
            if newest is None and self._running > 0:
                raise StreamTimeoutError(
                    f"no pair of frames within {timeout_s:.1f} s: cameras "
                    f"{' and '.join(c.name for c in self._cameras)} deliver nothing that pairs; "
                    "see pipeline.stats() for the cause"
                )
            return newest

    def stop(self) -> None:
        """End the threads; bounded by the cameras' own read time-out."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=4 * READ_TIMEOUT_S)
            if thread.is_alive():
                _log.warning("thread of camera %s does not end", thread.name)

    def _read(self, camera: Camera) -> None:
        try:
            self._read_until_end(camera)
        except Exception as error:  # a mistake in a driver: told to the consumer, not swallowed
            _log.exception("camera %s failed", camera.name)
            with self._changed:
                self._failure = error
        finally:
            with self._changed:
                self._running = 0 if self._failure is not None else self._running - 1
                if self._running == 0:
                    self._offer(self._pairer.flush())
                self._changed.notify_all()

    def _read_until_end(self, camera: Camera) -> None:
        stats = self._stats
        last: int | None = None
        while not self._stop.is_set():
            try:
                frame = camera.read(READ_TIMEOUT_S)
            except StreamTimeoutError:
                stats.count(stats.events, f"{camera.name} time-out")
                continue
            except SourceError as error:
                _log.warning("camera %s: %s", camera.name, error)
                stats.count(stats.events, f"{camera.name} lost")
                self._reopen(camera)
                continue
            if frame is None:
                break
            stats.count(stats.frames_in, camera.name)
            if last is not None and frame.sequence > last + 1:
                lost = frame.sequence - last - 1
                stats.count(stats.dropped, f"{camera.name} lost by the camera", lost)
            last = frame.sequence
            with self._changed:
                self._offer(self._pairer.push(frame))

    def _offer(self, pairs: list[FramePair]) -> None:
        for pair in pairs:
            if self._newest is not None:
                self._stats.count(self._stats.dropped, "superseded")
            self._newest = (pair, time.monotonic_ns())
            self._changed.notify_all()

    def _reopen(self, camera: Camera) -> None:
        pause = FIRST_RETRY_S
        while not self._stop.is_set():
            camera.close()
            if self._stop.wait(pause):
                return
            try:
                camera.open()
                if self._stop.is_set():
                    camera.close()
                    return
            except (EdgeSdkError, OSError) as error:
                _log.info("camera %s is not back yet: %s", camera.name, error)
                pause = min(2 * pause, LAST_RETRY_S)
            else:
                self._stats.count(self._stats.events, f"{camera.name} back")
                return
