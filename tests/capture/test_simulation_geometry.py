"""Parallax, homography, lens and depth against closed forms and against OpenCV."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_sdk.capture.simulated import SimulatedRig, SimulationConfig

START_NS = 1_000_000_000
CAMERA_HEIGHT_M = 2.1


def rig(**options: object) -> SimulatedRig:
    base = {"visible_size": (320, 240), "ir_size": (320, 256), "people": 0, "vehicles": 0}
    return SimulatedRig(SimulationConfig(**{**base, **options}))  # type: ignore[arg-type]


def difference(a: NDArray[np.uint16], b: NDArray[np.uint16]) -> NDArray[np.bool_]:
    return np.abs(a.astype(np.int32) - b.astype(np.int32)) > 150


def middle_column(mask: NDArray[np.bool_]) -> float:
    return float(np.nonzero(mask)[1].mean())


@pytest.mark.parametrize("seed", [0, 3])
def test_parallax_of_a_person_is_focal_length_times_baseline_over_depth(seed: int) -> None:
    same = {"ir_size": (320, 240), "ir_hfov_deg": 50.0, "baseline_m": 0.25, "seed": seed}
    with_person, empty = rig(people=1, **same), rig(**same)
    moment = START_NS + 200_000_000
    truth, ground = with_person.truth(moment), empty.truth(moment)
    person = truth.objects[0]
    assert person.visible_fraction > 0.99
    focal = with_person.calibration().visible_matrix[0, 0]
    assert focal == pytest.approx(160.0 / np.tan(np.radians(25.0)))
    seen_left = middle_column(difference(truth.clean_ir_aligned, ground.clean_ir_aligned))
    seen_right = middle_column(difference(truth.clean_ir, ground.clean_ir))
    disparity = focal * 0.25 / person.distance_m
    assert disparity > 8.0
    assert seen_left - seen_right == pytest.approx(disparity, abs=0.35)


def test_depth_explains_the_infrared_picture_everywhere() -> None:
    made = rig(ir_size=(320, 240), ir_hfov_deg=50.0, baseline_m=0.2, people=4, vehicles=2)
    truth = made.truth(START_NS + 1_500_000_000)
    focal = made.calibration().visible_matrix[0, 0]
    rows, columns = np.mgrid[0:240, 0:320].astype(np.float32)
    shift = (focal * 0.2 / truth.depth).astype(np.float32)
    moved = cv2.remap(truth.clean_ir.astype(np.float32), columns - shift, rows, cv2.INTER_LINEAR)
    inside = columns - shift > 0
    error = np.abs(moved - truth.clean_ir_aligned)[inside]
    still = np.abs(truth.clean_ir.astype(np.float32) - truth.clean_ir_aligned)[inside]
    # Edges are hidden from one of the two cameras; everything else must fit.
    assert np.quantile(error, 0.85) < 25.0
    assert np.quantile(error, 0.85) < 0.4 * np.quantile(still, 0.85)


def test_depth_of_the_ground_is_height_over_slope() -> None:
    made = rig()
    matrix = made.calibration().visible_matrix
    depth = made.truth(START_NS).depth
    assert depth.dtype == np.float32
    for row in (170, 200, 235):
        expected = matrix[1, 1] * CAMERA_HEIGHT_M / (row - matrix[1, 2])
        assert np.median(depth[row]) == pytest.approx(expected, rel=0.01)
    assert np.isinf(depth[0]).any()


def test_homography_maps_the_infrared_onto_the_visible_at_its_depth() -> None:
    turned = {"baseline_m": 0.3, "ir_rotation_deg": (0.6, -1.2, 2.0), "people": 1, "seed": 3}
    made = rig(**turned)
    empty = rig(**{**turned, "people": 0})
    moment = START_NS + 200_000_000
    truth, ground = made.truth(moment), empty.truth(moment)
    person = truth.objects[0]
    target = difference(truth.clean_ir_aligned, ground.clean_ir_aligned)
    source = difference(truth.clean_ir, ground.clean_ir).astype(np.uint8)

    def miss(distance_m: float) -> tuple[float, float]:
        homography = made.homography(distance_m)
        warped = cv2.warpPerspective(source * 255, homography, (320, 240)) > 127
        (y, x), (target_y, target_x) = (np.nonzero(mask) for mask in (warped, target))
        return abs(float(x.mean() - target_x.mean())), abs(float(y.mean() - target_y.mean()))

    assert max(miss(person.distance_m)) < 0.4
    # At twice the distance, half of the parallax is left over.
    focal = made.calibration().visible_matrix[0, 0]
    left_over = 0.5 * focal * 0.3 / person.distance_m
    assert miss(person.distance_m * 2.0)[0] == pytest.approx(left_over, abs=0.6)


def test_homography_agrees_with_projecting_points_of_the_plane() -> None:
    made = rig(ir_rotation_deg=(1.0, 2.0, -3.0), baseline_m=-0.1)
    calibration = made.calibration(7.5)
    rng = np.random.default_rng(1)
    plane = np.column_stack([rng.uniform(-2, 2, 20), rng.uniform(-1, 1, 20), np.full(20, 7.5)])
    in_ir = (plane - calibration.translation_m) @ calibration.rotation
    seen_ir, _ = cv2.projectPoints(
        in_ir, np.zeros(3), np.zeros(3), calibration.ir_matrix, np.zeros(5)
    )
    seen_visible, _ = cv2.projectPoints(
        plane, np.zeros(3), np.zeros(3), calibration.visible_matrix, np.zeros(5)
    )
    mapped = cv2.perspectiveTransform(seen_ir, calibration.homography)
    assert np.abs(mapped - seen_visible).max() < 1e-6
    assert calibration.translation_m == pytest.approx([-0.1, 0.0, 0.0])
    assert calibration.distance_m == 7.5


def test_registered_means_the_visible_grid() -> None:
    made = rig(registered=True, people=3)
    assert made.config.ir_size == (320, 256)
    frame = made.ir.frame(0)
    assert frame is not None and frame.image.shape == (240, 320)
    assert made.homography(3.0) == pytest.approx(np.eye(3), abs=1e-12)
    truth = made.truth(frame.timestamp_ns)
    assert np.array_equal(truth.clean_ir, truth.clean_ir_aligned)


def test_opencv_undoes_the_distortion_of_the_lens() -> None:
    bent = rig(visible_distortion=(-0.28, 0.09), people=3, vehicles=2)
    straight = rig(people=3, vehicles=2)
    moment = START_NS + 1_000_000_000
    calibration = bent.calibration()
    assert calibration.visible_distortion[:2].tolist() == [-0.28, 0.09]
    warped, flat = bent.truth(moment), straight.truth(moment)
    repaired = cv2.undistort(
        warped.clean_visible, calibration.visible_matrix, calibration.visible_distortion
    )
    inside = np.s_[40:200, 40:280]

    def error(image: NDArray[Any]) -> float:
        blur = [cv2.GaussianBlur(x, (0, 0), 1.2).astype(float) for x in (image, flat.clean_visible)]
        return float(np.abs(blur[0] - blur[1])[inside].mean())

    assert error(np.asarray(repaired)) < 2.5
    assert error(warped.clean_visible) > 3.0 * error(np.asarray(repaired))
    # Boxes go through the same lens.
    before = {thing.object_id: thing.box for thing in flat.objects}
    for thing in warped.objects:
        x1, y1, x2, y2 = before[thing.object_id]
        if x1 <= 0.0 or y1 <= 0.0 or x2 >= 320.0 or y2 >= 240.0:
            continue
        corners = np.array([[[x1, y1]], [[x2, y2]]]) - 0.5
        rays = np.concatenate(
            [
                (corners.reshape(2, 2) - calibration.visible_matrix[:2, 2])
                / calibration.visible_matrix[0, 0],
                np.ones((2, 1)),
            ],
            axis=1,
        )
        expected, _ = cv2.projectPoints(
            rays,
            np.zeros(3),
            np.zeros(3),
            calibration.visible_matrix,
            calibration.visible_distortion,
        )
        assert np.asarray(thing.box) == pytest.approx(expected.reshape(4) + 0.5, abs=2.5)


def test_warm_pixels_of_a_person_fill_its_box() -> None:
    moment = START_NS + 300_000_000
    for seed in range(4):
        options = {"seed": seed, "condition": "night"}
        truth, empty = rig(people=1, **options).truth(moment), rig(**options).truth(moment)
        person = truth.objects[0]
        assert person.label == "person" and person.object_id == 1
        rows, columns = np.nonzero(difference(truth.clean_ir_aligned, empty.clean_ir_aligned))
        x1, y1, x2, y2 = person.box
        assert columns.min() >= x1 - 2.0 and columns.max() + 1 <= x2 + 2.0
        assert rows.min() >= y1 - 2.0 and rows.max() + 1 <= y2 + 2.0
        if person.visible_fraction > 0.99:
            assert columns.min() <= x1 + 4 and columns.max() + 1 >= x2 - 4
            assert rows.min() <= y1 + 4 and rows.max() + 1 >= y2 - 4


def test_hidden_share_of_an_object() -> None:
    made = rig(people=6, vehicles=3)
    cut, whole = 0, 0
    for step in range(24):
        truth = made.truth(START_NS + step * 400_000_000)
        for thing in truth.objects:
            assert 0.0 < thing.visible_fraction <= 1.0
            assert thing.occlusion == pytest.approx(1.0 - thing.visible_fraction)
            x1, y1, x2, y2 = thing.box
            assert 0.0 <= x1 < x2 <= 320.0 and 0.0 <= y1 < y2 <= 240.0
            if x1 == 0.0 or x2 == 320.0:
                cut += 1
                assert thing.visible_fraction < 1.0
            whole += thing.visible_fraction == 1.0
    assert cut > 5 and whole > 20


def test_objects_outside_the_picture_and_wholly_hidden_ones_are_left_out() -> None:
    made = rig(people=12, vehicles=6, visible_size=(96, 64), ir_size=(64, 64))
    listed = set()
    for step in range(150):
        truth = made.truth(START_NS + step * 210_000_000)
        numbers = [thing.object_id for thing in truth.objects]
        assert len(numbers) == len(set(numbers))
        listed.add(len(numbers))
    assert max(listed) < 18 and len(listed) > 3
