"""Request and reply with a bound: what the cores of both protocols share."""

from __future__ import annotations

import math
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Protocol, TypeVar

from edge_sdk.capture.serial.port import SerialPort
from edge_sdk.errors import ConfigError, SerialError, SerialProtocolError, SerialTimeoutError

__all__ = ["Command", "Damaged", "FrameReader", "SerialCore", "is_number"]

_SETTLE_S = 0.05
"""How long a good frame is still waited for behind a damaged one."""

FrameT = TypeVar("FrameT")
EnumT = TypeVar("EnumT", bound=Enum)
SelfT = TypeVar("SelfT", bound="SerialCore")


@dataclass(frozen=True, slots=True)
class Command:
    """One request that a core knows.

    Attributes:
        name: for messages.
        function: code on the wire.
        reply_bytes: lengths of the reply's data that are right.
        repeatable: False if sending it twice does more than sending it once.
    """

    name: str
    function: int
    reply_bytes: tuple[int, ...] = (0,)
    repeatable: bool = True


@dataclass(frozen=True, slots=True)
class Damaged:
    """Bytes that looked like a frame and are none."""

    reason: str


class FrameReader(Protocol[FrameT]):
    """Cuts frames out of a stream of bytes, whatever lies between them."""

    @property
    def rest_bytes(self) -> int:
        """Bytes seen that belong to no frame, or to one that is not complete."""
        ...

    def feed(self, chunk: bytes) -> list[FrameT | Damaged]:
        """Frames that are complete with this chunk, in order."""
        ...


