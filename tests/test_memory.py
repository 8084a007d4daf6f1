"""Memory stays bounded however long a pipeline runs."""

from __future__ import annotations

import gc
import subprocess
import sys
from statistics import median

import psutil
import pytest

from edge_sdk import FusionPipeline
from edge_sdk.config import FusionConfig
from edge_sdk.tracking import TrackingHook, WarmObjectDetector

MIB = 2**20
SETTLED = 300
EVERY = 10


def _resident_mib(frames: int, size: tuple[int, int]) -> list[float]:
    """Of this process after every tenth frame of the whole pipeline, from the 300th on."""
    process = psutil.Process()
    pipeline = FusionPipeline.simulated(
        "smoke",
        duration_frames=frames,
        visible_size=size,
        ir_size=size,
        registered=True,
        fusion=FusionConfig(threads=1),
        hooks=[TrackingHook(WarmObjectDetector())],
    )
    found = []
    with pipeline:
        for fused in pipeline:
            if fused.index >= SETTLED and fused.index % EVERY == 0:
                found.append(process.memory_info().rss / MIB)
        assert pipeline.stats().fused >= frames - 1
    return found


def _check_flat(found: list[float], growth_mib: float, above_mib: float) -> None:
    """The medians of the first and the last 200 frames, and the highest against the first."""
    part = 200 // EVERY
    start, end = median(found[:part]), median(found[-part:])
    print(f"resident memory {start:.1f} MiB, at the end {end:.1f}, at most {max(found):.1f}")
    assert end - start < growth_mib
    assert max(found) - start < above_mib


def test_memory_is_flat_over_1000_small_frames():
    _check_flat(_resident_mib(1000, (128, 96)), 4, 8)


@pytest.mark.slow
def test_memory_is_flat_over_10000_frames():
    _check_flat(_resident_mib(10_000, (160, 120)), 6, 12)


@pytest.mark.slow
def test_memory_is_flat_over_3000_large_frames():
    _check_flat(_resident_mib(3000, (640, 480)), 6, 25)


def test_a_frame_leaves_nothing_to_the_garbage_collector():
    """A cycle would keep its pictures until the collector comes round, hundreds of frames later."""
    pipeline = FusionPipeline.simulated(
        "smoke",
        visible_size=(128, 96),
        ir_size=(128, 96),
        registered=True,
        fusion=FusionConfig(threads=1),
        hooks=[TrackingHook(WarmObjectDetector())],
    )
    with pipeline:
        frames = iter(pipeline)
        for _ in range(30):
            next(frames)
        gc.collect()
        gc.disable()
        try:
            for _ in range(10):
                assert next(frames).visible is not None
            assert gc.collect() == 0
        finally:
            gc.enable()


LIVE = """
import sys
from edge_sdk import FusionPipeline
from edge_sdk.config import rig_from_text, rig_template
with FusionPipeline.open(rig_from_text(rig_template())) as pipeline:
    for fused in pipeline:
        if pipeline.stats().engine and fused.index > 60:
            break
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(int(peak.split()[1]) / 1024)
"""


@pytest.mark.slow
def test_the_live_pipeline_with_tracking_stays_below_350_mib():
    found = subprocess.run(
        [sys.executable, "-c", LIVE], capture_output=True, text=True, check=True, timeout=600
    )
    assert float(found.stdout) < 350
