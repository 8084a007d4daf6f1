"""Targetless registration against known homographies."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from calibration.registration import ImagePair, register
from edge_sdk.calibration_file import CalibrationCameras
from edge_sdk.errors import CalibrationError, ConfigError
from tests.calibration.registration.drawn import corner_error_px, homography, pairs, scene

SIZE = (320, 240)


@pytest.mark.parametrize(
    "border", [cv2.BORDER_CONSTANT, cv2.BORDER_REPLICATE, cv2.BORDER_REFLECT_101]
)
def test_a_known_homography_is_found_whatever_the_warp_left_at_the_edges(border):
    warp = homography(SIZE)
    result = register(pairs(3, SIZE, warp, border=border))
    assert corner_error_px(result.homography, np.linalg.inv(warp), SIZE) < 1.0
    assert result.passed, result.faults
    assert result.require() is result


def test_limits_of_what_rigs_are():
    warp = homography(SIZE, (-0.15, 0.15), 0.8, -8.0, (-1e-4, 1e-4))
    result = register(pairs(3, SIZE, warp, seed=1))
    assert corner_error_px(result.homography, np.linalg.inv(warp), SIZE) < 1.5


def test_cameras_of_unlike_sizes():
    """A 1280x720 visible picture, and an infrared one of 320x256 that sees the middle of it."""
    rng = np.random.default_rng(3)
    to_ir = np.array([[0.36, 0.01, -70.0], [-0.01, 0.36, -2.0], [0, 0, 1.0]])
    made = []
    for _ in range(3):
        visible, infrared = scene(rng, (1280, 720))
        small = cv2.warpPerspective(infrared, to_ir, (320, 256), flags=cv2.INTER_AREA)
        made.append(ImagePair.of(small.astype(np.uint16) * 40 + 7000, visible))
    result = register(made)
    truth = np.linalg.inv(to_ir)
    assert corner_error_px(result.homography, truth, (320, 256)) < 4.0  # of 1280 pixels
    assert result.passed, result.faults


def test_with_intrinsics_both_pictures_are_undistorted_first():
    """What is found maps undistorted pixels: the distortion was applied by OpenCV's own model."""
    k = np.array([[300.0, 0, 159.5], [0, 300.0, 119.5], [0, 0, 1]])
    barrel = np.array([-0.3, 0.08, 0, 0, 0])
    warp = homography(SIZE, (0.03, 0.02), 1.05, 2.0, (0, 0))
    rng = np.random.default_rng(4)
    x, y = np.meshgrid(np.arange(SIZE[0], dtype=float), np.arange(SIZE[1], dtype=float))
    raw = np.stack([x.ravel(), y.ravel()], axis=1)[:, None]
    undistorted = cv2.undistortPoints(raw, k, barrel, P=k).reshape(*SIZE[::-1], 2)
    made = []
    for _ in range(3):
        visible, infrared = scene(rng, SIZE)
        warped = cv2.warpPerspective(infrared, warp, SIZE)
        bent = cv2.remap(warped, undistorted.astype(np.float32), None, cv2.INTER_LINEAR)
        made.append(ImagePair.of(bent, visible))

    def camera(name, distortion):
        lens = {"fx": 300.0, "fy": 300.0, "cx": 159.5, "cy": 119.5}
        return {
            "name": name, "width": 320, "height": 240, "model": "pinhole", "K": lens,
            "distortion": distortion.tolist(),
        }  # fmt: skip

    cameras = CalibrationCameras.model_validate(
        {"ir": camera("ir", barrel), "visible": camera("visible", np.zeros(5))}
    )
    result = register(made, cameras=cameras)
    assert corner_error_px(result.homography, np.linalg.inv(warp), SIZE) < 1.5
    wrong = cameras.model_copy(update={"ir": cameras.ir.model_copy(update={"width": 640})})
    with pytest.raises(CalibrationError, match=r"cameras\.ir.*640x240.*320x240"):
        register(made, cameras=wrong)


def test_pictures_of_different_scenes_are_refused():
    one, other = pairs(3, SIZE, seed=5), pairs(3, SIZE, seed=6)
    mixed = [ImagePair(a.ir, b.visible, b.picture) for a, b in zip(one, other, strict=True)]
    result = register(mixed)
    assert not result.passed
    with pytest.raises(CalibrationError, match=r"not to be trusted.*film"):
        result.require()


def test_pictures_of_nothing_are_refused():
    rng = np.random.default_rng(7)
    noise = [
        ImagePair.of(
            rng.normal(100, 3, (240, 320)).astype(np.uint8),
            rng.normal(100, 3, (240, 320, 3)).astype(np.uint8),
        )
        for _ in range(2)
    ]
    assert not register(noise).passed
    black = ImagePair.of(np.zeros((240, 320), np.uint8), np.zeros((240, 320, 3), np.uint8))
    assert not register([black]).passed


def test_edges_in_one_direction_only_are_refused():
    """Vertical bars say nothing about a vertical shift."""
    rng = np.random.default_rng(8)
    made = []
    for _ in range(2):
        bars = np.repeat(rng.integers(0, 255, 40), 8)[None].repeat(240, axis=0)
        noise = rng.normal(0, 2, (2, 240, 320))
        visible, infrared = np.clip(np.stack([bars, 255 - bars]) + noise, 0, 255).astype(np.uint8)
        made.append(ImagePair.of(infrared, visible))
    assert not register(made).passed


def test_the_same_pairs_give_the_same_result():
    made = pairs(2, SIZE, homography(SIZE))
    first, second = register(made), register(made)
    np.testing.assert_array_equal(first.homography, second.homography)
    assert first.quality == second.quality


def test_pairs_must_be_there_and_of_one_size():
    with pytest.raises(ConfigError, match="at least one pair"):
        register([])
    with pytest.raises(ConfigError, match="infrared pictures must all have one size, found"):
        register([*pairs(1, (320, 240)), *pairs(1, (160, 128))])
