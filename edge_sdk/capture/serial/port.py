"""A serial port in which every wait has a bound and every failure has a name."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import serial
from serial.tools import list_ports

from edge_sdk.errors import ConfigError, DeviceNotFoundError, SerialError, SerialTimeoutError

__all__ = ["PortInfo", "SerialPort", "describe_ports", "list_serial_ports"]

_POLL_S = 0.02
"""Longest single wait in the kernel, so that a deadline is missed by no more than this."""
_CHUNK_BYTES = 4096


@dataclass(frozen=True, slots=True)
class PortInfo:
    """A serial port of this machine.

    Attributes:
        path: what to open, for instance ``/dev/ttyACM0``.
        description: name that the driver gives it.
        usb_id: (vendor, product) of a USB port, None for any other.
        usb_serial: serial number in the USB descriptor, None if there is none.
    """

    path: str
    description: str
    usb_id: tuple[int, int] | None
    usb_serial: str | None

    def __str__(self) -> str:
        facts = [self.description] if self.description not in ("", "n/a") else []
        if self.usb_id is not None:
            facts.append("USB {:04x}:{:04x}".format(*self.usb_id))
        if self.usb_serial:
            facts.append(f"serial {self.usb_serial}")
        return f"{self.path} ({', '.join(facts)})" if facts else self.path


def list_serial_ports() -> list[PortInfo]:
    """Serial ports that this machine has now, sorted by path. Opens none of them."""
    found = []
    for port in list_ports.comports():
        usb_id = None if port.vid is None or port.pid is None else (port.vid, port.pid)
        found.append(PortInfo(port.device, port.description or "", usb_id, port.serial_number))
    return sorted(found, key=lambda port: port.path)


def describe_ports(ports: Iterable[PortInfo]) -> str:
    """The ports in one line for a message; ``none`` if there are none."""
    return ", ".join(str(port) for port in ports) or "none"


class SerialPort:
    """One serial port, 8N1, held exclusively while it is open. Not thread-safe: the owner locks.

    Args:
        path: device path; a link such as ``/dev/serial/by-id/...`` keeps its name when the
            cable is plugged in again. Or what finds it, asked at each opening.
        baudrate: bits per second; pseudo-terminals and USB CDC ports ignore it.
        write_timeout_s: bound of one write, in seconds.
    """

    def __init__(
        self, path: str | Callable[[], str], baudrate: int, write_timeout_s: float
    ) -> None:
        self._find = path if callable(path) else None
        self.path = path() if callable(path) else path
        self.baudrate = baudrate
        self._write_timeout_s = write_timeout_s
        self._device: serial.Serial | None = None
        self._why_closed = "it was never opened"

    @property
    def is_open(self) -> bool:
        return self._device is not None

    def open(self) -> None:
        """Open the port; nothing to do if it is open. A failed open holds nothing.

        Raises:
            DeviceNotFoundError: there is no such port; the message lists those that there are.
            ConfigError: the port cannot run at this baud rate.
            SerialError: no permission, in use by another program, or not a serial port.
        """
        if self._device is not None:
            return
        if self._find is not None:
            self.path = self._find()
        device = serial.Serial()
        device.port = self.path
        device.baudrate = self.baudrate
        device.timeout = _POLL_S
        device.write_timeout = self._write_timeout_s
        # A second reader would swallow half of every reply.
        device.exclusive = True
        try:
            device.open()
        # pyserial lets termios.error through, which is no OSError.
        except Exception as error:
            raise self._explain_open(error) from error
        self._device = device

    def close(self) -> None:
        """Release the port. Never raises; may be called twice."""
        self._release("it was closed")

    def write(self, data: bytes) -> None:
        """Send all of ``data``.

        Raises:
            SerialTimeoutError: the port did not take it in time.
            SerialError: the port is closed or went away.
        """
        device = self._opened()
        try:
            device.write(data)
        except serial.SerialTimeoutException as error:
            raise SerialTimeoutError(
                f"port {self.path} took no data for {self._write_timeout_s:g} s while {len(data)} "
                "bytes were sent; check cable and flow control, then call reconnect()"
            ) from error
        except OSError as error:
            raise self._lost(error) from error

    def read(self, deadline_s: float) -> bytes:
        """What has arrived, at least one byte; ``b""`` when ``deadline_s`` has passed.

        Args:
            deadline_s: moment on the clock of ``time.monotonic()``.

        Raises:
            SerialError: the port is closed or went away.
        """
        device = self._opened()
        try:
            while time.monotonic() < deadline_s:
                waiting = device.in_waiting
                chunk: bytes = device.read(min(max(1, waiting), _CHUNK_BYTES))
                if chunk:
                    return chunk
        except OSError as error:
            raise self._lost(error) from error
        return b""

    def discard_input(self) -> None:
        """Drop what has arrived and was not read. Does not wait.

        Raises:
            SerialError: the port is closed or went away.
        """
        device = self._opened()
        try:
            device.reset_input_buffer()
        # tcflush() fails with termios.error, which is no OSError.
        except Exception as error:
            raise self._lost(error) from error

    def _opened(self) -> serial.Serial:
        if self._device is None:
            raise SerialError(
                f"port {self.path} is not open: {self._why_closed}; call open() or reconnect()"
            )
        return self._device

    def _release(self, why: str) -> None:
        device, self._device = self._device, None
        if device is None:
            return
        self._why_closed = why
        try:
            device.close()
        except OSError:
            # The device is gone already: the descriptor is closed all the same.
            return

    def _lost(self, error: Exception) -> SerialError:
        self._release(f"it went away ({error})")
        return SerialError(
            f"port {self.path} went away while it was in use ({error}); check cable and power, "
            "and that no other program opened it, then call reconnect()"
        )

    def _explain_open(self, error: Exception) -> Exception:
        number = getattr(error, "errno", None)
        text = str(error)
        if isinstance(error, ValueError):
            return ConfigError(
                f"port {self.path} cannot run at {self.baudrate} baud ({text}); give a rate that "
                "both the port and the core know"
            )
        if number in (errno.ENOENT, errno.ENOTDIR, errno.ENODEV, errno.ENXIO):
            return DeviceNotFoundError(
                f"no serial port {self.path!r}; ports found here: "
                f"{describe_ports(list_serial_ports())}; plug the core in, or give one of these"
            )
        if number in (errno.EACCES, errno.EPERM):
            return SerialError(
                f"no permission to open port {self.path}; add the user to the group that owns it: "
                "sudo usermod -aG dialout $USER, then log in again"
            )
        if number in (errno.EBUSY, errno.EAGAIN):
            return SerialError(
                f"port {self.path} is in use by another program or another object of this one; "
                f"close it there (often ModemManager; find it with: fuser {self.path})"
            )
        if os.path.exists(self.path):
            return SerialError(
                f"{self.path} could not be opened as a serial port ({text}); ports found here: "
                f"{describe_ports(list_serial_ports())}"
            )
        return SerialError(f"port {self.path} could not be opened ({text})")
