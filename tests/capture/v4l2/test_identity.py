"""Cameras by serial number, name, link or node, on machines made of folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_sdk.capture.v4l2 import find_node, identities, list_devices, scan_nodes, serial_port_of
from edge_sdk.errors import ConfigError, DeviceNotFoundError
from tests.capture.v4l2.machine import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def rig(machine: Machine) -> dict[str, str]:
    """A Boson with its control port, and a webcam, each with a metadata node."""
    boson = machine.usb("1-1.2", "Boson", "FLIR_VIDEO", "FLIR")
    webcam = machine.usb("1-3", "HD USB Camera", "200901010001")
    paths = {
        "webcam": machine.video(10, webcam / "1-3:1.0", "HD USB Camera: HD USB Camera"),
        "webcam meta": machine.video(2, webcam / "1-3:1.0b", "HD USB Camera: HD USB Camera", 1),
        "boson": machine.video(0, boson / "1-1.2:1.0", "FLIR: Boson"),
        "port": machine.tty(boson / "1-1.2:1.2", "ttyACM3"),
    }
    paths["by-id"] = machine.link("by-id", "usb-FLIR_Boson-video-index0", paths["boson"])
    paths["by-path"] = machine.link("by-path", "pci-usb-0:1.2:1.0-video-index0", paths["boson"])
    return paths


def node_of(machine: Machine, device: str) -> str:
    return find_node(device, sysfs=machine.sysfs, dev=machine.dev).path


def test_scan_tells_all_about_a_node(machine: Machine, rig: dict[str, str]) -> None:
    nodes = scan_nodes(machine.sysfs, machine.dev)
    assert [Path(n.path).name for n in nodes] == ["video0", "video2", "video10"]
    boson = nodes[0]
    assert (boson.name, boson.driver, boson.index) == ("FLIR: Boson", "uvcvideo", 0)
    assert boson.usb is not None
    assert (boson.usb.port, boson.usb.vendor, boson.usb.serial) == ("1-1.2", "09cb", "FLIR_VIDEO")
    assert boson.links == (rig["by-id"], rig["by-path"])
    assert boson.serial_ports == (rig["port"],)
    assert nodes[2].serial_ports == () and nodes[2].links == ()


@pytest.mark.parametrize(
    ("device", "wanted"),
    [
        ("serial:FLIR_VIDEO", "boson"),
        ("name:FLIR: Boson", "boson"),
        ("name:boson", "boson"),
        ("serial:200901010001", "webcam"),
        ("name:HD USB Camera", "webcam"),
    ],
)
def test_found(machine: Machine, rig: dict[str, str], device: str, wanted: str) -> None:
    assert node_of(machine, device) == rig[wanted]


@pytest.mark.parametrize("link", ["by-id", "by-path", "boson"])
def test_found_by_path(machine: Machine, rig: dict[str, str], link: str) -> None:
    assert node_of(machine, rig[link]) == rig["boson"]


def test_asked_which_node_of_a_device_captures(machine: Machine, rig: dict[str, str]) -> None:
    node = find_node(
        "name:HD USB Camera",
        captures=lambda n: n.path == rig["webcam meta"],
        sysfs=machine.sysfs,
        dev=machine.dev,
    )
    assert node.path == rig["webcam meta"]
    with pytest.raises(DeviceNotFoundError, match="none of its nodes delivers images"):
        find_node(
            "name:HD USB Camera",
            captures=lambda n: False,
            sysfs=machine.sysfs,
            dev=machine.dev,
        )


@pytest.mark.parametrize("device", ["serial:4711", "name:Lepton", "/dev/video4711"])
def test_absent_lists_what_there_is(machine: Machine, rig: dict[str, str], device: str) -> None:
    with pytest.raises(DeviceNotFoundError) as caught:
        node_of(machine, device)
    text = str(caught.value)
    assert device in text and rig["boson"] in text and "serial:FLIR_VIDEO" in text
    assert "edge-sdk devices" in text


def test_absent_on_an_empty_machine(machine: Machine) -> None:
    with pytest.raises(DeviceNotFoundError, match="cameras found here: none"):
        node_of(machine, "name:Boson")


def test_twins_are_ambiguous_and_their_sockets_are_not(machine: Machine) -> None:
    paths = []
    for number, port in enumerate(("1-1", "1-2")):
        usb = machine.usb(port, "Cheap", "0001")
        paths.append(machine.video(number, usb / f"{port}:1.0", "Cheap: Cheap"))
    link = machine.link("by-path", "usb-0:2:1.0-video-index0", paths[1])
    for device in ("serial:0001", "name:Cheap"):
        with pytest.raises(DeviceNotFoundError, match="does not name one camera") as caught:
            node_of(machine, device)
        assert all(path in str(caught.value) for path in paths)
    assert node_of(machine, link) == paths[1]
    nodes = scan_nodes(machine.sysfs, machine.dev)
    assert identities(nodes[0], nodes) == [paths[0]]
    assert identities(nodes[1], nodes) == [link, paths[1]]


@pytest.mark.parametrize("device", ["video0", "serial:", "name:", "usb:1-1", "Boson"])
def test_no_identity_at_all(machine: Machine, rig: dict[str, str], device: str) -> None:
    with pytest.raises(ConfigError, match="no identity of a camera"):
        node_of(machine, device)


def test_every_printed_identity_leads_back(machine: Machine, rig: dict[str, str]) -> None:
    nodes = scan_nodes(machine.sysfs, machine.dev)
    for node in nodes:
        for text in identities(node, nodes):
            assert node_of(machine, text) == node.path, text
    boson = identities(nodes[0], nodes)
    assert boson[0] == "serial:FLIR_VIDEO" and "name:FLIR: Boson" in boson


def test_number_swaps_but_identity_stays(machine: Machine, rig: dict[str, str]) -> None:
    other = Machine(machine.root / "after a restart")
    boson = other.usb("1-1.2", "Boson", "FLIR_VIDEO", "FLIR")
    path = other.video(7, boson / "1-1.2:1.0", "FLIR: Boson")
    assert node_of(other, "serial:FLIR_VIDEO") == path


def test_serial_port_of_the_same_device(machine: Machine, rig: dict[str, str]) -> None:
    places = {"sysfs": machine.sysfs, "dev": machine.dev}
    for device in ("serial:FLIR_VIDEO", "name:boson", rig["by-path"], rig["boson"]):
        assert serial_port_of(device, **places) == rig["port"]
    with pytest.raises(DeviceNotFoundError, match="has none; give the port"):
        serial_port_of("name:HD USB Camera", **places)
    with pytest.raises(DeviceNotFoundError, match="no camera is"):
        serial_port_of("name:Lepton", **places)


def test_ports_behind_a_hub_are_not_the_cameras_own(machine: Machine) -> None:
    hub = machine.usb("1-1", "Hub", None)
    machine.usb("1-1/1-1.1", "Adapter", None)
    machine.tty(hub / "1-1.1" / "1-1.1:1.0", "ttyUSB0", usb_serial=True)
    machine.video(0, hub / "1-1:1.0", "Odd hub with a camera")
    assert scan_nodes(machine.sysfs, machine.dev)[0].serial_ports == ()


def test_several_ports_cannot_be_told_apart(machine: Machine) -> None:
    usb = machine.usb("1-1", "Two", "2")
    node = machine.video(0, usb / "1-1:1.0", "Two")
    first = machine.tty(usb / "1-1:1.2", "ttyUSB0", usb_serial=True)
    machine.tty(usb / "1-1:1.3", "ttyUSB1", usb_serial=True)
    with pytest.raises(DeviceNotFoundError, match=f"has several: {first}"):
        serial_port_of(node, sysfs=machine.sysfs, dev=machine.dev)


def test_camera_that_is_not_on_usb(machine: Machine) -> None:
    platform = machine.sysfs / "devices" / "platform" / "csi"
    path = machine.video(0, platform, "imx219 10-0010")
    node = scan_nodes(machine.sysfs, machine.dev)[0]
    assert node.usb is None and node.serial_ports == ()
    assert identities(node, [node]) == ["name:imx219 10-0010", path]


def test_listing_tells_what_is_missing(
    machine: Machine, rig: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nodes here are plain files, which no video driver answers for."""
    reports = list_devices(machine.sysfs, machine.dev)
    assert [r.captures for r in reports] == [None] * 3
    assert all(r.problem and r.identities for r in reports)
    monkeypatch.setitem(__import__("sys").modules, "linuxpy.video.device", None)
    without = list_devices(machine.sysfs, machine.dev)
    assert all('pip install "edge-sdk[v4l2]"' in r.problem for r in without)
    assert [r.identities for r in without] == [r.identities for r in reports]
    assert without[0].to_dict()["node"]["usb"]["serial"] == "FLIR_VIDEO"
