"""``edge-sdk calibrate`` as a user meets it: pictures in, files out, one error a mistake."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from calibration.formats import Loaded, save
from edge_sdk.calibration_file import CameraCalibration, read_calibration, read_camera
from edge_sdk.cli import main
from tests.calibration.rendering import THERMAL, VISIBLE, Lens, checkerboard, poses, render

IR = Lens(240, 192, 290, 289, 118.0, 94.0, (-0.3, 0.1, 0.001, 0.0, 0.0))
VISIBLE_LENS = Lens(320, 240, 330, 331, 158.0, 121.0, (0.05, -0.05, 0.0, 0.0, 0.0))
SHIFT = np.array([0.035, 0.0, 0.0])


def edge_sdk(*arguments: object) -> int:
    """Run in this process; returns the exit code."""
    with pytest.raises(SystemExit) as info:
        main([str(a) for a in arguments])
    return int(info.value.code or 0)


@pytest.fixture(scope="module")
def boards(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("boards")
    pattern = checkerboard(7, 5, 0.05)
    views = poses(9, IR, (0.15, 0.10), (0.5, 0.75), seed=11, width=0.42)
    for lens, look, name in ((IR, THERMAL, "ir"), (VISIBLE_LENS, VISIBLE, "visible")):
        (folder / name).mkdir()
        for k, (r, t) in enumerate(views):
            there = t if name == "ir" else t + SHIFT
            cv2.imwrite(
                str(folder / name / f"{k:02d}.png"), render(lens, pattern, (r, there), look)
            )
    return folder


def test_intrinsics_check_and_convert(boards, tmp_path, capsys) -> None:
    camera, page = tmp_path / "ir.yaml", tmp_path / "ir.html"
    code = edge_sdk(
        *("calibrate", "intrinsics", "--images", boards / "ir", "--camera", "ir", "--json"),
        *("--square-mm", 50, "--output", camera, "--report", page),
    )
    figures = json.loads(capsys.readouterr().out)
    assert code == 0
    assert figures["target"] == "checkerboard 7x5, 50 mm"
    assert figures["views_used"] + len(figures["views_rejected"]) == 9
    file = read_camera(camera)
    assert abs(file.camera.K.fx / IR.fx - 1) < 0.01
    assert file.report["rms_px"] == figures["rms_px"] < 0.3
    assert "data:image/png" in page.read_text()

    code = edge_sdk("calibrate", "check", camera, "--json")
    verdict = json.loads(capsys.readouterr().out)
    assert code == (0 if verdict["good"] else 1)
    assert verdict["kind"] == "edge_sdk camera"
    assert edge_sdk("calibrate", "check", camera, "--size", "640x512") == 2
    assert "240x192" in capsys.readouterr().err

    ros = tmp_path / "ros.yaml"
    assert edge_sdk("calibrate", "convert", camera, "--output", ros, "--format", "ros") == 0
    assert yaml.safe_load(ros.read_text())["distortion_model"] == "plumb_bob"
    assert edge_sdk("calibrate", "check", ros) in (0, 1)
    shown = capsys.readouterr().out
    assert "ROS camera_info" in shown and "focal length" in shown


def test_stereo_from_folders(boards, tmp_path, capsys) -> None:
    output, page = tmp_path / "rig.yaml", tmp_path / "rig.html"
    code = edge_sdk(
        *("calibrate", "stereo", "--ir", boards / "ir", "--visible", boards / "visible"),
        *("--square-mm", 50, "--output", output, "--report", page, "--distance-m", 3),
    )
    shown = capsys.readouterr().out
    assert code == 0 and "shift mm" in shown
    calibration = read_calibration(output)
    pose = calibration.registration.extrinsics
    assert pose is not None
    assert np.linalg.norm(pose.translation_m - SHIFT) < 0.003
    assert "Parallax" in page.read_text()
    assert edge_sdk("calibrate", "check", output) in (0, 1)
    assert "parallax px" in capsys.readouterr().out
    chain = tmp_path / "chain.yaml"
    if edge_sdk("calibrate", "convert", output, "--output", chain, "--format", "kalibr") == 0:
        assert "T_cn_cnm1" in chain.read_text()


def test_a_rig_keeps_what_limits_its_lenses(boards, tmp_path, capsys) -> None:
    """Of lens files and of lenses that were measured with the rig; `check` shows both."""
    lens = tmp_path / "ir.yaml"
    camera = CameraCalibration.model_validate(
        {
            "name": "mine",
            "width": IR.width,
            "height": IR.height,
            "model": "pinhole",
            "K": {"fx": IR.fx, "fy": IR.fy, "cx": IR.cx, "cy": IR.cy},
            "distortion": list(IR.distortion),
        }
    )
    save(Loaded("test", {"camera": camera}, report={"warnings": ["few views of it"]}), lens)
    rig, again = tmp_path / "rig.yaml", tmp_path / "again.yaml"
    command = ("calibrate", "stereo", "--ir", boards / "ir", "--visible", boards / "visible")
    command = (*command, "--square-mm", 50, "--output")
    assert edge_sdk(*command, rig, "--ir-camera", lens) == 0
    assert capsys.readouterr().out.count("ir lens: few views of it") == 1
    stated = read_calibration(rig).report["warnings"]
    assert "ir lens: few views of it" in stated
    assert any(text.startswith("visible lens: ") for text in stated)  # nine views are not many
    assert edge_sdk("calibrate", "check", rig, "--json") == 1
    verdict = json.loads(capsys.readouterr().out)
    assert not verdict["good"] and set(stated) <= set(verdict["problems"])
    # A lens taken from a rig's file brings its own warnings, once, and not the other one's.
    assert edge_sdk(*command, again, "--ir-camera", rig, "--visible-camera", rig) == 0
    assert sorted(set(read_calibration(again).report["warnings"])) == sorted(
        read_calibration(again).report["warnings"]
    )
    assert set(t for t in stated if " lens: " in t) <= set(
        read_calibration(again).report["warnings"]
    )


def test_guided_errors_have_a_line_of_their_own(tmp_path, capsys) -> None:
    for name in ("ir", "visible"):
        (tmp_path / name).mkdir()
        for k in range(3):
            cv2.imwrite(str(tmp_path / name / f"{k}.png"), np.full((120, 160), 90, np.uint8))
    rig = tmp_path / "rig.yaml"
    rig.write_text(
        "cameras:\n  ir: {driver: files, path: ir}\n  visible: {driver: files, path: visible}\n"
    )
    command = ("calibrate", "intrinsics", "--camera", "ir", "--rig", rig, "--board", "7x5")
    assert edge_sdk(*command) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith("error: no view of a") and any("0 views" in line for line in lines)


def test_guided_from_a_rig_file(boards, tmp_path, capsys) -> None:
    for name in ("ir", "visible"):
        (tmp_path / name).mkdir()
        for k in range(18):  # every view is held for two frames
            picture = cv2.imread(str(boards / name / f"{k // 2:02d}.png"), -1)
            cv2.imwrite(str(tmp_path / name / f"{k:03d}.png"), picture)
    rig = tmp_path / "rig.yaml"
    rig.write_text(
        "cameras:\n  ir: {driver: files, path: ir}\n  visible: {driver: files, path: visible}\n"
    )
    code = edge_sdk(
        *("calibrate", "intrinsics", "--camera", "ir", "--rig", rig, "--board", "7x5", "--json"),
        *("--save", tmp_path / "shots", "--web", 0, "--output", tmp_path / "ir.yaml"),
    )
    figures = json.loads(capsys.readouterr().out)
    assert code == 0 and figures["views_used"] >= 6
    assert abs(read_camera(tmp_path / "ir.yaml").camera.K.fx / IR.fx - 1) < 0.01
    assert len(list((tmp_path / "shots").glob("view_*.png"))) >= 6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("intrinsics",), "--images"),
        (("intrinsics", "--camera", "ir"), "--rig"),
        (("intrinsics", "--camera", "left", "--images", "x"), "must be ir or visible"),
        (("intrinsics", "--images", "nothing/*.png"), "no such file"),
        (("intrinsics", "--images", "x", "--board", "9by6"), "COLUMNSxROWS"),
        (("intrinsics", "--images", "x", "--model", "omni"), "pinhole or fisheye"),
        (("intrinsics", "--images", "x", "--target", "stars"), "must be one of"),
        (("intrinsics", "--images", "x", "--output", "/no/folder/x.yaml"), "is not there"),
        (("intrinsics", "--images", "x", "--web", "1"), "exclude each other"),
        (("stereo", "--ir", "x", "--visible", "x", "--board", "9x6"), "--square-mm"),
        (("check", "nothing.yaml"), "not found"),
        (("convert", "nothing.yaml", "--output", "x.yaml"), "not found"),
    ],
)
def test_mistakes_are_one_line(arguments, message, capsys, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert edge_sdk("calibrate", *arguments) == 2
    error = capsys.readouterr().err
    last = error.strip().splitlines()[-1]
    assert last.startswith("error: ") and message in last
    assert "Traceback" not in error


def test_pictures_without_a_board(tmp_path, capsys) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((120, 160), 90, np.uint8))
    (tmp_path / "b.png").write_bytes(b"no picture")
    assert edge_sdk("calibrate", "intrinsics", "--images", tmp_path) == 2
    error = capsys.readouterr().err
    assert "no board found" in error and "heat the board" in error
