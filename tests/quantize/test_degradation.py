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
    usual = InfraredDegradation(mild=0.0)
    all_statistics = [
        _statistics(_scene(), degrade_infrared(_scene(), rng, usual)) for _ in range(24)
    ]
    mean = {name: np.mean([s[name] for s in all_statistics]) for name in all_statistics[0]}
    assert 7 <= mean["stripes"] <= 12
    assert 9 <= mean["noise"] <= 14
    assert 25 <= mean["shift"] <= 47
    assert all(s["correlation"] > 0.97 for s in all_statistics if s["stripes"] > 6)
    assert mean["rows"] < 1.0


def test_a_mild_core_has_its_stripes_and_its_noise_apart():
    rng = np.random.default_rng(1)
    mild, usual = (
        [
            _statistics(_scene(), degrade_infrared(_scene(), rng, InfraredDegradation(mild=share)))
            for _ in range(20)
        ]
        for share in (1.0, 0.0)
    )
    assert min(s["noise"] for s in usual) > 5 and min(s["stripes"] for s in usual) > 4
    noise, stripes = (np.array([s[name] for s in mild]) for name in ("noise", "stripes"))
    assert min(noise) < 2 and min(stripes) < 2
    assert any((noise > 5) & (stripes < 3)) and any((noise < 3) & (stripes > 4))
    assert abs(np.corrcoef(noise, stripes)[0, 1]) < 0.6


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


def _windows(image: np.ndarray, size: int = 15) -> np.ndarray:
    """(pixels, size^2 + 1): the neighbourhood of every pixel, and a constant."""
    padded = np.pad(image.astype(np.float64), size // 2, mode="reflect")
    views = np.lib.stride_tricks.sliding_window_view(padded, (size, size))
    flat = views.reshape(-1, size * size)
    return np.concatenate([flat, np.ones((len(flat), 1))], 1)


def _best_linear(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """``target`` from ``source`` by the best filter of 15 x 15 and an offset (least squares)."""
    windows = _windows(source)
    system = windows.T @ windows + 1e-7 * np.eye(windows.shape[1])
    taps = np.linalg.solve(system, windows.T @ target.astype(np.float64).ravel())
    return (windows @ taps).reshape(source.shape)


def _finest_noise(residual: np.ndarray) -> float:
    """Noise above 0.35 cycles a pixel, as the sigma of white noise of that density."""
    height, width = residual.shape
    power = np.abs(np.fft.fft2(residual * np.outer(np.hanning(height), np.hanning(width)))) ** 2
    rows, columns = np.fft.fftfreq(height), np.fft.fftfreq(width)
    radius = np.hypot(rows[:, None], columns[None])
    return float(np.sqrt(power[(radius > 0.35) & (radius < 0.5)].mean() / (residual.size * 9 / 64)))


def _read_pair(scene: str) -> tuple[np.ndarray, np.ndarray]:
    """The first clean and degraded visible frame, a part of them, in [0, 1]."""
    if not REAL.is_dir():
        pytest.skip("the recordings in ../shared are not here")
    files = (sorted((REAL / scene / kind).glob("*"))[0] for kind in ("visible", "visible_degraded"))
    clean, soft = (cv2.imread(str(f), 0)[100:340, 160:480].astype(np.float32) / 255 for f in files)
    return clean, soft


SIGMA = {"0114_1609": 1.42, "0114_1611": 1.05, "0115_1831": 1.06}


@pytest.mark.parametrize("scene", SIGMA)
def test_the_codec_stands_before_the_blur(scene):
    """At the finest scale nothing but rounding is left in real frames, and in ours.

    A codec after the blur, which is what this simulation had before, leaves several times that.
    """
    clean, soft = _read_pair(scene)
    ranges = VisibleDegradation(blur_sigma_px=(SIGMA[scene],) * 2, stored=0.0)
    ours = degrade_visible(clean[None], np.random.default_rng(0), ranges)[0]
    real, synthetic = (
        _finest_noise(255 * (frame - _best_linear(clean, frame))) for frame in (soft, ours)
    )
    assert real < 0.6 and synthetic < 0.6
    after = VisibleDegradation(
        (SIGMA[scene],) * 2,
        noise_sigma=(0, 0),
        quality=(100, 100),
        stored_quality=(60, 60),
        stored=1,
    )
    late = degrade_visible(clean[None], np.random.default_rng(0), after)[0]
    assert _finest_noise(255 * (late - _best_linear(clean, late))) > 2 * real


@pytest.mark.parametrize("scene", SIGMA)
def test_the_codec_leaves_as_much_as_in_real_frames(scene):
    """Qualities 15 and 60 bracket how well the best linear inverse restores the real frame."""
    clean, soft = _read_pair(scene)

    def restored(frame: np.ndarray) -> float:
        return float(-10 * np.log10(np.square(_best_linear(frame, clean) - clean).mean()))

    def synthetic(quality: int) -> float:
        ranges = VisibleDegradation((SIGMA[scene],) * 2, quality=(quality, quality), stored=0.0)
        return restored(degrade_visible(clean[None], np.random.default_rng(0), ranges)[0])

    # 0115_1831 has a tone curve besides, which no linear filter undoes
    assert synthetic(15) - 0.3 < restored(soft) < synthetic(60)


def test_visible_blur_is_the_one_asked_for():
    """An edge blurred by a Gaussian is its integral: the error function (closed form)."""
    from scipy.special import erf

    step = np.zeros((1, 41, 41), np.float32)
    step[:, :, 20:] = 1.0
    ranges = VisibleDegradation(
        blur_sigma_px=(1.5, 1.5),
        lift=(0, 0),
        contrast=(1, 1),
        noise_sigma=(0, 0),
        quality=(100, 100),
        stored=0.0,
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
