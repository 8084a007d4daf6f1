"""Keeps one live camera going: notices that it is gone, frozen, silent or hung, and reopens it."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace

from edge_sdk.capture.bounded import run_bounded
from edge_sdk.capture.camera import Camera
from edge_sdk.capture.freshness import FreezeWatch
from edge_sdk.capture.supervision import (
    FIRST_FRAME_S,
    PERIODS,
    CameraState,
    Owner,
    Pace,
    SupervisorSettings,
)
from edge_sdk.errors import BandwidthError, SourceError, StreamTimeoutError
from edge_sdk.events import EventKind
from edge_sdk.frames import Frame, FrameFlags

__all__ = ["CameraSupervisor"]

_log = logging.getLogger(__name__)

READ_TIMEOUT_S = 0.25
FIRST_RETRY_S = 0.1
LAST_RETRY_S = 5.0
LAST_FROZEN_RETRY_S = 60.0
STEADY_S = 2.0
"""Good frames for so long, and the next loss is retried quickly again."""
CALL_BOUNDS_S = {"open": 10.0, "read": READ_TIMEOUT_S + 2.0, "close": 3.0}
ABANDON_S = 2.0
"""A read that still hangs so long after ``close()`` returned is given up."""
MAX_ABANDONED = 3
"""Abandoned reads at a time; each that returns at last makes room for another."""
_KINDS = {
    CameraState.SILENT: EventKind.TIMEOUT,
    CameraState.FROZEN: EventKind.FROZEN,
    CameraState.LOST: EventKind.LOST,
    CameraState.HUNG: EventKind.HUNG,
}


class CameraSupervisor:
    """Reads one camera in a thread of its own, for as long as it takes.

    - *lost*: a call raised something, or a frame could not be used; any exception of a driver
      counts, and is logged.
    - *silent*: nothing usable came for ``max(5 frame periods, silent_after_s)``: no frame, or
      damaged ones only. While the period is not known, and until the first frame, 3 s at least.
    - *frozen*: the same bytes came for ``max(5 frames, frozen_after_s)``; every repetition before
      that is flagged ``STALE``, see :class:`FreshnessCheck`.
    - *hung*: a call into the driver does not return within its bound: ``read`` 2.25 s, ``open`` 10
      s, ``close`` 3 s. ``close()`` is then called from another thread, which ends the read of a
      well-made driver; a read that hangs on is abandoned, and the camera opened anew.

    A camera in one of these states is closed and opened again, by whatever identity its driver was
    given, after 0.1 s and then less and less often, down to every 5 s (60 s if it is only frozen).
    The first good frame brings it back.

    Args:
        camera: a live camera that is open already.
        owner: who gets the frames and the news.
        settings: bounds.
    """

    def __init__(
        self, camera: Camera, owner: Owner, settings: SupervisorSettings | None = None
    ) -> None:
        self.camera = camera
        self._owner = owner
        self._settings = settings or SupervisorSettings()
        self._state = CameraState.STARTING
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._generation = 0
        self._worker: threading.Thread | None = None
        self._call: tuple[str, float] | None = None
        self._closed_s: float | None = None
        self._rescuing = False
        self._suspect = False
        self._abandoned: list[threading.Thread] = []
        self._freeze = FreezeWatch()
        self._pace = Pace(camera)
        self._damaged = 0
        self._opened_s = self._heard_s = time.monotonic()
        self._good_since_s = 0.0
        self._pause_s = FIRST_RETRY_S
        self._sequence: int | None = None
        self.why = ""
        """What the camera was lost, silent, frozen or hung for, last time."""
        self.error: Exception | None = None
        """What its driver raised, last time."""

    @property
    def state(self) -> CameraState:
        return self._state

    def start(self) -> None:
        """Begin to read."""
        self._opened_s = self._heard_s = time.monotonic()
        self._pace.on_opened()
        self._start_worker(opened=True)

    def stop(self, deadline_s: float) -> bool:
        """End the thread and close the camera, until ``deadline_s`` (``time.monotonic()``).

        Returns:
            False if a call into the driver hangs: its thread is abandoned.
        """
        self._stop.set()
        worker = self._worker
        self._join(worker, min(deadline_s, time.monotonic() + 2 * READ_TIMEOUT_S))
        self._generation += 1
        rest_s = max(0.2, deadline_s - time.monotonic())
        try:
            closed = run_bounded(self.camera.close, rest_s, f"{self.camera.name} close")
        except Exception:
            _log.exception("close() of camera %s failed", self.camera.name)
            closed = True
        self._join(worker, deadline_s)  # a well-made driver's read ends when it is closed
        ended = worker is None or not worker.is_alive()
        if not (ended and closed):
            _log.warning("camera %s: its driver does not return", self.camera.name)
        return ended and closed

    @staticmethod
    def _join(worker: threading.Thread | None, deadline_s: float) -> None:
        if worker is not None and worker is not threading.current_thread():
            worker.join(max(0.0, deadline_s - time.monotonic()))

    def signal_stop(self) -> None:
        """Let the thread end soon, without waiting for it."""
        self._stop.set()

    def check(self) -> None:
        """Look whether the camera is late. Called every few hundredths of a second."""
        now_s = time.monotonic()
        with self._lock:
            if self._state is CameraState.ENDED or self._stop.is_set():
                return
            call = self._call
            if call is not None and now_s - call[1] > CALL_BOUNDS_S[call[0]]:
                self._on_hang(call[0], now_s - call[1])
                return
            if self._state in (CameraState.STARTING, CameraState.GOOD) and self.is_late(now_s):
                what = f"only {self._damaged} damaged frames" if self._damaged else "no frame"
                since = " since it was opened" if self._state is CameraState.STARTING else ""
                self._fall(CameraState.SILENT, f"{what} for {now_s - self._heard_s:.2f} s{since}")

    def is_late(self, now_s: float) -> bool:
        """Whether the bound for silence is over."""
        return now_s - self._heard_s > self._patience_s(self._settings.silent_after_s)

    def _patience_s(self, least_s: float) -> float:
        """How long there may be no usable frame."""
        with self._lock:
            patience_s = self._pace.patience_s(least_s)
            first = self._heard_s == self._opened_s
        return max(patience_s, FIRST_FRAME_S) if first else patience_s

    # The thread ---------------------------------------------------------------------------------

    def _start_worker(self, opened: bool) -> None:
        self._generation += 1
        self._worker = threading.Thread(
            target=self._work,
            args=(self._generation, opened),
            name=f"edge_sdk {self.camera.name}",
            daemon=True,
        )
        self._worker.start()

    def _mine(self, generation: int) -> bool:
        return generation == self._generation and not self._stop.is_set()

    def _work(self, generation: int, opened: bool) -> None:
        while self._mine(generation):
            if not opened and not self._reopen(generation):
                continue
            opened = True
            try:
                frame = self._timed("read", generation)
            except StreamTimeoutError:
                opened = not self._must_reopen()
                continue
            except Exception as error:
                if not self._mine(generation):
                    return
                self._lose(error)
                opened = False
                continue
            if not self._mine(generation):
                return
            if frame is None:
                self._end()
                return
            try:
                opened = self._take(frame)
            except Exception as error:  # a frame that nobody can use must not end this thread
                self._lose(error)
                opened = False

    def _timed(self, what: str, generation: int) -> Frame | None:
        """Call the driver; ``check`` sees how long it takes."""
        call = (what, time.monotonic())
        self._call = call
        try:
            if what == "read":
                return self.camera.read(READ_TIMEOUT_S)
            if what == "open":
                self.camera.open()
            else:
                self.camera.close()
            return None
        finally:
            if generation == self._generation:
                self._call = None

    def _reopen(self, generation: int) -> bool:
        while self._rescuing and self._mine(generation):
            self._stop.wait(0.02)
        try:
            self._timed("close", generation)
        except Exception:
            _log.exception("close() of camera %s failed", self.camera.name)
        frozen = self._state is CameraState.FROZEN  # it has waited while it was frozen
        # The pause may have grown to a frozen camera's, which a lost one must not wait.
        pause_s = FIRST_RETRY_S if frozen else min(self._pause_s, LAST_RETRY_S)
        if self._stop.wait(pause_s) or not self._mine(generation):
            return False
        self._pause_s = min(2 * self._pause_s, LAST_FROZEN_RETRY_S if frozen else LAST_RETRY_S)
        try:
            self._timed("open", generation)
        except Exception as error:  # whatever a driver raises: the next attempt may succeed
            if self._mine(generation):
                self._lose(error)
            return False
        if not self._mine(generation):
            if self._stop.is_set():
                self.camera.close()  # it came too late
            return False
        now_s = time.monotonic()
        with self._lock:
            self._suspect = False
            self._closed_s = None
            self._opened_s = self._heard_s = now_s
            self._freeze.on_reopened(now_s)
            self._sequence = None
            self._pace.on_opened()
            self._damaged = 0
        return True

    def _must_reopen(self) -> bool:
        """After a read that gave nothing usable."""
        now_s = time.monotonic()
        with self._lock:
            if self._suspect:
                return True
            return now_s - self._heard_s > self._patience_s(self._settings.reopen_after_s)

    def _take(self, frame: Frame) -> bool:
        """Judge a frame and pass it on; False if the camera has to be reopened."""
        now_s = time.monotonic()
        name = self.camera.name
        owner = self._owner
        owner.on_count("frames_in", name)
        if self._sequence is not None and frame.sequence > self._sequence + 1:
            lost = frame.sequence - self._sequence - 1
            owner.on_count("dropped", f"{name} lost by the camera", lost)
        self._sequence = frame.sequence
        flags = frame.flags | owner.flags_of(name)
        frozen_s = 0.0
        damaged = FrameFlags.DAMAGED in flags
        if self._settings.frozen_after_s is not None and not damaged:
            stale, frozen_s = self._freeze.judge(frame.image, flags, now_s)
            flags |= FrameFlags.STALE if stale else FrameFlags.NONE
        if flags != frame.flags:
            frame = replace(frame, flags=flags)
        with self._lock:
            if self._suspect:
                return False  # it was closed meanwhile: what comes now cannot be relied upon
            self._pace.on_frame(now_s)
            if damaged:
                self._damaged += 1
            else:
                self._heard_s, self._damaged = now_s, 0
            if self._is_frozen(frozen_s):
                self._fall(
                    CameraState.FROZEN,
                    f"the same picture for {frozen_s:.2f} s, {self._freeze.repeats} repetitions",
                )
            if not flags & (FrameFlags.STALE | FrameFlags.DAMAGED):
                self._rise(now_s)
            usable = self._state in (CameraState.STARTING, CameraState.GOOD)
        if usable:
            owner.on_frame(frame)
        else:
            stale = FrameFlags.STALE in flags
            owner.on_count("dropped", f"{name} {'frozen' if stale else 'damaged'}")
        if damaged:
            return not self._must_reopen()
        return usable or frozen_s < max(self._settings.reopen_after_s, self._pause_s)

    def _is_frozen(self, frozen_s: float) -> bool:
        bound_s = self._settings.frozen_after_s
        return bound_s is not None and frozen_s >= bound_s and self._freeze.repeats >= PERIODS

    # What is told -------------------------------------------------------------------------------

    def _fall(self, state: CameraState, why: str) -> None:
        with self._lock:
            self.why = why
            if self._state is state:
                return
            self._state = state
        self._owner.on_state(self.camera.name, state)
        self._owner.on_event(_KINDS[state], why, self.camera.name)

    def _rise(self, now_s: float) -> None:
        """A good frame came."""
        if self._state is CameraState.GOOD:
            if now_s - self._good_since_s > STEADY_S:
                self._pause_s = FIRST_RETRY_S
            return
        before, self._state = self._state, CameraState.GOOD
        self._good_since_s = now_s
        self._owner.on_state(self.camera.name, CameraState.GOOD)
        if before is not CameraState.STARTING:
            self._owner.on_event(
                EventKind.BACK, f"delivers again after it was {before.value}", self.camera.name
            )

    def _lose(self, error: Exception) -> None:
        name = self.camera.name
        self.error = error
        if isinstance(error, BandwidthError):
            if self.why != str(error):
                self._owner.on_event(EventKind.BANDWIDTH, str(error), name)
        elif not isinstance(error, (SourceError, OSError)) and self.why != repr(error):
            _log.error("the driver of camera %s failed", name, exc_info=error)
        known = isinstance(error, (SourceError, OSError))
        self._fall(CameraState.LOST, str(error) if known else repr(error))

    def _end(self) -> None:
        with self._lock:
            self._state = CameraState.ENDED
        # Before on_end, so that the other camera's frames wait for no partner any more.
        self._owner.on_state(self.camera.name, CameraState.ENDED)
        self._owner.on_end(self.camera.name)

    def _on_hang(self, what: str, seconds: float) -> None:
        """``self._lock`` is held."""
        self._suspect = self._suspect or what == "read"
        self._fall(CameraState.HUNG, f"{what}() of its driver has not returned for {seconds:.1f} s")
        if what != "read":
            return  # an open or a close beside it would only hang as well: wait until it returns
        if self._closed_s is None:
            if not self._rescuing:
                self._rescuing = True
                name = f"edge_sdk {self.camera.name} rescue"
                threading.Thread(target=self._rescue, name=name, daemon=True).start()
        elif time.monotonic() - self._closed_s > ABANDON_S:
            self._abandon()

    def _abandon(self) -> None:
        """Leave a read that hangs to itself, and go on in another thread."""
        self._abandoned = [thread for thread in self._abandoned if thread.is_alive()]
        if self._worker is None or len(self._abandoned) >= MAX_ABANDONED:
            return
        self._abandoned.append(self._worker)
        self._call = None
        self._closed_s = None
        self._start_worker(opened=False)

    def _rescue(self) -> None:
        try:
            self.camera.close()
        except Exception:
            _log.exception("close() of camera %s failed", self.camera.name)
        with self._lock:
            self._rescuing = False
            self._closed_s = time.monotonic()
