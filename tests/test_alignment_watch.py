"""A knocked rig in a running pipeline: the event, and the repair that was asked for."""

from __future__ import annotations

import threading
import time

import cv2
import numpy as np
import pytest

from edge_sdk.config import AlignmentConfig, FusionConfig
from edge_sdk.errors import CalibrationError, ConfigError
from edge_sdk.frames import Frame, FrameFlags, FramePair
from edge_sdk.pipeline import FusionPipeline
from tests.calibration.registration.drawn import scene

SIZE = (320, 240)
PERIOD_NS = 100_000_000


def _pipeline(**alignment) -> FusionPipeline:
    return FusionPipeline(
        alignment=AlignmentConfig(size=SIZE, **alignment), fusion=FusionConfig(threads=1)
    )


def _pair(index: int, ir, visible, flags=FrameFlags.NONE) -> FramePair:
    now = index * PERIOD_NS
    return FramePair(Frame(ir, now, index, "ir", flags), Frame(visible, now, index, "visible"))


@pytest.fixture(scope="module")
def pictures():
    visible, ir = scene(np.random.default_rng(0), SIZE)
    shift = np.float32([[1, 0, 12], [0, 1, -8]])
    return ir, cv2.warpAffine(ir, shift, SIZE, borderMode=cv2.BORDER_REFLECT_101), visible


def test_a_knock_is_one_event_with_the_shift(pictures):
    ir, knocked, visible = pictures
    pipeline = _pipeline()
    told = []
    pipeline.subscribe(told.append)
    for index in range(40):
        pipeline.step(_pair(index, ir, visible))
    assert pipeline.alignment_health is not None and not pipeline.alignment_health.misaligned
    for index in range(40, 110):
        pipeline.step(_pair(index, knocked, visible))
    pipeline.close()
    assert [str(event.kind) for event in told] == ["misaligned"]
    assert "14 px apart (-12, +8)" in told[0].message and "register" in told[0].message.lower()
    assert pipeline.stats().events == {"misaligned": 1}
    assert pipeline.stats().latency["health"].count == 110


def test_frozen_frames_are_not_looked_at(pictures):
    _, knocked, visible = pictures
    pipeline = _pipeline()
    for index in range(80):
        pipeline.step(_pair(index, knocked, visible, FrameFlags.SHUTTER))
    assert pipeline.alignment_health is None and pipeline.stats().events == {}


def test_it_can_be_switched_off(pictures):
    _, knocked, visible = pictures
    pipeline = _pipeline(monitor=False)
    for index in range(80):
        pipeline.step(_pair(index, knocked, visible))
    assert pipeline.alignment_health is None and pipeline.stats().events == {}
    with pytest.raises(ConfigError, match="reregister needs monitor"):
        AlignmentConfig(monitor=False, reregister=True)


@pytest.mark.slow
def test_registered_anew_in_the_background(pictures):
    """The pictures lie on each other afterwards, by the monitor's own measure."""
    _, knocked, visible = pictures
    pipeline = _pipeline(reregister=True)
    told = []
    pipeline.subscribe(told.append)
    index, deadline = 0, time.monotonic() + 240
    while len(told) < 2 and time.monotonic() < deadline:
        pipeline.step(_pair(index, knocked, visible))
        index += 1
        if index > 150:
            time.sleep(0.1)  # the registration is running
    assert "aligned anew: the new alignment fits" in told[1].message
    for after in range(index, index + 40):
        fused = pipeline.step(_pair(after, knocked, visible))
    health = pipeline.alignment_health
    pipeline.close()
    assert health is not None and health.distance_px < 1.0 and not health.misaligned
    assert fused.ir is not None


