from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import pytest

from edge_sdk.alignment import Aligner
from edge_sdk.calibration_file import Calibration, CameraCalibration, build_calibration
from edge_sdk.errors import CalibrationError

Array = Any  # images, points and matrices
NO_LENS = {"pinhole": [0.0] * 5, "fisheye": [0.0] * 4}
BOARD_LENS = [-0.50404, 0.26894, 0.00345, -0.00075, 0.0]  # a real thermal camera


def camera(
    size: tuple[int, int], focal: float, lens: list[float] | None = None, model: str = "pinhole"
) -> dict[str, Any]:
    return {
        "name": "test",
        "width": size[0],
        "height": size[1],
        "model": model,
        "K": {"fx": focal, "fy": focal * 1.01, "cx": size[0] / 2 + 3, "cy": size[1] / 2 - 2},
        "distortion": lens or NO_LENS[model],
    }


def make(*args: Any, **options: Any) -> Any:
    """An ``Aligner``, untyped, so that results need no check for None."""
    return Aligner(*args, **options)


def calibration(
    ir: dict[str, Any],
    visible: dict[str, Any],
    homography: Any = None,
    extrinsics: dict[str, Any] | None = None,
) -> Calibration:
    registration: dict[str, Any] = {"homography": np.eye(3) if homography is None else homography}
    if extrinsics:
        registration["extrinsics"] = extrinsics
    return build_calibration(
        {
            "date": dt.date(2025, 1, 1),
            "cameras": {"ir": ir, "visible": visible},
            "registration": registration,
        }
    )


def distort(lens: CameraCalibration, points: Array) -> Array:
    """Undistorted to raw pixels of (N, 2) points, by OpenCV."""
    rays = (np.column_stack([points, np.ones(len(points))]) @ np.linalg.inv(lens.matrix).T)[:, None]
    project = cv2.fisheye.projectPoints if lens.model == "fisheye" else cv2.projectPoints
    zero = np.zeros(3)
    return project(rays, zero, zero, lens.matrix, lens.coefficients)[0].reshape(-1, 2)


def undistort(lens: CameraCalibration, raw: Array) -> Array:
    """Raw to undistorted pixels, by fixed-point iteration on OpenCV's forward model."""
    points, off = raw.copy(), np.full(2, np.inf)
    for _ in range(60):
        if np.abs(off).max() < 1e-3:
            return points
        off = distort(lens, points) - raw
        points -= off
    raise AssertionError("the iteration does not converge")


@lru_cache
def _undistorted_pixels(lens: str) -> Array:
    camera = CameraCalibration.model_validate_json(lens)
    return undistort(camera, pixels(camera.size))


def through(homography: Array, points: Array) -> Array:
    return cv2.perspectiveTransform(points[:, None], np.asarray(homography))[:, 0]


def pixels(size: tuple[int, int]) -> Array:
    x, y = np.meshgrid(np.arange(size[0], dtype=float), np.arange(size[1], dtype=float))
    return np.column_stack([x.ravel(), y.ravel()])


def scene(points: Array, wave: float = 90.0) -> Array:
    """A smooth picture, 30 to 220, of undistorted full-resolution visible pixels."""
    x, y = points[:, 0] / wave, points[:, 1] / wave
    return 125 + 60 * np.sin(x + 0.3 * y) + 35 * np.cos(1.3 * y - 0.5 * x)


def photograph(lens: CameraCalibration, look: Callable[[Array], Array], dtype: Any) -> Any:
    """The raw image that a camera takes: ``look`` maps its undistorted pixels to grey levels."""
    values = look(_undistorted_pixels(lens.model_dump_json()))
    return np.rint(values.reshape(lens.height, lens.width)).astype(dtype)


H = np.array([[1.22, 0.03, 8.0], [-0.02, 1.2, -6.0], [2e-5, -1e-5, 1.0]])
LENSES = {
    "none": (camera((320, 256), 400), camera((400, 300), 420)),
    "radial-tangential": (
        camera((320, 256), 384, BOARD_LENS),
        camera((400, 300), 420, [-0.28, 0.1, -0.001, 0.002, -0.01]),
    ),
    "fisheye": (
        camera((320, 256), 300, [0.02, -0.01, 0.004, -0.001], "fisheye"),
        camera((400, 300), 330, [-0.03, 0.01, -0.002, 0.0], "fisheye"),
    ),
}


