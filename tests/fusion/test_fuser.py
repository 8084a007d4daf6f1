from __future__ import annotations

import numpy as np
import pytest

from edge_sdk.errors import ConfigError, EngineError
from edge_sdk.fusion import Fuser
from edge_sdk.fusion.luma import join_luma, split_luma
from edge_sdk.fusion.scene_cut import SceneCut

PERIOD_NS = 33_000_000


def _pair(height: int, width: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Smooth random infrared and colour pictures."""
    import cv2

    rng = np.random.default_rng(seed)
    ir = cv2.resize(rng.integers(0, 256, (6, 8), np.uint8), (width, height))
    visible = cv2.resize(rng.integers(0, 256, (6, 8, 3), np.uint8), (width, height))
    return ir, visible


@pytest.fixture(scope="module")
def fuser() -> Fuser:
    return Fuser(threads=1, restored=True)


def test_restored_sources_are_given_when_asked_for(fuser):
    """They are no cost to those who do not ask, and change nothing in the fused picture."""
    ir, visible = _pair(96, 128)
    plain, full = Fuser(threads=1), fuser
    full.reset("start")
    for k in range(3):
        with_them, without = (f.step(ir, visible, k * PERIOD_NS) for f in (full, plain))
        assert np.array_equal(with_them.image, without.image)
        assert without.restored_ir is None and without.restored_visible is None
        assert with_them.restored_ir.shape == with_them.restored_visible.shape == (96, 128)


@pytest.mark.parametrize("size", [(96, 128), (95, 127), (100, 130), (33, 61), (16, 16)])
def test_any_size(fuser, size):
    ir, visible = _pair(*size)
    result = fuser.step(ir, visible, 0)
    assert result.image.shape == (*size, 3) and result.image.dtype == np.uint8
    assert result.restored_ir.shape == size and result.restored_visible.shape == size


def test_padding_does_not_touch_the_picture():
    """An odd size gives what the same picture gives in a larger frame padded by hand."""
    ir, visible = _pair(95, 127)
    odd = Fuser(precision="fp32", threads=1).step(ir, visible, 0).image
    edge = ((0, 1), (0, 1))
    padded = Fuser(precision="fp32", threads=1).step(
        np.pad(ir, edge, "edge"), np.pad(visible, (*edge, (0, 0)), "edge"), 0
    )
    assert np.abs(odd.astype(int) - padded.image[:95, :127]).max() <= 1


def test_resets(fuser):
    ir, visible = _pair(96, 128)
    other_ir, other_visible = _pair(96, 128, seed=5)
    fuser.reset("start")
    reasons = [
        fuser.step(ir, visible, 0).reset,
        fuser.step(ir, visible, PERIOD_NS).reset,
        fuser.step(ir, visible, 20 * PERIOD_NS).reset,  # a gap of 627 ms
        fuser.step(ir, visible, 21 * PERIOD_NS).reset,
        fuser.step(ir, visible, 3 * PERIOD_NS).reset,  # time runs backwards
        fuser.step(other_ir, visible, 4 * PERIOD_NS).reset,  # one camera alone is no cut
        fuser.step(ir, other_visible, 5 * PERIOD_NS).reset,  # now both have changed
    ]
    assert reasons == ["start", None, "gap", None, "gap", None, "cut"]
    fuser.reset()
    assert fuser.step(ir, visible, 6 * PERIOD_NS).reset == "asked"


def test_after_an_engine_that_could_not_be_built_the_next_frame_tries_again(monkeypatch):
    from edge_sdk.fusion import fuser as module

    fuser = Fuser(threads=1)
    fuser.step(*_pair(96, 128), 0)

    def fails(*_):
        raise EngineError("no engine")

    with monkeypatch.context() as patch:
        patch.setattr(module, "make_engine", fails)
        for _ in range(2):
            with pytest.raises(EngineError, match="no engine"):
                fuser.step(*_pair(64, 96), 1)
    assert fuser.step(*_pair(64, 96), 2).reset == "size"
    assert fuser.step(*_pair(64, 96), 3).image.shape == (64, 96, 3)


def test_a_reset_is_not_lost_with_the_frame_that_failed(monkeypatch):
    fuser = Fuser(threads=1)
    fuser.step(*_pair(96, 128), 0)
    fuser.reset("asked")

    def fails(_):
        raise EngineError("out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(fuser.engine, "run", fails)
        with pytest.raises(EngineError, match="out of memory"):
            fuser.step(*_pair(96, 128), PERIOD_NS)
    assert fuser.step(*_pair(96, 128), 2 * PERIOD_NS).reset == "asked"


def test_a_reset_forgets_everything():
    """The frame after a reset is the frame of a fuser that has seen nothing."""
    ir, visible = _pair(96, 128)
    fresh = Fuser(threads=1).step(ir, visible, 0).image
    used = Fuser(threads=1)
    for k in range(5):
        used.step(*_pair(96, 128, seed=k), k * PERIOD_NS)
    used.reset()
    assert np.array_equal(used.step(ir, visible, 10 * PERIOD_NS).image, fresh)


def test_stripes_and_noise_fade_with_time():
    """A still scene behind a noisy, striped core becomes cleaner, and steadier, frame by frame."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:192, :256]
    clean = (60 + 40 * (np.hypot(rows - 90, columns - 120) < 40)).astype(np.float64)
    visible = np.full((192, 256, 3), 20, np.uint8)
    stripes = rng.normal(0, 9, 256)
    fuser = Fuser(threads=1, restored=True)
    roughness, change = [], []
    before = None
    for k in range(20):
        noisy = np.clip(clean + stripes + rng.normal(0, 10, clean.shape), 0, 255).astype(np.uint8)
        restored = fuser.step(noisy, visible, k * PERIOD_NS).restored_ir.astype(float)
        inner = restored[60:120, 90:150]
        roughness.append(inner.std())
        if before is not None:
            change.append(np.abs(restored - before).mean())
        before = restored
    noise = np.hypot(9, 10)
    assert roughness[-1] < 0.35 * noise
    assert change[-1] < 0.25 * 10 * np.sqrt(4 / np.pi)  # of the input's own frame-to-frame change


def test_border_of_a_soft_picture_is_as_calm_as_its_inside():
    """Steps along and across the outermost lines are no larger than those further in."""
    import cv2

    rng = np.random.default_rng(3)
    noise = rng.normal(0, 1, (2, 160, 224)).astype(np.float32)
    ir, soft = (cv2.GaussianBlur(x, (0, 0), s) for x, s in zip(noise, (6, 3), strict=True))
    ir, soft = (np.clip(128 + 40 * x / x.std(), 0, 255) for x in (ir, soft))
    fuser = Fuser(threads=1)
    for k in range(6):
        stripes = rng.normal(0, 9, ir.shape) + 9 * np.sin(np.arange(ir.shape[1]) * 1.7)
        noisy = np.clip(ir + stripes, 0, 255).astype(np.uint8)
        visible = np.clip(soft + rng.normal(0, 2, soft.shape), 0, 255).astype(np.uint8)
        fused = fuser.step(noisy, cv2.cvtColor(visible, cv2.COLOR_GRAY2BGR), k * 33_000_000)
    luma = cv2.cvtColor(fused.image, cv2.COLOR_BGR2GRAY).astype(np.float32)
    for turned in range(4):
        lines = np.rot90(luma, turned)
        across, along = (np.abs(np.diff(lines, axis=axis)).mean(1) for axis in (0, 1))
        assert across[:4].max() < 2.0 * across[12:60].max()
        assert along[:4].max() < 2.0 * along[12:60].max()


def test_state_does_not_drift_over_1000_frames():
    """A long run of one scene ends where it was after its first second."""

    rng = np.random.default_rng(3)
    ir, visible = _pair(64, 96)
    fuser = Fuser(threads=1)
    means = []
    for k in range(1000):
        noisy = np.clip(ir.astype(int) + rng.integers(-8, 9, ir.shape), 0, 255).astype(np.uint8)
        means.append(fuser.step(noisy, visible, k * PERIOD_NS).image.mean())
    assert abs(np.mean(means[30:60]) - np.mean(means[-30:])) < 1.0


def test_colour_comes_from_the_visible_frame(fuser):
    import cv2

    ir, visible = _pair(96, 128, seed=2)
    visible = visible // 2 + 60  # far from the gamut's border, where clipping changes chroma
    fuser.reset()
    fused = fuser.step(ir // 2 + 60, visible, 0).image
    before, after = (
        cv2.cvtColor(x, cv2.COLOR_BGR2YCrCb)[..., 1:].astype(int) for x in (visible, fused)
    )
    clipped = ((fused == 0) | (fused == 255)).any(2)
    assert np.abs(after - before)[~clipped].max() <= 2


def test_luma_round_trip():
    _, visible = _pair(40, 60)
    luma, ycrcb = split_luma(visible)
    expected = visible @ np.array([0.114, 0.587, 0.299])
    assert np.abs(luma - expected).max() <= 1
    assert np.abs(join_luma(luma, ycrcb).astype(int) - visible).max() <= 2


@pytest.mark.parametrize(
    ("ir", "visible", "message"),
    [
        (np.zeros((8, 8), np.uint16), np.zeros((8, 8, 3), np.uint8), r"found \(8, 8\) uint16"),
        (np.zeros((8, 8), np.uint8), np.zeros((8, 8), np.uint8), r"must be \(H, W, 3\)"),
        (np.zeros((8, 8), np.uint8), np.zeros((8, 9, 3), np.uint8), "ir is 8x8, visible 9x8"),
    ],
)
def test_wrong_images(fuser, ir, visible, message):
    with pytest.raises(ConfigError, match=message):
        fuser.step(ir, visible, 0)


def test_exposure_and_small_motion_are_no_cuts():
    ir, visible = _pair(96, 128)
    luma = visible[..., 1]
    cut = SceneCut()
    assert not cut.step(ir, luma)
    assert not cut.step(np.roll(ir, 3, 1), np.clip(luma * 1.8, 0, 255).astype(np.uint8))
    assert not cut.step(ir, luma // 4)
