"""The shortfall that the student is trained against, held against the benchmark's own metrics."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks import metrics
from quantize.student.goals import GOALS, goal_shortfall
from quantize.student.quality import mutual_information

CLEAN = torch.zeros(1)


@pytest.fixture(scope="module")
def clip() -> tuple[np.ndarray, np.ndarray]:
    """Infrared and visible, (4, 128, 160) uint8: a hot target that moves over a textured wall."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:128, :160]
    wall = 110 + 45 * np.sin(rows / 3.1) * np.cos(columns / 4.3)
    frames = []
    for t in range(4):
        hot = np.hypot(rows - 60, columns - 60 - 3 * t) < 12
        ir = 50 + 15 * np.sin(columns / 13) + 150 * hot
        frames.append((ir, wall + rng.normal(0, 1.5, wall.shape)))
    ir, visible = (
        np.clip(np.rint(np.stack(x)), 0, 255).astype(np.uint8) for x in zip(*frames, strict=True)
    )
    return ir, visible


def _tensor(clip: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(clip.astype(np.float32) / 255)[:, None, None]


def _short(fused, ir, visible, harm=CLEAN) -> dict[str, float]:
    _, parts = goal_shortfall(*map(_tensor, (fused, ir, visible)), harm, [0, 2])
    return parts


def test_the_baseline_misses_goals_by_its_own_multiple(clip):
    """The larger of both scores 1 of itself: it is short of a goal of 1.1 by 0.1 / 1.1."""
    ir, visible = clip
    parts = _short(np.maximum(ir, visible), ir, visible)
    for name in ("vif", "qabf", "frequency"):
        assert parts[f"short_{name}"] == pytest.approx(1 - 1 / GOALS[name].clean, abs=1e-3)
    assert parts["short_vif_ir"] == parts["short_mi"] == 0
    assert parts["short_vc"] == pytest.approx(1 / GOALS["vc"].clean - 1, abs=1e-3)
    assert parts["short_flicker"] == 0


def test_what_moves_on_its_own_is_short_in_time(clip):
    """The excess of VC over its goal, from the metric of the benchmarks."""
    ir, visible = clip
    rng = np.random.default_rng(1)
    larger = np.maximum(ir, visible)
    noise = np.rint(rng.normal(0, 12, ir.shape))
    noisy = np.clip(larger.astype(float) + noise, 0, 255).astype(np.uint8)

    def variation(fused: np.ndarray) -> float:
        pairs = [[(x[t - 1], x[t]) for x in (fused, ir, visible)] for t in range(1, 4)]
        return float(np.mean([metrics.variation_consistency(*pair) for pair in pairs]))

    wanted = variation(noisy) / (GOALS["vc"].clean * variation(larger)) - 1
    parts = _short(noisy, ir, visible)
    assert parts["short_vc"] == pytest.approx(wanted, rel=0.01)
    assert parts["short_flicker"] > 1


def test_degraded_sources_are_asked_for_less(clip):
    ir, visible = clip
    fused = (ir // 2 + visible // 2).astype(np.uint8)
    shares = [_short(fused, ir, visible, torch.tensor([h])) for h in (0.0, 0.5, 1.0)]
    qabf = [parts["short_qabf"] for parts in shares]
    assert qabf[0] > qabf[1] > qabf[2]


def test_a_goal_that_is_met_does_not_pull(clip):
    ir, visible = (_tensor(x) for x in clip)
    fused = visible.clone().requires_grad_(True)
    total, parts = goal_shortfall(fused, ir, visible, CLEAN, [0, 1])
    assert parts["short_vif_visible"] == 0 and parts["short_vif_ir"] > 0
    total.backward()
    assert torch.isfinite(fused.grad).all() and float(fused.grad.abs().sum()) > 0


def test_mutual_information_follows_that_of_the_benchmark(clip):
    """On 64 levels each, where both count the same cells."""
    ir, visible = (x[0] // 4 for x in clip)
    fused = np.maximum(ir, visible)
    pairs = [(fused, ir), (fused, visible), (ir, ir)]
    ours = [
        float(mutual_information(*(torch.from_numpy(x / 63.0)[None, None].float() for x in pair)))
        for pair in pairs
    ]
    theirs = [metrics.mutual_information(*pair) for pair in pairs]
    assert ours == pytest.approx(theirs, abs=0.01)
