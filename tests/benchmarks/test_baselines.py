"""The baselines: what they do to luma and colour, and that they only look back."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import metrics
from benchmarks.methods import BASELINES, make_method
from tests.benchmarks.pictures import Picture, blurred, coloured, textured


def _infrared(seed: int) -> Picture:
    return (textured(seed) // 2 + 64).astype(np.uint8)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("visible", lambda a, b: b),
        ("infrared", lambda a, b: a),
        ("average", lambda a, b: np.rint((a.astype(float) + b) / 2)),
        ("max", np.maximum),
    ],
)
def test_luma_follows_the_rule(name: str, rule: np.ufunc) -> None:
    ir, visible = _infrared(1), coloured(2)
    luma = metrics.grey(make_method(name).step(ir, visible)).astype(int)
    wrong = np.abs(luma - rule(ir, metrics.grey(visible)))
    # where the luma of the visible frame lies just between two levels, it rounds either way
    assert wrong.max() <= 1
    assert (wrong == 0).mean() > 0.99


@pytest.mark.parametrize("name", [name for name in BASELINES if name != "infrared"])
def test_colour_comes_from_the_visible_frame(name: str) -> None:
    visible = coloured(3)
    fused = make_method(name).step(_infrared(4), visible)
    inside = (fused.min(axis=2) > 0) & (fused.max(axis=2) < 255)
    assert inside.mean() > 0.5
    for picture_channel in (0, 2):
        difference = fused[..., picture_channel].astype(int) - fused[..., 1]
        expected = visible[..., picture_channel].astype(int) - visible[..., 1]
        assert np.array_equal(difference[inside], expected[inside])


@pytest.mark.parametrize("name", BASELINES)
def test_outputs_depend_on_the_past_only_and_reset_forgets_it(name: str) -> None:
    method = make_method(name)
    frames = [(_infrared(seed), coloured(seed)) for seed in range(3)]
    before = [(ir.copy(), visible.copy()) for ir, visible in frames]
    method.reset()
    first = [method.step(*frame) for frame in frames]
    method.reset()
    again = [method.step(*frame) for frame in frames[:2]]
    assert all(np.array_equal(x, y) for x, y in zip(first, again, strict=False))
    method.reset()
    wider = method.step(_infrared(5)[:40], coloured(5)[:40])
    assert wider.shape == (40, 72, 3)
    for given, kept in zip(frames, before, strict=True):
        assert all(np.array_equal(x, y) for x, y in zip(given, kept, strict=True))


def test_laplacian_pyramid_of_two_equal_sources_is_the_source() -> None:
    visible = coloured(6, 63, 71)
    fused = make_method("laplacian").step(metrics.grey(visible), visible)
    assert np.abs(fused.astype(int) - visible).max() <= 1


def test_laplacian_pyramid_takes_the_edge_from_the_source_that_has_it() -> None:
    ir, visible = np.full((64, 64), 100, np.uint8), np.full((64, 64, 3), 100, np.uint8)
    ir[:32, 16:32] = 160
    visible[32:, 32:48] = 160
    luma = metrics.grey(make_method("laplacian").step(ir, visible)).astype(int)
    assert (luma[8, 24] - luma[8, 50]) > 30
    assert (luma[56, 40] - luma[56, 10]) > 30


def test_hot_pixels_cover_the_visible_and_cold_ones_do_not() -> None:
    ir = np.array([[0, 100, 150, 200, 255]], np.uint8)
    visible = np.full((1, 5, 3), 50, np.uint8)
    assert metrics.grey(make_method("hot-pixels").step(ir, visible))[0].tolist() == [
        *(50, 50, 100, 200, 255)
    ]


def _noisy_video(frames: int) -> tuple[Picture, Picture, list[tuple[Picture, Picture]]]:
    """A still scene as a bad pair of cameras gives it: stripes and noise, blur and brightness."""
    random = np.random.default_rng(7)
    clean_ir = np.full((96, 128), 20.0)
    clean_ir[30:60, 40:60] = 170
    stripes = random.normal(0, 9, 128)
    clean_visible = coloured(8, 96, 128)
    visible = blurred(clean_visible, 1.4) + 6
    video = []
    for _ in range(frames):
        noisy = clean_ir + 35 + stripes + random.normal(0, 11, clean_ir.shape)
        video.append((np.clip(np.rint(noisy), 0, 255).astype(np.uint8), visible))
    return clean_ir.astype(np.uint8), clean_visible, video


def test_classical_restoration_removes_stripes_noise_and_flicker() -> None:
    clean_ir, _, video = _noisy_video(12)
    black = np.zeros((96, 128, 3), np.uint8)
    restored, noisy = (
        [metrics.grey(method.step(ir, black)).astype(float) for ir, _ in video]
        for method in (make_method("classical"), make_method("max"))
    )

    def error(pictures: list[np.ndarray]) -> float:
        return float(np.sqrt(np.mean((pictures[-1] - clean_ir) ** 2)))

    def change(pictures: list[np.ndarray]) -> float:
        return float(np.abs(pictures[-1] - pictures[-2]).mean())

    def stripes(pictures: list[np.ndarray]) -> float:
        # what is left when the columns are averaged, between one column and the next
        return float(np.abs(np.diff(pictures[-1][:30].mean(axis=0))).mean())

    assert error(restored) < 0.25 * error(noisy)
    assert change(restored) < 0.2 * change(noisy)
    assert stripes(restored) < 0.1 * stripes(noisy)
    assert np.percentile(restored[-1], 20) == pytest.approx(20, abs=1)


def test_classical_restoration_sharpens_the_visible() -> None:
    _, clean, video = _noisy_video(1)
    cold = np.zeros((96, 128), np.uint8)
    soft = video[0][1]
    fused = make_method("classical").step(cold, soft)
    reference = metrics.grey(clean)
    assert metrics.vif(reference, metrics.grey(fused)) > 1.1 * metrics.vif(
        reference, metrics.grey(soft)
    )
    assert fused.mean() == pytest.approx(soft.mean() - 6, abs=0.5)


def test_classical_restoration_follows_motion() -> None:
    black = np.zeros((64, 64, 3), np.uint8)
    method = make_method("classical")
    for position in range(0, 24, 6):
        ir = np.full((64, 64), 20, np.uint8)
        ir[24:40, position : position + 16] = 200
        luma = metrics.grey(method.step(ir, black)).astype(int)
    assert luma[32, 18 + 8] > 180
    assert luma[32, 6] < 60
