"""Which camera is meant: a rig file's ``device`` made into a node, today's node.

Numbers of nodes change with the order in which cameras are plugged in, so that an identity is
looked up every time a camera is opened.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from edge_sdk.capture.v4l2.sysfs import VideoNode, scan_nodes
from edge_sdk.errors import ConfigError, DeviceNotFoundError

__all__ = ["describe_nodes", "find_node", "identities", "serial_port_of"]


def find_node(
    device: str,
    *,
    captures: Callable[[VideoNode], bool] | None = None,
    sysfs: str | Path = "/sys",
    dev: str | Path = "/dev",
) -> VideoNode:
    """The one node that an identity means.

    Args:
        device: ``serial:...`` (USB serial number), ``name:...`` (the driver's name of the camera
            or a part of it before or after ``": "``, whatever the case), a by-id or by-path link,
            or ``/dev/videoN``.
        captures: tells whether a node delivers images; asked only if several nodes match, since
            most USB cameras have a second node for metadata. None: the lowest node of each device.
        sysfs, dev: see :func:`scan_nodes`.

    Raises:
        ConfigError: ``device`` is none of these forms.
        DeviceNotFoundError: nothing matches, or more than one camera; the message lists what there
            is.
    """
    nodes = scan_nodes(sysfs, dev)
    found = _matching(device, nodes)
    if not found:
        raise DeviceNotFoundError(
            f"no camera is {device!r}; cameras found here: {describe_nodes(nodes)}; plug it in, or "
            "give one of these (see 'edge-sdk devices')"
        )
    if len(found) > 1:
        found = _first_of_each(found) if captures is None else [n for n in found if captures(n)]
    if len(found) != 1:
        which = describe_nodes(found) if found else "none of its nodes delivers images"
        raise DeviceNotFoundError(
            f"{device!r} does not name one camera: {which}; give a by-path link or /dev/videoN "
            "(see 'edge-sdk devices')"
        )
    return found[0]


def serial_port_of(device: str, *, sysfs: str | Path = "/sys", dev: str | Path = "/dev") -> str:
    """Path of the serial port on the same USB device as a camera: ``serial.port: auto``.

    Args:
        device: see :func:`find_node`.
        sysfs, dev: see :func:`scan_nodes`.

    Raises:
        ConfigError: ``device`` has no known form.
        DeviceNotFoundError: the camera is not there, has no serial port, or has several.
    """
    nodes = scan_nodes(sysfs, dev)
    found = _matching(device, nodes)
    if len({node.usb.folder if node.usb else node.path for node in found}) != 1:
        # Raises, unless a single node was found.
        found = [find_node(device, sysfs=sysfs, dev=dev)]
    ports = found[0].serial_ports
    if len(ports) == 1:
        return ports[0]
    reason = f"has several: {', '.join(ports)}" if ports else "has none"
    raise DeviceNotFoundError(
        f"the serial port of camera {device!r} cannot be told: its USB device {reason}; give the "
        "port itself instead of 'auto', for instance port: /dev/ttyACM0"
    )


def identities(node: VideoNode, nodes: Sequence[VideoNode]) -> list[str]:
    """Texts for ``device`` in a rig file that mean this node alone, most lasting first."""
    serials = Counter(n.usb.serial for n in _first_of_each(nodes) if n.usb)
    first = node in _first_of_each(nodes)
    found = []
    if first and node.usb is not None and node.usb.serial and serials[node.usb.serial] == 1:
        found.append(f"serial:{node.usb.serial}")
    found += node.links
    if len(_first_of_each([n for n in nodes if _same_name(node.name, n)])) == 1 and first:
        found.append(f"name:{node.name}")
    return [*found, node.path]


def describe_nodes(nodes: Sequence[VideoNode]) -> str:
    """The nodes in one line for a message; ``none`` if there are none."""
    texts = []
    for node in nodes:
        serial = f", serial:{node.usb.serial}" if node.usb and node.usb.serial else ""
        texts.append(f"{node.path} (name:{node.name}{serial})")
    return ", ".join(texts) or "none"


def _matching(device: str, nodes: Sequence[VideoNode]) -> list[VideoNode]:
    kind, colon, wanted = device.partition(":")
    if colon and kind == "serial" and wanted:
        return [n for n in nodes if n.usb is not None and n.usb.serial == wanted]
    if colon and kind == "name" and wanted:
        return [n for n in nodes if _same_name(wanted, n)]
    if device.startswith("/"):
        target = os.path.realpath(device)
        known = [n for n in nodes if os.path.realpath(n.path) == target]
        if not known and Path(target).is_char_device():
            # A container may have the node without its sysfs entry.
            known = [VideoNode(target, "", "", 0, None, (), ())]
        return known
    raise ConfigError(
        f"device: {device!r} is no identity of a camera; allowed: serial:NUMBER, name:NAME, a link "
        "of /dev/v4l/by-id or by-path, /dev/videoN (see 'edge-sdk devices')"
    )


def _same_name(wanted: str, node: VideoNode) -> bool:
    """Drivers of USB cameras call them 'MAKER: MODEL', or 'MODEL: MODEL'."""
    names = {node.name, *node.name.split(": ")}
    if node.usb is not None:
        names.add(node.usb.model)
    return wanted.strip().casefold() in {name.strip().casefold() for name in names if name}


def _first_of_each(nodes: Sequence[VideoNode]) -> list[VideoNode]:
    """The node with the lowest index of each USB device; every node that is not on USB."""
    best: dict[str, VideoNode] = {}
    for node in nodes:
        key = node.usb.folder if node.usb is not None else node.path
        if key not in best or node.index < best[key].index:
            best[key] = node
    return list(best.values())
