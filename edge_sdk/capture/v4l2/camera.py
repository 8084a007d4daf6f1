"""A camera of the kernel's video interface as a source of frames."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any

from numpy.typing import NDArray

from edge_sdk.capture.v4l2.clock import SequenceCounter, StampClock
from edge_sdk.capture.v4l2.controls import ControlValue, apply_controls
from edge_sdk.capture.v4l2.decode import DamagedError, Decoder
from edge_sdk.capture.v4l2.driver import delivers_images, linuxpy, open_node
from edge_sdk.capture.v4l2.fourcc import FORMATS, format_of_name
from edge_sdk.capture.v4l2.identity import find_node
from edge_sdk.capture.v4l2.modes import Granted, Wanted, negotiate
from edge_sdk.capture.v4l2.pool import ArrayPool
from edge_sdk.capture.v4l2.stream import Filled, Stream, StreamBroken
from edge_sdk.errors import ConfigError, DisconnectedError, SourceError, StreamTimeoutError
from edge_sdk.frames import Frame

__all__ = ["V4L2Camera"]

_log = logging.getLogger(__name__)

_SLICE_S = 0.1
"""Longest single wait, so that ``close`` from another thread is noticed."""
_CLOSE_S = 2.0
_IDLE_PERIODS = 4
_IDLE_S = 0.2
_RESTARTS = 2
"""In a row, without a frame in between."""


class V4L2Camera:
    """A camera of the kernel's video interface; follows the ``Camera`` protocol.

    Frames carry the time of ``CLOCK_MONOTONIC`` at the start of the exposure (see
    :class:`~edge_sdk.capture.v4l2.clock.StampClock` for drivers that tell another one) and the
    driver's sequence number, made one that never wraps. What the driver flags as damaged, and what
    is too short or a corrupt JPEG, is dropped and counted; so are frames that waited in the queue
    while nobody read.

    Images are arrays that are used again when nothing refers to them any more.

    When the device goes away, ``read`` releases all of it before it raises: the node comes back
    once it is plugged in again, and ``open`` looks the camera up by its identity.

    One thread reads; ``close`` may be called from another. There are no threads of its own.

    Args:
        name: ``"ir"`` or ``"visible"``.
        device: identity, see :func:`~edge_sdk.capture.v4l2.identity.find_node`.
        format: name of a pixel format (:data:`~edge_sdk.capture.v4l2.fourcc.FORMATS`); None: what
            the driver has set.
        width, height: pixels, both or neither.
        fps: frames per second.
        controls: name -> value, set at every ``open`` (exposure, gain, ...).
        allow_adjusted: accept, with a warning, what the driver grants instead of what is asked.
        mono: one channel, the luma, also from formats with colour.

    Raises:
        ConfigError: the format has no known name, or only one side of the size is given.
    """

    def __init__(
        self,
        name: str,
        device: str,
        *,
        format: str | None = None,
        width: int | None = None,
        height: int | None = None,
        fps: float | None = None,
        controls: Mapping[str, ControlValue] | None = None,
        allow_adjusted: bool = False,
        mono: bool = False,
    ) -> None:
        pixel_format = None if format is None else format_of_name(format)
        if format is not None and pixel_format is None:
            allowed = ", ".join(f.name for f in FORMATS)
            raise ConfigError(f"format: {format!r} is not known; allowed: {allowed}")
        if (width is None) != (height is None):
            raise ConfigError("width and height must be given together, or neither")
        size = None if width is None or height is None else (width, height)
        self._name = name
        self._device = device
        self._wanted = Wanted(pixel_format, size, fps, allow_adjusted)
        self._controls = dict(controls or {})
        self._mono = mono
        self._counts: Counter[str] = Counter()
        self._sequence = SequenceCounter(self._counts)
        self._pool = ArrayPool()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._fd: int | None = None
        self._path = device
        self._stream: Stream | None = None
        self._granted: Granted | None = None
        self._why_closed = "it was never opened"

    @property
    def name(self) -> str:
        """``"ir"`` or ``"visible"``."""
        return self._name

    @property
    def live(self) -> bool:
        """True: frames come at their own pace."""
        return True

    @property
    def granted(self) -> Granted | None:
        """Format, size and rate of the last ``open``; None before it."""
        return self._granted

    @property
    def period_ns(self) -> int | None:
        """Nanoseconds from frame to frame; None before ``open`` or if the driver does not tell."""
        if self._granted is None or not self._granted.fps:
            return None
        return round(1e9 / self._granted.fps)

    @property
    def path(self) -> str:
        """The node of the last ``open``; before it, the identity."""
        return self._path

    @property
    def counts(self) -> dict[str, int]:
        """What was dropped, mended or corrected since the camera was made, by cause.

        ``damaged`` (by the driver's word), ``undecodable``, ``stale`` (waited while nobody read)
        are frames that were dropped; ``lost by the driver`` are gaps in its numbers.
        """
        return dict(self._counts)

    def open(self) -> None:
        """Find the device, set it up, and stream; nothing to do if it is open.

        Raises:
            DependencyError: linuxpy is not installed.
            DeviceNotFoundError: no such device, or more than one.
            ConfigError: a control does not exist, or its value is out of range.
            SourceError: the driver grants something else than was asked, refuses, or is busy.
            DisconnectedError: the device went away meanwhile.
        """
        with self._lock:
            if self._fd is not None:
                return
            linuxpy()
            self._closing.clear()
            node = find_node(self._device, captures=lambda n: delivers_images(n.path))
            self._path = node.path
            self._fd = open_node(node.path)
            try:
                self._set_up(self._fd)
                self._check_not_closed()
            except BaseException:
                self._release("the last attempt to open it failed")
                raise

    def read(self, timeout_s: float = 1.0) -> Frame | None:
        """The next good frame, oldest first. Never None.

        Raises:
            StreamTimeoutError: no good frame within ``timeout_s`` seconds; the camera stays open.
            DisconnectedError: the device went away, or its stream broke and two restarts did not
                mend it; everything is released.
            SourceError: the camera is not open.
        """
        with self._lock:
            stream = self._opened()
            try:
                return self._read(stream, time.monotonic() + timeout_s, timeout_s)
            except DisconnectedError:
                self._counts["disconnected"] += 1
                self._release("it went away")
                raise
            finally:
                if self._closing.is_set():
                    self._release("it was closed")

    def close(self) -> None:
        """Release the device. Never raises; may be called twice. A waiting ``read`` ends.

        Takes 2 s at most: if the kernel itself does not return to a ``read`` or ``open`` of another
        thread, that thread releases the device when it does.
        """
        self._closing.set()
        if not self._lock.acquire(timeout=_CLOSE_S):
            _log.warning(
                "%s: the kernel does not return; left to the thread that waits", self._path
            )
            return
        try:
            self._release("it was closed")
        finally:
            self._lock.release()

    def __enter__(self) -> V4L2Camera:
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _check_not_closed(self) -> None:
        if self._closing.is_set():
            raise SourceError(f"camera {self._name!r} was closed while another thread used it")

    def _set_up(self, fd: int) -> None:
        granted = negotiate(fd, self._path, self._wanted)
        adjusted = apply_controls(fd, self._path, self._controls, self._wanted.allow_adjusted)
        granted = replace(granted, adjusted=granted.adjusted + adjusted)
        self._decode = Decoder(
            granted.pixel_format,
            granted.width,
            granted.height,
            granted.row_bytes,
            self._mono,
            self._pool,
        )
        self._granted = granted
        self._stamp = StampClock(self._counts, self.period_ns)
        self._sequence.restart()
        self._restarts = 0
        self._last_read: float | None = None
        self._stream = Stream(fd, self._path, self._counts)
        self._stream.start()
        _log.info("%s: %s, %s", self._name, self._path, granted)

    def _opened(self) -> Stream:
        if self._stream is None:
            raise SourceError(
                f"camera {self._name!r} ({self._device}) is not open: {self._why_closed}; call "
                "open() first"
            )
        return self._stream

    def _release(self, why: str) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.stop()
        fd, self._fd = self._fd, None
        if fd is not None:
            with contextlib.suppress(OSError):  # of a dead device; the descriptor is gone anyway
                os.close(fd)
            self._why_closed = why

    def _read(self, stream: Stream, deadline: float, timeout_s: float) -> Frame:
        fresh = not self._was_idle()
        try:
            while True:
                try:
                    if not fresh:
                        self._drop_stale(stream)
                        fresh = True
                    if not self._wait(stream, deadline - time.monotonic()):
                        stream.check_alive()
                        raise self._timed_out(timeout_s)
                    buffer = stream.take()
                    frame = None if buffer is None else self._frame(stream, buffer)
                except StreamBroken as broken:
                    self._mend(stream, broken)
                    frame = None
                if frame is not None:
                    self._restarts = 0
                    return frame
                if time.monotonic() >= deadline:
                    raise self._timed_out(timeout_s)
        finally:
            self._last_read = time.monotonic()

    def _wait(self, stream: Stream, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while True:
            self._check_not_closed()
            left = end - time.monotonic()
            if stream.wait(min(_SLICE_S, left)):
                return True
            if left <= _SLICE_S:
                return False

    def _was_idle(self) -> bool:
        if self._last_read is None:
            return True
        idle_s = max(_IDLE_S, _IDLE_PERIODS * (self.period_ns or 0) / 1e9)
        return time.monotonic() - self._last_read > idle_s

    def _drop_stale(self, stream: Stream) -> None:
        """What filled the queue while nobody read is old; the driver lost what came after it."""
        while (buffer := stream.take()) is not None:
            self._counts["stale"] += 1
            self._sequence(buffer.sequence)
            stream.give_back(buffer)

    def _frame(self, stream: Stream, buffer: Filled) -> Frame | None:
        now_ns = time.monotonic_ns()
        sequence = self._sequence(buffer.sequence)
        timestamp_ns = self._stamp(buffer.stamp_ns, buffer.flags, now_ns)
        image: NDArray[Any] | None = None
        if buffer.damaged:
            self._counts["damaged"] += 1
        else:
            image = self._image(stream, buffer)
        stream.give_back(buffer)
        if image is None:
            return None
        return Frame(image, timestamp_ns, sequence, self._name)

    def _image(self, stream: Stream, buffer: Filled) -> NDArray[Any] | None:
        try:
            return self._decode(stream.data(buffer))
        except DamagedError as error:
            # Handled here: a traceback that lives on would keep the kernel's memory mapped.
            self._counts["undecodable"] += 1
            _log.debug("%s: frame dropped: %s", self._path, error)
            return None

    def _mend(self, stream: Stream, broken: StreamBroken) -> None:
        self._restarts += 1
        if self._restarts > _RESTARTS:
            raise DisconnectedError(
                f"{self._path} stopped streaming ({broken}) and {_RESTARTS} restarts did not help; "
                "open the camera again"
            )
        _log.warning("%s: %s; the stream is restarted", self._path, broken)
        try:
            stream.restart()
        except DisconnectedError:
            raise
        except SourceError as error:
            raise DisconnectedError(
                f"{self._path} stopped streaming ({broken}) and cannot be restarted: {error}"
            ) from error
        self._sequence.restart()

    def _timed_out(self, timeout_s: float) -> StreamTimeoutError:
        return StreamTimeoutError(
            f"camera {self._name!r} ({self._path}) gave no good frame within {timeout_s:g} s; "
            f"counted so far: {self.counts or 'nothing unusual'}"
        )
