"""Memory stays bounded however long a pipeline runs."""

from __future__ import annotations

import gc
import subprocess
import sys

import psutil
import pytest

from edge_sdk import FusionPipeline
from edge_sdk.config import FusionConfig
from edge_sdk.tracking import TrackingHook, WarmObjectDetector

MIB = 2**20


def _growth_mib(frames: int, settled: int, size: tuple[int, int]) -> float:
    """Resident memory at the end against what it was after ``settled`` frames, at most."""
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
    start = highest = 0
    with pipeline:
        for fused in pipeline:
            if fused.index == settled:
                gc.collect()
                start = highest = process.memory_info().rss
            elif fused.index > settled and fused.index % 50 == 0:
                highest = max(highest, process.memory_info().rss)
        assert pipeline.stats().fused >= frames - 1
    return (highest - start) / MIB


def test_memory_is_flat_over_1500_small_frames():
    assert _growth_mib(1500, 500, (128, 96)) < 8


@pytest.mark.slow
def test_memory_is_flat_over_10000_frames():
    assert _growth_mib(10_000, 500, (640, 480)) < 25


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
