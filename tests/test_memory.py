"""Memory stays bounded however long a pipeline runs."""

from __future__ import annotations

import subprocess
import sys
from statistics import median

import psutil
import pytest

from edge_sdk import FusionPipeline
from edge_sdk.config import FusionConfig
from edge_sdk.memory import keep_pictures_off_the_heap
from edge_sdk.tracking import TrackingHook, WarmObjectDetector

MIB = 2**20
SETTLED = 500
EVERY = 10


def _resident_mib(frames: int, size: tuple[int, int]) -> list[float]:
    """Of this process after every tenth frame of the whole pipeline, from the 500th on."""
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
    """The medians of the first and the last 500 frames, and the highest against the first."""
    part = 500 // EVERY
    start, end = median(found[:part]), median(found[-part:])
    print(f"resident memory {start:.1f} MiB, at the end {end:.1f}, at most {max(found):.1f}")
    assert end - start < growth_mib
    assert max(found) - start < above_mib


def test_memory_is_flat_over_1500_small_frames():
    _check_flat(_resident_mib(1500, (128, 96)), 4, 8)


@pytest.mark.slow
def test_memory_is_flat_over_10000_frames():
    _check_flat(_resident_mib(10_000, (160, 120)), 6, 12)


@pytest.mark.slow
def test_memory_is_flat_over_3000_large_frames():
    """Above the start: the pictures of a few frames, 20 MiB of them at a time."""
    _check_flat(_resident_mib(3000, (640, 480)), 6, 25)


CHURN = """
import sys, numpy as np
from pathlib import Path
from edge_sdk.memory import keep_pictures_off_the_heap
if sys.argv[1] == "yes":
    assert keep_pictures_off_the_heap()
rng, small = np.random.default_rng(0), []
for _ in range(150):
    pictures = [np.ones(int(n), np.uint8) for n in rng.integers(300_000, 2_000_000, 12)]
    small.append(np.ones(2000, np.uint8))
    if len(small) > 50:
        small.pop(int(rng.integers(50)))
del pictures
heap = Path("/proc/self/smaps").read_text().split("[heap]")[1]
line = next(l for l in heap.splitlines() if l.startswith("Rss"))
print(int(line.split()[1]) / 1024)
"""


def _heap_mib(choice: str, **environment: str) -> float:
    done = subprocess.run(
        [sys.executable, "-c", CHURN, choice],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env={"PYTHONPATH": ":".join(sys.path), **environment},
    )
    return float(done.stdout)


@pytest.mark.skipif(not keep_pictures_off_the_heap(), reason="the allocator is not glibc's")
def test_pictures_leave_no_holes_in_the_heap():
    """Pictures of many sizes among small objects, as a detector makes them."""
    assert _heap_mib("yes") < 0.7 * _heap_mib("no")


def test_who_has_tuned_the_allocator_is_left_alone(monkeypatch):
    monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", "1000000")
    assert keep_pictures_off_the_heap.__wrapped__() is False


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
