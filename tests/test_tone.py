from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_sdk.config import ToneConfig
from edge_sdk.errors import ConfigError
from edge_sdk.tone import ToneMapper

FPS = 30
SHAPE = (240, 320)
Sequence = list[NDArray[np.uint16]]


def stamp(frame: int) -> int:
    return round(frame * 1e9 / FPS)


def background(spread: float = 80, seed: int = 0, level: float = 7000) -> NDArray[np.float64]:
    """Smooth scene with a standard deviation of ``spread`` counts."""
    rough = np.random.default_rng(seed).normal(size=SHAPE)
    soft = cv2.GaussianBlur(rough, (0, 0), 15)
    return level + spread * (soft - soft.mean()) / soft.std()


def shot(scene: NDArray[np.float64], seed: int, noise: float = 3) -> NDArray[np.uint16]:
    noisy = scene + np.random.default_rng(1000 + seed).normal(0, noise, scene.shape)
    return np.clip(np.rint(noisy), 0, 65535).astype(np.uint16)


OBJECT = (slice(100, 140), slice(150, 190))  # 2 % of the picture
BACKGROUND = np.ones(SHAPE, bool)
BACKGROUND[90:150, 140:200] = False


def hot_object_enters(contrast: float) -> Sequence:
    """60 frames of a still scene; from frame 20 on there is a hot object in it."""
    scene = background()
    frames = []
    for n in range(60):
        now = scene.copy()
        if n >= 20:
            now[OBJECT] = scene.mean() + contrast
        frames.append(shot(now, n))
    return frames


def mapped(frames: Sequence, **settings: Any) -> list[NDArray[np.uint8]]:
    mapper = ToneMapper(**settings)
    return [mapper.step(frame, stamp(n)) for n, frame in enumerate(frames)]


def min_max(frames: Sequence) -> list[NDArray[np.uint8]]:
    """The naive way: each frame stretched from its least to its greatest count."""
    spans = [(int(frame.min()), int(np.ptp(frame))) for frame in frames]
    return [
        np.rint(255.0 * (frame - low) / span).astype(np.uint8)
        for frame, (low, span) in zip(frames, spans, strict=True)
    ]


def background_unrest(toned: list[NDArray[np.uint8]]) -> tuple[float, float]:
    """Largest step of the background's mean between frames, and its range, in grey levels."""
    means = np.array([frame[BACKGROUND].mean() for frame in toned])
    return float(np.abs(np.diff(means)).max()), float(np.ptp(means))


@pytest.mark.parametrize("contrast", [400, 3000])
def test_background_stays_when_something_hot_enters(contrast: float) -> None:
    frames = hot_object_enters(contrast)
    step, total = background_unrest(mapped(frames))
    assert step < 1 and total < 4
    naive_step, naive_total = background_unrest(min_max(frames))
    assert naive_step > 20 and naive_total > 20


@pytest.mark.parametrize("contrast", [400, 3000])
def test_hot_object_stands_out_from_its_first_frame_on(contrast: float) -> None:
    toned = mapped(hot_object_enters(contrast))
    for frame in (toned[20], toned[25], toned[-1]):
        hottest_of_background = np.percentile(frame[BACKGROUND], 99)
        assert frame[OBJECT].min() > hottest_of_background + 10
        assert frame[OBJECT].mean() > frame[BACKGROUND].mean() + 80


def test_hot_objects_keep_their_order_instead_of_saturating() -> None:
    scene = background()
    columns = [slice(20 + 40 * k, 40 + 40 * k) for k in range(5)]
    for k, column in enumerate(columns):
        scene[100:110, column] = 7000 + 300 * 2**k
    toned = ToneMapper().step(shot(scene, 0, noise=0), 0)
    levels = [float(toned[102:108, column].mean()) for column in columns]
    assert np.diff(levels).min() > 0.5
    assert levels[0] > toned[BACKGROUND].mean() + 50


