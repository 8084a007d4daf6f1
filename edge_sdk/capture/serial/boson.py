"""FLIR Boson: FSLP frames over USB CDC or a UART, 921600 baud, big-endian.

::

    8E | channel u8 | sequence u32 | function u32 | status u32 | data | CRC u16 | AE

The CRC covers channel to data. Between the two markers 8E, 9E and AE are stuffed as 9E 81, 9E 91
and 9E A1. Source: FLIR Boson software interface description document, 102-2013-42.
"""

from __future__ import annotations

import os
import re
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass

from edge_sdk.capture.serial.core import CoreIdentity, FfcMode, FfcState, GainMode
from edge_sdk.capture.serial.crc import crc16_boson
from edge_sdk.capture.serial.link import Command, Damaged, SerialCore
from edge_sdk.capture.serial.port import describe_ports, list_serial_ports
from edge_sdk.errors import (
    ConfigError,
    CoreRejectedError,
    DeviceNotFoundError,
    SerialError,
    SerialProtocolError,
    SerialTimeoutError,
)

__all__ = [
    "BOSON_BAUDRATE",
    "BOSON_FFC_MODES",
    "BOSON_FFC_STATES",
    "BOSON_GAIN_MODES",
    "BOSON_STATUS",
    "BOSON_USB_ID",
    "BosonCore",
    "FslpFrame",
    "FslpReader",
    "decode_fslp",
    "encode_fslp",
    "stuff",
    "unstuff",
]

BOSON_BAUDRATE = 921600
BOSON_USB_ID = (0x09CB, 0x4007)
BOSON_STATUS = {
    0x0161: "bad command",
    0x0162: "bad payload",
    0x0170: "unspecified error",
    0x017D: "too few bytes",
    0x017E: "too many bytes",
    0x017F: "buffer overflow",
    0x0203: "value out of range",
}
"""Return codes other than 0, and what they mean."""
BOSON_FFC_MODES = {
    FfcMode.MANUAL: 0,
    FfcMode.AUTOMATIC: 1,
    FfcMode.EXTERNAL: 2,
    FfcMode.SHUTTER_TEST: 3,
}
BOSON_FFC_STATES = {
    FfcState.NONE: 0,
    FfcState.IMMINENT: 1,
    FfcState.IN_PROGRESS: 2,
    FfcState.COMPLETE: 3,
}
BOSON_GAIN_MODES = {
    GainMode.HIGH: 0,
    GainMode.LOW: 1,
    GainMode.AUTOMATIC: 2,
    GainMode.DUAL: 3,
    GainMode.MANUAL: 4,
}

_START, _ESCAPE, _END = 0x8E, 0x9E, 0xAE
_STUFFED_OFFSET = 0x0D
_STUFFED = {byte: bytes((_ESCAPE, byte - _STUFFED_OFFSET)) for byte in (_START, _ESCAPE, _END)}
_ANY_STUFFED = re.compile(b"[\x8e\x9e\xae]")
_ANY_ESCAPE = re.compile(b"\x9e(.?)", re.DOTALL)
_HEADER = struct.Struct(">BIII")
_REQUEST = 0xFFFFFFFF
_MAX_BODY_BYTES = 4096
_U16_MAX, _U32_MAX = 0xFFFF, 0xFFFFFFFF

_GET_CAMERA_SERIAL = Command("get camera serial number", 0x00050002, (4,))
_GET_PART_NUMBER = Command("get part number", 0x00050004, (20,))
_GET_SENSOR_SERIAL = Command("get sensor serial number", 0x00050006, (4,))
_RUN_FFC = Command("run FFC", 0x00050007, repeatable=False)
_SET_FFC_DELTA = Command("set FFC temperature delta", 0x00050008)
_GET_FFC_DELTA = Command("get FFC temperature delta", 0x00050009, (2,))
_SET_FFC_PERIOD = Command("set FFC period", 0x0005000A)
_GET_FFC_PERIOD = Command("get FFC period", 0x0005000B, (4,))
_GET_FFC_STATE = Command("get FFC state", 0x0005000C, (2,))
_REBOOT = Command("reboot", 0x00050010, repeatable=False)
_SET_FFC_MODE = Command("set FFC mode", 0x00050012)
_GET_FFC_MODE = Command("get FFC mode", 0x00050013, (4,))
_SET_GAIN_MODE = Command("set gain mode", 0x00050014)
_GET_GAIN_MODE = Command("get gain mode", 0x00050015, (4,))
_GET_FIRMWARE = Command("get firmware revision", 0x00050022, (12,))
_GET_FPA_TEMPERATURE = Command("get focal-plane temperature", 0x00050030, (2,))
_GET_FFC_DESIRED = Command("get FFC desired", 0x00050055, (4,))
_GET_FRAME_COUNT = Command("get frame count", 0x00020002, (4,))


