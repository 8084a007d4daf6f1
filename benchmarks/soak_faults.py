"""Faults at random for a soak run: what goes wrong when, and cameras that do it."""

from __future__ import annotations

import random
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import TracebackType

import numpy as np

from edge_sdk.capture.camera import Camera
from edge_sdk.capture.serial import Fault as SerialFault
from edge_sdk.capture.serial import SimulatedBoson
from edge_sdk.errors import DeviceNotFoundError, DisconnectedError, StreamTimeoutError
from edge_sdk.frames import Frame, FrameFlags

__all__ = ["CAMERA_FAULTS", "CORE_FAULTS", "FaultyCamera", "SoakFault", "make_plan", "run_plan"]

CAMERA_FAULTS = {
    "freeze": (0.3, 4.0),
    "pull": (0.5, 6.0),
    "silence": (0.3, 5.0),
    "slow": (1.0, 5.0),
    "damaged": (0.2, 3.0),
    "time jump": (0.5, 3.0),
    "exception": (0.1, 3.0),
    "hanging read": (0.5, 5.0),
    "hanging driver": (1.5, 6.0),
}
"""Kind -> shortest and longest time that it lasts, seconds."""
CORE_FAULTS = {
    "shutter": (0.4, 1.5),
    "mute port": (0.5, 6.0),
    "damaged replies": (0.5, 4.0),
    "pulled port": (0.5, 5.0),
}
SLOW_FPS = 4.0
JUMP_NS = 20_000_000_000
KEPT = 4096


@dataclass(frozen=True)
class SoakFault:
    """Something that goes wrong.

    Attributes:
        kind: a key of :data:`CAMERA_FAULTS` or :data:`CORE_FAULTS`.
        where: ``"ir"``, ``"visible"`` or ``"core"``.
        start_s, stop_s: seconds after the start of the run.
    """

    kind: str
    where: str
    start_s: float
    stop_s: float


def make_plan(
    seconds: float, count: int, seed: int, *, core: bool = True, rest_s: float = 20.0
) -> list[SoakFault]:
    """``count`` faults spread over the run: one somewhere in each of as many equal spans.

    All kinds come equally often, in random order. Nothing starts in the first five seconds, and all
    is over ``rest_s`` before the end, so that every fault can be seen to heal.
    """
    rng = random.Random(seed)
    kinds = [(kind, where) for kind in CAMERA_FAULTS for where in ("ir", "visible")]
    kinds += [(kind, "core") for kind in CORE_FAULTS] if core else []
    chosen: list[tuple[str, str]] = []
    while len(chosen) < count:
        rng.shuffle(kinds)
        chosen += kinds
    span_s = (seconds - 5.0 - rest_s) / max(1, count)
    plan = []
    for index, (kind, where) in enumerate(chosen[:count]):
        low, high = (CAMERA_FAULTS | CORE_FAULTS)[kind]
        start_s = 5.0 + (index + rng.random()) * span_s
        stop_s = min(start_s + rng.uniform(low, high), seconds - rest_s)
        plan.append(SoakFault(kind, where, round(start_s, 3), round(stop_s, 3)))
    return plan


