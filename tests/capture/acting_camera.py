"""A live camera that misbehaves when it is told to."""

from __future__ import annotations

import threading
import time

import numpy as np

from edge_sdk.errors import DeviceNotFoundError, DisconnectedError, StreamTimeoutError
from edge_sdk.frames import Frame, FrameFlags


class ActingCamera:
    """Noisy frames at ``fps``; set ``act`` to one of

    ``good``, ``freeze`` (the same bytes), ``silence``, ``unplug`` (read raises, open fails),
    ``bug`` (read raises ZeroDivisionError), ``damage`` (flagged), ``jump`` (stamps 10 s ahead),
    ``hang`` (read returns when it is closed), ``hang for good`` (read never returns), ``hang all``
    (neither read nor close return until ``release``), ``hang open`` (open waits for ``release``).
    """

    live = True

    def __init__(self, name: str, fps: float = 30.0, seed: int = 0, noise: bool = True) -> None:
        self.name = name
        self.fps = fps
        self.act = "good"
        self.release = threading.Event()
        self.opened = self.closed = 0
        self._noise = noise
        self._rng = np.random.default_rng(seed)
        self._open = threading.Event()
        self._sequence = 0
        self._due_s = 0.0
        self._image = self._draw()

    def _draw(self) -> np.ndarray:
        shape = (48, 64) if self.name == "ir" else (48, 64, 3)
        if not self._noise:
            return np.tile(np.arange(64, dtype=np.uint8), (48, 1)) + np.zeros(shape, np.uint8)
        return self._rng.integers(60, 90, shape, np.uint8)

    def open(self) -> None:
        self.opened += 1
        if self.act == "unplug":
            raise DeviceNotFoundError(f"camera {self.name} is not there")
        if self.act == "hang open":
            self.release.wait()
        self._due_s = time.monotonic()
        self._open.set()

    def close(self) -> None:
        self.closed += 1
        if self.act == "hang all":
            self.release.wait()
        self._open.clear()

    def read(self, timeout_s: float = 1.0) -> Frame | None:
        deadline_s = time.monotonic() + timeout_s
        while True:
            if not self._open.is_set() or self.act == "unplug":
                raise DisconnectedError(f"camera {self.name} was unplugged")
            if self.act == "bug":
                raise ZeroDivisionError("a bug")
            while self.act == "hang" and self._open.is_set():
                time.sleep(0.005)
            if self.act in ("hang for good", "hang all"):
                self.release.wait()
            if self.act != "silence" and time.monotonic() >= self._due_s:
                break
            if time.monotonic() >= deadline_s:
                raise StreamTimeoutError(f"camera {self.name} delivers nothing")
            time.sleep(0.002)
        stamp_ns = time.monotonic_ns()
        self._due_s = max(self._due_s + 1 / self.fps, time.monotonic() - 1 / self.fps)
        self._sequence += 1
        if self.act != "freeze":
            self._image = self._draw()
        flags = FrameFlags.DAMAGED if self.act == "damage" else FrameFlags.NONE
        if self.act == "jump":
            stamp_ns += 10**10
        return Frame(self._image.copy(), stamp_ns, self._sequence, self.name, flags)
