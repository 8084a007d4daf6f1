"""What a simulated infrared core is like inside: settings, temperature, shutter."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from edge_sdk.capture.serial.core import FfcMode, FfcState, GainMode

__all__ = ["CoreState"]


class CoreState:
    """Settings and shutter of a simulated core. Thread-safe.

    Args:
        camera_serial: serial number of the camera, 0 to 2^32 - 1.
        sensor_serial: serial number of the sensor, 0 to 2^32 - 1.
        fpa_temperature_c: temperature of the focal-plane array in degC.
        ffc_duration_s: how long the shutter stays closed.
        ffc_warning_s: how long an automatic FFC is imminent before the shutter closes.
        ffc_mode: mode at power-on.
        gain_mode: mode at power-on.
        ffc_period_s: period at power-on; 0 for never.
        ffc_temperature_delta_c: temperature delta at power-on; 0 for never.
        baudrate: bits per second that the core hears and speaks; a client at another rate sends it
            noise. None for any, as on USB.
        clock: seconds that only grow; replace it to let minutes pass in a test.

    Attributes:
        ffc_count: FFCs since power-on.
        All arguments but ``clock`` are attributes too, and may be changed at any time.
    """

    def __init__(
        self,
        *,
        camera_serial: int = 123456,
        sensor_serial: int = 654321,
        fpa_temperature_c: float = 38.0,
        ffc_duration_s: float = 0.4,
        ffc_warning_s: float = 0.0,
        ffc_mode: FfcMode = FfcMode.AUTOMATIC,
        gain_mode: GainMode = GainMode.HIGH,
        ffc_period_s: float = 300.0,
        ffc_temperature_delta_c: float = 3.0,
        baudrate: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.camera_serial = camera_serial
        self.sensor_serial = sensor_serial
        self.fpa_temperature_c = fpa_temperature_c
        self.ffc_duration_s = ffc_duration_s
        self.ffc_warning_s = ffc_warning_s
        self.baudrate = baudrate
        self._at_power_on = (ffc_mode, gain_mode, ffc_period_s, ffc_temperature_delta_c)
        self._clock = clock
        self._lock = threading.RLock()
        self._power_on()

    def _power_on(self) -> None:
        (self.ffc_mode, self.gain_mode, self.ffc_period_s, self.ffc_temperature_delta_c) = (
            self._at_power_on
        )
        self._powered_s = self._clock()
        self._ffc_started_s: float | None = None
        self._ffc_due_s: float | None = None
        self._ffc_temperature_c = self.fpa_temperature_c
        self.ffc_count = 0

    def run_ffc(self) -> None:
        """Close the shutter now, as a request does, or the core by itself in automatic mode."""
        with self._lock:
            self._ffc_started_s = self._clock()
            self._ffc_due_s = None
            self._ffc_temperature_c = self.fpa_temperature_c
            self.ffc_count += 1

    @property
    def ffc_state(self) -> FfcState:
        with self._lock:
            if self._ffc_due_s is not None:
                return FfcState.IMMINENT
            if self._ffc_started_s is None:
                return FfcState.NONE
            if self._clock() - self._ffc_started_s < self.ffc_duration_s:
                return FfcState.IN_PROGRESS
            return FfcState.COMPLETE

    @property
    def ffc_desired(self) -> bool:
        with self._lock:
            since_s = self._powered_s if self._ffc_started_s is None else self._ffc_started_s
            drift_c = abs(self.fpa_temperature_c - self._ffc_temperature_c)
            return (0 < self.ffc_period_s <= self._clock() - since_s) or (
                0 < self.ffc_temperature_delta_c <= drift_c
            )

    def _live(self) -> None:
        """What the core does by itself."""
        with self._lock:
            if self.ffc_mode is not FfcMode.AUTOMATIC or not self.ffc_desired:
                self._ffc_due_s = None
            elif self._ffc_due_s is None and self.ffc_state is not FfcState.IN_PROGRESS:
                self._ffc_due_s = self._clock() + self.ffc_warning_s
            if self._ffc_due_s is not None and self._clock() >= self._ffc_due_s:
                self.run_ffc()