@pytest.mark.parametrize("lenses", LENSES)
def test_both_cameras_show_the_scene_in_one_grid(lenses: str) -> None:
    rig = calibration(*LENSES[lenses], H)
    ir, visible = rig.cameras.ir, rig.cameras.visible
    ir_raw = photograph(ir, lambda p: 40 * scene(through(H, p)), np.uint16)
    grey = photograph(visible, scene, np.uint8)
    visible_raw = np.stack([grey, 255 - grey, grey // 2], axis=-1)

    aligner = make(rig, ir.size, visible.size, output_size=(320, 240))
    ir_out, visible_out = aligner.align(ir_raw, visible_raw)

    full = through(np.linalg.inv(aligner.visible_to_output), pixels((320, 240)))
    truth = scene(full).reshape(240, 320)
    inside = np.zeros((240, 320), bool)
    inside[20:-20, 20:-20] = True
    assert aligner.valid_mask[inside].mean() > 0.9
    assert visible_out.dtype == np.uint8 and visible_out.shape == (240, 320, 3)
    assert ir_out.dtype == np.uint16 and ir_out.shape == (240, 320)
    assert np.abs(visible_out[..., 0] - truth)[inside].max() <= 1.1
    assert np.abs(visible_out[..., 1] - (255 - truth))[inside].max() <= 1.1
    seen = cv2.erode(aligner.valid_mask.astype(np.uint8), np.ones((3, 3))) > 0
    assert np.abs(ir_out / 40 - truth)[inside & seen].max() <= 1.0
    assert not ir_out[~aligner.valid_mask].any()


def test_eight_bit_infrared_and_grey_visible() -> None:
    rig = calibration(*LENSES["none"], H)
    ir, visible = rig.cameras.ir, rig.cameras.visible
    ir_raw = photograph(ir, lambda p: scene(through(H, p)), np.uint8)
    ir_out, visible_out = make(rig, ir.size, visible.size, (400, 300)).align(
        ir_raw, photograph(visible, scene, np.uint8)
    )
    assert ir_out.dtype == visible_out.dtype == np.uint8
    assert visible_out.shape == (300, 400)
    difference = ir_out.astype(int) - visible_out
    assert np.abs(difference[30:-30, 40:-40]).max() <= 2


def test_valid_mask_is_where_infrared_pixels_land() -> None:
    shifted = np.array([[0.9, 0, 60.0], [0, 0.9, 40.0], [0, 0, 1]])
    rig = calibration(camera((320, 256), 400), camera((400, 300), 420), shifted)
    mask = make(rig, (320, 256), (400, 300), (400, 300)).valid_mask
    # Outer edges of the infrared picture, x = -0.5 and 319.5, land at 59.55 and 347.55.
    rows, columns = np.nonzero(mask)
    assert (columns.min(), columns.max()) == (60, 347)
    assert (rows.min(), rows.max()) == (40, 269)
    assert mask.sum() == (347 - 60 + 1) * (269 - 40 + 1)


def test_corners_land_within_a_tenth_of_a_pixel() -> None:
    rig = calibration(*LENSES["radial-tangential"], H)
    ir, visible = rig.cameras.ir, rig.cameras.visible
    corners = np.array([[40.0, 40.0], [280.0, 40.0], [280.0, 210.0], [40.0, 210.0]])
    aligner = make(rig, ir.size, visible.size, (400, 300))
    wanted = through(aligner.visible_to_output @ H, undistort(ir, corners))
    assert wanted.min() > 8 and (wanted < [392, 292]).all()
    grid = pixels(ir.size)
    for corner, place in zip(corners, wanted, strict=True):
        blob = 60000 * np.exp(-((grid - corner) ** 2).sum(axis=1) / (2 * 2.0**2))
        out, _ = aligner.align(blob.reshape(256, 320).astype(np.uint16), None)
        weights = out.astype(float) / out.sum()
        found = [(weights.sum(axis=0) * np.arange(400)).sum()]
        found.append((weights.sum(axis=1) * np.arange(300)).sum())
        assert np.hypot(*(np.array(found) - place)) < 0.1


def test_nothing_is_seen_twice_beyond_the_turning_point_of_the_lens() -> None:
    # r (1 - 0.5 r^2) grows up to r = 0.816; a point at r = 1.2 would land where one at 0.36 does.
    narrow = camera((320, 240), 300, [-0.5, 0, 0, 0, 0])
    rig = calibration(narrow, camera((1200, 900), 300), [[1, 0, 440], [0, 1, 330], [0, 0, 1]])
    aligner = make(rig, (320, 240), (1200, 900), (1200, 900))
    ir = rig.cameras.ir
    output = pixels((1200, 900)).reshape(900, 1200, 2) - [440, 330]
    k = ir.matrix
    r = np.hypot((output[..., 0] - k[0, 2]) / k[0, 0], (output[..., 1] - k[1, 2]) / k[1, 1])
    assert aligner.valid_mask.any()
    assert not aligner.valid_mask[r > math.sqrt(2 / 3)].any()
    out, _ = aligner.align(np.full((240, 320), 200, np.uint8), None)
    assert not out[r > math.sqrt(2 / 3) + 0.01].any()


def test_registered_cameras_of_the_output_size_pass_untouched() -> None:
    aligner = make(None, (640, 480), (640, 480))
    ir = np.random.default_rng(0).integers(0, 65536, (480, 640), dtype=np.uint16)
    visible = np.zeros((480, 640, 3), np.uint8)
    ir_out, visible_out = aligner.align(ir, visible)
    assert aligner.identity and ir_out is ir and visible_out is visible
    assert aligner.valid_mask.all()


def test_a_calibration_that_changes_nothing_passes_untouched() -> None:
    lens = camera((640, 480), 500)
    assert make(calibration(lens, lens), (640, 480), (640, 480)).identity


def smooth(size: tuple[int, int]) -> Array:
    """A picture of the unit square, sampled at pixel centres."""
    x, y = ((pixels(size) + 0.5) / size).T
    value = 128 + 70 * np.sin(5 * x + 2 * y) + 40 * np.cos(6 * y)
    return np.rint(value).reshape(size[::-1]).astype(np.uint8)


@pytest.mark.parametrize(
    ("ir_size", "visible_size"),
    [
        ((320, 240), (1280, 960)),
        ((640, 480), (800, 600)),
        ((1024, 768), (640, 480)),
        ((384, 288), (1283, 962)),
    ],
)
def test_registered_cameras_of_other_sizes_are_scaled(
    ir_size: tuple[int, int], visible_size: tuple[int, int]
) -> None:
    aligner = make(None, ir_size, visible_size)
    ir, visible = aligner.align(smooth(ir_size), smooth(visible_size))
    truth = smooth((640, 480)).astype(int)
    assert aligner.valid_mask.all()
    assert np.abs(ir - truth)[4:-4, 4:-4].max() <= 2
    assert np.abs(visible - truth)[4:-4, 4:-4].max() <= 2


def test_another_shape_of_both_is_cut_not_stretched() -> None:
    size = (640, 512)
    aligner = make(None, size, size, (320, 240))
    ir, visible = aligner.align(smooth(size), smooth(size))
    np.testing.assert_array_equal(ir, visible)
    truth = cv2.resize(
        smooth(size)[16:-16].astype(np.float32), (320, 240), None, 0, 0, cv2.INTER_AREA
    )
    assert np.abs(ir - truth)[2:-2, 2:-2].max() <= 1


def test_cameras_of_different_shape_need_a_calibration() -> None:
    with pytest.raises(CalibrationError, match=r"640x512.*1920x1080.*calibrat"):
        make(None, (640, 512), (1920, 1080))


def test_calibration_for_another_resolution_is_refused() -> None:
    rig = calibration(*LENSES["none"], H)
    with pytest.raises(CalibrationError, match=r"cameras\.ir.*320x256.*640x512"):
        make(rig, (640, 512), (400, 300))
    with pytest.raises(CalibrationError, match=r"cameras\.visible.*400x300.*800x600"):
        make(rig, (320, 256), (800, 600))


def test_a_registration_that_misses_the_picture_is_refused() -> None:
    away = calibration(*LENSES["none"], [[1, 0, 5000], [0, 1, 0], [0, 0, 1]])
    with pytest.raises(CalibrationError, match="outside"):
        make(away, (320, 256), (400, 300))


@pytest.mark.parametrize(
    ("ir", "visible", "named"),
    [
        (np.zeros((256, 321), np.uint8), None, "ir images of 320x256.*256, 321"),
        (np.zeros((256, 320), np.float32), None, "uint8 or uint16.*float32"),
        (np.zeros((256, 320, 3), np.uint8), None, "256, 320, 3"),
        (None, np.zeros((300, 400, 3), np.uint16), "visible images of 400x300.*uint16"),
        (None, np.zeros((300, 400, 4), np.uint8), "300, 400, 4"),
    ],
)
def test_wrong_images_are_refused(ir: Any, visible: Any, named: str) -> None:
    aligner = make(calibration(*LENSES["none"], H), (320, 256), (400, 300))
    with pytest.raises(CalibrationError, match=named):
        aligner.align(ir, visible)


@pytest.mark.parametrize("calibrated", [True, False])
@pytest.mark.parametrize("size", [(1920, 1080), (1280, 960), (3840, 2160), (1921, 1083)])
def test_a_fine_checkerboard_becomes_grey(size: tuple[int, int], calibrated: bool) -> None:
    rows, columns = np.indices(size[::-1])
    board = (255 * ((rows + columns) % 2)).astype(np.uint8)
    if calibrated:
        lens = camera(size, size[0] * 0.8, [-0.05, 0.01, 0.001, 0, 0])
        aligner = make(calibration(lens, lens), size, size)
    else:
        aligner = make(None, size, size)
    ir, visible = aligner.align(board, np.dstack([board] * 3))
    inside = (slice(8, -8), slice(8, -8))
    assert np.abs(visible[inside].astype(int) - 127).max() <= 2
    assert np.abs(ir[inside].astype(int) - 127).max() <= 2
    # What bilinear interpolation alone does to it (where the sizes do not happen to divide evenly).
    bilinear = cv2.resize(board, (641, 481), interpolation=cv2.INTER_LINEAR)
    assert np.abs(bilinear[inside].astype(int) - 127).max() > 60


def test_results_are_fresh_arrays_unless_given() -> None:
    rig = calibration(*LENSES["none"], H)
    aligner = make(rig, (320, 256), (400, 300), (320, 240))
    ir = photograph(rig.cameras.ir, scene, np.uint16)
    visible = np.dstack([photograph(rig.cameras.visible, scene, np.uint8)] * 3)
    first = aligner.align(ir, visible)
    kept = first[0].copy(), first[1].copy()
    aligner.align(ir[::-1], visible[::-1])
    np.testing.assert_array_equal(first[0], kept[0])
    np.testing.assert_array_equal(first[1], kept[1])

    out = np.zeros((240, 320), np.uint16), np.zeros((240, 320, 3), np.uint8)
    aligner.align(ir, visible, out=out)
    np.testing.assert_array_equal(out[0], kept[0])
    np.testing.assert_array_equal(out[1], kept[1])
    with pytest.raises(CalibrationError, match=r"out for ir .*\(240, 320\)"):
        aligner.align(ir, visible, out=(out[0][:100], out[1]))


@pytest.mark.parametrize("size", [(640, 480), (1280, 960)])
def test_out_is_filled_where_no_table_is_needed(size: tuple[int, int]) -> None:
    aligner = make(None, size, size)
    image = smooth(size)
    out = np.zeros((480, 640), np.uint8), np.zeros((480, 640), np.uint8)
    aligner.align(image, image, out=out)
    expected, _ = aligner.align(image, image)
    np.testing.assert_array_equal(out[0], expected)
    np.testing.assert_array_equal(out[1], expected)


def test_one_camera_alone() -> None:
    aligner = make(None, (320, 240), (320, 240))
    ir, visible = aligner.align(np.zeros((240, 320), np.uint8), None)
    assert ir.shape == (480, 640) and visible is None
    assert aligner.align(None, None) == (None, None)
