"""What every infrared core can do over its serial port, whatever protocol it speaks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Any, Protocol, runtime_checkable

from edge_sdk.errors import ConfigError

__all__ = [
    "CORE_PROTOCOLS",
    "CoreIdentity",
    "FfcMode",
    "FfcState",
    "GainMode",
    "InfraredCore",
    "open_core",
]

CORE_PROTOCOLS = ("boson", "tau2")
"""Names that :func:`open_core` knows."""


class FfcMode(Enum):
    """When the core closes its shutter for a flat-field correction (FFC)."""

    MANUAL = "manual"
    """Only when it is told to; the core still says when it desires one."""
    AUTOMATIC = "automatic"
    """By itself, after the FFC period or the FFC temperature delta."""
    EXTERNAL = "external"
    """Only when it is told to, against a scene that the user makes uniform: no shutter."""
    SHUTTER_TEST = "shutter_test"
    """Boson only."""


class FfcState(Enum):
    """How far a flat-field correction (FFC) is."""

    NONE = "none"
    """None was performed since power-on (Boson), or none is in progress (Tau 2 tells no more)."""
    IMMINENT = "imminent"
    """The shutter is about to close (Boson only)."""
    IN_PROGRESS = "in_progress"
    """The shutter is closed: the image is frozen."""
    COMPLETE = "complete"
    """The last one is done (Boson only)."""


class GainMode(Enum):
    """Which scene temperature range the core covers."""

    HIGH = "high"
    LOW = "low"
    AUTOMATIC = "automatic"
    DUAL = "dual"
    """Boson only."""
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class CoreIdentity:
    """Which core this is.

    Attributes:
        protocol: one of :data:`CORE_PROTOCOLS`.
        camera_serial: serial number of the camera, 0 to 2^32 - 1.
        sensor_serial: serial number of the sensor, 0 to 2^32 - 1.
        part_number: of a Boson; None for a Tau 2.
        firmware: of a Boson ``"major.minor.patch"``; of a Tau 2
            ``"software major.minor / firmware major.minor"``.
    """

    protocol: str
    camera_serial: int
    sensor_serial: int
    part_number: str | None
    firmware: str


@runtime_checkable
class InfraredCore(Protocol):
    """The control port of an infrared core. All methods may be called from any thread.

    Every request ends within ``worst_case_s``, waiting for other threads not counted, with a value
    or with one of these. ``identify()`` makes up to four requests, every other method one or two.

    Raises:
        SerialTimeoutError: the core did not answer.
        SerialProtocolError: what came is not an answer to the request: wrong checksum, wrong
            sequence number, wrong function, wrong length.
        CoreRejectedError: the core answered with an error code.
        SerialError: the port is closed or went away; see :meth:`reconnect`.
        ConfigError: an argument that this core cannot take; nothing was sent.
    """

    @property
    def protocol(self) -> str:
        """One of :data:`CORE_PROTOCOLS`."""
        ...

    @property
    def port(self) -> str:
        """Path of the port, for instance ``/dev/ttyACM0``."""
        ...

    @property
    def closed(self) -> bool:
        """True before ``open()`` and after ``close()``; a port that went away is not closed."""
        ...

    @property
    def worst_case_s(self) -> float:
        """Bound of one request, in seconds: all attempts and their time-outs together."""
        ...

    def open(self) -> None:
        """Open the port. A failed open releases all that it took and can be tried again.

        Raises:
            DeviceNotFoundError: there is no such port; the message lists those that there are.
            SerialError: no permission, in use, or not a serial port.
        """
        ...

    def close(self) -> None:
        """Release the port. Never raises; may be called twice."""
        ...

    def reconnect(self) -> None:
        """Close and open the port again, after the cable was pulled or the core rebooted.

        Raises:
            SerialError: ``close()`` was called, so that nobody wants the port back.
            DeviceNotFoundError: the port is not there (yet).
        """
        ...

    def identify(self) -> CoreIdentity:
        """Serial numbers, part number and firmware."""
        ...

    def run_ffc(self) -> None:
        """Start a flat-field correction; returns when the core has accepted, not when it is done.

        Sent once, never repeated after a time-out: a second request would close the shutter twice.
        """
        ...

    def get_ffc_state(self) -> FfcState: ...

    def get_ffc_desired(self) -> bool:
        """True if the core asks for an FFC: the period or the temperature delta was exceeded."""
        ...

    def get_ffc_mode(self) -> FfcMode: ...

    def set_ffc_mode(self, mode: FfcMode) -> None: ...

    def get_gain_mode(self) -> GainMode: ...

    def set_gain_mode(self, mode: GainMode) -> None: ...

    def get_fpa_temperature_c(self) -> float:
        """Temperature of the focal-plane array in degC, steps of 0.1."""
        ...

    def get_ffc_period_s(self) -> float:
        """Seconds after an FFC until the next one is desired."""
        ...

    def set_ffc_period_s(self, period_s: float) -> None:
        """Rounded to what the core can hold: whole seconds (Boson), whole frames (Tau 2)."""
        ...

    def get_ffc_temperature_delta_c(self) -> float:
        """Change of the focal-plane temperature, in degC, after which an FFC is desired."""
        ...

    def set_ffc_temperature_delta_c(self, delta_c: float) -> None:
        """Rounded to 0.1 degC; 0 to 6553.5."""
        ...

    def __enter__(self) -> InfraredCore: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def open_core(
    protocol: str,
    port: str | Callable[[], str] | None = None,
    *,
    baudrate: int | None = None,
    timeout_s: float | None = None,
    retries: int | None = None,
) -> InfraredCore:
    """Open the control port of an infrared core.

    Args:
        protocol: ``"boson"`` (FLIR Boson, FSLP) or ``"tau2"`` (FLIR Tau 2).
        port: path of the port, or what finds it, asked at each opening, as numbers of ports change
            when a cable is plugged in again. None takes the only Boson on USB; a Tau 2 needs one.
        baudrate: None for the default of the core: 921600 (Boson), 57600 (Tau 2).
        timeout_s: bound of one attempt; None for the default of the core.
        retries: attempts after the first one; None for the default of the core.

    Returns:
        The core, open; close it, or use it in a ``with`` statement.

    Raises:
        ConfigError: unknown protocol, or an option that makes no sense.
        DeviceNotFoundError: no such port; the message lists those that there are.
        SerialError: the port cannot be opened.
    """
    from edge_sdk.capture.serial.boson import BosonCore
    from edge_sdk.capture.serial.tau2 import Tau2Core

    if protocol not in CORE_PROTOCOLS:
        raise ConfigError(
            f"unknown core protocol {protocol!r}; choose one of {', '.join(CORE_PROTOCOLS)}"
        )
    given = {"baudrate": baudrate, "timeout_s": timeout_s, "retries": retries}
    options: dict[str, Any] = {k: value for k, value in given.items() if value is not None}
    core: InfraredCore
    core = BosonCore(port, **options) if protocol == "boson" else Tau2Core(port, **options)
    core.open()
    return core