def test_what_fits_no_better_is_not_applied(pictures, monkeypatch):
    """The tools are asked, and say no: the alignment stays, and an event says why."""
    _, knocked, visible = pictures
    import edge_sdk.cli.calibrate as commands

    class Tools:
        class ImagePair:
            @staticmethod
            def of(ir, visible):
                return ir, visible

        @staticmethod
        def recheck(pairs, current, cameras):
            assert len(pairs) == 12 and cameras is None
            np.testing.assert_allclose(current, np.eye(3), atol=1e-9)
            raise ConfigError("nothing to see")

    monkeypatch.setattr(commands, "workshop", lambda name: Tools)
    pipeline = _pipeline(reregister=True)
    told = []
    pipeline.subscribe(told.append)
    for index in range(200):
        pipeline.step(_pair(index, knocked, visible))
        if len(told) >= 2:
            break
    pipeline.close()
    assert told[1].message == "not aligned anew: nothing to see"
    assert pipeline.alignment_health is not None and pipeline.alignment_health.misaligned


def test_what_was_in_vain_waits_longer_each_time(pictures, monkeypatch):
    """Attempts over four minutes of ten frames a second: at once, after 30 s, 60 s and 120 s."""
    from types import SimpleNamespace

    from edge_sdk.alignment_watch import AlignmentWatch
    from edge_sdk.events import EventHub
    from edge_sdk.health import AlignmentHealth

    ir, _, visible = pictures
    config = AlignmentConfig(size=SIZE, reregister=True)
    watch = AlignmentWatch(config, EventHub(lambda _: None), lambda: None, lambda _: None)
    off = AlignmentHealth(0, (12.0, 8.0), 0.0, 100.0, peak=9.0, score=0.1, misaligned=True)
    monkeypatch.setattr(watch, "_monitor", SimpleNamespace(update=lambda *_: off))
    attempts = []

    def collect(pair: FramePair) -> None:
        attempts.append(pair.timestamp_ns / 1e9)
        watch._answer = None, "nothing to see"

    monkeypatch.setattr(watch, "_collect", collect)
    for index in range(2400):
        pair = _pair(index, ir, visible)
        fused = SimpleNamespace(ir=ir, visible=visible, timestamp_ns=pair.timestamp_ns)
        watch.observe(pair, fused, None)
    assert np.allclose(attempts, [0.0, 30.1, 90.2, 210.3], atol=0.25)


def _answered(pictures, monkeypatch, apply):
    """A watch whose registration has just found a new homography, and its events."""
    from types import SimpleNamespace

    from edge_sdk.alignment_watch import AlignmentWatch
    from edge_sdk.events import EventHub
    from edge_sdk.health import AlignmentHealth

    told = []
    events = EventHub(lambda _: None)
    monkeypatch.setattr(events, "emit", lambda kind, message, **_: told.append(message))
    config = AlignmentConfig(size=SIZE, reregister=True)
    watch = AlignmentWatch(config, events, lambda: None, apply)
    fine = AlignmentHealth(0, (0.0, 0.0), 0.0, 0.0, peak=9.0, score=0.1, misaligned=False)
    monkeypatch.setattr(
        watch, "_monitor", SimpleNamespace(update=lambda *_: fine, reset=lambda: None)
    )
    watch._repair = threading.Thread()
    watch._answer = np.eye(3), "the new alignment fits"
    ir, _, visible = pictures

    def look() -> None:
        pair = _pair(0, ir, visible)
        watch.observe(pair, SimpleNamespace(ir=ir, visible=visible, timestamp_ns=0), None)

    return watch, look, told


def test_what_was_found_for_an_alignment_since_replaced_is_dropped(pictures, monkeypatch):
    applied = []
    watch, look, told = _answered(pictures, monkeypatch, applied.append)
    watch.reset()  # the robot has set another distance while the registration was running
    look()
    assert not applied and not told
    assert watch._repair is None  # so that a next one may start


def test_an_answer_that_cannot_be_used_is_an_event_and_no_error_in_the_loop(pictures, monkeypatch):
    def refuse(homography):
        raise CalibrationError("the infrared picture lies wholly outside of the visible one")

    _, look, told = _answered(pictures, monkeypatch, refuse)
    look()
    assert told == ["not aligned anew: the infrared picture lies wholly outside of the visible one"]
