"""Metrics of a single frame, against libraries, slow second implementations and closed forms."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import entropy as scipy_entropy
from skimage.metrics import structural_similarity
from sklearn.metrics import mutual_info_score

from benchmarks import metrics
from edge_sdk.errors import ConfigError
from tests.benchmarks.pictures import blurred, slow_qabf, slow_vif, textured


def test_grey_is_the_rounded_luma_of_bt601() -> None:
    pure = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]], np.uint8)
    assert metrics.grey(pure).tolist() == [[29, 150, 76, 255]]
    levels = np.arange(256, dtype=np.uint8)
    assert np.array_equal(metrics.grey(np.dstack([levels[None]] * 3))[0], levels)


def test_grey_refuses_16_bit() -> None:
    with pytest.raises(ConfigError, match="uint16"):
        metrics.grey(np.zeros((4, 4), np.uint16))


def test_entropy_matches_scipy_and_closed_forms() -> None:
    picture = textured(1)
    assert metrics.entropy(picture) == pytest.approx(
        scipy_entropy(np.bincount(picture.ravel(), minlength=256), base=2), abs=1e-12
    )
    assert metrics.entropy(np.full((5, 7), 9, np.uint8)) == 0
    assert metrics.entropy(np.arange(256, dtype=np.uint8).reshape(16, 16)) == pytest.approx(8)


def test_mutual_information_matches_scikit_learn_in_bits() -> None:
    a, b = textured(1), textured(2)
    mixed = ((a.astype(int) + b) // 2).astype(np.uint8)
    expected = mutual_info_score(a.ravel(), mixed.ravel()) / math.log(2)
    assert metrics.mutual_information(mixed, a) == pytest.approx(expected, abs=1e-9)
    assert metrics.mutual_information(a, a) == pytest.approx(metrics.entropy(a), abs=1e-12)


def test_mutual_information_of_independent_levels_is_zero() -> None:
    a, b = np.meshgrid(np.arange(16, dtype=np.uint8), np.arange(16, dtype=np.uint8))
    assert metrics.mutual_information(a, b) == pytest.approx(0, abs=1e-12)


def test_spatial_frequency_and_deviation_of_a_tiny_picture() -> None:
    tiny = np.array([[0, 3, 3], [4, 3, 7]], np.uint8)
    # dx: 3 0 -1 4 -> 26 / 4; dy: 4 0 4 -> 32 / 3
    assert metrics.spatial_frequency(tiny) == pytest.approx(math.sqrt(26 / 4 + 32 / 3))
    values = [0, 3, 3, 4, 3, 7]
    mean = sum(values) / 6
    assert metrics.standard_deviation(tiny) == pytest.approx(
        math.sqrt(sum((v - mean) ** 2 for v in values) / 6)
    )


def test_spatial_frequency_does_not_wrap_around_at_0() -> None:
    falling = np.tile(np.array([255, 0], np.uint8), (4, 4))
    assert metrics.spatial_frequency(falling) == pytest.approx(255)


def test_ssim_matches_scikit_image() -> None:
    a, b = textured(3), textured(4)
    mixed = ((a.astype(int) * 2 + b) // 3).astype(np.uint8)
    expected = structural_similarity(
        a, mixed, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
    )
    assert metrics.ssim(a, mixed) == pytest.approx(expected, abs=1e-9)
    assert metrics.ssim(a, a) == pytest.approx(1)


def test_ssim_of_two_flat_pictures_is_their_luminance_term() -> None:
    c1 = (0.01 * 255) ** 2
    expected = (2 * 100 * 120 + c1) / (100**2 + 120**2 + c1)
    flat = [np.full((20, 20), level, np.uint8) for level in (100, 120)]
    assert metrics.ssim(*flat) == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["blurred", "mixed", "inverted", "half flat"])
def test_vif_matches_a_slow_implementation(kind: str) -> None:
    source = textured(5)
    fused = {
        "blurred": blurred(source, 1.0),
        "mixed": ((source.astype(int) + textured(6)) // 2).astype(np.uint8),
        "inverted": 255 - source,
        "half flat": np.where(np.arange(source.shape[1]) < 40, 80, source).astype(np.uint8),
    }[kind]
    assert metrics.vif(source, fused) == pytest.approx(slow_vif(source, fused), rel=1e-6, abs=1e-9)


def test_vif_is_1_for_the_source_itself_and_falls_with_blur() -> None:
    source = textured(7)
    softer = [blurred(source, sigma) for sigma in (0.5, 1.0, 2.0)]
    falling = [metrics.vif(source, fused) for fused in (source, *softer)]
    assert falling[0] == pytest.approx(1, abs=1e-6)
    assert all(more > less for more, less in pairwise(falling))


def test_vif_rewards_contrast_and_ignores_brightness() -> None:
    source = textured(8) // 3
    assert metrics.vif(source, source * 2) > 1.05
    assert metrics.vif(source, source + 100) == pytest.approx(1, abs=1e-6)


def test_vif_of_a_flat_source_is_not_defined() -> None:
    assert math.isnan(metrics.vif(np.full((60, 60), 7, np.uint8), textured(9, 60, 60)))


def test_qabf_matches_a_slow_implementation() -> None:
    ir, visible = textured(10, 30, 34), textured(11, 30, 34)
    fused = np.maximum(ir, visible)
    assert metrics.qabf(fused, ir, visible) == pytest.approx(
        slow_qabf(fused, ir, visible), abs=1e-9
    )


def test_qabf_of_three_equal_pictures_is_the_top_of_the_sigmoids() -> None:
    picture = textured(12)
    top = 0.9994 / (1 + math.exp(-15 * 0.5)) * 0.9879 / (1 + math.exp(-22 * 0.2))
    assert metrics.qabf(picture, picture, picture) == pytest.approx(top, abs=1e-9)


def test_qabf_weighs_the_sources_by_their_edges() -> None:
    flat, picture = np.full((40, 40), 60, np.uint8), textured(13, 40, 40)
    assert metrics.qabf(picture, flat, picture) == pytest.approx(
        metrics.qabf(picture, picture, picture)
    )
    assert metrics.qabf(flat, flat, picture) < 0.01
    assert math.isnan(metrics.qabf(picture, flat, flat))


def _infrared_with_target() -> np.ndarray:
    ir = np.full((60, 80), 50, np.uint8)
    ir[20:28, 30:36] = 200
    return ir


@pytest.mark.parametrize("share", [1.0, 0.5, 0.0, -0.25])
def test_target_contrast_is_the_share_of_the_infrared_contrast(share: float) -> None:
    ir = _infrared_with_target()
    fused = np.full_like(ir, 90)
    fused[20:28, 30:36] = 90 + round(share * 150)
    assert metrics.target_contrast(fused, ir) == pytest.approx(round(share * 150) / 150)


def test_target_contrast_looks_only_at_the_target_and_its_ring() -> None:
    ir = _infrared_with_target()
    near, far = ir.copy(), ir.copy()
    # dilations by 15 and 5 pixels reach 7 and 2 pixels beyond the target: the ring is 3 to 7 away
    near[20:28, 36:38] = 0
    far[20:28, 36 + 7 :] = 0
    assert metrics.target_contrast(near, ir) == pytest.approx(1)
    assert metrics.target_contrast(far, ir) == pytest.approx(1)
    for column in (36 + 2, 36 + 6):
        touched = ir.copy()
        touched[20:28, column] = 0
        assert metrics.target_contrast(touched, ir) > 1


def test_in_a_warm_scene_only_the_hottest_2_percent_are_the_target() -> None:
    ir = _infrared_with_target()
    ir[:, 74:] = 180
    fused = np.where(ir == 200, 200, 50).astype(np.uint8)
    # with the warm part in the mask, the contrast would be far below 1
    assert metrics.target_contrast(fused, ir) == pytest.approx(1)


def test_target_contrast_needs_a_hot_target_of_three_pixels() -> None:
    cool, speck = np.full((60, 80), 50, np.uint8), np.full((60, 80), 50, np.uint8)
    cool[20:28, 30:36] = 110
    speck[20:22, 30:32] = 250
    assert math.isnan(metrics.target_contrast(cool, cool))
    assert math.isnan(metrics.target_contrast(speck, speck))


def test_bad_pictures_are_named() -> None:
    good = textured(14)
    with pytest.raises(ConfigError, match=r"'source'.*one size"):
        metrics.mutual_information(good, good[:-1])
    with pytest.raises(ConfigError, match=r"'visible'.*float64"):
        metrics.qabf(good, good, good.astype(float))
    with pytest.raises(ConfigError, match="at least 41"):
        metrics.vif(good[:40], good[:40])
