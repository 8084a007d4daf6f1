"""The pose between two cameras from boards that both see, against the pose that rendered them."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.lens import camera_from
from calibration.pairs import read_pairs
from calibration.parallax import parallax_table
from calibration.report import write_stereo_report
from calibration.rig import calibrate_rig
from calibration.stereo import Stereo, StereoPair, calibrate_stereo
from calibration.targets import Observation, Target
from calibration.targets.charuco import charuco_board
from edge_sdk.alignment import Aligner
from edge_sdk.calibration_file import CameraFile, read_calibration, write_calibration, write_camera
from edge_sdk.errors import CalibrationError, SourceError
from edge_sdk.geometry import apply

from .rendering import THERMAL, VISIBLE, Lens, checkerboard, poses, render, rotation, texture

IR = Lens(320, 256, 385, 384, 158.5, 125.0, (-0.35, 0.15, 0.002, -0.001, 0.0))
VISIBLE_LENS = Lens(400, 300, 430, 431, 203, 146, (0.05, -0.08, 0.001, 0.0005, 0.0))
R = rotation(0.8, -1.2, 0.5)
T = np.array([0.035, -0.003, 0.004])
BOARD = Target(columns=9, rows=6, spacing_m=0.04)
CELLS = np.array([(i, j) for j in range(6) for i in range(9)])


def camera(lens: Lens, name: str):
    values = np.array([lens.fx, lens.fy, lens.cx, lens.cy, *lens.distortion])
    return camera_from(values, "pinhole", (lens.width, lens.height), name)


def pair(name: str, pose: tuple, turned: bool = False, noise_px: float = 0.08) -> StereoPair:
    rng = np.random.default_rng(abs(hash(name)) % 1000)
    points = BOARD.places(CELLS) @ pose[0].T + pose[1]
    ir = IR.project(points) + rng.normal(0, noise_px, (54, 2))
    visible = VISIBLE_LENS.project(points @ R.T + T) + rng.normal(0, noise_px / 2, (54, 2))
    cells = CELLS.max(0) - CELLS if turned else CELLS
    return StereoPair(
        name,
        Observation(name, (320, 256), ir, CELLS, True, "synthetic"),
        Observation(name, (400, 300), visible, cells, True, "synthetic"),
    )


VIEWS = poses(12, IR, (0.16, 0.1), (0.45, 0.7), seed=3)


def pose_error(stereo: Stereo) -> tuple[float, float]:
    """Degrees and millimetres."""
    turn = stereo.solution.rotation @ R.T
    angle = np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1)))
    return float(angle), float(1000 * np.linalg.norm(stereo.solution.translation_m - T))


def solve(pairs: list[StereoPair], **kwargs) -> Stereo:
    return calibrate_stereo(pairs, BOARD, camera(IR, "ir"), camera(VISIBLE_LENS, "v"), **kwargs)


def test_pose_and_its_deviation() -> None:
    stereo = solve([pair(str(k), p, turned=k % 3 == 0) for k, p in enumerate(VIEWS)])
    degrees, millimetres = pose_error(stereo)
    assert degrees < 0.05 and millimetres < 0.5
    off = stereo.solution.translation_m - T
    assert (np.abs(off) < 5 * stereo.solution.deviations[3:]).all()
    assert stereo.calibration.registration.extrinsics is not None
    assert not stereo.warnings


def test_homography_aligns_the_plane_it_is_for(tmp_path: Path) -> None:
    stereo = solve([pair(str(k), p) for k, p in enumerate(VIEWS)], distance_m=2.0)
    write_calibration(stereo.calibration, tmp_path / "c.yaml")
    calibration = read_calibration(tmp_path / "c.yaml")
    assert calibration.registration.distance_m == 2.0
    point = np.array([[0.2, -0.1, 2.0]])
    there = point @ R.T + T
    ir = apply(camera(IR, "i").matrix, point[:, :2] / point[:, 2:])
    visible = apply(camera(VISIBLE_LENS, "v").matrix, there[:, :2] / there[:, 2:])
    assert np.linalg.norm(apply(calibration.registration.matrix, ir) - visible) < 0.3
    Aligner(calibration, (320, 256), (400, 300), (400, 300))  # the robot can use it
    # Parallax in closed form: fx b (1 / z - 1 / 2) along x, for small turns.
    rows = {row.distance_m: row.centre_px for row in parallax_table(calibration, (1.0, 2.0, 8.0))}
    assert rows[2.0] < 1e-6
    for z in (1.0, 8.0):
        expected = 430 * np.hypot(T[0], T[1]) * abs(1 / z - 1 / 2)
        assert rows[z] == pytest.approx(expected, rel=0.1)


def test_one_pair_gives_a_homography_and_no_pose() -> None:
    stereo = solve([pair("a", VIEWS[0])])
    assert stereo.calibration.registration.extrinsics is None
    assert any("only 1 pair" in w for w in stereo.warnings)
    assert stereo.report()["plane_fit_px"] < 0.3
    with pytest.raises(CalibrationError, match="needs the cameras' pose"):
        solve([pair("a", VIEWS[0])], distance_m=3.0)


def test_a_pair_that_was_not_simultaneous_is_rejected() -> None:
    pairs = [pair(str(k), p) for k, p in enumerate(VIEWS)]
    moved = pairs[5]
    pairs[5] = replace(moved, visible=replace(moved.visible, pixels=moved.visible.pixels + 6.0))
    stereo = solve(pairs)
    assert [r.name for r in stereo.rejections] == ["5"]
    assert "did the board move" in stereo.rejections[0].reason
    assert pose_error(stereo)[1] < 0.5


def test_a_board_in_part_has_no_names_unless_coded() -> None:
    seen = pair("a", VIEWS[0])
    some = replace(seen.ir, complete=False, cells=CELLS[9:], pixels=seen.ir.pixels[9:])
    with pytest.raises(CalibrationError, match="in part"):
        solve([replace(seen, ir=some)])
    coded = [
        replace(
            p,
            ir=replace(p.ir, coded=True, complete=False, cells=CELLS[9:], pixels=p.ir.pixels[9:]),
            visible=replace(p.visible, coded=True),
        )
        for p in (pair(str(k), v) for k, v in enumerate(VIEWS[:6]))
    ]
    assert pose_error(solve(coded))[1] < 1.0


def test_refusals() -> None:
    with pytest.raises(CalibrationError, match="--square-mm"):
        calibrate_stereo(
            [pair("a", VIEWS[0])],
            Target(columns=9, rows=6),
            camera(IR, "ir"),
            camera(VISIBLE_LENS, "v"),
        )
    with pytest.raises(CalibrationError, match="320x256"):
        calibrate_stereo(
            [pair("a", VIEWS[0])], BOARD, camera(VISIBLE_LENS, "v"), camera(VISIBLE_LENS, "v")
        )
    with pytest.raises(CalibrationError, match="no pair"):
        solve([])


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> Path:
    """Rendered pairs of both cameras, thermal and visible, in two folders."""
    folder = tmp_path_factory.mktemp("pairs")
    pattern = checkerboard(9, 6, 0.04)
    for name in ("ir", "visible"):
        (folder / name).mkdir()
    views = poses(14, IR, (0.16, 0.1), (0.55, 0.8), seed=8, width=0.44)
    for k, (r, t) in enumerate(views):
        ir = render(IR, pattern, (r, t), THERMAL, seed=k)
        cv2.imwrite(str(folder / "ir" / f"ir_{k:03d}.png"), ir)
    for k, (r, t) in enumerate(views):
        there = (R @ r, R @ t + T)
        visible = render(VISIBLE_LENS, pattern, there, VISIBLE, seed=k)
        cv2.imwrite(str(folder / "visible" / f"rgb_{k:03d}.png"), visible)
    return folder


def test_rendered_pairs_from_nothing(folders: Path, tmp_path: Path) -> None:
    """Lenses and pose from pictures alone: the board's size is found out as well."""
    pairs = read_pairs(str(folders / "ir"), str(folders / "visible"))
    stereo, pictures, lenses = calibrate_rig(pairs, Target(spacing_m=0.04))
    assert stereo.target.size == (9, 6)
    degrees, millimetres = pose_error(stereo)
    assert degrees < 0.2 and millimetres < 2.0
    assert abs(lenses[0].camera.K.fx / IR.fx - 1) < 0.005
    assert abs(lenses[1].camera.K.fx / VISIBLE_LENS.fx - 1) < 0.005
    write_stereo_report(stereo, pictures, tmp_path / "page.html", lenses)
    page = (tmp_path / "page.html").read_text()
    assert page.count("data:image/png;base64,") >= 12
    for text in ("Parallax", "Chessboard", "Uncertainty", "shift x, y, z", "Corners in each part"):
        assert text in page
    assert 'src="http' not in page and "<script" not in page


