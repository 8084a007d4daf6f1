"""What a source counts itself is in the pipeline's statistics, under its name."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import numpy as np

from edge_sdk import FusionPipeline
from edge_sdk.capture.pairing import Pairer
from edge_sdk.capture.v4l2 import V4L2Camera
from edge_sdk.cli.summary import print_summary
from edge_sdk.config import AlignmentConfig
from edge_sdk.frames import Frame, FrameFlags
from edge_sdk.stats import LatencyStats, StatsRecorder


class Counting:
    """A recording of three frames that counts what it left out."""

    live = False

    def __init__(self, name: str, **counts: int) -> None:
        self.name = name
        self.counts = counts
        self._left = 3

    def open(self) -> None: ...

    def close(self) -> None: ...

    def read(self, timeout_s: float = 1.0) -> Frame | None:
        if not self._left:
            return None
        self._left -= 1
        shape = (48, 64) if self.name == "ir" else (48, 64, 3)
        stamp_ns = (3 - self._left) * 40_000_000
        return Frame(np.full(shape, 90, np.uint8), stamp_ns, 3 - self._left, self.name)


def test_counts_of_the_cameras_are_merged_by_name(capsys):
    ir = Counting("ir", damaged=4, stale=1)
    pipeline = FusionPipeline(ir, Counting("visible"), alignment=AlignmentConfig(size=(64, 48)))
    with pipeline:
        assert len(list(pipeline)) == 3
        ir.counts["damaged"] += 1
        stats = pipeline.stats()
    assert stats.cameras == {"ir": {"damaged": 5, "stale": 1}}
    print_summary(stats, 0, {}, as_json=True)
    assert json.loads(capsys.readouterr().out)["cameras"] == {"ir": {"damaged": 5, "stale": 1}}
    print_summary(stats, 0, {}, as_json=False)
    assert "ir camera" in (text := capsys.readouterr().out) and "5 damaged, 1 stale" in text


def test_a_v4l2_camera_and_one_without_counts():
    camera = V4L2Camera("ir", "name:Any")
    camera._counts.update(damaged=2, undecodable=1)
    other = Counting("visible")
    del other.counts
    other.live = True
    stats = FusionPipeline(camera, other).stats()
    assert stats.cameras == {"ir": {"damaged": 2, "undecodable": 1}}


def test_damaged_frames_count_wherever_they_were_dropped():
    """By the supervisor while a camera was silent, by the pairing otherwise."""
    good = Frame(np.full((48, 64), 90, np.uint8), 0, 0, "ir")
    pairer = Pairer(10_000_000)
    for index in range(1, 4):
        pairer.push(replace(good, timestamp_ns=index * 33_000_000, flags=FrameFlags.DAMAGED))
    pipeline = FusionPipeline()
    pipeline._pairer = pairer
    pipeline._stats.count(pipeline._stats.dropped, "ir damaged", 2)
    assert pipeline.stats().dropped == pipeline.stats().dropped == {"ir damaged": 5}


def test_a_signal_handler_may_ask_for_a_snapshot_at_any_moment():
    """It runs in the thread that it has interrupted, which may hold the lock, half-way through."""
    recorder = StatsRecorder()
    recorder.add_latency("fuse", 0.002)
    recorder._stages["align"] = type(recorder._stages["fuse"])()  # made, not yet filled
    answers = []

    def interrupted():
        with recorder._lock:
            answers.append(recorder.snapshot())

    thread = threading.Thread(target=interrupted, daemon=True)
    thread.start()
    thread.join(5)
    assert answers and set(answers[0].latency) == {"fuse"}
    assert answers[0].latency["fuse"].p50_ms == 2.0 and answers[0].latency["fuse"].count == 1


def test_percentiles_hold_up_no_frame(monkeypatch):
    """Counting in other threads goes on while they are computed."""
    recorder = StatsRecorder()
    recorder.add_latency("fuse", 0.002)
    of, done = LatencyStats.of, []

    def counts_meanwhile(*arguments):
        thread = threading.Thread(target=recorder.fused, daemon=True)
        thread.start()
        thread.join(2)
        done.append(not thread.is_alive())
        return of(*arguments)

    monkeypatch.setattr(LatencyStats, "of", counts_meanwhile)
    recorder.snapshot()
    assert done == [True]
