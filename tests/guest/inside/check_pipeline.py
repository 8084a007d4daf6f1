"""The whole pipeline from a rig file with two cameras of a real kernel, and what it survives.

Runs inside the guest: see ``tests/guest/test_guest.py``. Pictures are small, since the network runs
on an emulated processor.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from edge_sdk import FusedFrame, FusionPipeline
from edge_sdk.capture.v4l2.driver import linuxpy
from tests.guest.inside import vivid

RIG = f"""
cameras:
  ir:
    driver: v4l2
    device: {vivid.NAMES[0]}
    format: Y16
    width: 320
    height: 180
    fps: 2
  visible:
    driver: v4l2
    device: {vivid.NAMES[1]}
    format: YUYV
    width: 320
    height: 180
    fps: 2
    controls: {{brightness: 128}}
pairing:
  tolerance_ms: 300
  single_after_ms: 2000
alignment:
  size: [64, 64]
fusion:
  engine: onnxruntime
  threads: 1
tracking:
  detector: none
"""


@pytest.fixture
def rig(tmp_path: Path) -> Path:
    path = tmp_path / "rig.yaml"
    path.write_text(RIG)
    return path


class Run:
    """A pipeline that is read by the test, one condition after the other."""

    def __init__(self, pipeline: FusionPipeline) -> None:
        self.pipeline = pipeline
        self.frames = iter(pipeline)
        self.seen: list[FusedFrame] = []

    def until(self, enough: Callable[[FusedFrame], bool], within_s: float = 120.0) -> float:
        """Read until a fused frame is so; returns the seconds that it took."""
        start = time.monotonic()
        while True:
            fused = next(self.frames)
            assert fused.image.shape == (64, 64, 3)
            self.seen.append(fused)
            if enough(fused):
                return time.monotonic() - start
            assert time.monotonic() - start < within_s, f"{fused.degraded}, {self.pipeline.stats()}"


@contextmanager
def pulled(node: str) -> Iterator[None]:
    """Disconnect; the node cannot come back while our descriptor holds it."""
    fd = os.open(node, os.O_RDWR | os.O_NONBLOCK)
    try:
        linuxpy().set_control(fd, vivid.DISCONNECT, 1)
        yield
    finally:
        os.close(fd)


def is_whole(fused: FusedFrame) -> bool:
    return not fused.degraded and fused.ir is not None and fused.visible is not None


def test_both_cameras_fused_lost_and_healed(rig: Path) -> None:
    linuxpy()  # an emulated processor takes seconds to import it, and opening has a bound
    threads = threading.active_count()
    with FusionPipeline.open(rig) as pipeline:
        run = Run(pipeline)
        for _ in range(5):
            run.until(is_whole)
        print("fused", flush=True)
        last = run.seen[-1]
        assert abs(last.skew_ns) <= 300_000_000
        waited_ns = time.monotonic_ns() - last.timestamp_ns - last.latency_ns
        assert -1_000_000 < waited_ns < 5_000_000_000, "the newest pair, whatever fusion took"
        for node, camera, other in ((0, "ir", "visible"), (1, "visible", "ir")):
            with pulled(vivid.NODES[node]):
                alone_s = run.until(lambda f, camera=camera: f"{camera} missing" in f.degraded)
                assert getattr(run.seen[-1], camera) is None
                assert getattr(run.seen[-1], other) is not None
            back_s = run.until(is_whole)
            print(f"{camera} pulled: alone after {alone_s:.1f} s, whole {back_s:.1f} s later")
        for fault in (vivid.FATAL_ERROR, vivid.ERROR_FLAG, vivid.QBUF_ERROR):
            vivid.set_control(fault)
            healed_s = sum(run.until(is_whole) for _ in range(3))
            print(f"fault {fault:#x}: three whole frames within {healed_s:.1f} s")
        stats = pipeline.stats()
        print(stats)
        assert stats.frames_in["ir"] > 15 and stats.frames_in["visible"] > 15
    for index, fused in enumerate(run.seen):
        alone = fused.ir is None or fused.visible is None
        # Of two whole pictures one may be flagged: vivid repeats a frame when the machine is slow.
        flagged = any("stale" in why for why in fused.degraded)
        assert bool(fused.degraded) == (alone or flagged), (index, fused.degraded)
    stamps = [fused.timestamp_ns for fused in run.seen]
    assert len(set(stamps)) == len(stamps), "never the same frame twice"
    steps_ns = [b - a for a, b in pairwise(stamps)]
    # The stamp is the visible one's or else the infrared one's: it may go back by the tolerance.
    assert min(steps_ns) > -300_000_000, "never an older pair"
    assert (vivid.mappings(), vivid.descriptors()) == (0, 0)
    end = time.monotonic() + 3
    while threading.active_count() > threads and time.monotonic() < end:
        time.sleep(0.05)
    assert not [t.name for t in threading.enumerate() if "edge_sdk" in t.name]
