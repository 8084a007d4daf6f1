"""Targets in rendered pictures, against where they truly are."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from calibration.targets import Observation, Target, find_target, find_targets, parse_board
from edge_sdk.errors import CalibrationError, ConfigError

from .rendering import (
    THERMAL,
    VISIBLE,
    Lens,
    Look,
    checkerboard,
    circles,
    poses,
    render,
    rotation,
    texture,
)

LENS = Lens(320, 256, 385, 384, 158.5, 125.0, (-0.35, 0.15, 0.002, -0.001, 0.0))
SQUARE = 0.04
BOARD = checkerboard(9, 6, SQUARE)
POSE = (rotation(20, -25, 8), np.array([-0.15, -0.11, 0.62]))


def truth(pose: tuple, columns: int, rows: int, square: float = SQUARE) -> np.ndarray:
    i, j = np.meshgrid(np.arange(columns), np.arange(rows))
    points = np.column_stack([i.ravel(), j.ravel(), np.zeros(i.size)]) * square
    return LENS.project(points @ pose[0].T + pose[1])


def errors(observation: Observation | str, places: np.ndarray) -> np.ndarray:
    """Distance of each found point to the nearest true one."""
    assert isinstance(observation, Observation), observation
    return np.linalg.norm(observation.pixels[:, None] - places[None], axis=2).min(1)


@pytest.mark.parametrize(
    ("look", "limit_px"),
    [(VISIBLE, 0.05), (THERMAL, 0.15), (Look(118, 128, 120, 60, 1.3, 1.0), 0.15)],
    ids=["visible", "thermal, inverted", "ten grey levels on a slope"],
)
def test_corners_lie_where_they_are(look: Look, limit_px: float) -> None:
    picture = render(LENS, BOARD, POSE, look)
    for target in (Target(columns=9, rows=6), Target()):
        found = find_target(picture, target)
        off = errors(found, truth(POSE, 9, 6))
        assert len(off) == 54 and found.complete
        assert np.sqrt((off**2).mean()) < limit_px
        assert np.unique(found.cells, axis=0).shape == (54, 2)


def test_fit_is_better_than_the_usual_refinement() -> None:
    picture = render(LENS, BOARD, POSE, THERMAL)
    places = truth(POSE, 9, 6)
    usual = cv2.cornerSubPix(
        picture,
        (places + 0.4).astype(np.float32).reshape(-1, 1, 2),
        (6, 6),
        (-1, -1),
        (3, 50, 1e-4),
    ).reshape(-1, 2)
    rms_usual = np.sqrt(((usual - places) ** 2).sum(1).mean())
    off = errors(find_target(picture, Target(columns=9, rows=6)), places)
    assert np.sqrt((off**2).mean()) < 0.6 * rms_usual


def test_edges_are_as_wide_as_the_blur() -> None:
    # A step blurred by a Gaussian: contrast by slope is sigma sqrt(2 pi). The pixels blur as well,
    # like a box of width 1 (variance 1/12), and so does the chord over which slope is taken.
    for blur in (1.5, 2.5):
        found = find_target(render(LENS, BOARD, POSE, replace(VISIBLE, blur_px=blur)), Target())
        assert isinstance(found, Observation)
        expected = np.sqrt(blur**2 + 1 / 12) * np.sqrt(2 * np.pi)
        assert 0.9 * expected < found.edge_px < 1.5 * expected


def test_a_board_with_a_code_in_its_middle_and_cut_by_the_edge() -> None:
    pattern = checkerboard(11, 9, 0.03, hole=(3, 2, 7, 6))
    pose = (rotation(-15, 20, 25), np.array([-0.05, -0.16, 0.52]))
    found = find_target(render(LENS, pattern, pose, THERMAL), Target())
    places = truth(pose, 11, 9, 0.03)
    off = errors(found, places)
    inside = ((places > 3) & (places < [316, 252])).all(1)
    assert inside.sum() < 95  # a part of the board is outside of the picture
    assert len(off) > 0.6 * inside.sum() and off.max() < 0.6
    # Cells and places must fit each other: one homography maps them (but for the lens).
    lens_free = cv2.undistortPoints(
        found.pixels.reshape(-1, 1, 2), LENS.matrix, np.array(LENS.distortion)
    ).reshape(-1, 2)
    h, _ = cv2.findHomography(found.cells.astype(float), lens_free)
    seen = cv2.perspectiveTransform(found.cells.astype(float).reshape(-1, 1, 2), h).reshape(-1, 2)
    assert np.abs(seen - lens_free).max() * LENS.fx < 0.6


def test_nothing_is_found_where_nothing_is() -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(120, 30, (256, 320)).clip(0, 255).astype(np.uint8)
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    stretched = cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX)
    for picture in (noise, stretched, np.full((256, 320), 90, np.uint8)):
        assert isinstance(find_target(picture, Target()), str)


def test_sixteen_bit_and_colour() -> None:
    picture = render(LENS, BOARD, POSE, THERMAL)
    deep = (picture.astype(np.uint16) * 13 + 21000).astype(np.uint16)
    colour = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
    for form in (deep, colour):
        assert errors(find_target(form, Target(columns=9, rows=6)), truth(POSE, 9, 6)).max() < 0.6


@pytest.mark.parametrize("kind", ["asymmetric-circles", "circles"])
@pytest.mark.parametrize("inverted", [False, True])
def test_circles(kind: str, inverted: bool) -> None:
    asymmetric = kind == "asymmetric-circles"
    spacing = 0.03
    columns, rows = (4, 9) if asymmetric else (7, 6)
    pattern = circles(columns, rows, spacing, asymmetric)
    pose = (rotation(12, -15, 5), np.array([-0.10, -0.11, 0.62]))
    picture = render(LENS, pattern, pose, replace(THERMAL, inverted=inverted, noise=1.5))
    target = Target(kind=kind, columns=columns, rows=rows, spacing_m=spacing)
    found = find_target(picture, target)
    assert isinstance(found, Observation), found
    places = LENS.project(target.places(found.cells) @ pose[0].T + pose[1])
    assert np.linalg.norm(found.pixels - places, axis=1).max() < 0.5


@pytest.mark.parametrize("inverted", [False, True])
def test_charuco_in_part(inverted: bool) -> None:
    target = Target("charuco", 7, 5, 0.04, 0.03)
    from calibration.targets.charuco import charuco_board

    picture = charuco_board(target).generateImage((1400, 1000), marginSize=0)
    pose = (rotation(10, -18, 4), np.array([0.0, -0.09, 0.42]))  # cut at the right
    seen = render(LENS, texture(picture, 0.28), pose, replace(VISIBLE, inverted=inverted))
    found = find_target(seen, target)
    assert isinstance(found, Observation), found
    assert found.coded and not found.complete and len(found) >= 10
    # Corner (0, 0) is one square from the board's corner.
    board = target.places(found.cells) + np.array([0.04, 0.04, 0])
    places = LENS.project(board @ pose[0].T + pose[1])
    assert np.linalg.norm(found.pixels - places, axis=1).max() < 0.6


def test_size_is_found_out_and_other_boards_are_rejected() -> None:
    views = [
        (f"{k}.png", render(LENS, BOARD, pose, seed=k))
        for k, pose in enumerate(poses(4, LENS, (0.16, 0.10), (0.5, 0.7), 25, seed=4))
    ]
    other = render(LENS, checkerboard(10, 7, 0.03), POSE)
    small = render(LENS, BOARD, POSE)[:200]
    findings = find_targets([*views, ("other.png", other), ("small.png", small)], Target())
    assert findings.target.size == (9, 6)
    reasons = {r.name: r.reason for r in findings.rejections}
    assert "10x7" in reasons["other.png"]
    assert "320x200" in reasons["small.png"]
    assert [o.name for o in findings.observations] == [name for name, _ in views]


def test_a_wrong_size_says_what_was_found() -> None:
    picture = render(LENS, BOARD, POSE)
    with pytest.raises(CalibrationError, match=r"9x6 inner corners.*--board 9x6"):
        find_targets([("a.png", picture)], Target(columns=5, rows=4))
    with pytest.raises(CalibrationError, match="no board found"):
        find_targets([("a.png", np.full((100, 100), 9, np.uint8))], Target(columns=5, rows=4))
    with pytest.raises(CalibrationError, match="no pictures"):
        find_targets([], Target())


@pytest.mark.parametrize("text", ["9", "9x", "x6", "9by6", "-9x6", "9x6x2", ""])
def test_board_option(text: str) -> None:
    assert parse_board("9x6") == parse_board(" 9 X 6 ") == (9, 6)
    with pytest.raises(ConfigError, match="COLUMNSxROWS"):
        parse_board(text)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"kind": "stars"}, "must be one of"),
        ({"kind": "circles"}, "--board"),
        ({"columns": 9, "rows": 1}, "2 to 200"),
        ({"spacing_m": -1.0}, "above 0"),
        ({"columns": 9}, "columns and rows"),
    ],
)
def test_impossible_targets(wrong: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Target(**wrong)


def test_impossible_charuco_boards() -> None:
    from calibration.targets.charuco import charuco_board

    with pytest.raises(ConfigError, match="DICT_4X4_50"):
        charuco_board(Target("charuco", 7, 5, 0.04, 0.03, dictionary="DICT_NONE"))
    with pytest.raises(ConfigError, match="too large"):
        charuco_board(Target("charuco", 7, 5, 0.03, 0.04))
    with pytest.raises(ConfigError, match="50 markers"):
        charuco_board(Target("charuco", 20, 20, 0.03))
