"""What ``edge-sdk devices`` tells about every video node."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge_sdk.capture.v4l2.driver import (
    CAN_CAPTURE,
    CAN_CAPTURE_PLANES,
    capabilities,
    linuxpy,
)
from edge_sdk.capture.v4l2.fourcc import code_text, format_of_code
from edge_sdk.capture.v4l2.identity import identities
from edge_sdk.capture.v4l2.modes import format_codes, frame_rates, frame_sizes
from edge_sdk.capture.v4l2.sysfs import VideoNode, scan_nodes
from edge_sdk.errors import DependencyError

__all__ = ["DeviceReport", "FormatReport", "SizeReport", "list_devices"]


@dataclass(frozen=True, slots=True)
class SizeReport:
    """A size (pixels) and the rates that it comes with, as text: ``30``, of a range ``1-60``."""

    width: int
    height: int
    fps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FormatReport:
    """A pixel format; ``usable`` tells whether edge_sdk decodes it."""

    format: str
    usable: bool
    sizes: tuple[SizeReport, ...]


@dataclass(frozen=True, slots=True)
class DeviceReport:
    """One video node.

    Attributes:
        node: what sysfs tells.
        identities: texts for ``device`` in a rig file, most lasting first.
        captures: whether it delivers images; None if it could not be asked.
        formats: what it offers.
        problem: why it could not be asked; empty if it could.
    """

    node: VideoNode
    identities: tuple[str, ...]
    captures: bool | None
    formats: tuple[FormatReport, ...]
    problem: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def list_devices(sysfs: str | Path = "/sys", dev: str | Path = "/dev") -> list[DeviceReport]:
    """Every video node. Without linuxpy, or permission, what sysfs tells, and what is missing.

    Args:
        sysfs, dev: see :func:`scan_nodes`.
    """
    nodes = scan_nodes(sysfs, dev)
    reports = []
    for node in nodes:
        captures: bool | None = None
        formats: tuple[FormatReport, ...] = ()
        problem = ""
        try:
            captures, formats = _ask(node.path)
        except DependencyError as error:
            problem = str(error)
        except OSError as error:
            problem = f"{node.path}: {error.strerror or error}"
        names = tuple(identities(node, nodes))
        reports.append(DeviceReport(node, names, captures, formats, problem))
    return reports


def _ask(path: str) -> tuple[bool, tuple[FormatReport, ...]]:
    linuxpy()
    fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        flags = capabilities(fd)
        if not flags & CAN_CAPTURE:
            return bool(flags & CAN_CAPTURE_PLANES), ()
        return True, tuple(_format(fd, code) for code in format_codes(fd))
    finally:
        os.close(fd)


def _format(fd: int, code: int) -> FormatReport:
    sizes = tuple(
        SizeReport(width, height, tuple(frame_rates(fd, code, width, height)))
        for width, height in frame_sizes(fd, code)
    )
    return FormatReport(code_text(code), format_of_code(code) is not None, sizes)
