"""A video driver made of a memory file, for what the kernel's virtual camera cannot do: formats
that it does not have, a USB bus without bandwidth, errors that stay."""

from __future__ import annotations

import errno
import os
import time
from collections import Counter, deque
from types import SimpleNamespace
from typing import Any

from linuxpy.video import device as real

BUFFER_BYTES = 64 * 1024
MONOTONIC_START = 0x2000 | 0x10000


class FakeDriver:
    """Stands in for the module ``linuxpy.video.device``.

    Attributes:
        frames: what the camera delivers: (bytes, flags); each goes into the next queued buffer.
        errors: name of a call -> error numbers that it raises, one after the other.
        calls: how often each call came.
        mended_by_stopping: the errors end when the stream is stopped.
    """

    raw, IOC = real.raw, real.IOC

    def __init__(self) -> None:
        self.fd = os.memfd_create("camera")
        self.frames: deque[tuple[bytes, int]] = deque()
        self.errors: dict[str, list[int]] = {}
        self.calls: Counter[str] = Counter()
        self.mended_by_stopping = False
        self._queue: deque[int] = deque()
        self._sequence = 0

    def open(self) -> int:
        """A descriptor as ``open_node`` gives it."""
        return os.dup(self.fd)

    def _call(self, name: str) -> None:
        self.calls[name] += 1
        if self.errors.get(name):
            number = self.errors[name].pop(0)
            raise OSError(number, os.strerror(number))

    def read_capabilities(self, fd: int) -> Any:
        self._call("capabilities")
        return SimpleNamespace(capabilities=0x04000001, device_caps=0)

    def request_buffers(self, fd: int, kind: int, memory: int, count: int) -> Any:
        self._call("request")
        os.ftruncate(self.fd, count * BUFFER_BYTES)
        self._sequence = 0
        return SimpleNamespace(count=count)

    def free_buffers(self, fd: int, kind: int, memory: int) -> None:
        self._call("free")

    def query_buffer(self, fd: int, kind: int, memory: int, index: int) -> Any:
        self._call("query")
        place = SimpleNamespace(offset=index * BUFFER_BYTES)
        return SimpleNamespace(length=BUFFER_BYTES, m=place)

    def ioctl(self, fd: int, request: int, buffer: Any) -> None:
        assert request == self.IOC.QBUF
        self._call("queue")
        assert buffer.index not in self._queue
        self._queue.append(buffer.index)

    def stream_on(self, fd: int, kind: int) -> None:
        self._call("on")

    def stream_off(self, fd: int, kind: int) -> None:
        self._call("off")
        self._queue.clear()
        if self.mended_by_stopping:
            self.errors.clear()

    def dequeue_buffer(self, fd: int, kind: int, memory: int) -> Any:
        self._call("dequeue")
        if not self.frames or not self._queue:
            time.sleep(0.001)
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        data, flags = self.frames.popleft()
        index = self._queue.popleft()
        os.pwrite(self.fd, data, index * BUFFER_BYTES)
        buffer = self.raw.v4l2_buffer()
        buffer.index, buffer.bytesused, buffer.flags = index, len(data), flags | MONOTONIC_START
        buffer.sequence, self._sequence = self._sequence, self._sequence + 1
        now_ns = time.monotonic_ns()
        buffer.timestamp.secs, buffer.timestamp.usecs = divmod(now_ns // 1000, 1_000_000)
        return buffer
