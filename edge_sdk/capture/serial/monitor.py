"""Watches the shutter of an infrared core, so that frozen frames can be flagged."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import TracebackType

from edge_sdk.capture.serial.core import FfcState, InfraredCore
from edge_sdk.capture.serial.link import is_number
from edge_sdk.errors import (
    ConfigError,
    CoreRejectedError,
    SerialProtocolError,
    SerialTimeoutError,
)

__all__ = ["FfcMonitor", "FfcStatus"]

_log = logging.getLogger(__name__)

_FAILURES_BEFORE_RECONNECT = 3
_MAX_BACKOFF_S = 5.0
_TOLD = ("in_progress", "imminent", "desired", "healthy")
"""Fields whose change calls the callbacks."""


@dataclass(frozen=True, slots=True)
class FfcStatus:
    """What is known about the shutter.

    Attributes:
        in_progress: the shutter was closed when the core was last heard: frames of this time are
            frozen (``FrameFlags.SHUTTER``). False once the core was not heard for the monitor's
            ``stale_after_s``, so that a dead port does not flag frames for ever.
        imminent: the shutter is about to close (Boson only); False likewise.
        desired: the core asks for an FFC.
        temperature_c: focal-plane temperature in degC; None before the first reading.
        age_s: seconds since the core was last heard; infinite before the first time.
        healthy: the last poll succeeded, and is not older than ``stale_after_s``.
        error: what the last poll failed with; None if it succeeded.
    """

    in_progress: bool = False
    imminent: bool = False
    desired: bool = False
    temperature_c: float | None = None
    age_s: float = math.inf
    healthy: bool = False
    error: str | None = None


class FfcMonitor:
    """Polls a core in a thread of its own. ``start()`` and ``stop()``, or ``with``.

    Time-outs, damaged replies and a pulled cable end nothing: the monitor reconnects, waiting
    longer each time, up to 5 s. It neither opens nor closes the core for its owner, and leaves a
    core alone that its owner has closed.

    While the shutter is closed only the state is polled: some cores keep other requests waiting.

    Args:
        core: an open core; other threads may go on using it.
        interval_s: pause between polls, in (0, 60] seconds. The start of an FFC is seen up to
            this late.
        stale_after_s: age beyond which a reading no longer counts; None for five intervals, but
            at least 2 s.
        on_change: called in the monitor's thread, with the new status, whenever ``in_progress``,
            ``imminent``, ``desired`` or ``healthy`` has changed; keep it short.

    Raises:
        ConfigError: a number is out of range.
    """

    def __init__(
        self,
        core: InfraredCore,
        interval_s: float = 0.1,
        *,
        stale_after_s: float | None = None,
        on_change: Callable[[FfcStatus], object] | None = None,
    ) -> None:
        if not is_number(interval_s) or not 0 < interval_s <= 60:
            raise ConfigError(f"interval_s must be in (0, 60] seconds, but got {interval_s!r}")
        if stale_after_s is None:
            stale_after_s = max(2.0, 5 * interval_s)
        if not is_number(stale_after_s) or stale_after_s < interval_s:
            raise ConfigError(
                f"stale_after_s must be at least interval_s = {interval_s:g}, "
                f"but got {stale_after_s!r}"
            )
        self._core = core
        self._interval_s = interval_s
        self._stale_after_s = stale_after_s
        self._callbacks = [] if on_change is None else [on_change]
        self._lock = threading.Lock()
        self._status = FfcStatus()
        self._told = FfcStatus()
        self._heard_s: float | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def add_callback(self, on_change: Callable[[FfcStatus], object]) -> None:
        """Call this too when the status changes; see ``on_change``."""
        with self._lock:
            self._callbacks.append(on_change)

    def start(self) -> None:
        """Begin to poll; nothing to do if it runs.

        Raises:
            ConfigError: an earlier ``stop()`` is still waiting for the core.
        """
        if self._thread is not None and self._thread.is_alive():
            if not self._stop.is_set():
                return
            raise ConfigError("the FFC monitor has not stopped yet; call stop() again")
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="FfcMonitor", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float | None = None) -> bool:
        """End the thread. May be called twice, and from a callback.

        Args:
            timeout_s: how long to wait for a request that is under way; None for the bound of the
                core and 1 s.

        Returns:
            True if the thread has ended.
        """
        self._stop.set()
        thread = self._thread
        if thread is None:
            return True
        if thread is threading.current_thread():
            return False
        thread.join(self._core.worst_case_s + 1.0 if timeout_s is None else timeout_s)
        if thread.is_alive():
            return False
        self._thread = None
        return True

    def state(self) -> FfcStatus:
        """The status as of now. Never waits for the core."""
        with self._lock:
            status, heard_s = self._status, self._heard_s
        age_s = math.inf if heard_s is None else time.monotonic() - heard_s
        if age_s <= self._stale_after_s:
            return replace(status, age_s=age_s)
        return replace(status, age_s=age_s, in_progress=False, imminent=False, healthy=False)

    def __enter__(self) -> FfcMonitor:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            try:
                self._poll()
                failures = 0
            # The thread must outlive whatever a core does.
            except Exception as error:
                failures += 1
                self._fail(error, failures)
            self._tell()
            backoff_s = self._interval_s * 2.0 ** min(failures, 16)
            self._stop.wait(min(backoff_s, max(_MAX_BACKOFF_S, self._interval_s)))

    def _poll(self) -> None:
        ffc = self._core.get_ffc_state()
        status = replace(
            self._status,
            in_progress=ffc is FfcState.IN_PROGRESS,
            imminent=ffc is FfcState.IMMINENT,
            healthy=True,
            error=None,
        )
        if not status.in_progress and not self._stop.is_set():
            status = replace(
                status,
                desired=self._core.get_ffc_desired(),
                temperature_c=self._core.get_fpa_temperature_c(),
            )
        with self._lock:
            self._status = status
            self._heard_s = time.monotonic()

    def _fail(self, error: Exception, failures: int) -> None:
        if failures == 1:
            _log.warning("FFC monitor lost the core: %s", error)
        with self._lock:
            self._status = replace(self._status, healthy=False, error=str(error))
        answers = isinstance(error, (SerialTimeoutError, SerialProtocolError, CoreRejectedError))
        if answers and failures < _FAILURES_BEFORE_RECONNECT:
            return
        try:
            self._core.reconnect()
        # Likewise.
        except Exception as reconnect_error:
            with self._lock:
                self._status = replace(self._status, error=str(reconnect_error))

    def _tell(self) -> None:
        before, after = self._told, self.state()
        self._told = after
        if all(getattr(before, name) == getattr(after, name) for name in _TOLD):
            return
        with self._lock:
            callbacks = list(self._callbacks)
        for callback in callbacks:
            try:
                callback(after)
            # A robot's callback must not blind the pipeline to the shutter.
            except Exception:
                _log.exception("a callback of the FFC monitor failed")
