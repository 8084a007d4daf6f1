"""Opening a port: every reason that it fails has one clear error."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import serial

from edge_sdk.capture.serial import BosonCore, list_serial_ports, open_core
from edge_sdk.errors import ConfigError, DeviceNotFoundError, SerialError, SerialTimeoutError

from .conftest import Bench, open_descriptors, within_bound


def plugged(*ports: tuple[str, str, tuple[int, int] | None, str | None]) -> list[SimpleNamespace]:
    return [
        SimpleNamespace(
            device=path,
            description=description,
            vid=None if usb_id is None else usb_id[0],
            pid=None if usb_id is None else usb_id[1],
            serial_number=number,
        )
        for path, description, usb_id, number in ports
    ]


@pytest.fixture
def comports(monkeypatch: pytest.MonkeyPatch) -> list[SimpleNamespace]:
    ports: list[SimpleNamespace] = []
    monkeypatch.setattr("edge_sdk.capture.serial.port.list_ports.comports", lambda: ports)
    return ports


def test_a_missing_port_lists_the_ports_there_are(comports: list[SimpleNamespace]) -> None:
    comports += plugged(
        ("/dev/ttyUSB3", "FT232R", (0x0403, 0x6001), "A10"), ("/dev/ttyS0", "n/a", None, None)
    )
    with pytest.raises(DeviceNotFoundError) as caught:
        open_core("boson", "/dev/ttyACM99")
    message = str(caught.value)
    assert "/dev/ttyACM99" in message
    assert "/dev/ttyS0, /dev/ttyUSB3 (FT232R, USB 0403:6001, serial A10)" in message


def test_no_port_at_all_says_none(comports: list[SimpleNamespace]) -> None:
    with pytest.raises(DeviceNotFoundError, match="ports found here: none"):
        open_core("tau2", "/dev/ttyACM99")


def test_ports_are_listed_with_their_usb_identity(comports: list[SimpleNamespace]) -> None:
    comports += plugged(("/dev/ttyACM0", "FLIR Boson", (0x09CB, 0x4007), "123"))
    (port,) = list_serial_ports()
    assert (port.path, port.usb_id, port.usb_serial) == ("/dev/ttyACM0", (0x09CB, 0x4007), "123")


def test_without_a_port_the_only_boson_is_taken(
    comports: list[SimpleNamespace], bench: Bench
) -> None:
    with pytest.raises(DeviceNotFoundError, match="no Boson"):
        open_core("boson")
    comports += plugged(
        ("/dev/ttyUSB0", "FT232R", (0x0403, 0x6001), None),
        (bench.simulated.port, "FLIR Boson", (0x09CB, 0x4007), "1"),
    )
    assert BosonCore().port == bench.simulated.port
    comports += plugged(("/dev/ttyACM7", "FLIR Boson", (0x09CB, 0x4007), "2"))
    with pytest.raises(ConfigError, match="2 Bosons") as caught:
        open_core("boson")
    assert "serial 1" in str(caught.value) and "/dev/ttyACM7" in str(caught.value)
    assert "ttyUSB0" not in str(caught.value)


def test_a_tau2_needs_a_port(comports: list[SimpleNamespace]) -> None:
    with pytest.raises(ConfigError, match="give port="):
        open_core("tau2")


@pytest.mark.parametrize("port", ["", 5, "/dev/\0"])
def test_what_is_no_path_is_refused(port: str, protocol: str) -> None:
    with pytest.raises(ConfigError, match="must be the path"):
        open_core(protocol, port)


def test_a_file_and_a_folder_are_no_serial_ports(tmp_path: Path, protocol: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"")
    for wrong in (str(path), str(tmp_path)):
        with pytest.raises(SerialError, match="could not be opened as a serial port"):
            open_core(protocol, wrong)
    with pytest.raises(DeviceNotFoundError):
        open_core(protocol, str(path / "below"))


def test_no_permission_says_which_group_to_join(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: serial.Serial) -> None:
        raise serial.SerialException(errno.EACCES, "could not open port: Permission denied")

    monkeypatch.setattr(serial.Serial, "open", refuse)
    with pytest.raises(SerialError, match="usermod -aG dialout"):
        open_core("boson", "/dev/ttyACM0")


def test_a_baud_rate_that_the_port_has_not_is_a_configuration_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(self: serial.Serial) -> None:
        raise ValueError("Failed to set custom baud rate (921600)")

    monkeypatch.setattr(serial.Serial, "open", refuse)
    with pytest.raises(ConfigError, match="921600 baud"):
        open_core("boson", "/dev/ttyACM0")


@pytest.mark.parametrize("baudrate", [57600, 921600, 123456])
def test_a_pseudo_terminal_takes_any_baud_rate(bench: Bench, baudrate: int) -> None:
    with bench.core(baudrate=baudrate) as core:
        assert core.get_fpa_temperature_c() == 38.0


def test_a_port_is_held_by_one_owner(bench: Bench) -> None:
    with bench.core() as first:
        with pytest.raises(SerialError, match="in use by another program"):
            bench.core().open()
        first.get_ffc_state()
    with bench.core() as second:
        second.get_ffc_state()


def test_open_fail_and_close_leave_no_descriptor(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"")
    before = open_descriptors()
    for _ in range(5):
        with bench.core() as core, pytest.raises(SerialError):
            bench.core().open()
        with pytest.raises(SerialError):
            open_core("boson", str(path))
        core.close()
    with bench.core() as core:
        bench.simulated.unplug()
        with pytest.raises(SerialError):
            within_bound(core.get_ffc_state)
        bench.simulated.plug_in()
    assert open_descriptors() == before


def test_a_port_that_takes_no_data_is_a_time_out(protocol: str) -> None:
    """Nobody reads at the other end, and its buffer is full."""
    master, slave = os.openpty()
    try:
        with open_core(protocol, os.ttyname(slave), timeout_s=0.05, retries=0) as core:
            os.set_blocking(slave, False)
            with pytest.raises(BlockingIOError):
                for _ in range(1000):
                    os.write(slave, b"\0" * 1024)
            with pytest.raises(SerialTimeoutError, match="took no data"):
                within_bound(core.get_ffc_state)
    finally:
        os.close(master)
        os.close(slave)
