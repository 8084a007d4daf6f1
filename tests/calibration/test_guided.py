"""Guided capture with a camera that shows a rendered board, moved as a person would."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.guided import Collector, Goal, NewestFrames, WebView, guide
from calibration.intrinsics import calibrate_intrinsics
from calibration.targets import Target
from edge_sdk.errors import ConfigError, DisconnectedError, SourceError, StreamTimeoutError
from edge_sdk.frames import Frame, FrameFlags

from .rendering import THERMAL, Lens, checkerboard, poses, render, rotation

LENS = Lens(240, 192, 290, 289, 118.0, 94.0, (-0.3, 0.1, 0.001, 0.0, 0.0))
BOARD = Target(columns=7, rows=5, spacing_m=0.05)
PATTERN = checkerboard(7, 5, 0.05)


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    views = poses(26, LENS, (0.15, 0.10), (0.55, 0.9), seed=11, width=0.42)
    return [render(LENS, PATTERN, pose, THERMAL, seed=k) for k, pose in enumerate(views)]


class FakeCamera:
    """Shows a script of pictures; live ones come at their own pace."""

    name = "ir"

    def __init__(self, script: list, live: bool = False) -> None:
        self.script, self.live = list(script), live
        self.opened = self.closed = 0

    def open(self) -> None:
        self.opened += 1

    def close(self) -> None:
        self.closed += 1

    def read(self, timeout_s: float = 1.0) -> Frame | None:
        if self.live:
            time.sleep(0.01)
        if not self.script:
            return None
        item = self.script.pop(0)
        if isinstance(item, BaseException):
            raise item
        return item if isinstance(item, Frame) else Frame(item, 0, 0, "ir")


def twice(pictures: list[np.ndarray]) -> list[np.ndarray]:
    """Every view is held for two frames."""
    return [p for picture in pictures for p in (picture, picture)]


def test_views_are_collected_until_there_are_enough(pictures, tmp_path: Path) -> None:
    collector = Collector(BOARD, Goal(views=12, coverage=0.7))
    camera = FakeCamera(twice(pictures))
    hints: list[list[str]] = []
    with WebView(0) as web:
        findings = guide(
            camera, collector, web, tmp_path / "out", 300, lambda c, v: hints.append(c.missing())
        )
        state = json.loads(urllib.request.urlopen(web.url + "state.json", timeout=5).read())
        picture = urllib.request.urlopen(web.url + "picture.jpg?1", timeout=5).read()
        page = urllib.request.urlopen(web.url, timeout=5).read()
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(web.url + "../etc/passwd", timeout=5)
    assert findings is not None and collector.done
    assert camera.script, "it must end by itself, before the recording does"
    assert camera.opened == camera.closed == 1
    assert 12 <= len(findings.observations) <= 26
    assert any("middle" in h[0] for h in hints[:1]) and any("tilt" in " ".join(h) for h in hints)
    assert hints[-1] == []
    assert state["done"] and state["views"] == len(findings.observations)
    assert cv2.imdecode(np.frombuffer(picture, np.uint8), 1).shape[1] >= 480
    assert b"state.json" in page
    saved = sorted((tmp_path / "out").glob("view_*.png"))
    assert len(saved) == len(findings.observations)
    np.testing.assert_array_equal(cv2.imread(str(saved[0]), -1), collector.pictures["view_000"])
    assert (tmp_path / "out" / "live.png").is_file()
    result = calibrate_intrinsics(findings)
    assert abs(result.camera.K.fx / LENS.fx - 1) < 0.005


def test_what_is_not_taken(pictures) -> None:
    collector = Collector(BOARD)
    view, other = pictures[0], pictures[1]
    assert collector.offer(view).reason == "hold still"  # nothing is known of the frame before
    assert collector.offer(view).taken
    assert "like a view" in collector.offer(view).reason
    assert collector.offer(other).reason == "hold still"
    blurred = cv2.GaussianBlur(other, (0, 0), 4)
    collector.offer(blurred)
    assert "blurred" in collector.offer(blurred).reason or not collector.offer(blurred).taken
    assert "no board" in collector.offer(np.full_like(view, 90)).reason
    assert "size" in collector.offer(cv2.resize(view, None, fx=2, fy=2)).reason
    assert len(collector.observations) == 1


def test_ctrl_c_keeps_what_was_taken(pictures) -> None:
    collector = Collector(BOARD)
    findings = guide(FakeCamera([*twice(pictures[:2]), KeyboardInterrupt()]), collector)
    assert findings is not None and len(findings.observations) == 2
    with pytest.raises(KeyboardInterrupt):
        guide(FakeCamera([KeyboardInterrupt()]), Collector(BOARD))


def test_end_of_a_recording_and_time_limit(pictures) -> None:
    assert guide(FakeCamera([np.full((192, 240), 9, np.uint8)]), Collector(BOARD)) is None
    start = time.monotonic()
    guide(FakeCamera(twice(pictures) * 50), Collector(BOARD, Goal(views=200, most=200)), limit_s=1)
    assert time.monotonic() - start < 20


def test_a_live_camera_is_read_newest_first(pictures) -> None:
    frames = [Frame(pictures[0], k, k, "ir") for k in range(30)]
    with NewestFrames(FakeCamera(frames, live=True), timeout_s=5) as newest:
        first = newest.read()
        time.sleep(0.15)
        second = newest.read()
        assert first is not None and second is not None
        assert second.sequence > first.sequence + 3
        while newest.read() is not None:
            pass


def test_faults_of_a_live_camera(pictures) -> None:
    lost = FakeCamera([DisconnectedError("unplugged")], live=True)
    with NewestFrames(lost, 5) as newest, pytest.raises(DisconnectedError, match="unplugged"):
        newest.read()
    assert lost.closed == 1
    shutter = Frame(pictures[0], 0, 0, "ir", FrameFlags.SHUTTER)
    closed = FakeCamera([shutter] * 10_000, live=True)
    with NewestFrames(closed, 0.3) as newest, pytest.raises(StreamTimeoutError, match="shutter"):
        newest.read()


def test_a_port_that_is_taken() -> None:
    with WebView(0) as web, pytest.raises(ConfigError, match="another port"):
        WebView(web.port)
    assert web.url.startswith("http://127.0.0.1:")


def test_tilts_are_told_apart() -> None:
    collector = Collector(BOARD)
    for angles in ((30, 0), (-30, 0), (0, 30), (0, -30)):
        pose = (rotation(*angles, 0), np.array([-0.15, -0.1, 0.65]))
        picture = render(LENS, PATTERN, pose, THERMAL)
        before = set(collector._tilted)
        collector.offer(picture)
        assert collector.offer(picture).taken
        assert len(collector._tilted - before) == 1
    assert collector._tilted == {"left", "right", "up", "down"}


class _Driver:
    """A live camera whose driver fails, or never returns."""

    live, name = True, "ir"

    def __init__(self, hangs: bool) -> None:
        self.release = threading.Event()
        self._hangs = hangs

    def open(self) -> None:
        if self._hangs:
            self.release.wait(30)

    def close(self) -> None:
        if self._hangs:
            self.release.wait(30)

    def read(self, timeout_s: float = 1.0):
        raise OSError("no buffer")


def test_a_driver_that_fails_is_named_at_once():
    start_s = time.monotonic()
    with (
        NewestFrames(_Driver(hangs=False)) as frames,
        pytest.raises(SourceError, match="no buffer"),
    ):
        frames.read()
    assert time.monotonic() - start_s < 3


def test_a_driver_that_does_not_open_is_not_waited_for(monkeypatch):
    monkeypatch.setattr("calibration.guided.newest.OPEN_S", 0.2)
    driver = _Driver(hangs=True)
    with pytest.raises(StreamTimeoutError, match="has not returned"), NewestFrames(driver):
        raise AssertionError("it opened")
    driver.release.set()
