"""The kernel's buffers of one open node: mapped, queued, filled, taken out, given back.

What goes wrong here is sorted into two kinds. The device is gone: ``DisconnectedError``. The stream
broke but the device is there: ``StreamBroken``, and ``restart`` may mend it.
"""

from __future__ import annotations

import errno
import gc
import logging
import mmap
import select
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from edge_sdk.capture.v4l2.driver import CAPTURE, GONE, capabilities, explain, linuxpy
from edge_sdk.errors import DisconnectedError, SourceError

__all__ = ["Filled", "Stream", "StreamBroken"]

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

_MMAP = 1
_FLAG_ERROR = 0x40
_ATTEMPTS = 3
_PAUSE_S = 0.02
_PASSING = (errno.EINVAL, errno.EIO, errno.EAGAIN, errno.EINTR, errno.EPROTO)
"""Errors that a driver may give once and not again."""


class StreamBroken(Exception):
    """The stream does not go on by itself, but the device is still there."""


@dataclass(frozen=True, slots=True)
class Filled:
    """A buffer that the driver has filled. It is ours until ``Stream.give_back(index)``."""

    index: int
    bytes_used: int
    flags: int
    stamp_ns: int
    """What the driver says: ``struct v4l2_buffer.timestamp``."""
    sequence: int

    @property
    def damaged(self) -> bool:
        """The driver says that the content is incomplete (``V4L2_BUF_FLAG_ERROR``)."""
        return bool(self.flags & _FLAG_ERROR)


