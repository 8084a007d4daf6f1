"""Simulated infrared cores on pseudo-terminals: test robot code without a camera.

::

    with SimulatedBoson(ffc_duration_s=5.0) as simulated:
        with open_core("boson", simulated.port) as core:
            core.run_ffc()
            simulated.inject(Fault.MUTE)    # the next reply is lost
            core.get_ffc_state()            # asked again: FfcState.IN_PROGRESS

:class:`SimulatedCore` holds what is the same for both protocols: the port, the shutter, the
faults. ``SimulatedBoson`` and ``SimulatedTau2`` speak.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import tempfile
import termios
import threading
import time
import tty
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Any, ClassVar, Protocol, TypeVar

from edge_sdk.capture.serial.simulator_state import CoreState
from edge_sdk.errors import ConfigError

__all__ = ["Fault", "Refused", "Reply", "SimulatedCore"]

_TICK_S = 0.02
_RATES = {
    getattr(termios, f"B{rate}"): rate for rate in (9600, 19200, 38400, 57600, 115200, 921600)
}
_IDLE_S = 0.05
"""Silence after which a request that is not complete is given up."""
_MAX_PENDING_BYTES = 4096
_FRAGMENT_GAP_S = 0.001
_GARBAGE = b"\x00\x6e\xff\x8e\x12\x9e\xae\x55\x8e"

EnumT = TypeVar("EnumT", bound=Enum)
SelfT = TypeVar("SelfT", bound="SimulatedCore")


class Fault(Enum):
    """What can go wrong with one reply."""

    MUTE = "mute"
    """No reply; the request is carried out."""
    LATE = "late"
    """The core stalls for ``delay_s`` before it sends the reply; later requests wait in line."""
    WRONG_CRC = "wrong_crc"
    """The last byte of the checksum is inverted."""
    ERROR_CODE = "error_code"
    """The core refuses with ``code``; the request is not carried out."""
    GARBAGE = "garbage"
    """Bytes that are no frame come before the reply, start markers among them."""
    FRAGMENTED = "fragmented"
    """The reply comes byte by byte."""
    TRUNCATED = "truncated"
    """The reply stops half-way."""
    STRAY_ZERO = "stray_zero"
    """A byte 00 comes before and after the reply."""
    WRONG_SEQUENCE = "wrong_sequence"
    """The reply carries the sequence number before the right one (Boson only)."""
    WRONG_FUNCTION = "wrong_function"
    """The reply carries another function."""


@dataclass(frozen=True, slots=True)
class _Injected:
    fault: Fault
    delay_s: float
    code: int | None


class Request(Protocol):
    """What every protocol's frame has."""

    @property
    def function(self) -> int: ...

    @property
    def data(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Reply:
    """What a protocol wants to send, before the faults have changed it.

    Attributes:
        wire: the bytes of a good reply.
        wire_wrong_crc: the same with a wrong checksum.
        wire_wrong_function: the same, as an answer to another function.
        wire_wrong_sequence: the same, as an answer to the request before; None if the protocol
            has no sequence numbers.
    """

    wire: bytes
    wire_wrong_crc: bytes
    wire_wrong_function: bytes
    wire_wrong_sequence: bytes | None = None


class Refused(Exception):
    """Raised while a request is carried out: the core answers with this code instead."""

    def __init__(self, code: int) -> None:
        super().__init__(f"{code:#06x}")
        self.code = code


class SimulatedCore(CoreState, ABC):
    """An infrared core on a pseudo-terminal. Use it in a ``with`` statement.

    Args:
        state: see :class:`~edge_sdk.capture.serial.simulator_state.CoreState`.

    Attributes:
        requests: how often each function was asked for, good requests only.
        bad_requests: requests that came damaged or incomplete, which get no reply.
    """

    _UNSPECIFIED: ClassVar[int]
    _UNKNOWN_FUNCTION: ClassVar[int]
    _OUT_OF_RANGE: ClassVar[int]
    _FAULTS: ClassVar[frozenset[Fault]] = frozenset(Fault)

    def __init__(self, **state: Any) -> None:
        super().__init__(**state)
        self._faults: deque[_Injected] = deque()
        self._folder: str | None = None
        self._master: int | None = None
        self._slave: int | None = None
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._functions: dict[int, Callable[[bytes], bytes]] = {}
        self.requests: Counter[int] = Counter()
        self.bad_requests = 0

    # The port -----------------------------------------------------------------------------------

    @property
    def port(self) -> str:
        """Path to open; a link that keeps its name over ``unplug()`` and ``plug_in()``.

        Raises:
            ConfigError: the simulator is not running.
        """
        if self._folder is None:
            raise ConfigError(f"{type(self).__name__} has no port yet; use it in a with statement")
        return os.path.join(self._folder, "core")

    def __enter__(self: SelfT) -> SelfT:
        self._folder = tempfile.mkdtemp(prefix="edge_sdk_core_")
        try:
            self.plug_in()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.unplug()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def plug_in(self) -> None:
        """Power the core on, and make its port appear; nothing to do if it is there."""
        if self._thread is not None:
            return
        link = self.port
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        # A client that does not read must not block the core.
        os.set_blocking(self._master, False)
        os.symlink(os.ttyname(self._slave), link)
        self._power_on()
        self._stop.clear()
        self._thread = threading.Thread(
            target=self._serve, args=(self._master,), name=type(self).__name__, daemon=True
        )
        self._thread.start()

    def unplug(self) -> None:
        """Pull the cable: the port goes away under whoever has it open."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5.0)
            self._thread = None
            os.unlink(self.port)
        for name in ("_master", "_slave"):
            descriptor = getattr(self, name)
            if descriptor is not None:
                os.close(descriptor)
                setattr(self, name, None)

    # The faults ---------------------------------------------------------------------------------

    def inject(
        self, fault: Fault, count: int = 1, *, delay_s: float = 0.0, code: int | None = None
    ) -> None:
        """Let the next ``count`` replies suffer a fault, after those that were injected before.

        Args:
            fault: see :class:`Fault`.
            count: how many replies.
            delay_s: for ``Fault.LATE``.
            code: for ``Fault.ERROR_CODE``; None for the protocol's "unspecified error".

        Raises:
            ConfigError: the protocol cannot suffer this fault.
        """
        if fault not in self._FAULTS:
            raise ConfigError(f"a {type(self).__name__} cannot suffer {fault}")
        with self._lock:
            self._faults.extend([_Injected(fault, delay_s, code)] * count)

    def clear_faults(self) -> None:
        """All replies are good again."""
        with self._lock:
            self._faults.clear()

    # The conversation ---------------------------------------------------------------------------

    @abstractmethod
    def _take_request(self, pending: bytearray) -> Request | None:
        """Remove one whole request from ``pending``; None if there is none."""

    @abstractmethod
    def _make_reply(self, request: Any, status: int, data: bytes) -> Reply:
        """The answer to ``request``, good and spoilt."""

    @property
    def _silent(self) -> bool:
        """True while the core hears nothing, for instance during a reboot."""
        return False

    def _serve(self, master: int) -> None:
        pending = bytearray()
        heard_s = time.monotonic()
        while not self._stop.is_set():
            chunk = self._receive(master)
            self._live()
            now_s = time.monotonic()
            if chunk and not self._silent:
                heard_s = now_s
                pending += chunk
                del pending[:-_MAX_PENDING_BYTES]
            elif pending and now_s - heard_s > _IDLE_S:
                self.bad_requests += 1
                pending.clear()
            while not self._stop.is_set():
                request = self._take_request(pending)
                if request is None:
                    break
                self._answer(master, request)
                heard_s = time.monotonic()

    def _answer(self, master: int, request: Request) -> None:
        with self._lock:
            self.requests[request.function] += 1
            injected = self._faults.popleft() if self._faults else None
        if injected is None:
            self._send(master, self._carry_out(request, None).wire)
            return
        fault = injected.fault
        refuse_with = None
        if fault is Fault.ERROR_CODE:
            refuse_with = self._UNSPECIFIED if injected.code is None else injected.code
        reply = self._carry_out(request, refuse_with)
        if fault is Fault.LATE:
            self._stop.wait(injected.delay_s)
        if fault is Fault.FRAGMENTED:
            for byte in reply.wire:
                self._send(master, bytes((byte,)))
                self._stop.wait(_FRAGMENT_GAP_S)
            return
        altered = {
            Fault.MUTE: b"",
            Fault.WRONG_CRC: reply.wire_wrong_crc,
            Fault.WRONG_SEQUENCE: reply.wire_wrong_sequence or reply.wire,
            Fault.WRONG_FUNCTION: reply.wire_wrong_function,
            Fault.GARBAGE: _GARBAGE + reply.wire,
            Fault.STRAY_ZERO: b"\0" + reply.wire + b"\0",
            Fault.TRUNCATED: reply.wire[: len(reply.wire) // 2],
        }
        self._send(master, altered.get(fault, reply.wire))

    def _carry_out(self, request: Request, refuse_with: int | None) -> Reply:
        status, data = 0, b""
        try:
            if refuse_with is not None:
                raise Refused(refuse_with)
            if request.function not in self._functions:
                raise Refused(self._UNKNOWN_FUNCTION)
            with self._lock:
                self._live()
                data = self._functions[request.function](request.data)
        except Refused as refused:
            status = refused.code
        return self._make_reply(request, status, data)

    def _mode(self, code: int, codes: Mapping[EnumT, int]) -> EnumT:
        for mode, known in codes.items():
            if code == known:
                return mode
        raise Refused(self._OUT_OF_RANGE)

    def _receive(self, master: int) -> bytes:
        readable, _, _ = select.select([master], [], [], _TICK_S)
        if not readable:
            return b""
        try:
            heard = os.read(master, 4096)
            if self.baudrate is not None and _baudrate(master) != self.baudrate:
                return b"\xff" * len(heard)
            return heard
        except OSError:
            return b""

    def _send(self, master: int, wire: bytes) -> None:
        # A client that reads nothing loses the reply, as on a real wire.
        with contextlib.suppress(OSError):
            os.write(master, wire)


def _baudrate(terminal: int) -> int | None:
    """What the client has set its end to."""
    return _RATES.get(termios.tcgetattr(terminal)[5])
