"""VC and FLK on frames small enough to compute by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks import metrics
from tests.benchmarks.pictures import Picture, textured


def _pair(change: int, height: int = 20, width: int = 20) -> tuple[Picture, Picture]:
    """Two flat frames, the second ``change`` levels brighter."""
    first = np.full((height, width), 100, np.uint8)
    return first, np.full_like(first, 100 + change)


def test_variation_consistency_is_the_mean_distance_to_both_changes() -> None:
    # |4 - 1| and |4 - (-2)|
    assert metrics.variation_consistency(_pair(4), _pair(1), _pair(-2)) == pytest.approx(4.5)


def test_variation_consistency_cannot_fall_below_half_of_the_sources_distance() -> None:
    ir, visible = (textured(1), textured(2)), (textured(3), textured(4))
    distance = (ir[1].astype(int) - ir[0]) - (visible[1].astype(int) - visible[0])
    least = np.abs(distance).mean() / 2
    for fused in (ir, visible):
        assert metrics.variation_consistency(fused, ir, visible) == pytest.approx(least)
    other = (textured(5), textured(6))
    assert metrics.variation_consistency(other, ir, visible) > least


def test_changes_do_not_wrap_around_at_0_and_255() -> None:
    dark, bright = np.zeros((9, 9), np.uint8), np.full((9, 9), 255, np.uint8)
    still = (dark, dark)
    assert metrics.variation_consistency((bright, dark), still, still) == pytest.approx(255)
    assert metrics.flicker((dark, bright), still, still) == pytest.approx(255)


def test_flicker_is_the_change_of_the_fused_video_where_the_sources_rest() -> None:
    assert metrics.flicker(_pair(7), _pair(3), _pair(-3)) == pytest.approx(7)


@pytest.mark.parametrize("moving", ["ir", "visible"])
def test_flicker_leaves_out_what_moves_in_either_source(moving: str) -> None:
    sources = {"ir": _pair(0), "visible": _pair(0)}
    sources[moving][1][:, 10:] = 200
    fused = _pair(2)
    fused[1][:, 12:] = 250
    # the 5 x 5 box carries the motion 2 pixels to the left: columns 0 to 7 stand still
    assert metrics.flicker(fused, sources["ir"], sources["visible"]) == pytest.approx(2)
    fused[1][:, 7] = 100 + 10
    expected = (7 * 2 + 10) / 8
    assert metrics.flicker(fused, sources["ir"], sources["visible"]) == pytest.approx(expected)


def test_noise_that_averages_out_counts_as_motion() -> None:
    noisy = _pair(0)
    noisy[1][::2] += 8
    noisy[1][1::2] -= 8
    assert math.isnan(metrics.flicker(_pair(1), noisy, _pair(0)))
