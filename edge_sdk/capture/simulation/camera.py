"""A simulated camera: frames by index, in order, or at their own pace, with faults on demand."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sdk.capture.simulation.faults import Fault, FaultPlan
from edge_sdk.capture.simulation.timing import FrameClock, ShutterPlan
from edge_sdk.errors import DeviceNotFoundError, DisconnectedError, SourceError, StreamTimeoutError
from edge_sdk.frames import Frame, FrameFlags

__all__ = ["Epoch", "SimulatedCamera"]

Image = NDArray[Any]

_BUFFERS = 4
"""Frames that wait for a slow reader in real time; further ones are lost, as in a V4L2 queue."""
_READOUT_NS = 4_000_000
"""From the start of the exposure, which the stamp tells, to the arrival of the frame."""
_ATTEMPT_NS = 1_000_000_000
"""Simulated time that a failed open takes if time does not pass by itself."""
_FIRST_STAMP_NS = 1_000_000_000


class Epoch:
    """When a rig started: a fixed time, or the moment when the first camera was opened."""

    def __init__(self, realtime: bool) -> None:
        self.realtime = realtime
        self._lock = threading.Lock()
        self._start_ns: int | None = None if realtime else _FIRST_STAMP_NS
        self._before: list[Callable[[], object]] = []

    def before_start(self, work: Callable[[], object]) -> None:
        """Do this before time begins to run, if it runs by itself."""
        self._before.append(work)

    def start(self) -> None:
        """Fix the start, if it is not fixed yet."""
        with self._lock:
            if self._start_ns is None:
                for work in self._before:
                    work()
                self._start_ns = time.monotonic_ns()

    @property
    def start_ns(self) -> int:
        """Time stamp of the start.

        Raises:
            SourceError: the rig runs in real time and no camera was opened yet.
        """
        if self._start_ns is None:
            raise SourceError(
                "the simulated rig runs in real time and has not started; open a camera first"
            )
        return self._start_ns


@dataclass(frozen=True)
class Sensor:
    """``image(index, time_ns)`` of a camera; ``brighten(image, amount)`` changes its exposure."""

    image: Callable[[int, int], Image]
    brighten: Callable[[Image, float | None], Image]


class SimulatedCamera:
    """One camera of a :class:`SimulatedRig`; follows the ``Camera`` protocol.

    ``read`` gives frames in order. In real time they come at their own pace; if more than four
    wait, later ones are lost until there is room. Otherwise ``read`` never waits, and simulated
    time stands still between two reads. Closing and opening a camera does not turn back its time.
    """

    def __init__(
        self,
        name: str,
        clock: FrameClock,
        shutter: ShutterPlan,
        sensor: Sensor,
        epoch: Epoch,
        frames: int | None,
        faults: tuple[Fault, ...],
    ) -> None:
        self._name = name
        self._clock = clock
        self._shutter = shutter
        self._sensor = sensor
        self._epoch = epoch
        self._frames = frames
        self._faults = FaultPlan(faults)
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._closed.set()
        self._next = 0
        self._pending: deque[int] = deque()
        self._now_ns = clock.time_ns(0)
        self._last: tuple[int, Image] | None = None
        # The first picture takes a second or two, the scene being built: no camera is so late.
        epoch.before_start(lambda: self._image(0))

    @property
    def name(self) -> str:
        """``"ir"`` or ``"visible"``."""
        return self._name

    @property
    def live(self) -> bool:
        """True in real time."""
        return self._epoch.realtime

    def open(self) -> None:
        """Start, or go on, delivering frames.

        Raises:
            DeviceNotFoundError: the camera is disconnected by a fault. In real time it comes back
                when the fault is over; otherwise each failed attempt takes one simulated second.
        """
        self._epoch.start()
        with self._lock:
            gone = self._faults.at("disconnect", self._time_ns())
            if gone is not None:
                self._now_ns += _ATTEMPT_NS
                raise DeviceNotFoundError(
                    f"the simulated camera {self._name!r} is unplugged by a fault from "
                    f"{gone.start_s:g} s on for {gone.duration_s:g} s; try again later"
                )
            if self._closed.is_set():
                self._pending.clear()
                arrived_ns = self._time_ns() - (_READOUT_NS if self.live else 0)
                self._next = max(self._next, self._clock.first_from(arrived_ns))
            self._closed.clear()

    def close(self) -> None:
        """Stop; a waiting ``read`` returns with an error. Never raises."""
        self._closed.set()

    def __enter__(self) -> SimulatedCamera:
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def seek(self, index: int) -> None:
        """Let the next ``read`` go on at frame ``index`` (not in real time).

        Raises:
            SourceError: the rig runs in real time, or the index is negative.
        """
        if self.live or index < 0:
            raise SourceError(
                f"cannot seek to frame {index} of the simulated camera {self._name!r}; use an "
                "index >= 0 and a rig that does not run in real time"
            )
        with self._lock:
            self._next = index
            self._now_ns = self._clock.time_ns(index)

    def inject(
        self, fault: str, start_s: float, duration_s: float, amount: float | None = None
    ) -> None:
        """Plan a fault; see :class:`Fault` for the kinds and the amounts.

        Raises:
            ConfigError: no such fault, or a number out of its range.
        """
        self._faults.add(Fault(fault, start_s, duration_s, amount))

    def frame(self, index: int) -> Frame | None:
        """Frame ``index``, whatever was read before; None if it is lost or after the end.

        In real time, a camera must have been opened before, since that sets the clock.
        """
        if index < 0 or self._ended(index) or self._lost(index):
            return None
        with self._lock:
            return self._render(index)

    def read(self, timeout_s: float = 1.0) -> Frame | None:
        """The next frame; None after the last one.

        Raises:
            SourceError: the camera is not open.
            StreamTimeoutError: nothing came within ``timeout_s`` (a fault, or a short time-out).
            DisconnectedError: a fault unplugged the camera; ``open`` it again.
        """
        if self._closed.is_set():
            raise SourceError(f"the simulated camera {self._name!r} is not open; call open() first")
        if self.live:
            return self._read_live(timeout_s)
        with self._lock:
            return self._read_next(timeout_s)

    def _time_ns(self) -> int:
        """Now, after the start: the wall's in real time, the simulated one otherwise."""
        if self.live:
            return time.monotonic_ns() - self._epoch.start_ns
        return self._now_ns

    def _ended(self, index: int) -> bool:
        return self._frames is not None and index >= self._frames

    def _lost(self, index: int) -> bool:
        at_ns = self._clock.time_ns(index)
        return (
            self._clock.dropped(index)
            or self._faults.at("silence", at_ns) is not None
            or self._faults.at("disconnect", at_ns) is not None
        )

    def _unplugged(self, index: int) -> bool:
        return self._faults.at("disconnect", self._clock.time_ns(index)) is not None

    def _read_next(self, timeout_s: float) -> Frame | None:
        silent_ns: int | None = None
        while not self._ended(self._next):
            at_ns = self._clock.time_ns(self._next)
            silence = self._faults.at("silence", at_ns)
            if self._unplugged(self._next):
                self._now_ns = max(self._now_ns, at_ns)
                raise self._disconnected()
            if silence is not None:
                silent_ns = self._now_ns if silent_ns is None else silent_ns
                wait_ns = round(timeout_s * 1e9)
                if silence.stop_ns - silent_ns > wait_ns:
                    self._now_ns = silent_ns + wait_ns
                    raise self._timed_out(timeout_s)
                self._next = self._clock.first_from(silence.stop_ns)
                continue
            if not self._clock.dropped(self._next):
                break
            self._next += 1
        if self._ended(self._next):
            return None
        index = self._next
        self._next += 1
        self._now_ns = max(self._now_ns, self._clock.time_ns(index))
        return self._render(index)

    def _read_live(self, timeout_s: float) -> Frame | None:
        deadline_ns = time.monotonic_ns() + round(timeout_s * 1e9)
        while True:
            with self._lock:
                now_ns = self._time_ns()
                self._collect(now_ns)
                if self._pending:
                    return self._render(self._pending.popleft())
                if self._ended(self._next):
                    return None
                due_ns = self._clock.time_ns(self._next) + _READOUT_NS
                if self._unplugged(self._next) and due_ns <= now_ns:
                    raise self._disconnected()
            left_ns = deadline_ns - time.monotonic_ns()
            if left_ns <= 0:
                raise self._timed_out(timeout_s)
            if self._closed.wait(min(left_ns, max(due_ns - now_ns, 200_000)) / 1e9):
                raise SourceError(f"the simulated camera {self._name!r} was closed while reading")

    def _collect(self, now_ns: int) -> None:
        """Move the frames that have arrived into the buffers; those that find none are lost."""
        while not self._ended(self._next) and not self._unplugged(self._next):
            if self._clock.time_ns(self._next) + _READOUT_NS > now_ns:
                return
            if len(self._pending) >= _BUFFERS:
                self._overflow(now_ns)
                return
            if not self._lost(self._next):
                self._pending.append(self._next)
            self._next += 1

    def _overflow(self, now_ns: int) -> None:
        """Skip all that has arrived by now, but not a disconnection on the way."""
        taken_ns = now_ns - _READOUT_NS + 1
        gone_ns = self._faults.first("disconnect", self._clock.time_ns(self._next), taken_ns)
        self._next = self._clock.first_from(taken_ns if gone_ns is None else gone_ns)

    def _render(self, index: int) -> Frame:
        at_ns = self._clock.time_ns(index)
        source = index
        flags = FrameFlags.NONE
        if self._shutter.closed_since(at_ns) is not None:
            flags |= FrameFlags.SHUTTER
        frozen = self._faults.at("freeze", at_ns)
        if frozen is not None:
            source = max(0, self._clock.first_from(frozen.start_ns) - 1)
        shut_ns = self._shutter.closed_since(self._clock.time_ns(source))
        if shut_ns is not None:
            source = max(0, self._clock.first_from(shut_ns) - 1)
        image = self._image(source) if source == index else self._repeated(source)
        jump = self._faults.at("exposure_jump", at_ns)
        if jump is not None:
            image = self._sensor.brighten(image, jump.amount)
        if self._faults.at("damaged", at_ns) is not None:
            flags |= FrameFlags.DAMAGED
            _damage(image, index)
        stamp_ns = self._epoch.start_ns + at_ns
        step = self._faults.at("clock_jump", at_ns)
        if step is not None:
            stamp_ns += round(1e9 * (2.0 if step.amount is None else step.amount))
        return Frame(image, stamp_ns, index, self._name, flags)

    def _image(self, index: int) -> Image:
        """The undamaged image."""
        return self._sensor.image(index, self._clock.time_ns(index))

    def _repeated(self, index: int) -> Image:
        """A copy of an image that several frames show."""
        if self._last is None or self._last[0] != index:
            self._last = (index, self._image(index))
        return self._last[1].copy()

    def _disconnected(self) -> DisconnectedError:
        self._closed.set()
        return DisconnectedError(
            f"the simulated camera {self._name!r} was unplugged by a fault; open it again"
        )

    def _timed_out(self, timeout_s: float) -> StreamTimeoutError:
        return StreamTimeoutError(
            f"the simulated camera {self._name!r} delivered nothing within {timeout_s:g} s; "
            "a fault keeps it silent, or the time-out is shorter than a frame period"
        )


def _damage(image: Image, index: int) -> None:
    """As if packets had been lost: from some row on, an earlier piece repeats, then nothing."""
    height = image.shape[0]
    cut = height // 3 + (index * 37) % (height // 3)
    piece = height // 8
    image[cut : cut + piece] = np.roll(image[cut - piece : cut], image.shape[1] // 3, axis=1)
    image[cut + piece :] = 0