class SerialCore(ABC):
    """A core behind a serial port: one request at a time, retried within a bound.

    Args:
        port: path of the port, or what finds it, asked at each opening.
        baudrate: bits per second.
        timeout_s: bound of one attempt, in seconds, greater than 0.
        retries: attempts after the first one, 0 or more.

    Raises:
        ConfigError: an argument is out of range.
    """

    def __init__(
        self, port: str | Callable[[], str], *, baudrate: int, timeout_s: float, retries: int
    ) -> None:
        is_path = isinstance(port, str) and port != "" and "\0" not in port
        if not (is_path or callable(port)):
            raise ConfigError(f"port must be the path of a serial port, but got {port!r}")
        if not isinstance(baudrate, int) or isinstance(baudrate, bool) or baudrate <= 0:
            raise ConfigError(f"baudrate must be an integer greater than 0, but got {baudrate!r}")
        if not is_number(timeout_s) or not 0 < timeout_s <= 60:
            raise ConfigError(f"timeout_s must be in (0, 60] seconds, but got {timeout_s!r}")
        if not isinstance(retries, int) or isinstance(retries, bool) or not 0 <= retries <= 100:
            raise ConfigError(f"retries must be an integer in 0 to 100, but got {retries!r}")
        self._port = SerialPort(port, baudrate, write_timeout_s=timeout_s)
        self._timeout_s = float(timeout_s)
        self._retries = retries
        self._lock = threading.RLock()
        self._closed = True

    @property
    def port(self) -> str:
        return self._port.path

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def worst_case_s(self) -> float:
        return (self._retries + 1) * (self._timeout_s + _SETTLE_S)

    def open(self) -> None:
        with self._lock:
            self._port.open()
            self._opened()
            self._closed = False

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._port.close()

    def reconnect(self) -> None:
        with self._lock:
            if self._closed:
                raise SerialError(
                    f"{self._title} on {self.port} is not reconnected: it was closed, or never "
                    "opened; call open()"
                )
            self._port.close()
            self._port.open()
            self._opened()

    def __enter__(self: SelfT) -> SelfT:
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    @abstractmethod
    def _title(self) -> str:
        """The core's name in messages."""

    @abstractmethod
    def _opened(self) -> None:
        """Called when the port has just been opened: nothing of the past counts any more."""

    @abstractmethod
    def _attempt(self, command: Command, data: bytes, timeout_s: float) -> bytes:
        """Send one request and return the data of its reply."""

    def _call(self, command: Command, data: bytes = b"") -> bytes:
        """Send a request, again if need be, and return the data of its reply."""
        with self._lock:
            if not command.repeatable:
                whole_s = (self._retries + 1) * self._timeout_s
                try:
                    return self._attempt(command, data, whole_s)
                except (SerialTimeoutError, SerialProtocolError) as error:
                    raise type(error)(
                        f"{error}. The request was not repeated, and may have been carried out"
                    ) from error
            for _ in range(self._retries):
                try:
                    return self._attempt(command, data, self._timeout_s)
                except (SerialTimeoutError, SerialProtocolError):
                    continue
            try:
                return self._attempt(command, data, self._timeout_s)
            except (SerialTimeoutError, SerialProtocolError) as error:
                raise type(error)(f"{error} (attempt {self._retries + 1}, the last)") from error

    def _await(
        self,
        command: Command,
        reader: FrameReader[FrameT],
        matches: Callable[[FrameT], bool],
        deadline_s: float,
    ) -> FrameT:
        """The first frame that answers the request; all others are dropped.

        Raises:
            SerialTimeoutError: silence, or a frame that stops half-way.
            SerialProtocolError: only damaged frames, or only answers to other requests.
        """
        start_s = time.monotonic()
        damaged: Damaged | None = None
        foreign: list[FrameT] = []
        while True:
            chunk = self._port.read(deadline_s)
            if not chunk:
                break
            for item in reader.feed(chunk):
                if isinstance(item, Damaged):
                    damaged = item
                    deadline_s = min(deadline_s, time.monotonic() + _SETTLE_S)
                elif matches(item):
                    return item
                else:
                    foreign.append(item)
        waited = f"within {time.monotonic() - start_s:.2f} s"
        if damaged is not None:
            raise self._protocol_error(command, f"the reply is damaged: {damaged.reason}")
        if foreign:
            raise self._protocol_error(
                command, f"no answer {waited}, only {len(foreign)} of other requests: {foreign[-1]}"
            )
        rest = reader.rest_bytes
        found = f", only {rest} bytes that are no whole reply" if rest else ""
        raise SerialTimeoutError(
            f"{self._about(command)}: no answer {waited}{found}; check power and cable, that "
            f"{self.port} is the core's port, and {self._port.baudrate} baud"
        )

    def _protocol_error(self, command: Command, what: str) -> SerialProtocolError:
        return SerialProtocolError(
            f"{self._about(command)}: {what}; check the cable, {self._port.baudrate} baud, and "
            f"that {self.port} speaks the {self._title} protocol"
        )

    def _about(self, command: Command) -> str:
        return f"{self._title} on {self.port}, {command.name} (function {command.function:#x})"

    def _check_length(self, command: Command, data: bytes) -> bytes:
        if len(data) not in command.reply_bytes:
            wanted = " or ".join(str(length) for length in command.reply_bytes)
            raise self._protocol_error(
                command, f"the reply has {len(data)} bytes of data instead of {wanted}"
            )
        return data

    def _to_steps(self, what: str, value: float, steps_per_unit: float, most: int) -> int:
        """``value`` in the steps that the core counts in, 0 to ``most``."""
        if not is_number(value) or not 0 <= round(value * steps_per_unit) <= most:
            raise ConfigError(
                f"{what} of {self._title} must be in 0 to {most / steps_per_unit:g}, "
                f"but got {value!r}"
            )
        return round(value * steps_per_unit)

    def _to_code(self, mode: EnumT, codes: Mapping[EnumT, int]) -> int:
        if not isinstance(mode, Enum) or mode not in codes:
            known = ", ".join(str(known) for known in codes)
            raise ConfigError(f"{self._title} has no mode {mode!r}; choose one of {known}")
        return codes[mode]

    def _from_code(self, command: Command, code: int, codes: Mapping[EnumT, int]) -> EnumT:
        for mode, known in codes.items():
            if code == known:
                return mode
        raise self._protocol_error(command, f"the reply names mode {code}, which is unknown")


def is_number(value: object) -> bool:
    """True for a finite int or float that is no bool."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
