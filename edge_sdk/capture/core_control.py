"""The infrared core's control port in a running pipeline: shutter, settings, corrections."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_sdk.capture.bounded import run_bounded
from edge_sdk.capture.serial.core import FfcMode, GainMode, InfraredCore, open_core
from edge_sdk.capture.serial.monitor import FfcMonitor, FfcStatus
from edge_sdk.capture.stillness import StillnessCheck
from edge_sdk.errors import EdgeSdkError
from edge_sdk.events import EventKind
from edge_sdk.frames import FrameFlags

__all__ = ["CoreControl", "CoreSettings"]

_log = logging.getLogger(__name__)

CLOSING_S = 0.3
"""An FFC that was just started is seen by the monitor within this time."""
BETWEEN_FFCS_S = 10.0
STOP_S = 2.0
_GAINS = {"high": GainMode.HIGH, "low": GainMode.LOW, "auto": GainMode.AUTOMATIC}


@dataclass(frozen=True)
class CoreSettings:
    """See the rig file's section ``cameras.ir.serial``, which has the same names."""

    protocol: str
    port: str | Callable[[], str]
    baudrate: int | None = None
    auto_ffc: bool | None = None
    gain: str | None = None
    ffc_when_still: bool = False
    ffc_max_wait_s: float = 60.0


class CoreControl:
    """Watches an infrared core's shutter, keeps its settings, and runs corrections (FFC).

    The core may fall silent, be pulled or reboot: it is reconnected, and what ``settings`` ask for
    is set again each time it is back.

    Args:
        settings: port, protocol, and what is asked of the core.
        on_event: ``on_event(kind, message)``; called from several threads.
    """

    def __init__(
        self, settings: CoreSettings, on_event: Callable[[EventKind, str], object]
    ) -> None:
        self._settings = settings
        self._on_event = on_event
        self._core: InfraredCore | None = None
        self._monitor: FfcMonitor | None = None
        self._still = StillnessCheck()
        self._told = FfcStatus()
        self._was_healthy = False
        self._closing_until_s = 0.0
        self._desired_since_s: float | None = None
        self._ffc_s = -BETWEEN_FFCS_S
        self._running = threading.Lock()

    @property
    def status(self) -> FfcStatus:
        """The core as it was last heard."""
        return FfcStatus() if self._monitor is None else self._monitor.state()

    def start(self) -> None:
        """Open the port and begin to watch. A core that does not answer yet is waited for.

        Raises:
            DeviceNotFoundError: there is no such port.
            SerialError: the port cannot be opened.
        """
        settings = self._settings
        self._core = open_core(settings.protocol, settings.port, baudrate=settings.baudrate)
        self._monitor = FfcMonitor(self._core, on_change=self._on_change)
        self._monitor.start()

    def stop(self) -> bool:
        """End the watch and close the port; False if the port hangs for more than 2 s."""
        monitor, core = self._monitor, self._core
        if monitor is None or core is None:
            return True
        monitor.stop(STOP_S / 2)
        return run_bounded(core.close, STOP_S / 2, "serial close")

    def flags(self) -> FrameFlags:
        """``SHUTTER`` while the shutter is closed. Never waits."""
        closed = self.status.in_progress or time.monotonic() < self._closing_until_s
        return FrameFlags.SHUTTER if closed else FrameFlags.NONE

    def run_ffc(self, why: str = "asked for") -> None:
        """Close the shutter for a flat-field correction; frames are flagged from now on.

        Raises:
            SerialError: the core does not answer or refuses. It is not asked twice.
        """
        assert self._core is not None, "start() comes first"
        self._core.run_ffc()
        self._closing_until_s = time.monotonic() + CLOSING_S
        self._ffc_s = time.monotonic()
        self._on_event(EventKind.FFC, f"flat-field correction started: {why}")

    def observe(self, ir: NDArray[np.uint8] | None, timestamp_ns: int) -> None:
        """Look at a toned infrared picture: run an FFC if one is desired and nothing moves.

        Only if ``ffc_when_still``. Never waits for the core.
        """
        if not self._settings.ffc_when_still:
            return
        status = self.status
        if ir is None or self.flags():
            self._still.reset()
            return
        still = self._still.update(ir, timestamp_ns)
        now_s = time.monotonic()
        if not (status.healthy and status.desired):
            self._desired_since_s = None
            return
        if self._desired_since_s is None:
            self._desired_since_s = now_s
        waited_s = now_s - self._desired_since_s
        if now_s - self._ffc_s < BETWEEN_FFCS_S:
            return
        if still or waited_s >= self._settings.ffc_max_wait_s:
            scene = "and nothing moves" if still else "and the scene did not come to rest"
            self._ffc_s = now_s
            self._run_in_background(f"the core asked for it {waited_s:.1f} s ago {scene}")

    def _run_in_background(self, why: str) -> None:
        def run() -> None:
            if not self._running.acquire(blocking=False):
                return
            try:
                self.run_ffc(why)
            except EdgeSdkError as error:
                self._on_event(EventKind.FFC, f"flat-field correction failed: {error}")
            finally:
                self._running.release()

        threading.Thread(target=run, name="edge_sdk ffc", daemon=True).start()

    def _on_change(self, status: FfcStatus) -> None:
        """In the monitor's thread, which may wait for the core."""
        before, self._told = self._told, status
        if status.in_progress and not before.in_progress:
            self._on_event(EventKind.SHUTTER, "the shutter is closed; the infrared is held")
        if status.healthy and not before.healthy:
            if self._was_healthy:
                self._on_event(EventKind.SERIAL, "the core's control port answers again")
            self._was_healthy = True
            self._apply()
        elif before.healthy and not status.healthy:
            self._on_event(
                EventKind.SERIAL, f"the core's control port does not answer: {status.error}"
            )

    def _apply(self) -> None:
        settings, core = self._settings, self._core
        assert core is not None
        try:
            if settings.gain is not None:
                core.set_gain_mode(_GAINS[settings.gain])
            automatic = settings.auto_ffc
            if settings.ffc_when_still:
                automatic = False
            if automatic is not None:
                core.set_ffc_mode(FfcMode.AUTOMATIC if automatic else FfcMode.MANUAL)
        except EdgeSdkError as error:
            self._on_event(EventKind.SERIAL, f"the core's settings could not be made: {error}")