@dataclass(frozen=True, slots=True)
class FslpFrame:
    """One FSLP frame, request (status FFFFFFFF) or reply (status = return code)."""

    sequence: int
    function: int
    status: int
    data: bytes = b""
    channel: int = 0

    def __str__(self) -> str:
        return (
            f"sequence {self.sequence:#010x}, function {self.function:#010x}, "
            f"status {self.status:#010x}, {len(self.data)} bytes of data"
        )


def stuff(body: bytes) -> bytes:
    """Replace each 8E, 9E and AE, so that they are free for the markers."""
    return _ANY_STUFFED.sub(lambda found: _STUFFED[found[0][0]], body)


def unstuff(body: bytes) -> bytes:
    """Inverse of :func:`stuff`.

    Raises:
        SerialProtocolError: 9E is followed by something else than 81, 91 or A1.
    """

    def original(found: re.Match[bytes]) -> bytes:
        if found[1] not in (b"\x81", b"\x91", b"\xa1"):
            raise SerialProtocolError(
                f"byte 9E is followed by {found[1].hex() or 'nothing'}, not by 81, 91 or A1"
            )
        return bytes((found[1][0] + _STUFFED_OFFSET,))

    return _ANY_ESCAPE.sub(original, body)


def encode_fslp(frame: FslpFrame) -> bytes:
    """The bytes on the wire, markers included."""
    body = _HEADER.pack(frame.channel, frame.sequence, frame.function, frame.status) + frame.data
    body += crc16_boson(body).to_bytes(2, "big")
    return bytes((_START,)) + stuff(body) + bytes((_END,))


def decode_fslp(wire: bytes) -> FslpFrame:
    """Inverse of :func:`encode_fslp`, for one whole frame.

    Raises:
        SerialProtocolError: a marker is missing, bad stuffing, too short, or wrong checksum.
    """
    if len(wire) < 2 or wire[0] != _START or wire[-1] != _END:
        raise SerialProtocolError(f"no frame from 8E to AE: {wire.hex(' ')}")
    return _decode_body(wire[1:-1])


def _decode_body(stuffed: bytes) -> FslpFrame:
    body = unstuff(stuffed)
    if len(body) < _HEADER.size + 2:
        raise SerialProtocolError(
            f"{len(body)} bytes between the markers, a frame has at least {_HEADER.size + 2}"
        )
    found, expected = int.from_bytes(body[-2:], "big"), crc16_boson(body[:-2])
    if found != expected:
        raise SerialProtocolError(f"checksum {found:#06x}, computed {expected:#06x}")
    channel, sequence, function, status = _HEADER.unpack_from(body)
    return FslpFrame(sequence, function, status, body[_HEADER.size : -2], channel)


class FslpReader:
    """Cuts FSLP frames out of a stream; a new 8E starts over, since stuffed bodies hold none."""

    def __init__(self) -> None:
        self._body: bytearray | None = None
        self._skipped = 0

    @property
    def rest_bytes(self) -> int:
        return self._skipped + (0 if self._body is None else len(self._body) + 1)

    def feed(self, chunk: bytes) -> list[FslpFrame | Damaged]:
        items: list[FslpFrame | Damaged] = []
        for byte in chunk:
            if byte == _START:
                self._skipped = self.rest_bytes
                self._body = bytearray()
            elif self._body is None:
                self._skipped += 1
            elif byte == _END:
                try:
                    items.append(_decode_body(bytes(self._body)))
                except SerialProtocolError as error:
                    items.append(Damaged(str(error)))
                self._body = None
            elif len(self._body) < _MAX_BODY_BYTES:
                self._body.append(byte)
            else:
                self._skipped = self.rest_bytes + 1
                self._body = None
        return items


