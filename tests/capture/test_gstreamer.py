"""The GStreamer source with a capture of our own in OpenCV's place."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
import pytest

from edge_sdk.capture import Camera, gstreamer
from edge_sdk.capture.gstreamer import GStreamerCamera, gstreamer_reason
from edge_sdk.errors import (
    ConfigError,
    DependencyError,
    DisconnectedError,
    SourceError,
    StreamTimeoutError,
)

PIPELINE = "videotestsrc is-live=true ! appsink"


class FakeCapture:
    """Frames at 100/s whose pixels count up; ``frames`` of them, then the end of the stream."""

    def __init__(
        self,
        frames: int = 1_000_000,
        opens: bool = True,
        image: Callable[[int], Any] = lambda i: np.full((4, 6, 3), i % 256, np.uint8),
        blocks_at: int | None = None,
    ) -> None:
        self._frames, self._opens, self._image, self._blocks_at = frames, opens, image, blocks_at
        self._next = 0
        self.unblock = threading.Event()
        self.released = threading.Event()
        self.released_by: str | None = None

    def isOpened(self) -> bool:
        return self._opens

    def read(self) -> tuple[bool, Any]:
        if self._next == self._blocks_at:
            self.unblock.wait(20)
        time.sleep(0.01)
        if self._next >= self._frames:
            return False, None
        self._next += 1
        return True, self._image(self._next - 1)

    def release(self) -> None:
        self.released_by = threading.current_thread().name
        self.released.set()


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    yield
    end = time.monotonic() + 3
    while any(t.name == "edge_sdk gstreamer" for t in threading.enumerate()):
        assert time.monotonic() < end, "a thread of the source is still there"
        time.sleep(0.01)


def camera_of(capture: FakeCapture, mono: bool = False) -> GStreamerCamera:
    return GStreamerCamera("visible", PIPELINE, mono=mono, capture=lambda pipeline: capture)


def test_newest_frame_wins_and_what_nobody_read_is_counted() -> None:
    capture = FakeCapture()
    with camera_of(capture) as camera:
        assert isinstance(camera, Camera) and camera.live
        first = camera.read()
        assert first is not None
        time.sleep(0.2)
        before_ns = time.monotonic_ns()
        second = camera.read()
        assert second is not None
        assert second.sequence > first.sequence + 5
        assert second.image[0, 0, 0] == second.sequence % 256
        assert before_ns - second.timestamp_ns < 100_000_000
        assert camera.counts["superseded"] >= second.sequence - first.sequence - 1
    assert capture.released.wait(1)
    assert capture.released_by == "edge_sdk gstreamer"


def test_a_pipeline_that_blocks_is_bounded_and_left_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gstreamer, "_STOP_TIMEOUT_S", 0.2)
    capture = FakeCapture(blocks_at=2)
    camera = camera_of(capture)
    camera.open()
    camera.read()
    time.sleep(0.05)
    camera.read()
    start = time.monotonic()
    with pytest.raises(StreamTimeoutError, match=r"0\.1 s"):
        camera.read(0.1)
    camera.close()
    assert time.monotonic() - start < 1
    assert camera.counts["abandoned"] == 1
    assert not capture.released.is_set()
    capture.unblock.set()
    assert capture.released.wait(2)


def test_end_of_stream_is_a_disconnection_and_open_starts_anew() -> None:
    captures = [FakeCapture(frames=2), FakeCapture()]
    camera = GStreamerCamera("ir", PIPELINE, capture=lambda pipeline: captures.pop(0))
    camera.open()
    numbers = []
    with pytest.raises(DisconnectedError, match="end of stream"):
        while (frame := camera.read()) is not None:
            numbers.append(frame.sequence)
    with pytest.raises(SourceError, match="not open"):
        camera.read()
    with camera:
        frame = camera.read()
        assert frame is not None and frame.sequence >= 2 > max(numbers)


def test_a_pipeline_that_does_not_open() -> None:
    capture = FakeCapture(opens=False)
    camera = camera_of(capture)
    for _ in range(2):
        with pytest.raises(SourceError, match=r"cannot be opened.*gst-launch-1\.0"):
            camera.open()
    assert capture.released.is_set()


def test_a_pipeline_that_hangs_while_it_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gstreamer, "_OPEN_TIMEOUT_S", 0.2)
    monkeypatch.setattr(gstreamer, "_STOP_TIMEOUT_S", 0.2)
    go = threading.Event()
    capture = FakeCapture()

    def hang(pipeline: str) -> FakeCapture:
        go.wait(10)
        return capture

    camera = GStreamerCamera("ir", PIPELINE, capture=hang)
    start = time.monotonic()
    with pytest.raises(SourceError, match="does not start within"):
        camera.open()
    with pytest.raises(SourceError, match="hangs since it was last opened"):
        camera.open()
    assert time.monotonic() - start < 2
    assert camera.counts == {"abandoned": 1}
    go.set()
    assert capture.released.wait(2)
    time.sleep(0.05)
    with camera:
        assert camera.read() is not None


@pytest.mark.parametrize(
    ("image", "mono", "shape", "dtype"),
    [
        (np.zeros((4, 6), np.uint16), False, (4, 6), np.uint16),
        (np.zeros((4, 6, 1), np.uint8), True, (4, 6), np.uint8),
        (np.zeros((4, 6, 3), np.uint8), False, (4, 6, 3), np.uint8),
        (np.zeros((4, 6, 3), np.uint8), True, (4, 6), np.uint8),
    ],
)
def test_kinds_of_images(image: Any, mono: bool, shape: tuple[int, ...], dtype: type) -> None:
    with camera_of(FakeCapture(image=lambda i: image), mono) as camera:
        frame = camera.read()
        assert frame is not None and frame.image.shape == shape and frame.image.dtype == dtype


def test_other_kinds_of_images_are_refused() -> None:
    rgba = np.zeros((4, 6, 4), np.uint8)
    with (
        camera_of(FakeCapture(image=lambda i: rgba)) as camera,
        pytest.raises(SourceError, match=r"\(4, 6, 4\).*format=BGR"),
    ):
        camera.read()


def test_pipeline_without_a_sink() -> None:
    with pytest.raises(ConfigError, match="appsink"):
        GStreamerCamera("ir", "videotestsrc ! fakesink")


@pytest.mark.parametrize(
    ("line", "works"),
    [
        ("    GStreamer:                   YES (1.22.0)", True),
        ("    GStreamer:   NO", False),
        ("", False),
    ],
)
def test_reason(line: str, works: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: f"  Video I/O:\n{line}\n")
    reason = gstreamer_reason()
    assert (reason is None) is works
    if reason is not None:
        assert "python3-opencv" in reason and "JetPack" in reason
        with pytest.raises(DependencyError, match="python3-opencv"):
            GStreamerCamera("ir", PIPELINE).open()
