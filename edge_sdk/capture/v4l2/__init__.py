"""Cameras of the Linux kernel's video interface (Video4Linux2).

::

    camera = V4L2Camera("ir", "serial:123456", format="Y16", width=640, height=512, fps=60)
    with camera:
        frame = camera.read()           # (512, 640) uint16, time at the start of the exposure

The device layer is the package linuxpy (GPL-3.0), which is imported when a camera is opened or its
formats are listed, and not before.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge_sdk.capture.v4l2.camera import V4L2Camera
    from edge_sdk.capture.v4l2.identity import find_node, identities, serial_port_of
    from edge_sdk.capture.v4l2.listing import DeviceReport, list_devices
    from edge_sdk.capture.v4l2.sysfs import UsbDevice, VideoNode, scan_nodes

__all__ = [
    "DeviceReport",
    "UsbDevice",
    "V4L2Camera",
    "VideoNode",
    "find_node",
    "identities",
    "list_devices",
    "scan_nodes",
    "serial_port_of",
]

_HOME = {
    "DeviceReport": "listing",
    "UsbDevice": "sysfs",
    "V4L2Camera": "camera",
    "VideoNode": "sysfs",
    "find_node": "identity",
    "identities": "identity",
    "list_devices": "listing",
    "scan_nodes": "sysfs",
    "serial_port_of": "identity",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
