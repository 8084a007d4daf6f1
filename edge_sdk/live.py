"""Live cameras: both read under supervision, and a place that holds the newest pair only."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass

from edge_sdk.capture.bounded import run_bounded
from edge_sdk.capture.camera import Camera
from edge_sdk.capture.clocks import ClockWatch
from edge_sdk.capture.core_control import CoreControl
from edge_sdk.capture.pairing import Pairer
from edge_sdk.capture.supervision import CameraState, SupervisorSettings
from edge_sdk.capture.supervisor import CameraSupervisor
from edge_sdk.errors import ConfigError, StreamTimeoutError
from edge_sdk.events import EventHub, EventKind
from edge_sdk.frames import Frame, FrameFlags, FramePair
from edge_sdk.stats import StatsRecorder

__all__ = ["LivePair", "LivePairs"]

_log = logging.getLogger(__name__)

OPEN_S = 10.0
CLOSE_S = 2.0
CHECK_S = 0.05
LATE_S = 0.2
STOP_S = 4.0
PAIRED_NS = 2_000_000_000
"""Pairs for so long, and the cameras pair again; or beats of their rates would tell it for ever."""
_HAS_NO_PART = (
    CameraState.SILENT,
    CameraState.FROZEN,
    CameraState.LOST,
    CameraState.HUNG,
    CameraState.ENDED,
)


@dataclass(frozen=True, slots=True)
class LivePair:
    """A pair, and what the cameras' supervisors know.

    Attributes:
        pair: the frames.
        arrival_ns: when it was there, ``time.monotonic_ns()``.
        reasons: why a frame is missing: ``"ir lost"``, ``"visible frozen"``, ...; ``"ir unpaired"``
            if the camera does deliver, but nothing that fits.
    """

    pair: FramePair
    arrival_ns: int
    reasons: tuple[str, ...] = ()


class LivePairs:
    """Reads two cameras and hands out the newest pair; older ones are dropped and counted.

    A camera that is lost, silent, frozen or hung does not stop the other one, whose frames are
    handed out alone until it is back; see :class:`CameraSupervisor`. So are the visible frames if
    both cameras are well, and their frames too far apart in time to pair.

    Args:
        ir, visible: live cameras.
        pairer: pairs their frames.
        stats: counts.
        events: told what happens.
        settings: bounds of the supervision.
        control: the infrared core's control port; started and stopped here.

    Raises:
        ConfigError: the cameras are not named ``"ir"`` and ``"visible"``.
    """

    def __init__(
        self,
        ir: Camera,
        visible: Camera,
        pairer: Pairer,
        stats: StatsRecorder,
        events: EventHub,
        settings: SupervisorSettings | None = None,
        control: CoreControl | None = None,
    ) -> None:
        for camera, name in ((ir, "ir"), (visible, "visible")):
            if camera.name != name:
                raise ConfigError(
                    f'the {name} camera must be named "{name}", found {camera.name!r}'
                )
        self._supervisors = tuple(CameraSupervisor(c, self, settings) for c in (ir, visible))
        self._pairer = pairer
        self._stats = stats
        self._events = events
        self._control = control
        self._changed = threading.Condition()
        self._newest: LivePair | None = None
        self._running = len(self._supervisors)
        self._clocks = ClockWatch(pairer.tolerance_ns)
        self._usable_ns: dict[str, int] = {}
        self._unpaired_ns: int | None = None
        self._stop = threading.Event()
        self._watchdog = threading.Thread(target=self._watch, name="edge_sdk watch", daemon=True)

    def start(self) -> None:
        """Open the cameras and the control port, and begin to read.

        Raises:
            SourceError: a camera cannot be opened; what was opened before is closed again.
            SerialError, DeviceNotFoundError: so the control port.
        """
        opened: list[Camera] = []
        try:
            for camera in (supervisor.camera for supervisor in self._supervisors):
                opened.append(camera)
                _open(camera)
            if self._control is not None:
                self._control.start()
        except BaseException:
            for camera in opened:
                run_bounded(camera.close, CLOSE_S, f"{camera.name} close")
            if self._control is not None:
                self._control.stop()
            raise
        for supervisor in self._supervisors:
            supervisor.start()
        self._watchdog.start()

    def get(self, timeout_s: float) -> LivePair | None:
        """Newest pair that was not handed out yet; None when both streams have ended.

        Raises:
            StreamTimeoutError: nothing came within ``timeout_s``.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._newest is not None or self._running == 0 or self._stop.is_set(),
                timeout_s,
            )
            newest, self._newest = self._newest, None
            if newest is None and self._running > 0 and not self._stop.is_set():
                cause = next((s.error for s in self._supervisors if s.error is not None), None)
                raise StreamTimeoutError(
                    f"no pair of frames within {timeout_s:.1f} s: {self._describe()}; see "
                    "pipeline.stats() for what was dropped and why"
                ) from cause
            return newest

    def stop(self) -> bool:
        """End the threads and close the cameras, within some 6 s whatever their drivers do.

        Returns:
            False if a driver's call hangs: its thread is abandoned.
        """
        self._stop.set()
        with self._changed:
            self._changed.notify_all()
        for supervisor in self._supervisors:
            supervisor.signal_stop()
        deadline_s = time.monotonic() + STOP_S
        ended = [supervisor.stop(deadline_s) for supervisor in self._supervisors]
        if self._control is not None:
            ended.append(self._control.stop())
        if self._watchdog.is_alive() and self._watchdog is not threading.current_thread():
            self._watchdog.join(1.0)
        return all(ended)

    # The supervisors' owner ---------------------------------------------------------------------

    def on_frame(self, frame: Frame) -> None:
        arrival_ns = time.monotonic_ns()
        with self._changed:
            judged = self._clocks.take(frame, arrival_ns)
            if judged.corrected:
                self._offer(self._pairer.flush())
            if FrameFlags.DAMAGED not in frame.flags:
                self._usable_ns[frame.camera] = arrival_ns
            pairs: list[FramePair] = []
            if judged.doubtful:
                self._pairer.skip(judged.frame)
            else:
                pairs = self._pairer.push(judged.frame, judged.jumped)
            if not judged.jumped and any(pair.ir and pair.visible for pair in pairs):
                self._clocks.paired(arrival_ns)
            self._offer(pairs)
            unpaired = self._watch_pairing(pairs, arrival_ns)
        if judged.news is not None:
            self._events.emit(judged.news.kind, judged.news.message, judged.news.camera)
        if unpaired is not None:
            self._events.emit(*unpaired)

    def on_state(self, camera: str, state: CameraState) -> None:
        with self._changed:
            self._offer(self._pairer.set_absent(camera, state in _HAS_NO_PART))

    def on_end(self, camera: str) -> None:
        with self._changed:
            self._running -= 1
            if self._running == 0:
                self._offer(self._pairer.flush())
            self._changed.notify_all()

    def on_event(self, kind: EventKind, message: str, camera: str) -> None:
        self._events.emit(kind, message, camera)

    def on_count(self, counter: str, key: str, amount: int = 1) -> None:
        self._stats.count(getattr(self._stats, counter), key, amount)

    def flags_of(self, camera: str) -> FrameFlags:
        if camera != "ir" or self._control is None:
            return FrameFlags.NONE
        return self._control.flags()

    # --------------------------------------------------------------------------------------------

    def _offer(self, pairs: list[FramePair]) -> None:
        for pair in pairs:
            if self._newest is not None:
                self._stats.count(self._stats.dropped, "superseded")
            self._newest = LivePair(pair, time.monotonic_ns(), self._reasons(pair))
            self._changed.notify_all()

    def _reasons(self, pair: FramePair) -> tuple[str, ...]:
        reasons = []
        for frame, supervisor in zip((pair.ir, pair.visible), self._supervisors, strict=True):
            name = supervisor.camera.name
            if frame is None and supervisor.state in _HAS_NO_PART:
                reasons.append(f"{name} {supervisor.state.value}")
            elif frame is None and self._delivers(name):
                reasons.append(f"{name} unpaired")
        return tuple(reasons)

    def _delivers(self, name: str) -> bool:
        """Whether usable frames of a camera come, surely: not when it has just fallen silent."""
        recent_ns = (self._pairer.single_after_ns or 0) * 3 // 4
        return time.monotonic_ns() - self._usable_ns.get(name, -recent_ns) <= recent_ns

    def _watch_pairing(
        self, pairs: list[FramePair], arrival_ns: int
    ) -> tuple[EventKind, str] | None:
        """What to tell, if anything, of cameras that both deliver and do not pair."""
        if not self._clocks.in_doubt and any(
            pair.ir is None and self._delivers("ir") for pair in pairs
        ):
            told, problem = self._unpaired_ns is not None, self._describe_skew()
            if problem is None:
                return None
            self._unpaired_ns = arrival_ns
            news = EventKind.UNPAIRED, f"{problem}; until then visible is shown alone"
            return None if told else news
        paired = any(pair.ir and pair.visible for pair in pairs)
        if self._unpaired_ns is None or not paired:
            return None
        if arrival_ns - self._unpaired_ns < PAIRED_NS:
            return None
        self._unpaired_ns = None
        return EventKind.BACK, "the cameras pair again"

    def _describe_skew(self) -> str | None:
        """Why the cameras do not pair, and what to do; None if their times are not why."""
        skew_ns = self._pairer.unpaired_skew_ns
        if skew_ns is None or not all(map(self._delivers, ("ir", "visible"))):
            return None
        return (
            f"both cameras deliver, but their nearest frames are {abs(skew_ns) / 1e6:.1f} ms apart "
            f"and pairing.tolerance_ms is {self._pairer.tolerance_ns / 1e6:g}: raise it (half the "
            "frame period of the faster camera is always enough), or trigger the cameras together"
        )

    def _describe(self) -> str:
        states = [
            f"camera {s.camera.name} is {s.state.value}" + (f" ({s.why})" if s.why else "")
            for s in self._supervisors
        ]
        skew = self._describe_skew()
        return ", ".join(states if skew is None else [*states, skew])

    def _watch(self) -> None:
        watched_s = time.monotonic()
        while not self._stop.wait(CHECK_S):
            before_s, watched_s = watched_s, time.monotonic()
            if watched_s - before_s > LATE_S:
                continue  # without a processor for us, the readers had none either
            for supervisor in self._supervisors:
                try:
                    supervisor.check()
                except Exception:  # the watch must go on
                    _log.exception("the watch over camera %s failed", supervisor.camera.name)


def _open(camera: Camera) -> None:
    if not run_bounded(camera.open, OPEN_S, f"{camera.name} open"):
        raise StreamTimeoutError(
            f"camera {camera.name}: open() of its driver has not returned within {OPEN_S:g} s; "
            "unplug the camera and plug it in again, or look at its power supply"
        )
