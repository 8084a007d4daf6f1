"""A simulated FLIR Boson on a pseudo-terminal."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import Any

from edge_sdk.capture.serial.boson import (
    BOSON_FFC_MODES,
    BOSON_FFC_STATES,
    BOSON_GAIN_MODES,
    FslpFrame,
    decode_fslp,
    encode_fslp,
    stuff,
    unstuff,
)
from edge_sdk.capture.serial.crc import crc16_boson
from edge_sdk.capture.serial.simulator import Refused, Reply, SimulatedCore
from edge_sdk.errors import SerialProtocolError

__all__ = ["SimulatedBoson"]

_TOO_FEW, _TOO_MANY = 0x017D, 0x017E
_START, _END = 0x8E, 0xAE
_HEADER = struct.Struct(">BIII")


class SimulatedBoson(SimulatedCore):
    """A FLIR Boson that answers FSLP requests; see :class:`SimulatedCore` for the arguments.

    It also bears clients that send the header and the checksum unstuffed, and that always send
    sequence number 0. A damaged request gets no reply. Give serial numbers or a part number with
    the bytes 8E, 9E and AE to test stuffing.

    Args:
        part_number: up to 20 bytes.
        firmware: (major, minor, patch).
        frame_rate_hz: how fast the frame count grows.
        reboot_s: how long it hears nothing after a reboot, which puts back the settings of
            power-on; its port stays.
    """

    _UNSPECIFIED = 0x0170
    _UNKNOWN_FUNCTION = 0x0161
    _OUT_OF_RANGE = 0x0203

    def __init__(
        self,
        *,
        part_number: bytes = b"20640A032-6IAAX",
        firmware: tuple[int, int, int] = (2, 0, 16432),
        frame_rate_hz: float = 60.0,
        reboot_s: float = 0.2,
        **shared: Any,
    ) -> None:
        self.part_number = part_number
        self.firmware = firmware
        self.frame_rate_hz = frame_rate_hz
        self.reboot_s = reboot_s
        self._deaf_until_s = float("-inf")
        super().__init__(**shared)
        self._functions = {
            0x00020002: lambda data: _u32(data, self._frame_count()),
            0x00050002: lambda data: _u32(data, self.camera_serial),
            0x00050004: lambda data: _none(data, self.part_number[:20].ljust(20, b"\0")),
            0x00050006: lambda data: _u32(data, self.sensor_serial),
            0x00050007: self._run_ffc,
            0x00050008: self._set_delta,
            0x00050009: lambda data: _none(
                data, struct.pack(">H", round(self.ffc_temperature_delta_c * 10))
            ),
            0x0005000A: self._set_period,
            0x0005000B: lambda data: _u32(data, round(self.ffc_period_s)),
            0x0005000C: lambda data: _none(
                data, struct.pack(">h", BOSON_FFC_STATES[self.ffc_state])
            ),
            0x00050010: self._reboot,
            0x00050012: self._set_ffc_mode,
            0x00050013: lambda data: _u32(data, BOSON_FFC_MODES[self.ffc_mode]),
            0x00050014: self._set_gain_mode,
            0x00050015: lambda data: _u32(data, BOSON_GAIN_MODES[self.gain_mode]),
            0x00050022: lambda data: _none(data, struct.pack(">3i", *self.firmware)),
            0x00050030: lambda data: _none(
                data, struct.pack(">h", round(self.fpa_temperature_c * 10))
            ),
            0x00050055: lambda data: _u32(data, int(self.ffc_desired)),
        }

    @property
    def _silent(self) -> bool:
        return self._clock() < self._deaf_until_s

    def _frame_count(self) -> int:
        return int((self._clock() - self._powered_s) * self.frame_rate_hz) & 0xFFFFFFFF

    def _run_ffc(self, data: bytes) -> bytes:
        _arguments(data, 0)
        self.run_ffc()
        return b""

    def _reboot(self, data: bytes) -> bytes:
        _arguments(data, 0)
        self._power_on()
        self._deaf_until_s = self._clock() + self.reboot_s
        return b""

    def _set_delta(self, data: bytes) -> bytes:
        self.ffc_temperature_delta_c = _arguments(data, 2) / 10.0
        return b""

    def _set_period(self, data: bytes) -> bytes:
        self.ffc_period_s = float(_arguments(data, 4))
        return b""

    def _set_ffc_mode(self, data: bytes) -> bytes:
        self.ffc_mode = self._mode(_arguments(data, 4), BOSON_FFC_MODES)
        return b""

    def _set_gain_mode(self, data: bytes) -> bytes:
        self.gain_mode = self._mode(_arguments(data, 4), BOSON_GAIN_MODES)
        return b""

    def _take_request(self, pending: bytearray) -> FslpFrame | None:
        starts = [at for at, byte in enumerate(pending) if byte == _START]
        for end in (at + 1 for at, byte in enumerate(pending) if byte == _END):
            for start in (at for at in starts if at < end):
                request = _decode_request(bytes(pending[start:end]))
                if request is not None:
                    del pending[:end]
                    return request
        return None

    def _make_reply(self, request: FslpFrame, status: int, data: bytes) -> Reply:
        good = replace(request, status=status, data=data)
        wire = encode_fslp(good)
        raw = bytearray(unstuff(wire[1:-1]))
        raw[-1] ^= 0xFF
        return Reply(
            wire=wire,
            wire_wrong_crc=wire[:1] + stuff(bytes(raw)) + wire[-1:],
            wire_wrong_function=encode_fslp(replace(good, function=good.function ^ 1)),
            wire_wrong_sequence=encode_fslp(
                replace(good, sequence=(good.sequence - 1) & 0xFFFFFFFF)
            ),
        )


def _decode_request(wire: bytes) -> FslpFrame | None:
    """A whole request, everything between the markers stuffed, or the data alone; or None."""
    try:
        return decode_fslp(wire)
    except SerialProtocolError:
        pass
    header, data, crc = wire[1:14], wire[14:-3], wire[-3:-1]
    if len(wire) < 17:
        return None
    try:
        data = unstuff(data)
    except SerialProtocolError:
        return None
    if crc16_boson(header + data) != int.from_bytes(crc, "big"):
        return None
    channel, sequence, function, status = _HEADER.unpack(header)
    return FslpFrame(sequence, function, status, data, channel)


def _arguments(data: bytes, length: int) -> int:
    if len(data) != length:
        raise Refused(_TOO_FEW if len(data) < length else _TOO_MANY)
    return int.from_bytes(data, "big")


def _none(data: bytes, answer: bytes) -> bytes:
    _arguments(data, 0)
    return answer


def _u32(data: bytes, answer: int) -> bytes:
    return _none(data, struct.pack(">I", answer))