class FaultyCamera:
    """A live camera around another one that fails as it is told.

    ``read`` and ``close`` of a hanging driver do not return before the fault is over; a hanging
    read ends when the camera is closed, as that of a well-made driver does.

    Args:
        inner: the camera that delivers.
        shutter: tells whether the core's shutter is closed: the picture stands still then.
    """

    live = True

    def __init__(self, inner: Camera, shutter: Callable[[], bool] = lambda: False) -> None:
        self._inner = inner
        self._shutter = shutter
        self._faults: frozenset[str] = frozenset()
        self._lock = threading.Lock()
        self._open = False
        self._last: Frame | None = None
        self._offset_ns = 0
        self._slow_s = 0.0
        self.bad: OrderedDict[int, str] = OrderedDict()
        """Time stamp -> why a frame must not be fused unflagged; the last 4,096."""

    @property
    def name(self) -> str:
        return self._inner.name

    @property
    def counts(self) -> dict[str, int]:
        """What the camera inside has counted."""
        return dict(getattr(self._inner, "counts", {}))

    def begin(self, kind: str) -> None:
        """Let a fault begin."""
        with self._lock:
            self._faults |= {kind}
        if kind == "time jump":
            self._offset_ns += JUMP_NS

    def end(self, kind: str) -> None:
        """Let it end."""
        with self._lock:
            ended = kind in self._faults
            self._faults -= {kind}
        if ended and kind == "time jump":
            self._offset_ns -= JUMP_NS

    def open(self) -> None:
        if "pull" in self._faults:
            raise DeviceNotFoundError(f"camera {self.name} is pulled")
        self._inner.open()
        self._open = True

    def close(self) -> None:
        self._hang("hanging driver")
        self._open = False
        self._inner.close()

    def read(self, timeout_s: float = 1.0) -> Frame | None:
        if "pull" in self._faults:
            self._inner.close()
            raise DisconnectedError(f"camera {self.name} was pulled")
        if "exception" in self._faults:
            raise RuntimeError("a mistake in a driver")
        self._hang("hanging driver")
        self._hang("hanging read")
        if "silence" in self._faults:
            time.sleep(timeout_s)
            raise StreamTimeoutError(f"camera {self.name} is silent")
        if "slow" in self._faults:
            time.sleep(max(0.0, self._slow_s + 1 / SLOW_FPS - time.monotonic()))
            self._slow_s = time.monotonic()
        frame = self._inner.read(timeout_s)
        return None if frame is None else self._spoil(frame)

    def _hang(self, kind: str) -> None:
        while kind in self._faults and (self._open or kind != "hanging read"):
            time.sleep(0.01)

    def _spoil(self, frame: Frame) -> Frame:
        frame = replace(frame, timestamp_ns=frame.timestamp_ns + self._offset_ns)
        last = self._last
        frozen = "freeze" in self._faults or self._shutter()
        if frozen and last is not None:
            self._mark(frame, "repeated")
            return replace(frame, image=last.image.copy())
        if "damaged" in self._faults:
            image = frame.image.copy()
            image[image.shape[0] // 2 :] = 0
            self._mark(frame, "damaged")
            return replace(frame, image=image, flags=frame.flags | FrameFlags.DAMAGED)
        self._last = replace(frame, image=np.array(frame.image))
        return frame

    def _mark(self, frame: Frame, why: str) -> None:
        self.bad[frame.timestamp_ns] = why
        while len(self.bad) > KEPT:
            self.bad.popitem(last=False)

    def __enter__(self) -> FaultyCamera:
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def run_plan(
    plan: list[SoakFault],
    cameras: dict[str, FaultyCamera],
    core: SimulatedBoson | None,
    stop: threading.Event,
    start_s: float,
) -> None:
    """Let every fault happen at its time (``start_s`` in ``time.monotonic()``), until ``stop``."""
    steps = sorted(
        [(fault.start_s, index, True) for index, fault in enumerate(plan)]
        + [(fault.stop_s, index, False) for index, fault in enumerate(plan)]
    )
    for at_s, index, begins in steps:
        if stop.wait(max(0.0, start_s + at_s - time.monotonic())):
            break
        fault = plan[index]
        if fault.where == "core":
            assert core is not None
            _core_fault(core, fault, begins)
        else:
            camera = cameras[fault.where]
            (camera.begin if begins else camera.end)(fault.kind)
    for camera in cameras.values():
        for kind in CAMERA_FAULTS:
            camera.end(kind)


def _core_fault(core: SimulatedBoson, fault: SoakFault, begins: bool) -> None:
    if fault.kind == "shutter":
        if begins:
            core.ffc_duration_s = fault.stop_s - fault.start_s
            core.run_ffc()
    elif fault.kind == "pulled port":
        (core.unplug if begins else core.plug_in)()
    elif begins:
        kind = SerialFault.MUTE if fault.kind == "mute port" else SerialFault.WRONG_CRC
        core.inject(kind, 100_000)
    else:
        core.clear_faults()
