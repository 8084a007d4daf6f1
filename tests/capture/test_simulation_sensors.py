"""Stripes, noise, drift, shutter and blur, measured on the frames."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_sdk.capture.simulated import SimulatedRig, SimulationConfig
from edge_sdk.frames import FrameFlags

QUIET = {
    "visible_size": (320, 240),
    "ir_size": (320, 256),
    "people": 0,
    "vehicles": 0,
    "jitter_ns": 0,
    "ir_noise_counts": 0.0,
    "stripe_sigma_counts": 0.0,
    "ir_drift_counts": 0.0,
    "ir_blur_px": 0.0,
    "visible_noise": 0.0,
    "visible_blur_px": 0.0,
    "ffc_period_s": None,
}


def rig(**options: object) -> SimulatedRig:
    return SimulatedRig(SimulationConfig(**{**QUIET, **options}))  # type: ignore[arg-type]


def ir(made: SimulatedRig, index: int) -> NDArray[np.float64]:
    frame = made.ir.frame(index)
    assert frame is not None
    return frame.image.astype(np.float64)


def visible(made: SimulatedRig, index: int) -> NDArray[np.float64]:
    frame = made.visible.frame(index)
    assert frame is not None
    return frame.image.astype(np.float64)


def columns(made: SimulatedRig, index: int) -> NDArray[np.float64]:
    clean = made.truth(1_000_000_000).clean_ir
    return np.asarray((ir(made, index) - clean).mean(axis=0))


def test_without_flaws_a_frame_is_the_truth() -> None:
    made = rig(people=4, vehicles=2)
    for index in (0, 31):
        one, two = made.ir.frame(index), made.visible.frame(index)
        assert one is not None and two is not None
        assert np.abs(one.image.astype(int) - made.truth(one.timestamp_ns).clean_ir).max() <= 1
        assert np.array_equal(two.image, made.truth(two.timestamp_ns).clean_visible)


def test_stripes_are_columns_and_stay_between_corrections() -> None:
    made = rig(stripe_sigma_counts=60.0, ffc_period_s=20.0)
    early, late, corrected = columns(made, 1), columns(made, 595), columns(made, 620)
    # 320 columns: the sigma of an estimated sigma is 60 / sqrt(640) = 2.4 counts.
    assert early.std() == pytest.approx(60.0, abs=8.0)
    assert corrected.std() == pytest.approx(60.0, abs=8.0)
    assert np.corrcoef(early, late)[0, 1] > 0.98
    assert np.abs(early - late).max() > 1.0
    assert abs(np.corrcoef(late, corrected)[0, 1]) < 0.2
    # No rows: what is left after the columns is rounding.
    rest = ir(made, 1) - made.truth(1_000_000_000).clean_ir - early
    assert rest.std() < 1.0


def test_noise_is_white_in_time_and_space() -> None:
    made = rig(ir_noise_counts=25.0)
    stack = np.stack([ir(made, index) for index in range(24)])
    stack -= made.truth(1_000_000_000).clean_ir
    assert stack.std(axis=0).mean() == pytest.approx(25.0, rel=0.05)
    flat = stack.reshape(24, -1)
    flat = (flat - flat.mean(axis=1, keepdims=True)) / flat.std(axis=1, keepdims=True)
    correlation = flat @ flat.T / flat.shape[1]
    assert np.abs(correlation - np.eye(24)).max() < 0.05
    assert abs(np.mean(stack[0, :, 1:] * stack[0, :, :-1])) < 0.02 * 625.0


def test_the_level_drifts_after_a_correction_and_starts_over() -> None:
    made = rig(ir_drift_counts=200.0, ffc_period_s=30.0)
    clean = made.truth(1_000_000_000).clean_ir
    levels = [float((ir(made, index) - clean).mean()) for index in (0, 300, 600, 885, 920)]
    assert abs(levels[0]) < 2.0
    assert abs(levels[3]) > 5.0
    assert abs(levels[4]) < abs(levels[3])
    # Slow: never more than a few counts from one frame to the next.
    assert abs(float((ir(made, 31) - ir(made, 30)).mean())) < 2.0


def test_the_shutter_freezes_the_image_and_is_flagged() -> None:
    made = rig(
        people=4,
        ffc_period_s=2.0,
        ffc_duration_s=0.5,
        ir_noise_counts=20.0,
        stripe_sigma_counts=30.0,
    )
    frames = [made.ir.frame(index) for index in range(55, 80)]
    assert all(frame is not None for frame in frames)
    shut = [f.sequence for f in frames if f is not None and FrameFlags.SHUTTER in f.flags]
    assert shut == list(range(60, 75))
    last = made.ir.frame(59)
    assert last is not None and last.flags == FrameFlags.NONE
    for frame in frames:
        assert frame is not None
        same = np.array_equal(frame.image, last.image)
        assert same == (59 <= frame.sequence < 75)
    stamps = [frame.timestamp_ns for frame in frames if frame is not None]
    assert np.all(np.diff(stamps) > 0)
    assert FrameFlags.SHUTTER not in made.visible.frame(65).flags  # type: ignore[union-attr]


def test_visible_noise_grows_with_the_root_of_the_light() -> None:
    made = rig(visible_noise=8.0)
    clean = made.truth(1_000_000_000).clean_visible
    stack = np.stack([visible(made, index) for index in range(32)])
    sigma = stack.std(axis=0)
    for low, high in ((30, 60), (90, 120), (150, 180)):
        here = (clean >= low) & (clean < high)
        assert here.sum() > 100
        grey = clean[here].mean()
        assert np.sqrt((sigma[here] ** 2).mean()) == pytest.approx(
            8.0 * np.sqrt(0.2 + 0.8 * grey / 128.0), rel=0.12
        )


def test_night_is_noisier_than_day_unless_told_otherwise() -> None:
    def noise(condition: str) -> float:
        made = rig(condition=condition, visible_noise=None)
        difference = visible(made, 0) - visible(made, 1)
        clean = made.truth(1_000_000_000).clean_visible
        return float(difference[(clean > 25) & (clean < 120)].std() / np.sqrt(2.0))

    assert noise("night") > 3.0 * noise("day") > 1.0


@pytest.mark.parametrize("sigma", [0.8, 2.0])
def test_blur_is_gaussian(sigma: float) -> None:
    made = rig(ir_blur_px=sigma, visible_blur_px=sigma)
    truth = made.truth(1_000_000_000)
    size = 2 * int(4 * sigma) + 3
    for got, clean in ((ir(made, 0), truth.clean_ir), (visible(made, 0), truth.clean_visible)):
        expected = cv2.GaussianBlur(clean.astype(np.float64), (size, size), sigma)
        inner = np.s_[size:-size, size:-size]
        spread = float(clean.std())
        assert np.abs(got - expected)[inner].mean() < 0.01 * spread


def test_counts_are_fourteen_bits_around_room_temperature() -> None:
    made = SimulatedRig(SimulationConfig(visible_size=(160, 120), ir_size=(320, 256)))
    frame = made.ir.frame(10)
    assert frame is not None
    assert frame.image.max() <= 16383
    assert 6200 < np.median(frame.image) < 7600