@pytest.mark.slow
def test_charuco_boards_that_stick_out_of_both_pictures(tmp_path: Path) -> None:
    """The corners that both cameras see are enough: their markers name them."""
    target = Target("charuco", 7, 5, 0.04, 0.03)
    pattern = texture(charuco_board(target).generateImage((1400, 1000), marginSize=0), 0.28)
    lenses = {}
    for name, lens in (("ir", IR), ("visible", VISIBLE_LENS)):
        lenses[name] = tmp_path / f"{name}.yaml"
        write_camera(CameraFile(date=dt.date.today(), camera=camera(lens, name)), lenses[name])
    views = poses(8, IR, (0.14, 0.1), (1.0, 1.3), tilt_deg=25, seed=5, width=0.28)
    pairs = [
        (
            f"{k}.png",
            render(IR, pattern, (r, t), replace(VISIBLE, blur_px=0.8), seed=k),
            render(VISIBLE_LENS, pattern, (R @ r, R @ t + T), VISIBLE, seed=k),
        )
        for k, (r, t) in enumerate(views)
    ]
    stereo, _, _ = calibrate_rig(pairs, target, lenses["ir"], lenses["visible"])
    counts = [len(p.ir) for p in stereo.pairs]
    assert len(counts) >= 6 and min(counts) >= 6 and min(counts) < 24  # of 6 x 4
    degrees, millimetres = pose_error(stereo)
    assert degrees < 0.2 and millimetres < 2.0


def test_pairs_by_name_number_and_order(folders: Path, tmp_path: Path) -> None:
    names = [item[0] for item in read_pairs(str(folders / "ir"), str(folders / "visible"), 4)]
    assert names == ["ir_000.png", "ir_004.png", "ir_009.png", "ir_013.png"]
    one = list(read_pairs(str(folders / "ir" / "ir_000.png"), str(folders / "visible/rgb_003.png")))
    assert len(one) == 1
    with pytest.raises(SourceError, match="do not belong together"):
        (tmp_path / "x.png").write_bytes((folders / "ir" / "ir_000.png").read_bytes())
        (tmp_path / "y.png").write_bytes((folders / "ir" / "ir_000.png").read_bytes())
        list(read_pairs(str(folders / "ir"), str(tmp_path)))
    with pytest.raises(SourceError, match="no such file"):
        list(read_pairs(str(tmp_path / "none"), str(tmp_path)))
