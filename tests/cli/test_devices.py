"""``edge-sdk devices`` and the lines of ``doctor`` about cameras, on a machine made of folders."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge_sdk.capture import serial, v4l2
from edge_sdk.capture.v4l2.listing import DeviceReport, FormatReport, SizeReport, list_devices
from edge_sdk.cli import _register, app, doctor
from tests.capture.v4l2.machine import Machine

_register()


@pytest.fixture
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[DeviceReport]:
    """A camera with a serial port, whose formats are known."""
    machine = Machine(tmp_path)
    usb = machine.usb("1-2", "Boson", "00D1")
    machine.video(4, usb / "1-2:1.0", "FLIR: Boson")
    machine.tty(usb / "1-2:1.2", "ttyACM0")
    (bare,) = list_devices(machine.sysfs, machine.dev)
    formats = (
        FormatReport("Y16", True, (SizeReport(640, 512, ("30", "60")), SizeReport(320, 256, ()))),
        FormatReport("H264", False, (SizeReport(640, 512, ("30",)),)),
    )
    found = [DeviceReport(bare.node, bare.identities, True, formats, "")]
    monkeypatch.setattr(v4l2, "list_devices", lambda: found)
    monkeypatch.setattr(serial, "list_serial_ports", lambda: [])
    return found


def test_text(reports: list[DeviceReport]) -> None:
    result = CliRunner().invoke(app, ["devices"])
    assert result.exit_code == 0
    lines = [line.strip() for line in result.output.splitlines()]
    assert lines[0].endswith("(driver uvcvideo, USB 09cb:4007 on port 1-2, serial 00D1)")
    assert "device: serial:00D1" in lines and "device: name:FLIR: Boson" in lines
    assert "640x512 at 30, 60 frames/s" in lines and "320x256" in lines
    assert any(line.startswith("serial port of the same USB device: ") for line in lines)
    assert "format: H264" not in result.output
    assert "and 1 format that edge_sdk does not decode" in result.output
    everything = CliRunner().invoke(app, ["devices", "--all"]).output
    assert "format: H264  (not decoded by edge_sdk)" in everything


def test_json(reports: list[DeviceReport]) -> None:
    result = CliRunner().invoke(app, ["devices", "--json"])
    (camera,) = json.loads(result.output)["cameras"]
    assert camera["identities"][0] == "serial:00D1"
    assert camera["node"]["usb"]["port"] == "1-2"
    assert camera["node"]["serial_ports"][0].endswith("/ttyACM0")
    assert camera["formats"][0]["sizes"][0] == {"width": 640, "height": 512, "fps": ["30", "60"]}


def test_no_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(v4l2, "list_devices", lambda: [])
    result = CliRunner().invoke(app, ["devices"])
    assert result.exit_code == 0 and "no camera" in result.output


def test_without_linuxpy_nodes_are_listed_and_what_is_missing_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(tmp_path)
    for number in (0, 1):
        machine.video(number, machine.sysfs / "devices" / f"csi{number}", f"imx{number}")
    monkeypatch.setitem(sys.modules, "linuxpy.video.device", None)
    monkeypatch.setattr(v4l2, "list_devices", lambda: list_devices(machine.sysfs, machine.dev))
    output = CliRunner().invoke(app, ["devices"]).output
    assert output.count('pip install "edge-sdk[v4l2]"') == 1
    assert "device: name:imx0" in output and "device: name:imx1" in output


def test_doctor_tells_of_both_drivers(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {entry["driver"]: entry for entry in doctor.examine()["cameras"]}
    assert set(found) == {"v4l2", "gstreamer"}
    assert all(entry["reason"] for entry in found.values())
    monkeypatch.setattr(doctor, "find_spec", lambda name: None)
    without = {entry["driver"]: entry for entry in doctor.examine()["cameras"]}
    assert not without["v4l2"]["available"]
    assert 'pip install "edge-sdk[v4l2]"' in without["v4l2"]["reason"]
