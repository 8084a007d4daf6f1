"""A simulated FLIR Tau 2 on a pseudo-terminal."""

from __future__ import annotations

import struct
from typing import Any

from edge_sdk.capture.serial.core import FfcState
from edge_sdk.capture.serial.simulator import Fault, Refused, Reply, SimulatedCore
from edge_sdk.capture.serial.tau2 import (
    TAU2_FFC_MODES,
    TAU2_GAIN_MODES,
    Tau2Frame,
    Tau2Reader,
    encode_tau2,
)

__all__ = ["SimulatedTau2"]

_START = 0x6E
_BYTE_COUNT = 0x09
_SENSOR_FPA, _SENSOR_HOUSING, _SENSOR_STATUS = 0x0000, 0x000A, 0x0011
_STATUS_FFC_DESIRED, _STATUS_FFC_IN_PROGRESS = 1 << 2, 1 << 6


class SimulatedTau2(SimulatedCore):
    """A FLIR Tau 2 that answers serial requests; see :class:`SimulatedCore` for the arguments.

    It looks for the next 6E after bytes that belong to no request, so that it bears clients that
    send a stray 00. A damaged request gets no reply.

    Args:
        revision: (software major, software minor, firmware major, firmware minor).
        housing_temperature_c: may be changed at any time.
        frame_rate_hz: unit of the FFC period on the wire.
        words: 2 for period and temperature delta of high and low gain, as a Tau 2; 1 for those of
            the gain in force only, as an older Tau.
    """

    _UNSPECIFIED = 0x04
    _UNKNOWN_FUNCTION = 0x06
    _OUT_OF_RANGE = 0x03
    _FAULTS = frozenset(Fault) - {Fault.WRONG_SEQUENCE}

    def __init__(
        self,
        *,
        revision: tuple[int, int, int, int] = (13, 0, 7, 21),
        housing_temperature_c: float = 35.25,
        frame_rate_hz: float = 30.0,
        words: int = 2,
        **shared: Any,
    ) -> None:
        self.revision = revision
        self.housing_temperature_c = housing_temperature_c
        self.frame_rate_hz = frame_rate_hz
        self._words = words
        super().__init__(**shared)
        self._functions = {
            0x00: lambda data: _none(data, b""),
            0x04: lambda data: _none(
                data, struct.pack(">2I", self.camera_serial, self.sensor_serial)
            ),
            0x05: lambda data: _none(data, struct.pack(">4H", *self.revision)),
            0x0A: self._gain_mode,
            0x0B: self._ffc_mode,
            0x0C: self._run_ffc,
            0x0D: self._period,
            0x0E: self._delta,
            0x20: self._sensor,
        }

    def _gain_mode(self, data: bytes) -> bytes:
        if data:
            self.gain_mode = self._mode(_word(data), TAU2_GAIN_MODES)
        return struct.pack(">H", TAU2_GAIN_MODES[self.gain_mode])

    def _ffc_mode(self, data: bytes) -> bytes:
        if data:
            self.ffc_mode = self._mode(_word(data), TAU2_FFC_MODES)
        return struct.pack(">H", TAU2_FFC_MODES[self.ffc_mode])

    def _run_ffc(self, data: bytes) -> bytes:
        # Without data a short FFC, with data short (0) or long (1).
        if data and _word(data) > 1:
            raise Refused(self._OUT_OF_RANGE)
        self.run_ffc()
        return data

    def _period(self, data: bytes) -> bytes:
        if data:
            self.ffc_period_s = self._first_word(data) / self.frame_rate_hz
        return self._in_words(round(self.ffc_period_s * self.frame_rate_hz))

    def _delta(self, data: bytes) -> bytes:
        if data:
            self.ffc_temperature_delta_c = self._first_word(data) / 10.0
        return self._in_words(round(self.ffc_temperature_delta_c * 10))

    def _first_word(self, data: bytes) -> int:
        if len(data) not in (2, 2 * self._words):
            raise Refused(_BYTE_COUNT)
        return int.from_bytes(data[:2], "big")

    def _in_words(self, value: int) -> bytes:
        return struct.pack(">H", min(value, 0xFFFF)) * self._words

    def _sensor(self, data: bytes) -> bytes:
        sensor = _word(data)
        if sensor == _SENSOR_FPA:
            return struct.pack(">h", round(self.fpa_temperature_c * 10))
        if sensor == _SENSOR_HOUSING:
            return struct.pack(">h", round(self.housing_temperature_c * 100))
        if sensor == _SENSOR_STATUS:
            desired = _STATUS_FFC_DESIRED if self.ffc_desired else 0
            closed = self.ffc_state is FfcState.IN_PROGRESS
            return struct.pack(">H", desired | (_STATUS_FFC_IN_PROGRESS if closed else 0))
        raise Refused(self._OUT_OF_RANGE)

    def _take_request(self, pending: bytearray) -> Tau2Frame | None:
        # Byte by byte, so that what lies behind the first request stays in line.
        reader = Tau2Reader()
        for used, byte in enumerate(bytes(pending), start=1):
            for item in reader.feed(bytes((byte,))):
                if isinstance(item, Tau2Frame):
                    del pending[:used]
                    return item
        if _START not in pending:
            # Strays alone are no request that is incomplete.
            pending.clear()
        return None

    def _make_reply(self, request: Tau2Frame, status: int, data: bytes) -> Reply:
        wire = encode_tau2(Tau2Frame(request.function, data, status))
        other = Tau2Frame(request.function ^ 1, data, status)
        return Reply(
            wire=wire,
            wire_wrong_crc=wire[:-1] + bytes((wire[-1] ^ 0xFF,)),
            wire_wrong_function=encode_tau2(other),
        )


def _word(data: bytes) -> int:
    if len(data) != 2:
        raise Refused(_BYTE_COUNT)
    return int.from_bytes(data, "big")


def _none(data: bytes, answer: bytes) -> bytes:
    if data:
        raise Refused(_BYTE_COUNT)
    return answer
