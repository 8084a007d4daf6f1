"""Files of others: written by hand as those tools write them, read, and written again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from calibration.check import as_calibration, judge
from calibration.formats import Loaded, load, load_camera, save
from calibration.lens import parameters_of, project_rays, rays
from edge_sdk.calibration_file import CameraCalibration, read_calibration, read_camera
from edge_sdk.errors import CalibrationError, ConfigError

ROS = """\
image_width: 640
image_height: 512
camera_name: boson
camera_matrix:
  rows: 3
  cols: 3
  data: [767.9, 0.0, 317.2, 0.0, 767.1, 251.6, 0.0, 0.0, 1.0]
distortion_model: plumb_bob
distortion_coefficients:
  rows: 1
  cols: 5
  data: [-0.31, 0.12, 0.00345, -0.00075, 0.0]
rectification_matrix:
  rows: 3
  cols: 3
  data: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
projection_matrix:
  rows: 3
  cols: 4
  data: [767.9, 0.0, 317.2, 0.0, 0.0, 767.1, 251.6, 0.0, 0.0, 0.0, 1.0, 0.0]
"""
KALIBR = """\
cam0:
  cam_overlaps: [1]
  camera_model: pinhole
  distortion_coeffs: [-0.31, 0.12, 0.00345, -0.00075]
  distortion_model: radtan
  intrinsics: [767.9, 767.1, 317.2, 251.6]
  resolution: [640, 512]
  rostopic: /boson/image_raw
cam1:
  T_cn_cnm1:
  - [0.9998000066665778, 0.0, 0.01999866669333308, 0.035]
  - [0.0, 1.0, 0.0, -0.002]
  - [-0.01999866669333308, 0.0, 0.9998000066665778, 0.004]
  - [0.0, 0.0, 0.0, 1.0]
  cam_overlaps: [0]
  camera_model: pinhole
  distortion_coeffs: [0.01, -0.02, 0.003, -0.004]
  distortion_model: equidistant
  intrinsics: [1400.1, 1400.3, 960.0, 540.5]
  resolution: [1920, 1080]
  rostopic: /hd/image_raw
