"""The synthetic degradation against the statistics of the real degraded frames."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from quantize.degradation import (
    InfraredDegradation,
    VisibleDegradation,
    degrade_infrared,
    degrade_visible,
)

REAL = Path(__file__).parents[3] / "shared/data/train/frames"


def _statistics(clean: np.ndarray, degraded: np.ndarray) -> dict[str, float]:
    """Stripe sigma and its correlation in time, noise sigma, level shift; levels of 255."""
    clean, degraded = clean * 255, degraded * 255
    change = np.diff(degraded - clean, axis=0)
    curve = np.array([degraded[(clean >= k) & (clean < k + 8)].mean() for k in range(16, 120, 8)])
    expected = np.interp(clean, np.arange(20, 124, 8), curve)
    columns = np.median(degraded - expected, axis=1)
    around = np.stack([np.convolve(row, np.ones(31) / 31, "same") for row in columns])
    stripes = (columns - around)[:, 31:-31]
    return {
        "stripes": float(stripes.std()),
        "correlation": float(np.corrcoef(stripes[:2])[0, 1]),
        "noise": float(change[:, 60:].std() / np.sqrt(2)),
        "shift": float((degraded - clean).mean()),
        "rows": float(np.median(degraded - expected, axis=2).std()),
    }


def _scene() -> np.ndarray:
    """Four equal frames with levels of 16 to 120, as clean thermal frames have them."""
    rows, columns = np.mgrid[:480, :640]
    levels = 68 + 50 * np.sin(rows / 40.0) * np.cos(columns / 55.0)
    return np.repeat((levels / 255).astype(np.float32)[None], 4, 0)


def test_statistics_lie_in_the_measured_ranges():
    rng = np.random.default_rng(0)
    all_statistics = [_statistics(_scene(), degrade_infrared(_scene(), rng)) for _ in range(24)]
    mean = {name: np.mean([s[name] for s in all_statistics]) for name in all_statistics[0]}
    assert 7 <= mean["stripes"] <= 12
    assert 9 <= mean["noise"] <= 14
    assert 25 <= mean["shift"] <= 47
    assert all(s["correlation"] > 0.97 for s in all_statistics if s["stripes"] > 6)
    assert mean["rows"] < 1.0


@pytest.mark.parametrize("scene", ["0114_1609", "0114_1611", "0115_1831"])
def test_real_frames_lie_in_the_same_ranges(scene):
    if not REAL.is_dir():
        pytest.skip("the recordings in ../shared are not here")

    def read(kind: str) -> np.ndarray:
        files = sorted((REAL / scene / kind).glob("*"))[:4]
        return np.stack([cv2.imread(str(f), 0) for f in files]).astype(np.float32) / 255

    real = _statistics(read("ir"), read("ir_degraded"))
    ranges = InfraredDegradation()
    assert ranges.stripe_sigma[0] <= real["stripes"] <= ranges.stripe_sigma[1]
    assert ranges.noise_sigma[0] <= real["noise"] <= ranges.noise_sigma[1]
    assert real["correlation"] > 0.97
    # The blur is within the range whose ends bracket the lost power of fine detail.
    clean, soft = read("visible"), read("visible_degraded")
    power = [np.std(cv2.Laplacian(x[0], cv2.CV_32F)) for x in (clean, soft)]
    low, high = VisibleDegradation().blur_sigma_px
    ends = [
        np.std(cv2.Laplacian(cv2.GaussianBlur(clean[0], (15, 15), s), cv2.CV_32F))
        for s in (high, low)
    ]
    assert ends[0] <= power[1] <= ends[1] < power[0]


def _unexplained(clean: np.ndarray, soft: np.ndarray) -> tuple[float, float]:
    """What the best blur, gain and lift leave of ``soft``, mean |.| in levels; and the blur."""
    errors = []
    for sigma in np.arange(0.8, 2.3, 0.1):
        blurred = cv2.GaussianBlur(clean, (15, 15), sigma)
        gain, lift = np.polyfit(blurred.ravel(), soft.ravel(), 1)
        errors.append((255 * np.abs(gain * blurred + lift - soft).mean(), sigma))
    return min(errors)


@pytest.mark.parametrize("scene", ["0114_1609", "0114_1611", "0115_1831"])
def test_the_visible_has_been_through_a_codec(scene):
    """JPEG of quality 15 and 60 bracket what no blur explains in the real frames."""
    if not REAL.is_dir():
        pytest.skip("the recordings in ../shared are not here")
    clean, soft = (
        cv2.imread(str(sorted((REAL / scene / kind).glob("*"))[1]), 0).astype(np.float32) / 255
        for kind in ("visible", "visible_degraded")
    )
    real, sigma = _unexplained(clean, soft)

    def synthetic(quality: float) -> float:
        ranges = VisibleDegradation((sigma, sigma), (0, 0), (0, 0), (quality, quality))
        return _unexplained(
            clean, degrade_visible(clean[None], np.random.default_rng(0), ranges)[0]
        )[0]

    # one of the scenes has a tone curve of its own, which no gain and lift explains
    assert synthetic(60) < real < 1.15 * synthetic(15)


def test_visible_blur_is_the_one_asked_for():
    """An edge blurred by a Gaussian is its integral: the error function (closed form)."""
    from scipy.special import erf

    step = np.zeros((1, 41, 41), np.float32)
    step[:, :, 20:] = 1.0
    ranges = VisibleDegradation(
        blur_sigma_px=(1.5, 1.5), lift=(0, 0), noise_sigma=(0, 0), quality=(100, 100)
    )
    profile = degrade_visible(step, np.random.default_rng(0), ranges)[0, 20]
    expected = 0.5 * (1 + erf((np.arange(41) - 19.5) / (1.5 * np.sqrt(2))))
    assert np.abs(profile - expected).max() < 0.015  # the codec's own rounding is within 0.004


def test_seeded_and_in_range():
    for degrade in (degrade_infrared, degrade_visible):
        first, second = (degrade(_scene(), np.random.default_rng(5)) for _ in range(2))
        other = degrade(_scene(), np.random.default_rng(6))
        assert np.array_equal(first, second) and not np.array_equal(first, other)
        assert first.dtype == np.float32 and first.min() >= 0 and first.max() <= 1
        assert np.allclose(first * 255, np.rint(first * 255), atol=1e-4)