class Stream:
    """Memory-mapped streaming on a node that is open and whose format is set.

    Args:
        fd: the node; the owner closes it after ``stop``.
        path: for messages.
        counts: what was mended is counted here.
        buffers: that the driver is asked for; it may give another number.
    """

    def __init__(self, fd: int, path: str, counts: Counter[str], buffers: int = 4) -> None:
        self._fd, self._path = fd, path
        self._counts = counts
        self._wanted = buffers
        self._maps: list[mmap.mmap] = []
        self._queued: set[int] = set()
        self._lent: set[int] = set()
        self._held = False
        self._d = linuxpy()
        self._poll = select.poll()
        self._poll.register(fd, select.POLLIN)

    def start(self) -> None:
        """Get, map and queue the buffers, and stream. A failed start holds nothing.

        Raises:
            SourceError: the driver refuses; of USB bandwidth, the message says what to do.
            DisconnectedError: the device went away.
        """
        d, fd = self._d, self._fd
        self._held = True
        try:
            request = self._insist(
                "given buffers", lambda: d.request_buffers(fd, CAPTURE, _MMAP, self._wanted)
            )
            for index in range(request.count):
                self._maps.append(self._map(index))
            for index in range(request.count):
                self._insist("given a buffer", partial(self._queue, index))
            self._insist("started", lambda: d.stream_on(fd, CAPTURE))
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop and unmap. Never raises; may be called twice.

        A node that was unplugged comes back only when every mapping of it is gone.
        """
        if not self._held:
            return
        self._held = False
        d, fd = self._d, self._fd
        self._quietly(lambda: d.stream_off(fd, CAPTURE))
        maps, self._maps = self._maps, []
        self._queued.clear()
        self._lent.clear()
        for mapping in maps:
            _unmap(mapping, self._path)
        self._quietly(lambda: d.free_buffers(fd, CAPTURE, _MMAP))

    def restart(self) -> None:
        """Stop and start with the same buffers, after ``StreamBroken``.

        Raises:
            SourceError, DisconnectedError: as :meth:`start`; then nothing is held.
        """
        self._counts["stream restarted"] += 1
        d, fd = self._d, self._fd
        try:
            self._insist("stopped", lambda: d.stream_off(fd, CAPTURE))
            self._queued.clear()
            self._lent.clear()
            for index in range(len(self._maps)):
                self._insist("given a buffer", partial(self._queue, index))
            self._insist("started", lambda: d.stream_on(fd, CAPTURE))
        except BaseException:
            self.stop()
            raise

    def wait(self, seconds: float) -> bool:
        """True if a buffer is filled, False if none is after ``seconds``.

        Raises:
            StreamBroken: the driver reports an error.
            DisconnectedError: the device went away.
        """
        self._give_back_lost()
        if not self._queued:
            raise StreamBroken("all buffers were lost")
        events = self._poll.poll(max(0.0, seconds) * 1e3)
        if not events:
            return False
        flags = events[0][1]
        if flags & select.POLLIN:
            return True
        self.check_alive()
        raise StreamBroken(f"poll reports an error (0x{flags:x})")

    def check_alive(self) -> None:
        """Ask the driver something harmless.

        Raises:
            DisconnectedError: the device went away.
        """
        try:
            capabilities(self._fd)
        except OSError as error:
            raise self._gone(error) from error

    def take(self) -> Filled | None:
        """The oldest filled buffer; None if there is none. Does not wait.

        Raises:
            StreamBroken: the driver reports an error.
            DisconnectedError: the device went away.
        """
        try:
            raw = self._d.dequeue_buffer(self._fd, CAPTURE, _MMAP)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EINTR):
                return None
            if error.errno in GONE:
                raise self._gone(error) from error
            raise StreamBroken(f"no buffer can be taken: {error.strerror}") from error
        self._queued.discard(raw.index)
        stamp_ns = raw.timestamp.secs * 1_000_000_000 + raw.timestamp.usecs * 1000
        return Filled(raw.index, raw.bytesused, raw.flags, stamp_ns, raw.sequence)

    def data(self, buffer: Filled) -> NDArray[np.uint8]:
        """(bytes_used,) uint8, the kernel's own memory. Nobody may keep it: see ``stop``."""
        mapping = self._maps[buffer.index]
        return np.frombuffer(mapping, np.uint8, min(buffer.bytes_used, len(mapping)))

    def give_back(self, buffer: Filled) -> None:
        """Let the driver fill the buffer again. A driver that refuses is asked again later.

        Raises:
            DisconnectedError: the device went away.
        """
        self._lent.add(buffer.index)
        self._give_back_lost()

    def _give_back_lost(self) -> None:
        for index in sorted(self._lent):
            for _ in range(_ATTEMPTS):
                try:
                    self._queue(index)
                except OSError as error:
                    if error.errno in GONE:
                        raise self._gone(error) from error
                    self._counts["buffer refused"] += 1
                else:
                    self._lent.discard(index)
                    break

    def _queue(self, index: int) -> None:
        buffer = self._d.raw.v4l2_buffer()
        buffer.type, buffer.memory, buffer.index = CAPTURE, _MMAP, index
        self._d.ioctl(self._fd, self._d.IOC.QBUF, buffer)
        self._queued.add(index)

    def _map(self, index: int) -> mmap.mmap:
        def attempt() -> mmap.mmap:
            buffer = self._d.query_buffer(self._fd, CAPTURE, _MMAP, index)
            return mmap.mmap(
                self._fd, buffer.length, mmap.MAP_SHARED, mmap.PROT_READ, offset=buffer.m.offset
            )

        return self._insist("mapped into memory", attempt)

    def _insist(self, attempt: str, call: Callable[[], _T]) -> _T:
        """Call again after an error that may pass."""
        for left in reversed(range(_ATTEMPTS)):
            try:
                return call()
            except OSError as error:
                if not left or error.errno not in _PASSING:
                    raise explain(error, self._path, attempt) from error
                self._counts["driver asked again"] += 1
                time.sleep(_PAUSE_S)
        raise SourceError(f"{self._path} could not be {attempt}")

    def _gone(self, error: OSError) -> DisconnectedError:
        return DisconnectedError(
            f"{self._path} went away while it was streaming ({error.strerror}); check cable and "
            "power; opening the camera again finds it when it is back"
        )

    @staticmethod
    def _quietly(call: Callable[[], Any]) -> None:
        try:
            call()
        except OSError as error:
            # A device that is gone refuses everything; what is ours is released all the same.
            _log.debug("ignored: %s", error)


def _unmap(mapping: mmap.mmap, path: str) -> None:
    """Python refuses to unmap what an array still shows. An exception that is being handled may
    hold such an array in its traceback; a collection finds those that nothing else holds."""
    try:
        mapping.close()
    except BufferError:
        gc.collect()
        try:
            mapping.close()
        except BufferError:
            _log.error("%s: a buffer stays mapped, since something still refers to it", path)