"""


def put(folder: Path, text: str, name: str = "file.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_ros_is_read(tmp_path: Path) -> None:
    loaded = load(put(tmp_path, ROS))
    camera = loaded.cameras["camera"]
    assert (loaded.kind, camera.name, camera.size) == ("ROS camera_info", "boson", (640, 512))
    assert camera.model == "pinhole"
    assert camera.distortion == [-0.31, 0.12, 0.00345, -0.00075, 0.0]
    assert (camera.K.fx, camera.K.fy, camera.K.cx, camera.K.cy) == (767.9, 767.1, 317.2, 251.6)


def test_ros_round_trip_has_the_same_content(tmp_path: Path) -> None:
    save(load(put(tmp_path, ROS)), tmp_path / "again.yaml", "ros")
    assert yaml.safe_load((tmp_path / "again.yaml").read_text()) == yaml.safe_load(ROS)


def test_kalibr_round_trip_has_the_same_content(tmp_path: Path) -> None:
    loaded = load(put(tmp_path, KALIBR))
    assert [c.model for c in loaded.cameras.values()] == ["pinhole", "fisheye"]
    assert loaded.extrinsics is not None
    # T_cn_cnm1 takes points of cam0 (infrared) into cam1 (visible): our X_v = R X_i + t.
    np.testing.assert_array_equal(loaded.extrinsics.translation_m, [0.035, -0.002, 0.004])
    save(loaded, tmp_path / "again.yaml", "kalibr")
    assert yaml.safe_load((tmp_path / "again.yaml").read_text()) == yaml.safe_load(KALIBR)


def test_kalibr_becomes_a_rigs_calibration(tmp_path: Path) -> None:
    loaded = as_calibration(load(put(tmp_path, KALIBR)), 5.0)
    save(loaded, tmp_path / "rig.yaml")
    rig = read_calibration(tmp_path / "rig.yaml")
    pose = rig.registration.extrinsics
    assert pose is not None and rig.registration.distance_m == 5.0
    # A point of the plane at 5 m, through both cameras by hand.
    point = np.array([0.7, -0.4, 5.0])
    ir = rig.cameras.ir.matrix @ point
    visible = rig.cameras.visible.matrix @ (pose.rotation @ point + pose.translation_m)
    mapped = rig.registration.matrix @ (ir / ir[2])
    np.testing.assert_allclose(mapped[:2] / mapped[2], visible[:2] / visible[2], atol=1e-9)


def test_one_camera_of_two(tmp_path: Path) -> None:
    path = put(tmp_path, KALIBR)
    save(load(path), tmp_path / "v.yaml", "ros", which="visible")
    assert load(tmp_path / "v.yaml").cameras["camera"].model == "fisheye"
    save(load(path), tmp_path / "own.yaml", which="ir")
    assert read_camera(tmp_path / "own.yaml").camera.width == 640
    with pytest.raises(ConfigError, match="--which"):
        save(load(path), tmp_path / "x.yaml", "ros")
    with pytest.raises(ConfigError, match="has ir, visible"):
        save(load(path), tmp_path / "x.yaml", "ros", which="left")
    with pytest.raises(ConfigError, match="one of edge-sdk, ros, kalibr"):
        save(load(path), tmp_path / "x.yaml", "opencv")
    with pytest.raises(CalibrationError, match="cannot be written"):
        save(load(path), tmp_path / "no" / "x.yaml", "kalibr")


def camera(k3: float, k1: float = -0.1) -> CameraCalibration:
    return CameraCalibration.model_validate(
        {
            "name": "c",
            "width": 640,
            "height": 480,
            "model": "pinhole",
            "K": {"fx": 600.0, "fy": 600.0, "cx": 319.5, "cy": 239.5},
            "distortion": [k1, 0.02, 0.0, 0.0, k3],
        }
    )


def test_kalibr_without_k3_is_the_same_lens_or_refused(tmp_path: Path) -> None:
    save(Loaded("x", {"camera": camera(0.01)}), tmp_path / "k.yaml", "kalibr")
    again = load(tmp_path / "k.yaml").cameras["camera"]
    assert again.distortion[4] == 0
    pixels = np.array([[0.0, 0], [639, 479], [320, 0], [100, 200]])
    directions, good = rays("pinhole", parameters_of(camera(0.01)), pixels)
    points = np.column_stack([directions, np.ones(4)])
    seen = project_rays("pinhole", parameters_of(again), points)[0]
    assert good.all() and np.abs(seen - pixels).max() < 0.1
    with pytest.raises(CalibrationError, match=r"lacks: without it pixels are off by up to"):
        save(Loaded("x", {"camera": camera(-0.9)}), tmp_path / "k.yaml", "kalibr")


@pytest.mark.parametrize(
    ("text", "old", "new", "message"),
    [
        (ROS, "plumb_bob", "rational_polynomial", "list of 8 or 12 or 14"),
        (
            ROS,
            "plumb_bob\ndistortion_coefficients:\n  rows: 1\n  cols: 5\n"
            "  data: [-0.31, 0.12, 0.00345, -0.00075, 0.0]",
            "rational_polynomial\ndistortion_coefficients:\n  rows: 1\n  cols: 8\n"
            "  data: [-0.31, 0.12, 0.00345, -0.00075, 0.0, 0.2, 0, 0]",
            "k4 to k6",
        ),
        (ROS, "plumb_bob", "thin_prism", "must be plumb_bob, equidistant"),
        (ROS, "image_width: 640", "image_width: wide", "whole number"),
        (ROS, "[767.9, 0.0,", "[767.9, 3.0,", "skew"),
        (ROS, "[767.9, 0.0,", "[-767.9, 0.0,", "no camera matrix"),
        (ROS, "-0.00075, 0.0]", "-0.00075, .nan]", "finite"),
        (KALIBR, "camera_model: pinhole", "camera_model: omni", "must be pinhole, found 'omni'"),
        (KALIBR, "radtan", "fov", "radtan, equidistant or none"),
        (KALIBR, "  resolution: [640, 512]\n", "", "resolution is missing"),
        (KALIBR, "- [0.0, 1.0, 0.0, -0.002]", "- [0.0, 2.0, 0.0, -0.002]", "rotation"),
        (KALIBR, "- [0.0, 0.0, 0.0, 1.0]", "- [0.0, 0.0, 0.0, 2.0]", "4x4"),
        (KALIBR, "cam1:", "cam1: &a\n  x: 1\ncam2: *a\ncam3:", "chain of 4"),
        ("left: 1\n", "left", "right", "no calibration that edge_sdk knows"),
        ("", "", "", "empty"),
    ],
)
def test_what_cannot_be_read_is_one_error(
    tmp_path: Path, text: str, old: str, new: str, message: str
) -> None:
    assert old in text
    path = put(tmp_path, text.replace(old, new))
    with pytest.raises(CalibrationError, match=message):
        load(path)


def test_equidistant_ros_and_a_rational_polynomial_that_is_plumb_bob(tmp_path: Path) -> None:
    text = ROS.replace("plumb_bob", "rational_polynomial").replace(
        "-0.00075, 0.0]", "-0.00075, 0.05, 0.0, 0.0, 0.0]"
    )
    assert load(put(tmp_path, text)).cameras["camera"].distortion[4] == 0.05
    text = ROS.replace("plumb_bob", "equidistant").replace("-0.00075, 0.0]", "-0.00075]")
    assert load(put(tmp_path, text)).cameras["camera"].model == "fisheye"


def test_another_size_or_camera_is_refused(tmp_path: Path) -> None:
    path = put(tmp_path, ROS)
    assert load_camera(path, "ir", (640, 512)).name == "boson"
    with pytest.raises(CalibrationError, match="for 640x512 images, the camera delivers 320x256"):
        load_camera(path, "ir", (320, 256))
    own = load(path).cameras["camera"].model_copy(update={"identity": "serial:1"})
    with pytest.raises(CalibrationError, match="serial:1"):
        judge(Loaded("x", {"camera": own}), (640, 512), "serial:2")
    assert load_camera(put(tmp_path, KALIBR), "visible").width == 1920


def test_verdicts(tmp_path: Path) -> None:
    assert judge(load(put(tmp_path, ROS))).good
    kalibr = judge(load(put(tmp_path, KALIBR)))
    assert kalibr.good and kalibr.figures["baseline_m"] == pytest.approx(0.0353, abs=1e-4)
    assert kalibr.figures["turn_deg"] == pytest.approx(np.degrees(0.02), abs=1e-3)
    turned = judge(Loaded("x", {"camera": camera(0.0, k1=-1.6)}))
    assert any("turns back" in p for p in turned.problems)
    shifted = load(put(tmp_path, ROS.replace("317.2", "117.2")))
    assert any("principal point" in p for p in judge(shifted).problems)
    poor = Loaded("x", {"camera": camera(0.0)}, report={"rms_px": 2.5, "warnings": ["frontal"]})
    problems = judge(poor).problems
    assert any("2.50 px" in p for p in problems) and "frontal" in problems
    millimetres = KALIBR.replace("0.01999866669333308, 0.035]", "0.01999866669333308, 35.0]")
    assert any("millimetres" in p for p in judge(load(put(tmp_path, millimetres))).problems)


def test_no_pose_no_rig(tmp_path: Path) -> None:
    text = "\n".join(
        line for line in KALIBR.splitlines() if "T_cn" not in line and not line.startswith("  - [")
    )
    with pytest.raises(CalibrationError, match="T_cn_cnm1"):
        as_calibration(load(put(tmp_path, text)), 5.0)
    with pytest.raises(CalibrationError, match="above 0"):
        as_calibration(load(put(tmp_path, KALIBR)), -1.0)