class BosonCore(SerialCore):
    """Control port of a FLIR Boson; see :class:`~edge_sdk.capture.serial.core.InfraredCore`.

    A reply counts only if it carries the sequence number and the function of the request, so that
    one that comes late is never taken for the answer to a later request.

    Args:
        port: path of the port; None takes the only Boson on USB.
        baudrate: bits per second.
        timeout_s: bound of one attempt, in (0, 60] seconds.
        retries: attempts after the first one, 0 to 100.

    Raises:
        ConfigError: an argument is out of range, or ``port`` is None and there are several.
        DeviceNotFoundError: ``port`` is None and there is no Boson on USB.
    """

    def __init__(
        self,
        port: str | Callable[[], str] | None = None,
        *,
        baudrate: int = BOSON_BAUDRATE,
        timeout_s: float = 0.5,
        retries: int = 2,
    ) -> None:
        path = _only_boson() if port is None else port
        super().__init__(path, baudrate=baudrate, timeout_s=timeout_s, retries=retries)
        self._sequence = 0

    @property
    def protocol(self) -> str:
        return "boson"

    @property
    def _title(self) -> str:
        return "Boson"

    def identify(self) -> CoreIdentity:
        with self._lock:
            part_number = self._call(_GET_PART_NUMBER).split(b"\0")[0]
            return CoreIdentity(
                protocol=self.protocol,
                camera_serial=self._get_u32(_GET_CAMERA_SERIAL),
                sensor_serial=self._get_u32(_GET_SENSOR_SERIAL),
                part_number=part_number.decode("ascii", errors="replace").strip(),
                firmware="{}.{}.{}".format(*struct.unpack(">3i", self._call(_GET_FIRMWARE))),
            )

    def run_ffc(self) -> None:
        self._call(_RUN_FFC)

    def get_ffc_state(self) -> FfcState:
        code = int.from_bytes(self._call(_GET_FFC_STATE), "big", signed=True)
        return self._from_code(_GET_FFC_STATE, code, BOSON_FFC_STATES)

    def get_ffc_desired(self) -> bool:
        return self._get_u32(_GET_FFC_DESIRED) != 0

    def get_ffc_mode(self) -> FfcMode:
        return self._from_code(_GET_FFC_MODE, self._get_u32(_GET_FFC_MODE), BOSON_FFC_MODES)

    def set_ffc_mode(self, mode: FfcMode) -> None:
        self._call(_SET_FFC_MODE, struct.pack(">I", self._to_code(mode, BOSON_FFC_MODES)))

    def get_gain_mode(self) -> GainMode:
        return self._from_code(_GET_GAIN_MODE, self._get_u32(_GET_GAIN_MODE), BOSON_GAIN_MODES)

    def set_gain_mode(self, mode: GainMode) -> None:
        self._call(_SET_GAIN_MODE, struct.pack(">I", self._to_code(mode, BOSON_GAIN_MODES)))

    def get_fpa_temperature_c(self) -> float:
        return int.from_bytes(self._call(_GET_FPA_TEMPERATURE), "big", signed=True) / 10.0

    def get_ffc_period_s(self) -> float:
        return float(self._get_u32(_GET_FFC_PERIOD))

    def set_ffc_period_s(self, period_s: float) -> None:
        steps = self._to_steps("FFC period in s", period_s, 1.0, _U32_MAX)
        self._call(_SET_FFC_PERIOD, struct.pack(">I", steps))

    def get_ffc_temperature_delta_c(self) -> float:
        return int.from_bytes(self._call(_GET_FFC_DELTA), "big") / 10.0

    def set_ffc_temperature_delta_c(self, delta_c: float) -> None:
        steps = self._to_steps("FFC temperature delta in degC", delta_c, 10.0, _U16_MAX)
        self._call(_SET_FFC_DELTA, struct.pack(">H", steps))

    def get_frame_count(self) -> int:
        """Frames since power-on, 0 to 2^32 - 1."""
        return self._get_u32(_GET_FRAME_COUNT)

    def reboot(self) -> bool:
        """Reboot the core: its settings return to the power-on defaults.

        The USB port goes away and comes back after some seconds; then call ``reconnect()``.

        Returns:
            True if the core has acknowledged; False if it fell silent or the port went away,
            which a rebooting core may do.

        Raises:
            CoreRejectedError: the core refused.
            SerialError: the port is not open.
        """
        with self._lock:
            was_open = self._port.is_open
            try:
                self._call(_REBOOT)
            except SerialTimeoutError:
                return False
            except SerialError:
                if self._port.is_open or not was_open:
                    raise
                return False
            return True

    def _opened(self) -> None:
        # A random start keeps replies to an earlier owner of the port from matching.
        self._sequence = int.from_bytes(os.urandom(4), "big")

    def _attempt(self, command: Command, data: bytes, timeout_s: float) -> bytes:
        self._port.discard_input()
        # 0 is what clients send that do not count.
        self._sequence = self._sequence % _U32_MAX + 1
        sequence = self._sequence
        deadline_s = time.monotonic() + timeout_s
        self._port.write(encode_fslp(FslpFrame(sequence, command.function, _REQUEST, data)))
        reply = self._await(
            command,
            FslpReader(),
            lambda frame: (
                frame.channel == 0
                and frame.sequence == sequence
                and frame.function == command.function
                and frame.status != _REQUEST
            ),
            deadline_s,
        )
        if reply.status != 0:
            meaning = BOSON_STATUS.get(reply.status, "unknown code")
            raise CoreRejectedError(
                f"{self._about(command)}: the core refused with code {reply.status:#06x} "
                f"({meaning}); data sent: {data.hex(' ') or 'none'}"
            )
        return self._check_length(command, reply.data)

    def _get_u32(self, command: Command) -> int:
        return int.from_bytes(self._call(command), "big")


def _only_boson() -> str:
    ports = list_serial_ports()
    bosons = [port for port in ports if port.usb_id == BOSON_USB_ID]
    if not bosons:
        raise DeviceNotFoundError(
            "no Boson (USB {:04x}:{:04x}) is plugged in; ports found here: ".format(*BOSON_USB_ID)
            + f"{describe_ports(ports)}; plug it in, or give port="
        )
    if len(bosons) > 1:
        raise ConfigError(
            f"{len(bosons)} Bosons are plugged in, give port=: {describe_ports(bosons)}"
        )
    return bosons[0].path
