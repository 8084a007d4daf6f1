"""The way to linuxpy, and what an error number of a video driver means for a user."""

from __future__ import annotations

import errno
import importlib
import os
from typing import Any

from edge_sdk.errors import (
    BandwidthError,
    DependencyError,
    DeviceNotFoundError,
    DisconnectedError,
    SourceError,
)

__all__ = [
    "CAN_CAPTURE",
    "CAN_CAPTURE_PLANES",
    "CAPTURE",
    "GONE",
    "capabilities",
    "delivers_images",
    "explain",
    "linuxpy",
    "open_node",
]

CAPTURE = 1
"""``V4L2_BUF_TYPE_VIDEO_CAPTURE``"""
GONE = (errno.ENODEV, errno.ENXIO, errno.ENOENT, errno.EBADF)
"""Error numbers of a device that is not there any more."""
CAN_CAPTURE, CAN_CAPTURE_PLANES = 0x1, 0x1000
_CAN_STREAM, _TELLS_NODE = 0x04000000, 0x80000000


def linuxpy() -> Any:
    """The module ``linuxpy.video.device``.

    Raises:
        DependencyError: it is not installed.
    """
    try:
        return importlib.import_module("linuxpy.video.device")
    except ImportError as error:
        raise DependencyError(
            f"cameras of the kernel's video interface need the package 'linuxpy' ({error}); "
            'install it with: pip install "edge-sdk[v4l2]"'
        ) from error


def open_node(path: str) -> int:
    """A file descriptor of a node that captures and streams. The caller closes it.

    Raises:
        SourceError: no permission, or the node is not for capture.
        DeviceNotFoundError: the node is not there (any more).
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in GONE:
            raise DeviceNotFoundError(
                f"{path} cannot be opened ({error.strerror}): the camera is not there, or its node "
                "is still held by a program that had it open when it was unplugged"
            ) from error
        raise explain(error, path, "opened") from error
    try:
        _check_capabilities(fd, path)
    except BaseException:
        os.close(fd)
        raise
    return fd


def capabilities(fd: int) -> int:
    """Flags of what this node itself (not its device) can do.

    Raises:
        OSError: the ioctl failed; ``ENODEV`` if the device is gone.
    """
    found = linuxpy().read_capabilities(fd)
    flags = found.capabilities
    return int(found.device_caps if flags & _TELLS_NODE else flags)


def delivers_images(path: str) -> bool:
    """Whether a node captures video; True if it cannot be asked, so that opening it tells why."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return True
    try:
        return bool(capabilities(fd) & (CAN_CAPTURE | CAN_CAPTURE_PLANES))
    except OSError:
        return True
    finally:
        os.close(fd)


def _check_capabilities(fd: int, path: str) -> None:
    try:
        flags = capabilities(fd)
    except OSError as error:
        if error.errno == errno.ENOTTY:
            raise SourceError(
                f"{path} is not a video device; see 'edge-sdk devices' for those that are"
            ) from error
        raise explain(error, path, "asked what it can do") from error
    if not flags & CAN_CAPTURE:
        if flags & CAN_CAPTURE_PLANES:
            raise SourceError(
                f"{path} has only the multi-planar interface of a system-on-chip's camera port; "
                "use driver: gstreamer with v4l2src or the vendor's source (nvarguscamerasrc)"
            )
        raise SourceError(
            f"{path} delivers no images (it is a node for metadata or output); the camera's other "
            "node does, see 'edge-sdk devices'"
        )
    if not flags & _CAN_STREAM:
        raise SourceError(f"{path} cannot stream into memory; use driver: gstreamer with v4l2src")


def explain(error: OSError, path: str, attempt: str, hint: str = "") -> SourceError:
    """What the error number means, as an exception to raise.

    Args:
        attempt: participle that fits "could not be ...".
        hint: what to do, if the error number alone does not tell.
    """
    number, text = error.errno, error.strerror or str(error)
    if number in GONE:
        return DisconnectedError(
            f"{path} went away while it was {attempt} ({text}); check cable and power, then open "
            "the camera again"
        )
    if number == errno.EBUSY:
        hint = f"another program uses it; close that one (find it with: fuser {path})"
    elif number in (errno.EACCES, errno.EPERM):
        hint = (
            "no permission; add the user to the group that owns it: sudo usermod -aG video $USER, "
            "then log in again"
        )
    elif number == errno.ENOSPC:
        return BandwidthError(
            f"{path} could not be {attempt} ({text}): the USB bus has no bandwidth left for this "
            "stream: every camera on the same host controller reserves its share while it streams. "
            "Ask for a lower rate, a smaller size or a compressed format (MJPG), or plug one "
            "camera into a port of another controller (lsusb -t shows which port belongs to which)"
        )
    elif number == errno.EPROTO:
        hint = "the USB transfer failed; try another cable, port or a powered hub"
    elif number == errno.ENOMEM:
        hint = "no memory for its buffers; ask for a smaller size"
    hint = hint or "unplug it and plug it in again; the kernel's log (dmesg) may say more"
    return SourceError(f"{path} could not be {attempt} ({text}): {hint}")
