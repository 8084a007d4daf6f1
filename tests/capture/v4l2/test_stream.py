"""Streaming from a driver that fails in ways which the kernel's virtual camera does not have."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("linuxpy")

from edge_sdk.capture.v4l2 import V4L2Camera, camera, driver, stream
from edge_sdk.capture.v4l2.fourcc import format_of_name
from edge_sdk.capture.v4l2.modes import Granted
from edge_sdk.capture.v4l2.sysfs import VideoNode
from edge_sdk.errors import BandwidthError, DisconnectedError, SourceError, StreamTimeoutError
from tests.capture.v4l2.fake_driver import FakeDriver

WIDTH, HEIGHT = 64, 48
DAMAGED = 0x40


def mapped() -> int:
    with open("/proc/self/maps") as lines:
        return sum("memfd:camera" in line for line in lines)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeDriver]:
    fake = FakeDriver()
    for module in (camera, driver, stream):
        monkeypatch.setattr(module, "linuxpy", lambda: fake)
    node = VideoNode("/dev/video9", "fake", "", 0, None, (), ())
    monkeypatch.setattr(camera, "find_node", lambda device, **_: node)
    monkeypatch.setattr(camera, "open_node", lambda path: fake.open())
    mjpg = format_of_name("MJPG")
    assert mjpg is not None
    granted = Granted(mjpg, WIDTH, HEIGHT, 0, 30.0)
    monkeypatch.setattr(camera, "negotiate", lambda *_: granted)
    descriptors = len(os.listdir("/proc/self/fd"))
    yield fake
    assert mapped() == 0
    assert len(os.listdir("/proc/self/fd")) == descriptors
    os.close(fake.fd)


def jpeg(level: int) -> bytes:
    good, data = cv2.imencode(".jpg", np.full((HEIGHT, WIDTH, 3), level, np.uint8))
    assert good
    return bytes(data)


def levels(camera: V4L2Camera, count: int) -> list[int]:
    found = []
    for _ in range(count):
        frame = camera.read(0.5)
        assert frame is not None
        found.append(round(frame.image.mean()))
    return found


def opened(fake: FakeDriver, frames: list[tuple[bytes, int]]) -> V4L2Camera:
    """An open camera; what is delivered before the first read would be dropped as stale."""
    camera = V4L2Camera("visible", "name:fake")
    camera.open()
    with pytest.raises(StreamTimeoutError):
        camera.read(0.0)
    fake.frames.extend(frames)
    return camera


def test_motion_jpeg_good_and_damaged(fake: FakeDriver) -> None:
    frames = [
        (jpeg(10), 0),
        (jpeg(20), DAMAGED),
        (jpeg(30)[:-20], 0),
        (b"", 0),
        (jpeg(40), 0),
        (jpeg(50) + bytes(100), 0),
    ]
    with opened(fake, frames) as camera:
        assert levels(camera, 3) == [10, 40, 50]
        assert camera.counts == {"damaged": 1, "undecodable": 2}


def test_what_waited_is_dropped(fake: FakeDriver) -> None:
    with opened(fake, [(jpeg(10), 0)]) as camera:
        assert levels(camera, 1) == [10]
        time.sleep(0.25)
        fake.frames.extend([(jpeg(20), 0), (jpeg(30), 0)])
        with pytest.raises(StreamTimeoutError, match="stale"):
            camera.read(0.05)
        fake.frames.append((jpeg(40), 0))
        frame = camera.read(0.5)
        assert frame is not None and frame.sequence == 3
        assert camera.counts["stale"] == 2


def test_no_bandwidth_is_explained_and_nothing_is_held(fake: FakeDriver) -> None:
    fake.errors["on"] = [errno.ENOSPC, errno.ENOSPC]
    camera = V4L2Camera("visible", "name:fake")
    for _ in range(2):
        with pytest.raises(BandwidthError, match=r"bandwidth.*lower rate.*MJPG.*controller"):
            camera.open()
        assert mapped() == 0
    assert fake.calls["on"] == 2, "asking again is no use"
    assert fake.calls["free"] == 2
    with camera:
        assert mapped() == 4
        fake.frames.append((jpeg(10), 0))


@pytest.mark.parametrize("call", ["request", "query", "queue", "on"])
def test_open_asks_again_but_not_for_ever(fake: FakeDriver, call: str) -> None:
    fake.errors[call] = [errno.EINVAL] * 2
    with opened(fake, [(jpeg(10), 0)]) as camera:
        assert levels(camera, 1) == [10]
        assert camera.counts["driver asked again"] == 2
    fake.errors[call] = [errno.EINVAL] * 100
    start = time.monotonic()
    with pytest.raises(SourceError, match="/dev/video9 could not be"):
        camera.open()
    assert time.monotonic() - start < 1
    assert mapped() == 0
    fake.errors.clear()
    with opened(fake, [(jpeg(20), 0)]) as camera:
        assert levels(camera, 1) == [20]


def test_buffers_that_the_driver_refuses_are_given_later(fake: FakeDriver) -> None:
    with opened(fake, [(jpeg(10 * k), 0) for k in range(1, 11)]) as camera:
        fake.errors["queue"] = [errno.EINVAL] * 8
        assert levels(camera, 10) == [10 * k for k in range(1, 11)]
        assert camera.counts == {"buffer refused": 8}


def test_all_buffers_lost_restarts_the_stream(fake: FakeDriver) -> None:
    with opened(fake, [(jpeg(10 * k), 0) for k in range(1, 11)]) as camera:
        fake.mended_by_stopping = True
        fake.errors["queue"] = [errno.EINVAL] * 1000
        assert levels(camera, 10) == [10 * k for k in range(1, 11)]
        assert camera.counts["stream restarted"] == 1
        assert fake.errors == {}


def test_an_error_that_stays_ends_in_a_disconnection(fake: FakeDriver) -> None:
    camera = opened(fake, [(jpeg(10), 0)])
    assert levels(camera, 1) == [10]
    fake.errors["dequeue"] = [errno.EIO] * 1000
    start = time.monotonic()
    with pytest.raises(DisconnectedError, match="2 restarts did not help"):
        camera.read(5.0)
    assert time.monotonic() - start < 1
    assert mapped() == 0
    fake.errors.clear()
    camera.open()
    fake.frames.clear()
    camera.close()


def test_a_restart_that_fails_releases_all(fake: FakeDriver) -> None:
    camera = opened(fake, [])
    fake.errors["dequeue"] = [errno.EIO]
    fake.errors["on"] = [errno.EIO] * 10
    with pytest.raises(DisconnectedError, match="cannot be restarted"):
        camera.read(5.0)
    assert mapped() == 0


def test_a_silent_camera_that_is_gone_is_told_as_gone(fake: FakeDriver) -> None:
    """Some drivers leave poll waiting: after a time-out the device is asked."""
    camera = opened(fake, [])
    fake.errors["capabilities"] = [errno.ENODEV]
    monkey: Any = camera._stream
    monkey.wait = lambda seconds: False
    with pytest.raises(DisconnectedError, match="went away"):
        camera.read(0.1)
    assert mapped() == 0


def test_an_image_that_is_kept_does_not_hold_the_device(fake: FakeDriver) -> None:
    camera = opened(fake, [(jpeg(10), 0)])
    frame = camera.read(0.5)
    assert frame is not None
    camera.close()
    assert mapped() == 0
    assert round(frame.image.mean()) == 10


def test_close_is_bounded_when_the_kernel_does_not_return(
    fake: FakeDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that the kernel holds releases all when it is let go."""
    monkeypatch.setattr(camera, "_CLOSE_S", 0.1)
    source = opened(fake, [])
    held, go = threading.Event(), threading.Event()

    def hang(seconds: float) -> bool:
        held.set()
        go.wait(10)
        return False

    inner: Any = source._stream
    inner.wait = hang
    failures: list[Exception] = []

    def read() -> None:
        try:
            source.read(0.5)
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    assert held.wait(2)
    start = time.monotonic()
    source.close()
    assert time.monotonic() - start < 1
    assert mapped() == 4
    go.set()
    thread.join(2)
    assert mapped() == 0
    assert len(failures) == 1 and isinstance(failures[0], SourceError)