def test_details_of_the_background_survive_a_very_hot_object() -> None:
    frames = hot_object_enters(20000)
    before, after = (mapped(frames)[n][BACKGROUND].std() for n in (10, 59))
    assert after > 0.9 * before > 30
    assert min_max(frames)[59][BACKGROUND].std() < 5


def test_low_contrast_is_stretched_by_the_maximal_gain_and_no_more() -> None:
    frame = shot(background(spread=12), 0, noise=2)
    for gain in (0.5, 1.5, 4.0):
        toned = ToneMapper(max_gain=gain).step(frame, 0).astype(float)
        slope = np.polyfit(frame.ravel().astype(float), toned.ravel(), 1)[0]
        assert 0.5 * gain < slope < 1.02 * gain
        counts = np.sort(np.unique(frame)).astype(int)
        levels = np.array([toned[frame == count][0] for count in counts])
        rise = np.diff(levels)
        assert (rise <= gain * np.diff(counts) + 1).all()  # 1: rounding
        assert 100 < np.median(toned) < 155  # centred
    assert ToneMapper(max_gain=4).step(frame, 0).std() > 3 * frame.std()


def test_noise_alone_is_not_blown_up() -> None:
    frame = shot(np.full(SHAPE, 7000.0), 0, noise=4)
    assert ToneMapper(max_gain=1.5).step(frame, 0).std() < 1.6 * 4
    assert ToneMapper(max_gain=1e3, plateau=1.0).step(frame, 0).std() > 40


def test_the_curve_never_falls() -> None:
    mapper = ToneMapper()
    ramp = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    rng = np.random.default_rng(5)
    for n in range(20):
        scene = background(rng.uniform(1, 2000), seed=n, level=rng.uniform(0, 60000))
        mapper.step(shot(scene, n), stamp(n))
        curve = mapper.step(ramp, stamp(n), hold=True).ravel().astype(int)
        assert (np.diff(curve) >= 0).all()
        assert 0 <= curve[0] < curve[-1] <= 255


def test_a_large_even_surface_does_not_take_all_levels() -> None:
    # Nine tenths at one temperature (a wall), a tenth with structure.
    scene = np.full(SHAPE, 7000.0)
    scene[:, :32] = 7000 + np.linspace(20, 300, 240)[:, None]
    frame = shot(scene, 0, noise=8)
    structure = frame[:, :32]

    def levels_used(plateau: float) -> float:
        toned = ToneMapper(plateau=plateau, linear=0.0, max_gain=20).step(frame, 0)
        return float(np.ptp(np.percentile(toned[:, :32], [10, 90])))

    assert structure.size < 0.11 * frame.size
    assert levels_used(0.01) > 1.5 * levels_used(1.0)


