"""Video nodes as the kernel's sysfs shows them: names, USB device, links, serial ports.

Reads files only: no device is opened and no package is needed.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["UsbDevice", "VideoNode", "scan_nodes"]

_NODE = re.compile(r"video(\d+)$")
_TTY = re.compile(r"tty[A-Z]+\d+$")


@dataclass(frozen=True, slots=True)
class UsbDevice:
    """The USB device that a node belongs to.

    Attributes:
        folder: in sysfs; two nodes with the same folder are of one device.
        port: bus and chain of ports, for instance ``1-1.2``: the socket it is plugged into.
        vendor, product: USB ids, four hexadecimal digits each.
        serial: serial number in the descriptor, None if there is none.
        maker, model: texts of the descriptor, empty if there are none.
    """

    folder: str
    port: str
    vendor: str
    product: str
    serial: str | None
    maker: str
    model: str


@dataclass(frozen=True, slots=True)
class VideoNode:
    """One ``/dev/videoN``.

    Attributes:
        path: device node.
        name: what the driver calls it.
        driver: kernel driver, empty if sysfs does not tell.
        index: number among the nodes of one device; metadata nodes usually come after index 0.
        usb: None for a camera that is not on USB.
        links: by-id and by-path links that lead to it.
        serial_ports: ports of the same USB device, for instance ``("/dev/ttyACM0",)``.
    """

    path: str
    name: str
    driver: str
    index: int
    usb: UsbDevice | None
    links: tuple[str, ...]
    serial_ports: tuple[str, ...]


def scan_nodes(sysfs: str | Path = "/sys", dev: str | Path = "/dev") -> list[VideoNode]:
    """Video nodes of this machine, by number. A node that goes away meanwhile is left out.

    Args:
        sysfs, dev: where sysfs and the device nodes are; other folders are for tests.
    """
    sysfs, dev = Path(sysfs), Path(dev)
    links = _links(dev)
    found = []
    for entry in _entries(sysfs / "class" / "video4linux"):
        match = _NODE.match(entry.name)
        if match is None:
            continue
        path = str(dev / entry.name)
        device = entry / "device"
        driver = device / "driver"
        usb = _usb_device(device)
        node = VideoNode(
            path=path,
            name=_text(entry / "name"),
            driver=driver.resolve().name if driver.exists() else "",
            index=int(_text(entry / "index") or 0),
            usb=usb,
            links=tuple(sorted(links.get(os.path.realpath(path), ()))),
            serial_ports=() if usb is None else _serial_ports(Path(usb.folder), dev),
        )
        found.append((int(match[1]), node))
    return [node for _, node in sorted(found, key=lambda pair: pair[0])]


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _usb_device(device: Path) -> UsbDevice | None:
    """The nearest folder upwards that has USB ids. A node's own folder is one interface of it."""
    try:
        folder = device.resolve(strict=True)
    except OSError:
        return None
    for place in (folder, *folder.parents):
        if (place / "idVendor").is_file():
            return UsbDevice(
                folder=str(place),
                port=place.name,
                vendor=_text(place / "idVendor"),
                product=_text(place / "idProduct"),
                serial=_text(place / "serial") or None,
                maker=_text(place / "manufacturer"),
                model=_text(place / "product"),
            )
    return None


def _serial_ports(usb: Path, dev: Path) -> tuple[str, ...]:
    """Ports of the device's own interfaces (cdc_acm: INTERFACE/tty/NAME, others:
    INTERFACE/NAME/tty/NAME); those of a device behind it, if it is a hub, are not its own."""
    names: set[str] = set()
    for interface in _entries(usb):
        if not interface.name.startswith(f"{usb.name}:"):
            continue
        for pattern in ("tty/*", "*/tty/*"):
            names.update(p.name for p in interface.glob(pattern) if _TTY.match(p.name))
    return tuple(str(dev / name) for name in sorted(names))


def _links(dev: Path) -> dict[str, list[str]]:
    """Node -> links to it."""
    found: dict[str, list[str]] = {}
    for kind in ("by-id", "by-path"):
        for link in _entries(dev / "v4l" / kind):
            found.setdefault(os.path.realpath(link), []).append(str(link))
    return found
