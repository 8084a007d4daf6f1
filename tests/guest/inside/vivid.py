"""The kernel's virtual cameras: their faults, their test picture, and what must not be left behind.

Runs inside the guest only.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

from edge_sdk.capture.v4l2 import V4L2Camera
from edge_sdk.capture.v4l2.driver import linuxpy
from edge_sdk.errors import SourceError
from edge_sdk.frames import Frame

NODES = ("/dev/video0", "/dev/video1")
NAMES = ("name:vivid-000-vid-cap", "name:vivid-001-vid-cap")

TIME_SOURCE, WRAP_SEQUENCE, WRAP_TIME = 0xF0F018, 0xF0F026, 0xF0F027
DROPPED_PERCENT, DISCONNECT, ERROR_FLAG = 0xF0F040, 0xF0F041, 0xF0F042
REQBUFS_ERROR, QBUF_ERROR, STREAMON_ERROR, FATAL_ERROR = 0xF0F043, 0xF0F044, 0xF0F045, 0xF0F046

BARS_Y16 = (48640, 45056, 38144, 34816, 13824, 10240, 3328, 0)
"""Luma of the eight bars of the test picture, in Y16 (eight bits, in the high byte)."""
BARS_BGR = tuple(
    (191 * blue, 191 * green, 191 * red)
    for red, green, blue in [
        (1, 1, 1),
        (1, 1, 0),
        (0, 1, 1),
        (0, 1, 0),
        (1, 0, 1),
        (1, 0, 0),
        (0, 0, 1),
        (0, 0, 0),
    ]
)
"""75 % bars: white, yellow, cyan, green, magenta, red, blue, black."""


def set_control(control: int, value: int = 1, node: str = NODES[0]) -> None:
    """Set it from a descriptor of its own."""
    fd = os.open(node, os.O_RDWR | os.O_NONBLOCK)
    try:
        linuxpy().set_control(fd, control, value)
    finally:
        os.close(fd)


@contextmanager
def control_set(control: int, value: int, node: str = NODES[0]) -> Iterator[None]:
    """Set it for a while; it goes back to 0."""
    set_control(control, value, node)
    try:
        yield
    finally:
        set_control(control, 0, node)


def later(seconds: float, control: int, value: int = 1, node: str = NODES[0]) -> threading.Timer:
    """Set it in so many seconds from a thread, as a user pulls a cable while we wait."""
    timer = threading.Timer(seconds, set_control, (control, value, node))
    timer.start()
    return timer


def bars(image: np.ndarray[Any, Any]) -> list[Any]:
    """The pixels in the middle of the eight bars, between the moving texts at top and bottom."""
    height, width = image.shape[:2]
    return [image[height // 2, (2 * k + 1) * width // 16].tolist() for k in range(8)]


def assert_bars(image: np.ndarray[Any, Any]) -> None:
    """The picture is vivid's, whole: any Y16, grey or BGR image."""
    found = np.array(bars(image), float)
    if image.ndim == 3:
        np.testing.assert_allclose(found, BARS_BGR, atol=4)
    else:
        wanted = np.array(BARS_Y16, float)
        np.testing.assert_allclose(found / max(found[0], 1.0), wanted / wanted[0], atol=0.02)


def read_good(camera: V4L2Camera, count: int, within_s: float = 1.0) -> list[Frame]:
    """So many frames: whole pictures, times and numbers that rise, no time ahead of now."""
    found: list[Frame] = []
    for _ in range(count):
        frame = camera.read(within_s)
        assert frame is not None
        assert_bars(frame.image)
        now_ns = time.monotonic_ns()
        assert frame.timestamp_ns <= now_ns
        # An emulated machine may stop for seconds; another clock would be off by far more.
        assert now_ns - frame.timestamp_ns < 10_000_000_000
        if found:
            assert frame.sequence > found[-1].sequence
            assert frame.timestamp_ns > found[-1].timestamp_ns
        found.append(frame)
    return found


def reopen(camera: V4L2Camera, within_s: float = 10.0) -> float:
    """As supervision does: close, open, until it works; returns the seconds that it took."""
    start = time.monotonic()
    while True:
        camera.close()
        with suppress(SourceError):
            camera.open()
            return time.monotonic() - start
        assert time.monotonic() - start < within_s, f"not back within {within_s} s"
        time.sleep(0.05)


def mappings() -> int:
    """Buffers of video nodes that this process has mapped."""
    with open("/proc/self/maps") as lines:
        return sum("/dev/video" in line for line in lines)


def descriptors() -> int:
    """Video nodes that this process has open."""
    count = 0
    for entry in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            count += "/dev/video" in os.readlink(f"/proc/self/fd/{entry}")
    return count


@contextmanager
def nothing_left() -> Iterator[None]:
    """After the block this process has no node open or mapped, and no thread more."""
    threads = threading.active_count()
    yield
    assert (mappings(), descriptors()) == (0, 0)
    assert threading.active_count() == threads