def test_linear_is_a_straight_line_within_the_body() -> None:
    ramp = np.linspace(3000, 9000, SHAPE[0] * SHAPE[1]).astype(np.uint16).reshape(SHAPE)
    toned = ToneMapper(linear=1.0).step(ramp, 0).astype(float).ravel()
    inner = slice(toned.size // 10, -toned.size // 10)
    fit = np.polyval(np.polyfit(ramp.ravel()[inner], toned[inner], 1), ramp.ravel()[inner])
    assert np.abs(toned[inner] - fit).max() < 1.5


def test_a_dead_pixel_changes_nothing_else() -> None:
    frame = shot(background(), 0)
    dead = frame.copy()
    dead[51, 77], dead[120, 200] = 0, 65535
    good, bad = ToneMapper().step(frame, 0), ToneMapper().step(dead, 0)
    untouched = frame == dead
    assert np.abs(good.astype(int) - bad)[untouched].max() <= 1
    assert (bad[51, 77], bad[120, 200]) == (bad.min(), bad.max())


@pytest.mark.parametrize("count", [0, 3, 7000, 65532, 65535])
def test_an_all_equal_picture_is_even_and_steady(count: int) -> None:
    mapper = ToneMapper()
    levels = set()
    for n in range(5):
        toned = mapper.step(np.full(SHAPE, count, np.uint16), stamp(n))
        levels |= set(np.unique(toned).tolist())
    assert len(levels) == 1
    assert 100 < levels.pop() < 155


def test_eight_bit_passes_through() -> None:
    frame = np.random.default_rng(0).integers(0, 256, SHAPE, dtype=np.uint8)
    assert ToneMapper().step(frame, 0) is frame


def drift(counts_per_frame: float, frames: int = 150) -> Sequence:
    scene = background()
    return [shot(scene + counts_per_frame * n, n) for n in range(frames)]


def test_slow_drift_is_followed_without_steps() -> None:
    toned = mapped(drift(2.0))
    means = np.array([frame.mean() for frame in toned])
    assert np.abs(np.diff(means)).max() < 1.5
    # 300 counts in all, more than the scene is wide: a fixed curve would be white by now.
    assert abs(means[-1] - means[0]) < 40
    fixed = ToneMapper(smoothing_s=1e6)
    assert [fixed.step(frame, stamp(n)).mean() for n, frame in enumerate(drift(2.0))][-1] > 220


def test_smoothing_follows_the_clock_not_the_frame_count() -> None:
    def after_a_second(fps: int) -> float:
        mapper = ToneMapper(smoothing_s=1.0)
        mapper.step(shot(background(), 0), 0)
        warmer = shot(background() + 40, 1)
        for n in range(1, fps + 1):
            toned = mapper.step(warmer, round(n * 1e9 / fps))
        return float(toned.mean())

    start = ToneMapper().step(shot(background(), 0), 0).mean()
    moved = [after_a_second(fps) - start for fps in (9, 30, 60)]
    assert max(moved) - min(moved) < 1.5
    # 40 counts too bright at first; more than half, but not all of it, is gone after 1 s.
    at_once = ToneMapper(smoothing_s=1e6)
    at_once.step(shot(background(), 0), 0)
    jump = at_once.step(shot(background() + 40, 1), stamp(1)).mean() - start
    assert 0.02 * jump < moved[1] < 0.45 * jump


def test_a_new_scene_is_shown_well_within_a_third_of_the_time_constant() -> None:
    mapper = ToneMapper(smoothing_s=1.0)
    mapper.step(shot(background(), 0), 0)
    other = shot(background(spread=150, seed=3, level=12000), 1)
    wanted = ToneMapper().step(other, 0).astype(float)
    off = [np.abs(mapper.step(other, stamp(n)) - wanted).mean() for n in range(1, 11)]
    stuck = ToneMapper(smoothing_s=1e6)
    stuck.step(shot(background(), 0), 0)
    start = np.abs(stuck.step(other, stamp(1)) - wanted).mean()
    assert start > 60
    # A plain exponential would still be off by exp(-1/3), 72 %, of that.
    assert off[-1] < 0.3 * start
    assert (np.diff(off) < 0).all()


def start_of(make: Callable[[ToneMapper], None]) -> NDArray[np.uint8]:
    """What a mapper that learnt one scene, and then had ``make`` done to it, shows of another."""
    mapper = ToneMapper(smoothing_s=1e3, reset_gap_s=2.0)
    mapper.step(shot(background(), 0), stamp(100))
    make(mapper)
    return mapper.step(shot(background(level=8000), 1), stamp(101))


def test_reset_gap_and_backward_time_start_anew() -> None:
    other = shot(background(level=8000), 1)
    anew = ToneMapper().step(other, 0)
    assert np.abs(start_of(lambda mapper: None).astype(int) - anew).mean() > 50
    np.testing.assert_array_equal(start_of(ToneMapper.reset), anew)
    for time in (stamp(100) + 2_000_000_000, stamp(99)):
        mapper = ToneMapper(smoothing_s=1e3, reset_gap_s=2.0)
        mapper.step(shot(background(), 0), stamp(100))
        np.testing.assert_array_equal(mapper.step(other, time), anew)


def test_held_frames_teach_nothing() -> None:
    frames = [shot(background(), n) for n in range(20)]
    shutter = np.full(SHAPE, 9000, np.uint16)
    plain, held = ToneMapper(), ToneMapper()
    for n, frame in enumerate(frames[:10]):
        plain.step(frame, stamp(n))
        held.step(frame, stamp(n))
    for n in range(10, 100):  # 3 s, longer than reset_gap_s
        held.step(shutter, stamp(n), hold=True)
    # The scene is the same after it as before it, and so is its picture.
    after = held.step(frames[10], stamp(100))
    assert np.abs(after.astype(int) - plain.step(frames[10], stamp(10))).max() <= 1


def test_brightness_survives_the_offset_of_a_flat_field_correction() -> None:
    mapper = ToneMapper()
    for n in range(10):
        before = mapper.step(shot(background(), n), stamp(n))
    mapper.step(np.full(SHAPE, 9000, np.uint16), stamp(10), hold=True)
    after = mapper.step(shot(background() + 60, 11), stamp(11))
    assert abs(after.mean() - before.mean()) < 2
    without = ToneMapper()
    for n in range(11):
        without.step(shot(background(), n), stamp(n))
    jumped = without.step(shot(background() + 60, 11), stamp(11))
    assert jumped.mean() - before.mean() > 25


def test_hold_before_the_first_frame_shows_something_and_keeps_nothing() -> None:
    mapper = ToneMapper()
    shutter = mapper.step(np.full(SHAPE, 9000, np.uint16), 0, hold=True)
    assert 100 < shutter.mean() < 155
    frame = shot(background(), 0)
    np.testing.assert_array_equal(mapper.step(frame, stamp(1)), ToneMapper().step(frame, 0))


def test_pixels_outside_of_valid_do_not_count_and_are_black() -> None:
    frame = shot(background(), 0)
    valid = np.zeros(SHAPE, bool)
    valid[20:220, 40:280] = True
    bordered = np.where(valid, frame, 0).astype(np.uint16)
    toned = ToneMapper().step(bordered, 0, valid=valid)
    whole = ToneMapper().step(frame, 0)
    assert not toned[~valid].any()
    assert np.abs(toned.astype(int) - whole)[valid].mean() < 6
    unaware = ToneMapper().step(bordered, 0)
    assert np.abs(unaware.astype(int) - whole)[valid].mean() > 20
    assert not ToneMapper().step(frame, 0, valid=np.zeros(SHAPE, bool)).any()


def test_the_input_is_not_changed_and_results_are_fresh() -> None:
    frame = shot(background(), 0)
    copy = frame.copy()
    mapper = ToneMapper()
    first = mapper.step(frame, 0)
    kept = first.copy()
    mapper.step(shot(background(seed=9, level=9000), 1), stamp(1))
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(frame, copy)
    assert first.dtype == np.uint8 and first.shape == SHAPE


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4, 3), np.uint16),
        np.zeros((4, 4), np.float32),
        np.zeros((4, 4), np.int16),
        np.zeros(16, np.uint16),
        np.zeros((0, 4), np.uint16),
    ],
)
def test_other_images_are_refused(image: NDArray[Any]) -> None:
    with pytest.raises(ConfigError, match=r"\(H, W\), uint8 or uint16, found"):
        ToneMapper().step(image, 0)


def test_a_mask_of_another_shape_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"valid .*\(240, 320\).*\(4, 4\)"):
        ToneMapper().step(np.zeros(SHAPE, np.uint16), 0, valid=np.ones((4, 4), bool))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("plateau", 0.0),
        ("linear", 1.5),
        ("max_gain", -1.0),
        ("low_percentile", 50.0),
        ("high_percentile", 101.0),
        ("smoothing_s", math.nan),
        ("reset_gap_s", 0.0),
    ],
)
def test_settings_out_of_range_are_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"{name}: found {value}"):
        ToneMapper(**{name: value})
    if not math.isnan(value):
        with pytest.raises(ConfigError, match=f"{name}: found {value}"):
            ToneConfig(**{name: value})


def test_the_rig_files_defaults_are_the_mappers() -> None:
    frame = shot(background(), 0)
    configured = ToneMapper(**ToneConfig().model_dump())
    np.testing.assert_array_equal(configured.step(frame, 0), ToneMapper().step(frame, 0))
