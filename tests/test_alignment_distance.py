"""Alignment of objects at a distance, from the extrinsics of the cameras."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import pytest

from edge_sdk.errors import CalibrationError
from tests.test_alignment import LENSES, Array, H, calibration, camera, make, pixels


def rotation(x: float, y: float, z: float) -> Array:
    return cv2.Rodrigues(np.array([x, y, z]))[0]


EXTRINSICS: dict[str, Any] = {"R": rotation(0.01, -0.02, 0.015), "t_m": [0.08, -0.01, 0.005]}


@pytest.mark.parametrize("distance_m", [1.5, 4.0, 25.0])
def test_set_distance_brings_points_of_that_plane_together(distance_m: float) -> None:
    rig = calibration(*LENSES["radial-tangential"], H, EXTRINSICS)
    ir, visible = rig.cameras.ir, rig.cameras.visible
    aligner = make(rig, ir.size, visible.size, (400, 300))
    aligner.set_distance(distance_m)
    for x, y in ((-0.2, -0.15), (0.0, 0.0), (0.2, 0.1)):
        point = np.array([[x * distance_m, y * distance_m, distance_m]])
        seen: dict[str, Any] = {}
        pose: Any
        for side, lens, pose in (
            ("ir", ir, (np.eye(3), np.zeros(3))),
            ("visible", visible, (EXTRINSICS["R"], np.array(EXTRINSICS["t_m"]))),
        ):
            at = cv2.projectPoints(point, pose[0], pose[1], lens.matrix, lens.coefficients)[
                0
            ].reshape(2)
            spread = ((pixels(lens.size) - at) ** 2).sum(axis=1) / (2 * 2.0**2)
            seen[side] = (250 * np.exp(-spread)).reshape(lens.height, lens.width).astype(np.uint8)
        shown = aligner.align(seen["ir"], seen["visible"])
        centres = []
        for image in shown:
            weights = image.astype(float) / image.sum()
            centres.append(
                [(weights.sum(0) * np.arange(400)).sum(), (weights.sum(1) * np.arange(300)).sum()]
            )
        assert math.dist(*centres) < 0.15


def test_misalignment_is_baseline_times_focal_over_distance() -> None:
    lens = camera((640, 480), 500)
    rig = calibration(lens, lens, None, {"R": np.eye(3), "t_m": [0.1, 0, 0]})
    aligner = make(rig, (640, 480), (640, 480), (320, 240), distance_m=math.inf)
    assert aligner.misalignment_px(math.inf) == pytest.approx(0, abs=1e-9)
    # f * baseline / distance, at half the resolution.
    assert aligner.misalignment_px(5.0) == pytest.approx(500 * 0.1 / 5 / 2)
    aligner.set_distance(10.0)
    assert aligner.misalignment_px(5.0) == pytest.approx(500 * 0.1 * (1 / 5 - 1 / 10) / 2)


def test_distance_needs_extrinsics_and_sense() -> None:
    rig = calibration(*LENSES["none"], H)
    with pytest.raises(CalibrationError, match="extrinsics"):
        make(rig, (320, 256), (400, 300), distance_m=3.0)
    with pytest.raises(CalibrationError, match="there is no calibration"):
        make(None, (640, 480), (640, 480)).set_distance(3.0)
    good = make(calibration(*LENSES["none"], H, EXTRINSICS), (320, 256), (400, 300))
    for distance in (0.0, -1.0, math.nan):
        with pytest.raises(CalibrationError, match="distance_m must be more than 0"):
            good.set_distance(distance)
    with pytest.raises(CalibrationError, match=r"at 0\.0001 m|outside"):
        good.set_distance(0.0001)


def test_a_refused_distance_leaves_the_alignment_as_it_was() -> None:
    lens = camera((160, 120), 100)
    rig = calibration(lens, lens, None, {"R": np.eye(3), "t_m": [0.1, 0, 0]})
    aligner = make(rig, (160, 120), (160, 120), (160, 120), distance_m=10.0)
    image = np.random.default_rng(0).integers(0, 255, (120, 160), np.uint8)
    before, mask, homography = aligner.align(image, None)[0], aligner.valid_mask, aligner.homography
    with pytest.raises(CalibrationError, match="wholly outside"):
        aligner.set_distance(0.05)  # moved by 200 of 160 pixels
    np.testing.assert_array_equal(aligner.align(image, None)[0], before)
    np.testing.assert_array_equal(aligner.valid_mask, mask)
    np.testing.assert_array_equal(aligner.homography, homography)
