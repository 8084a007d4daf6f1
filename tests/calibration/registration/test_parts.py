"""The parts of the registration against closed forms and naive second implementations."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from calibration.registration.border import valid_area
from calibration.registration.coarse import Hypothesis, SearchRange, search, spread
from calibration.registration.matcher import Matches
from calibration.registration.pairs import ImagePair
from calibration.registration.prepared import prepare
from calibration.registration.refine import _four_points, implausibility, mean_homography
from calibration.registration.robust import consensus, support
from calibration.registration.structure import CameraStructure, highpass, rotated, structure_map
from calibration.registration.surfaces import local_scores, rotation_of
from edge_sdk.geometry import apply
from tests.calibration.registration.drawn import homography, pairs, scene

ONES = np.ones((240, 320), np.float32)


def grey(seed: int = 0) -> np.ndarray:
    return scene(np.random.default_rng(seed), (320, 240))[1].astype(np.float32)


def test_structure_does_not_depend_on_sign_and_strength_of_the_contrast():
    image = grey()
    reference = structure_map(image, ONES, 1.5)
    np.testing.assert_allclose(structure_map(255 - image, ONES, 1.5), reference, atol=1e-3)
    # Where there is more than noise, half of the contrast gives nearly the same.
    half = structure_map(image / 2, ONES, 1.5)
    assert np.corrcoef(half.ravel(), reference.ravel())[0, 1] > 0.98


def test_structure_of_a_ramp_is_its_direction():
    x, y = np.meshgrid(np.arange(320.0), np.arange(240.0))
    angle = np.radians(30)
    ramp = (2 * (x * np.cos(angle) + y * np.sin(angle))).astype(np.float32)
    inner = structure_map(ramp, ONES, 1.5)[60:-60, 60:-60].reshape(-1, 4).mean(axis=0)
    wanted = [np.cos(2 * angle), np.sin(2 * angle), np.cos(4 * angle), np.sin(4 * angle)]
    np.testing.assert_allclose(inner / np.hypot(*inner[:2]), wanted, atol=1e-3)


def test_rotated_structure_is_the_structure_of_the_rotated_picture():
    """A quarter turn is exact: no pixel is interpolated."""
    image = grey()
    turned = np.ascontiguousarray(np.rot90(image, -1))  # x towards y, as seen in the picture
    mask = np.ones(turned.shape, np.float32)
    moved = np.rot90(structure_map(image, ONES, 1.5), -1)
    inner = np.s_[8:-8, 8:-8]
    np.testing.assert_allclose(
        rotated(moved, np.pi / 2)[inner], structure_map(turned, mask, 1.5)[inner], atol=2e-2
    )


def test_the_frame_of_a_warped_picture_is_found_and_a_black_sky_is_not():
    warp = homography((320, 240), (0.1, 0.05), 0.85, 6.0, (0, 0))
    images = [cv2.warpPerspective(grey(seed), warp, (320, 240)) for seed in range(3)]
    truth = cv2.warpPerspective(ONES, warp, (320, 240)) > 0.5
    area = valid_area(images, 2) > 0
    assert not (area & ~truth).any()
    assert (truth & ~area).sum() < 0.06 * truth.sum()

    skyline = grey()
    for left, top in ((0, 20), (80, 110), (160, 60), (240, 20)):
        skyline[:top, left : left + 80] = 0
    kept = valid_area([skyline], 0) > 0
    assert kept[30:108, 90:150].mean() > 0.95  # the sky between the roofs, with their edges


def test_a_picture_without_content_has_no_area():
    assert valid_area([np.zeros((240, 320), np.float32)], 4).sum() == 0


def test_surface_scores_are_the_normalised_correlation_of_the_block():
    image = grey(2)
    other = np.roll(image, (-4, 6), axis=(0, 1))  # up by 4, right by 6: 2 and 3 pixels of level 1
    a = CameraStructure.of([image], 1.0, 2)
    b = CameraStructure.of([other], 1.0, 2)
    level, reach, block = 1, 4, 40
    surfaces = local_scores(a, b, np.eye(3), level, reach, block, [[0]])[-1]
    inside = (np.abs(surfaces.centres - [80, 60]) < 30).all(axis=1)
    best = surfaces.scores[inside].reshape(inside.sum(), -1).argmax(axis=1)
    y, x = np.unravel_index(best, (9, 9))
    assert (y - reach == -2).all() and (x - reach == 3).all()

    # One block and one shift, written out.
    n, (dy, dx) = int(np.argmax(inside)), (1, -2)
    cx, cy = surfaces.centres[n]
    rows, columns = np.mgrid[:120, :160]
    window = np.exp(-0.5 * ((rows - cy) ** 2 + (columns - cx) ** 2) / (block / 3) ** 2)
    first = highpass(a.maps[level][0], a.masks[level], block / 2)
    second = highpass(b.maps[level][0], b.masks[level], block / 2)
    moved = np.zeros_like(second)
    moved[: 120 - dy, -dx:] = second[dy:, :dx]
    there = window * a.masks[level]
    product = (first * moved).sum(-1)
    wanted = (window * product).sum() / np.sqrt(
        (window * (first**2).sum(-1)).sum() * (there * (moved**2).sum(-1)).sum()
    )
    assert surfaces.scores[n, dy + reach, dx + reach] == pytest.approx(wanted, abs=1e-4)


def test_groups_add_up_to_the_whole():
    prepared = prepare(pairs(3))
    split = local_scores(prepared.ir, prepared.visible, np.eye(3), 2, 2, 32, [[0, 2], [1]])
    whole = local_scores(prepared.ir, prepared.visible, np.eye(3), 2, 2, 32, [[0, 1, 2]])
    assert len(split) == 3 and len(whole) == 2
    np.testing.assert_allclose(split[-1].scores, whole[-1].scores, atol=1e-5)


def test_search_finds_a_shift_beyond_the_blocks_reach():
    prepared = prepare(pairs(1, (640, 480), homography((640, 480), (0.2, -0.1), 1.0, 0.0, (0, 0))))
    within = SearchRange(scale=(0.95, 1.05), rotation_deg=3.0)
    best = search(prepared.ir, prepared.visible, within, [0], 3)[0]
    shift = best.homography[:2, 2] / best.homography[2, 2]
    np.testing.assert_allclose(shift, [-0.2 * 640, 0.1 * 480], atol=8)


def test_spread_drops_what_is_nearly_the_same():
    moved = np.array([[1.0, 0, 5], [0, 1.0, 0], [0, 0, 1.0]])
    far = np.array([[1.0, 0, 50], [0, 1.0, 0], [0, 0, 1.0]])
    given = [Hypothesis(3, np.eye(3)), Hypothesis(2, moved), Hypothesis(1, far)]
    assert [one.score for one in spread(given, (640, 480), 24.0, 5)] == [3, 1]


def test_four_points_against_opencv():
    rng = np.random.default_rng(0)
    corners = np.array([[0.0, 0], [159, 0], [0, 119], [159, 119]])
    shifts = rng.normal(0, 5, (4, 8))
    for found, shift in zip(_four_points(corners, shifts), shifts, strict=True):
        target = (corners + shift.reshape(4, 2)).astype(np.float32)
        wanted = cv2.getPerspectiveTransform(corners.astype(np.float32), target)
        np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_implausibility_is_zero_for_similarities_and_its_formula_else():
    size = (320, 240)
    similar = homography(size, (0.3, -0.2), 0.7, 25.0, (0, 0))
    stretched = np.diag([np.exp(0.006), 1.0, 1.0])
    tilted = homography(size, (0, 0), 1.0, 0.0, (0.03 / np.hypot(160, 120), 0))
    found = implausibility(np.stack([similar, stretched, tilted]), size)
    np.testing.assert_allclose(found, [0, 1, 1], atol=2e-3)


def test_mean_homography_takes_the_corners_to_their_mean():
    size = (320, 240)
    parts = [homography(size, (x, -x), 1 + x, 20 * x, (x * 1e-3, 0)) for x in (0.1, 0.0, -0.05)]
    corners = np.array([[0.0, 0], [319, 0], [0, 239], [319, 239]])
    wanted = np.mean([apply(one, corners) for one in parts], axis=0)
    np.testing.assert_allclose(apply(mean_homography(parts, size), corners), wanted, atol=1e-6)


@pytest.mark.parametrize("size", [(640, 480), (382, 288), (640, 512), (1280, 720), (97, 61)])
def test_working_pixels_are_square(size):
    """Working sizes are multiples of 8; what is over is cut, not squeezed in."""
    picture = np.random.default_rng(0).integers(0, 255, size[::-1], np.uint8)
    prepared = prepare([ImagePair.of(picture, picture)])
    for matrix in (prepared.ir_to_work, prepared.visible_to_work):
        assert matrix[0, 0] == pytest.approx(matrix[1, 1], rel=2e-3)
    assert all(side % 8 == 0 for side in prepared.ir.size + prepared.visible.size)


def test_rotation_is_that_of_the_centre():
    assert rotation_of(homography((320, 240), degrees=7.0, tilt=(0, 0)), (320, 240)) == (
        pytest.approx(np.radians(7.0), abs=1e-6)
    )


def test_consensus_of_many_wrong_matches():
    rng = np.random.default_rng(1)
    truth = homography((640, 480))
    ir = rng.uniform((0, 0), (640, 480), (400, 2))
    visible = cv2.perspectiveTransform(ir[None], truth)[0] + rng.normal(0, 0.5, (400, 2))
    visible[:200] = rng.uniform((0, 0), (640, 480), (200, 2))
    halves = [Matches(ir[i::2], visible[i::2], np.ones(200)) for i in (0, 1)]
    agreed = consensus(halves, (640, 480), 3.0)
    assert agreed.homography is not None
    apart = cv2.perspectiveTransform(ir[None], agreed.homography)[0] - visible
    assert np.median(np.linalg.norm(apart[200:], axis=1)) < 1.0
    assert 195 <= support(Matches(ir, visible, np.ones(400)), agreed.homography, 3.0).sum() < 215
    few = Matches(ir[:3], visible[:3], np.ones(3))
    assert consensus([few], (640, 480), 3.0).homography is None
