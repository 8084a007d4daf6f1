"""FLIR Tau 2: binary frames at 57600 or 921600 baud, big-endian.

::

    6E | status u8 | 00 | function u8 | byte count u16 | CRC1 u16 | data | CRC2 u16

CRC1 covers the first six bytes, CRC2 the data (0000 without data). A request with data sets, one
without gets. Source: FLIR Tau User's Manual TAU-0035-00-10, appendix B; FLIR Tau 2 / Quark 2
software interface description document 102-PS242-43.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from edge_sdk.capture.serial.core import CoreIdentity, FfcMode, FfcState, GainMode
from edge_sdk.capture.serial.crc import crc16_tau2
from edge_sdk.capture.serial.link import Command, Damaged, SerialCore, is_number
from edge_sdk.capture.serial.port import describe_ports, list_serial_ports
from edge_sdk.errors import ConfigError, CoreRejectedError, SerialProtocolError

__all__ = [
    "TAU2_BAUDRATE",
    "TAU2_FFC_MODES",
    "TAU2_GAIN_MODES",
    "TAU2_STATUS",
    "Tau2Core",
    "Tau2Frame",
    "Tau2Reader",
    "decode_tau2",
    "encode_tau2",
]

TAU2_BAUDRATE = 57600
TAU2_STATUS = {
    0x01: "busy",
    0x02: "not ready",
    0x03: "value out of range",
    0x04: "undefined error, or the request came damaged",
    0x05: "undefined process",
    0x06: "undefined function",
    0x07: "time-out",
    0x09: "wrong byte count",
    0x0A: "feature not enabled",
}
"""Status codes other than 0, and what they mean."""
TAU2_FFC_MODES = {FfcMode.MANUAL: 0, FfcMode.AUTOMATIC: 1, FfcMode.EXTERNAL: 2}
TAU2_GAIN_MODES = {
    GainMode.AUTOMATIC: 0,
    GainMode.LOW: 1,
    GainMode.HIGH: 2,
    GainMode.MANUAL: 3,
}

_START = 0x6E
_HEADER = struct.Struct(">BBBBH")
_HEADER_BYTES = _HEADER.size + 2
_MAX_DATA_BYTES = 512
_U16_MAX = 0xFFFF
_SENSOR_FPA, _SENSOR_HOUSING, _SENSOR_STATUS = 0x0000, 0x000A, 0x0011
_STATUS_FFC_DESIRED, _STATUS_FFC_IN_PROGRESS = 1 << 2, 1 << 6

_NO_OP = Command("no-op", 0x00)
_GET_SERIAL_NUMBERS = Command("get serial numbers", 0x04, (8,))
_GET_REVISION = Command("get revision", 0x05, (8,))
_GET_GAIN_MODE = Command("get gain mode", 0x0A, (2,))
_SET_GAIN_MODE = Command("set gain mode", 0x0A, (2,))
_GET_FFC_MODE = Command("get FFC mode", 0x0B, (2,))
_SET_FFC_MODE = Command("set FFC mode", 0x0B, (2,))
_RUN_FFC = Command("run FFC", 0x0C, repeatable=False)
# One word for the gain state in force (Tau), or two for high and low gain (Tau 2).
_GET_FFC_PERIOD = Command("get FFC period", 0x0D, (2, 4))
_SET_FFC_PERIOD = Command("set FFC period", 0x0D, (2, 4))
_GET_FFC_DELTA = Command("get FFC temperature delta", 0x0E, (2, 4))
_SET_FFC_DELTA = Command("set FFC temperature delta", 0x0E, (2, 4))
_GET_FPA_TEMPERATURE = Command("get focal-plane temperature", 0x20, (2,))
_GET_HOUSING_TEMPERATURE = Command("get housing temperature", 0x20, (2,))
_GET_STATUS = Command("get status bits", 0x20, (2,))


@dataclass(frozen=True, slots=True)
class Tau2Frame:
    """One Tau 2 frame, request (status 0) or reply."""

    function: int
    data: bytes = b""
    status: int = 0

    def __str__(self) -> str:
        return (
            f"function {self.function:#04x}, status {self.status:#04x}, "
            f"{len(self.data)} bytes of data"
        )


def encode_tau2(frame: Tau2Frame) -> bytes:
    """The bytes on the wire."""
    header = _HEADER.pack(_START, frame.status, 0, frame.function, len(frame.data))
    return (
        header
        + crc16_tau2(header).to_bytes(2, "big")
        + frame.data
        + crc16_tau2(frame.data).to_bytes(2, "big")
    )


def decode_tau2(wire: bytes) -> Tau2Frame:
    """Inverse of :func:`encode_tau2`, for one whole frame.

    Raises:
        SerialProtocolError: no 6E at the start, wrong length, or a wrong checksum.
    """
    frame, used = _decode_first(wire)
    if frame is None or used != len(wire):
        raise SerialProtocolError(f"{len(wire)} bytes are not one whole frame: {wire.hex(' ')}")
    return frame


def _decode_first(wire: bytes) -> tuple[Tau2Frame | None, int]:
    """The frame at the start of ``wire`` and its length; None if it is not complete yet."""
    if wire[:1] != bytes((_START,)):
        raise SerialProtocolError(f"no 6E at the start: {wire.hex(' ')}")
    if len(wire) < _HEADER_BYTES:
        return None, 0
    _check_crc("header", wire[: _HEADER.size], wire[_HEADER.size : _HEADER_BYTES])
    _, status, _, function, count = _HEADER.unpack_from(wire)
    if count > _MAX_DATA_BYTES:
        raise SerialProtocolError(f"byte count {count} is more than {_MAX_DATA_BYTES}")
    end = _HEADER_BYTES + count
    if len(wire) < end + 2:
        return None, 0
    data = wire[_HEADER_BYTES:end]
    _check_crc("data", data, wire[end : end + 2])
    return Tau2Frame(function, data, status), end + 2


def _check_crc(what: str, block: bytes, found: bytes) -> None:
    expected = crc16_tau2(block)
    if int.from_bytes(found, "big") != expected:
        raise SerialProtocolError(f"{what} checksum 0x{found.hex()}, computed {expected:#06x}")


class Tau2Reader:
    """Cuts Tau 2 frames out of a stream; after anything wrong it looks for the next 6E."""

    def __init__(self) -> None:
        self._buffer = b""
        self._skipped = 0

    @property
    def rest_bytes(self) -> int:
        return self._skipped + len(self._buffer)

    def feed(self, chunk: bytes) -> list[Tau2Frame | Damaged]:
        items: list[Tau2Frame | Damaged] = []
        self._buffer += chunk
        while True:
            start = self._buffer.find(_START)
            self._drop(len(self._buffer) if start < 0 else start)
            if not self._buffer:
                return items
            try:
                frame, used = _decode_first(self._buffer)
            except SerialProtocolError as error:
                items.append(Damaged(str(error)))
                self._drop(1)
                continue
            if frame is None:
                return items
            items.append(frame)
            self._buffer = self._buffer[used:]

    def _drop(self, count: int) -> None:
        self._buffer = self._buffer[count:]
        self._skipped += count


class Tau2Core(SerialCore):
    """Control port of a FLIR Tau 2; see :class:`~edge_sdk.capture.serial.core.InfraredCore`.

    The protocol has no sequence numbers. After an exchange that failed, and after the port was
    opened, a no-op is sent first: the core answers in order, so that whatever comes before the
    answer to the no-op is old and is dropped. An old reply is never taken for a new one.

    Args:
        port: path of the port.
        baudrate: 57600 or 921600, as the core is set.
        timeout_s: bound of one attempt, in (0, 60] seconds. During an FFC (0.4 to 0.5 s) a core
            may keep requests waiting.
        retries: attempts after the first one, 0 to 100.
        frame_rate_hz: the core counts the FFC period in frames of its video standard: 30 for
            NTSC (default), 25 for PAL.

    Raises:
        ConfigError: an argument is out of range, or ``port`` is None.
    """

    def __init__(
        self,
        port: str | Callable[[], str] | None = None,
        *,
        baudrate: int = TAU2_BAUDRATE,
        timeout_s: float = 1.0,
        retries: int = 2,
        frame_rate_hz: float = 30.0,
    ) -> None:
        if port is None:
            raise ConfigError(
                "a Tau 2 has no USB identity to be found by, give port=; ports found here: "
                f"{describe_ports(list_serial_ports())}"
            )
        super().__init__(port, baudrate=baudrate, timeout_s=timeout_s, retries=retries)
        if not is_number(frame_rate_hz) or not 1 <= frame_rate_hz <= 120:
            raise ConfigError(f"frame_rate_hz must be in 1 to 120, but got {frame_rate_hz!r}")
        self._frame_rate_hz = frame_rate_hz
        self._in_step = False

    @property
    def protocol(self) -> str:
        return "tau2"

    @property
    def worst_case_s(self) -> float:
        # Each attempt may need a no-op first.
        return 2 * super().worst_case_s

    @property
    def _title(self) -> str:
        return "Tau 2"

    def identify(self) -> CoreIdentity:
        with self._lock:
            camera, sensor = struct.unpack(">2I", self._call(_GET_SERIAL_NUMBERS))
            revision = struct.unpack(">4H", self._call(_GET_REVISION))
        return CoreIdentity(
            protocol=self.protocol,
            camera_serial=camera,
            sensor_serial=sensor,
            part_number=None,
            firmware="{}.{} / {}.{}".format(*revision),
        )

    def run_ffc(self) -> None:
        self._call(_RUN_FFC)

    def get_ffc_state(self) -> FfcState:
        in_progress = self._get_status() & _STATUS_FFC_IN_PROGRESS
        return FfcState.IN_PROGRESS if in_progress else FfcState.NONE

    def get_ffc_desired(self) -> bool:
        return self._get_status() & _STATUS_FFC_DESIRED != 0

    def get_ffc_mode(self) -> FfcMode:
        code = int.from_bytes(self._call(_GET_FFC_MODE), "big")
        return self._from_code(_GET_FFC_MODE, code, TAU2_FFC_MODES)

    def set_ffc_mode(self, mode: FfcMode) -> None:
        self._call(_SET_FFC_MODE, struct.pack(">H", self._to_code(mode, TAU2_FFC_MODES)))

    def get_gain_mode(self) -> GainMode:
        code = int.from_bytes(self._call(_GET_GAIN_MODE), "big")
        return self._from_code(_GET_GAIN_MODE, code, TAU2_GAIN_MODES)

    def set_gain_mode(self, mode: GainMode) -> None:
        self._call(_SET_GAIN_MODE, struct.pack(">H", self._to_code(mode, TAU2_GAIN_MODES)))

    def get_fpa_temperature_c(self) -> float:
        return self._get_sensor(_GET_FPA_TEMPERATURE, _SENSOR_FPA, signed=True) / 10.0

    def get_housing_temperature_c(self) -> float:
        """Temperature of the housing in degC, steps of 0.01."""
        return self._get_sensor(_GET_HOUSING_TEMPERATURE, _SENSOR_HOUSING, signed=True) / 100.0

    def get_ffc_period_s(self) -> float:
        """Seconds after an FFC until the next one is desired, for high gain."""
        return self._get_words(_GET_FFC_PERIOD)[0] / self._frame_rate_hz

    def set_ffc_period_s(self, period_s: float) -> None:
        """For all gain states; at most 65535 frames, which is 2184.5 s at 30 Hz."""
        frames = self._to_steps("FFC period in s", period_s, self._frame_rate_hz, _U16_MAX)
        self._set_words(_GET_FFC_PERIOD, _SET_FFC_PERIOD, frames)

    def get_ffc_temperature_delta_c(self) -> float:
        """Change of temperature in degC after which an FFC is desired, for high gain."""
        return self._get_words(_GET_FFC_DELTA)[0] / 10.0

    def set_ffc_temperature_delta_c(self, delta_c: float) -> None:
        """For all gain states; rounded to 0.1 degC, 0 to 6553.5."""
        steps = self._to_steps("FFC temperature delta in degC", delta_c, 10.0, _U16_MAX)
        self._set_words(_GET_FFC_DELTA, _SET_FFC_DELTA, steps)

    def _opened(self) -> None:
        self._in_step = False

    def _attempt(self, command: Command, data: bytes, timeout_s: float) -> bytes:
        if not self._in_step:
            no_op = replace(_NO_OP, name=f"no-op before {command.name}")
            self._exchange(no_op, b"", timeout_s)
        return self._exchange(command, data, timeout_s)

    def _exchange(self, command: Command, data: bytes, timeout_s: float) -> bytes:
        self._in_step = False
        self._port.discard_input()
        deadline_s = time.monotonic() + timeout_s
        self._port.write(encode_tau2(Tau2Frame(command.function, data)))
        reply = self._await(
            command,
            Tau2Reader(),
            lambda frame: frame.function == command.function,
            deadline_s,
        )
        if reply.status != 0:
            self._in_step = True
            meaning = TAU2_STATUS.get(reply.status, "unknown code")
            raise CoreRejectedError(
                f"{self._about(command)}: the core refused with status {reply.status:#04x} "
                f"({meaning}); data sent: {data.hex(' ') or 'none'}"
            )
        self._check_length(command, reply.data)
        self._in_step = True
        return reply.data

    def _get_sensor(self, command: Command, sensor: int, *, signed: bool) -> int:
        return int.from_bytes(self._call(command, struct.pack(">H", sensor)), "big", signed=signed)

    def _get_status(self) -> int:
        return self._get_sensor(_GET_STATUS, _SENSOR_STATUS, signed=False)

    def _get_words(self, command: Command) -> tuple[int, ...]:
        data = self._call(command)
        return struct.unpack(f">{len(data) // 2}H", data)

    def _set_words(self, get: Command, set_: Command, value: int) -> None:
        with self._lock:
            # As many words as the core answers with: one (Tau) or high and low gain (Tau 2).
            words = len(self._get_words(get))
            self._call(set_, struct.pack(f">{words}H", *(value,) * words))
