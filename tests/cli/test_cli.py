"""The command line as a user meets it: exit codes, one clear error, files that can be played."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_sdk.cli import main
from edge_sdk.fusion import load_model
from edge_sdk.pipeline import FusionPipeline

SIZE = (160, 96)


def _picture(camera: str, index: int) -> np.ndarray:
    rows, columns = np.mgrid[: SIZE[1], : SIZE[0]]
    if camera == "ir":
        warm = np.abs(rows - 55) < 24
        warm &= np.abs(columns - 40 - 2 * index) < 7
        return np.clip(40 + 8 * np.sin(rows / 7) + 170 * warm, 0, 255).astype(np.uint8)
    grey = 110 + 50 * np.sin(columns / 6 + rows / 9)
    return np.stack([grey, grey * 0.9, grey * 0.6], 2).astype(np.uint8)


def _video(path: Path, camera: str, frames: int = 24, fps: float = 25.0) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), fps, SIZE)
    for index in range(frames):
        picture = _picture(camera, index)
        writer.write(picture if picture.ndim == 3 else cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR))
    writer.release()
    return path


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    _video(folder / "ir.mp4", "ir")
    _video(folder / "visible.mp4", "visible")
    return folder


@pytest.fixture
def folders(tmp_path) -> Path:
    for camera in ("ir", "visible"):
        (tmp_path / camera).mkdir()
        for index in range(5):
            cv2.imwrite(str(tmp_path / camera / f"f{index:03d}.png"), _picture(camera, index))
    return tmp_path


def edge_sdk(*arguments: object) -> int:
    """Run in this process; returns the exit code."""
    with pytest.raises(SystemExit) as info:
        main([str(a) for a in arguments])
    return int(info.value.code or 0)


def _frames(path: Path) -> list[np.ndarray]:
    capture = cv2.VideoCapture(str(path))
    frames = []
    while True:
        ok, frame = capture.read()
        if not ok:
            return frames
        frames.append(frame)


def test_video_has_every_frame(videos, tmp_path, capsys):
    out, tracks = tmp_path / "out.mp4", tmp_path / "tracks.csv"
    code = edge_sdk(
        "run", "--ir", videos / "ir.mp4", "--visible", videos / "visible.mp4",
        "--output", out, "--tracks", tracks, "--threads", 1, "--json",
    )  # fmt: skip
    assert code == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["fused"] == 24 and summary["frames_in"] == {"ir": 24, "visible": 24}
    assert len(_frames(out)) == 24
    rows = list(csv.DictReader(tracks.open()))
    assert rows and {row["label"] for row in rows} == {"warm"}
    assert summary["tracks"] == len({row["track_id"] for row in rows}) >= 1
    last = [row for row in rows if row["frame"] == "20"]
    assert any(float(row["x1"]) < 80 < float(row["x2"]) for row in last)  # it walked to 40 + 2 x 20


def test_a_slow_infrared_camera_plays_in_its_own_time(tmp_path):
    """9 Hz cores are common: a second beside 27 frames/s stays a second."""
    slow = _video(tmp_path / "slow.mp4", "ir", 9, fps=9.0)
    fast = _video(tmp_path / "fast.mp4", "visible", 27, fps=27.0)
    out = tmp_path / "out.mp4"
    run = ("run", "--ir", slow, "--visible", fast, "--threads", 1)
    assert edge_sdk(*run, "--detector", "none", "--output", out) == 0
    capture = cv2.VideoCapture(str(out))
    frames, fps = capture.get(cv2.CAP_PROP_FRAME_COUNT), capture.get(cv2.CAP_PROP_FPS)
    assert frames == 9 and frames / fps == pytest.approx(1.0)


def test_folder_of_lossless_frames_with_the_visible_names(folders, capsys):
    arguments = ("run", "--ir", folders / "ir", "--visible", folders / "visible", "--threads", 1)
    assert edge_sdk(*arguments, "--output", f"{folders / 'fused'}/") == 0
    names = sorted(path.name for path in (folders / "fused").iterdir())
    assert names == [f"f{index:03d}.png" for index in range(5)]
    assert cv2.imread(str(folders / "fused" / names[0])).shape == (SIZE[1], SIZE[0], 3)
    assert "5 (" in capsys.readouterr().out  # the summary's line of fused frames


def test_side_by_side_is_three_wide(videos, tmp_path):
    code = edge_sdk(
        "run", "--ir", videos / "ir.mp4", "--visible", videos / "visible.mp4",
        "--output", tmp_path / "three.mp4", "--side-by-side", "--max-frames", 2, "--threads", 1,
    )  # fmt: skip
    assert code == 0
    frames = _frames(tmp_path / "three.mp4")
    assert len(frames) == 2 and frames[0].shape[1] == 3 * SIZE[0]


@pytest.mark.parametrize(
    "option",
    [
        ("--tracks", "t.csv"),
        ("--overlay",),
        ("--detector", "none"),
        ("--size", "64x64"),
        ("--fps", "5"),
        ("--allow-gaps",),
        ("--allow-colour",),
        ("--calibration", "c.yaml"),
    ],
    ids=lambda option: option[0],
)
def test_stills_refuse_what_they_cannot_do(folders, option, capsys):
    arguments = ["run", "--stills", "--ir", folders / "ir", "--visible", folders / "visible"]
    assert edge_sdk(*arguments, "--output", folders / "out", *option) == 2
    assert f"--stills and {option[0]} exclude each other" in capsys.readouterr().err


def test_stills_side_by_side_and_not_all(folders):
    arguments = ["run", "--stills", "--ir", folders / "ir", "--visible", folders / "visible"]
    arguments += ["--output", folders / "out", "--side-by-side", "--max-frames", "2"]
    assert edge_sdk(*arguments, "--threads", 1) == 0
    written = sorted((folders / "out").iterdir())
    assert [path.name for path in written] == ["f000.png", "f001.png"]
    assert cv2.imread(str(written[0])).shape[1] == 3 * SIZE[0]


def test_stills_of_any_size(tmp_path, capsys):
    for camera in ("ir", "visible"):
        (tmp_path / camera).mkdir()
        for name, size in (("lake", (96, 64)), ("road", (70, 51))):
            picture = cv2.resize(_picture(camera, 0), size)
            cv2.imwrite(str(tmp_path / camera / f"{name}.png"), picture)
    out = f"{tmp_path / 'fused'}/"
    arguments = ("run", "--stills", "--ir", tmp_path / "ir", "--visible", tmp_path / "visible")
    assert edge_sdk(*arguments, "--output", out, "--threads", 1) == 0
    assert cv2.imread(out + "road.png").shape == (51, 70, 3)
    (tmp_path / "ir" / "road.png").unlink()
    assert edge_sdk(*arguments, "--output", out) == 2
    assert "no partner of the same name (the first: road)" in capsys.readouterr().err


def test_init_writes_a_rig_that_runs(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert edge_sdk("init", "rig.yaml") == 0
    assert edge_sdk("run", "rig.yaml", "--max-frames", 3, "--threads", 1, "--json") == 0
    printed = capsys.readouterr().out
    assert json.loads(printed[printed.index("{") :])["fused"] == 3
    assert edge_sdk("init", "rig.yaml") == 2
    assert "exists already" in capsys.readouterr().err


def test_demo(tmp_path, capsys):
    out = tmp_path / "demo"
    assert edge_sdk("demo", "--output", out, "--frames", 6, "--threads", 1, "--json") == 0
    assert json.loads(capsys.readouterr().out)["fused"] == 6
    assert len(_frames(out / "fused.mp4")) == 6 and (out / "fused.png").exists()


def test_doctor_names_engines_and_reasons(capsys):
    assert edge_sdk("doctor", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [e["engine"] for e in found["engines"]] == ["openvino", "onnxruntime"]
    assert all(e["reason"] for e in [*found["engines"], *found["extras"]])
    assert found["model"]["precisions"] == ["fp32", "int8"]
    assert edge_sdk("doctor") == 0
    assert "onnxruntime" in capsys.readouterr().out


def _bad_model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    shutil.copytree(load_model().folder, folder)
    (folder / "int8.onnx").write_bytes(b"another file")
    return folder


def _calibration_for_another_size(tmp_path: Path) -> Path:
    camera = (
        "{{name: c, model: pinhole, width: {0}, height: {1}, distortion: [0, 0, 0, 0, 0], "
        "K: {{fx: 500, fy: 500, cx: {2}, cy: {3}}}}}"
    )
    path = tmp_path / "calibration.yaml"
    path.write_text(
        "edge_sdk_calibration: 1\ndate: 2026-01-31\ncameras:\n"
        f"  ir: {camera.format(640, 512, 320, 256)}\n"
        f"  visible: {camera.format(1280, 720, 640, 360)}\n"
        "registration: {homography: [[1, 0, 0], [0, 1, 0], [0, 0, 1]]}\n"
    )
    return path


def _bad_inputs(videos: Path, folders: Path, tmp_path: Path) -> dict[str, tuple[list, str]]:
    ir, visible = videos / "ir.mp4", videos / "visible.mp4"
    text = tmp_path / "text.mp4"
    text.write_text("this is no video")
    empty = tmp_path / "empty"
    empty.mkdir()
    gap = tmp_path / "gap"
    shutil.copytree(folders / "ir", gap)
    (gap / "f002.png").unlink()
    both = ["--visible", visible]
    return {
        "missing": (["--ir", tmp_path / "no.mp4", *both], "no.mp4"),
        "text": (["--ir", text, *both], "text.mp4"),
        "empty folder": (["--ir", empty, *both], "no images"),
        "two visible": (["--ir", visible, "--visible", ir], "--allow-colour"),
        "same twice": (["--ir", ir, "--visible", ir], "the same recording"),
        "gap": (["--ir", gap, "--visible", folders / "visible"], "--allow-gaps"),
        "one camera": (["--ir", ir], "both --ir and --visible"),
        "model": (["--ir", ir, *both, "--model", _bad_model(tmp_path)], "SHA-256"),
        "no model": (["--ir", ir, *both, "--model", "superb"], "no model of that name"),
        "calibration": (
            ["--ir", ir, *both, "--calibration", _calibration_for_another_size(tmp_path)],
            "640x512",
        ),
        "engine": (["--ir", ir, *both, "--engine", "warp"], "engine"),
        "precision": (["--ir", ir, *both, "--precision", "int3"], "precision"),
        "output": (["--ir", ir, *both, "--output", tmp_path / "out.txt"], "must end in"),
        "size": (["--ir", ir, *both, "--size", "wide"], "WIDTHxHEIGHT"),
        "rig": ([tmp_path / "none.yaml"], "none.yaml"),
        "overwrite": (["--ir", ir, *both, "--output", visible], "would be overwritten"),
        "threads": (["--ir", ir, *both, "--threads", 0], "threads"),
        "tracks": (["--ir", ir, *both, "--tracks", "/dev/full"], "/dev/full"),
    }


@pytest.mark.parametrize(
    "case",
    ["missing", "text", "empty folder", "two visible", "same twice", "gap", "one camera", "model",
     "no model", "calibration", "engine", "precision", "output", "size", "rig", "overwrite",
     "threads", "tracks"],
)  # fmt: skip
def test_bad_input_is_one_line_and_exit_code_2(case, videos, folders, tmp_path, capfd):
    arguments, expected = _bad_inputs(videos, folders, tmp_path)[case]
    assert edge_sdk("run", "--detector", "none", "--threads", 1, *arguments) == 2
    errors = [line for line in capfd.readouterr().err.splitlines() if "error:" in line]
    assert len(errors) == 1 and errors[0].startswith("error: ") and expected in errors[0]


def test_a_gap_and_a_palette_are_taken_where_that_is_asked(videos, folders, capsys):
    (folders / "ir" / "f002.png").unlink()
    run = ("run", "--detector", "none", "--threads", 1, "--json")
    both = ("--ir", folders / "ir", "--visible", folders / "visible")
    assert edge_sdk(*run, *both, "--allow-gaps") == 0
    assert json.loads(capsys.readouterr().out)["fused"] == 4
    swapped = ("--ir", videos / "visible.mp4", "--visible", videos / "ir.mp4", "--max-frames", 2)
    assert edge_sdk(*run, *swapped, "--allow-colour") == 0
    assert json.loads(capsys.readouterr().out)["fused"] == 2


def test_truncated_video_keeps_what_was_fused(videos, tmp_path, capfd):
    whole = _video(tmp_path / "whole.avi", "ir", 40)
    data = whole.read_bytes()
    (tmp_path / "cut.avi").write_bytes(data[: len(data) * 8 // 10])
    visible = _video(tmp_path / "visible.avi", "visible", 40)
    out = tmp_path / "out.mp4"
    code = edge_sdk(
        "run", "--ir", tmp_path / "cut.avi", "--visible", visible,
        "--output", out, "--detector", "none", "--threads", 1,
    )  # fmt: skip
    captured = capfd.readouterr()
    assert code == 2
    assert [line for line in captured.err.splitlines() if "truncated" in line]
    assert 5 < len(_frames(out)) < 40


def test_streams_of_different_length(videos, tmp_path, capsys):
    short = _video(tmp_path / "short.mp4", "ir", 9)
    code = edge_sdk(
        "run", "--ir", short, "--visible", videos / "visible.mp4",
        "--detector", "none", "--threads", 1, "--json",
    )  # fmt: skip
    summary = json.loads(capsys.readouterr().out)
    assert code == 0 and summary["fused"] == 9
    assert summary["dropped"] == {"visible no partner": 15}


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_run_leaves_a_playable_file(tmp_path, kind):
    out = tmp_path / "out.mp4"
    command = [
        sys.executable, "-m", "edge_sdk.cli", "demo", "--frames", "100000", "--output",
        str(tmp_path), "--threads", "1",
    ]  # fmt: skip
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ)
    )
    out = tmp_path / "fused.mp4"
    try:
        end = time.monotonic() + 120
        while not (out.exists() and out.stat().st_size > 100_000):
            assert time.monotonic() < end and process.poll() is None
            time.sleep(0.05)
        process.send_signal(kind)
        assert process.wait(timeout=60) == 130
    finally:
        process.kill()
    assert len(_frames(out)) > 0


def test_a_run_without_a_frame_names_no_video(videos, tmp_path, capsys, monkeypatch):
    def interrupted(pipeline):
        raise KeyboardInterrupt

    monkeypatch.setattr(FusionPipeline, "__iter__", interrupted)
    both = ("--ir", videos / "ir.mp4", "--visible", videos / "visible.mp4")
    output = ("--output", tmp_path / "out.mp4", "--tracks", tmp_path / "tracks.csv")
    assert edge_sdk("run", *both, *output, "--threads", 1, "--json") == 130
    written = json.loads(capsys.readouterr().out)["written"]
    assert written == {"tracks": str(tmp_path / "tracks.csv")}
    assert not (tmp_path / "out.mp4").exists()


def test_version_is_printed(capsys):
    assert edge_sdk("--version") == 0
    from edge_sdk import __version__

    assert capsys.readouterr().out == f"edge-sdk {__version__}\n"


def test_a_size_that_no_network_takes_is_refused_by_its_option(videos, capsys):
    given = ["--ir", videos / "ir.mp4", "--visible", videos / "visible.mp4"]
    for arguments in (["run", *given, "--size", "20x20"], ["bench", "--size", "31x480"]):
        assert edge_sdk(*arguments) == 2
        assert "each from 32 to 16384" in capsys.readouterr().err


def test_a_rig_file_that_wants_no_overlay_is_heard_with_another_output(folders, monkeypatch):
    from edge_sdk.cli import run

    (folders / "rig.yaml").write_text(
        "cameras:\n  ir: {driver: files, path: ir}\n  visible: {driver: files, path: visible}\n"
        "tracking: {detector: warm}\noutput: {overlay: false}\n"
    )
    seen = []
    monkeypatch.setattr(run, "run_pipeline", lambda _, settings, total: seen.append(settings))
    assert edge_sdk("run", folders / "rig.yaml", "--output", folders / "x.mp4") == 0
    assert edge_sdk("run", folders / "rig.yaml", "--output", folders / "x.mp4", "--overlay") == 0
    assert [settings.overlay for settings in seen] == [False, True]


def test_rig_file_says_where_the_video_goes(folders, capsys):
    (folders / "rig.yaml").write_text(
        "cameras:\n  ir: {driver: files, path: ir}\n  visible: {driver: files, path: visible}\n"
        "alignment: {size: [160, 96]}\nfusion: {threads: 1, precision: fp32}\n"
        "tracking: {detector: warm}\noutput: {video: out.mp4}\n"
    )
    assert edge_sdk("run", folders / "rig.yaml", "--engine", "onnxruntime", "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["engine"] == "onnxruntime fp32 on CPU"
    assert len(_frames(folders / "out.mp4")) == 5


def test_bench_measures_every_engine_and_stage(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("edge_sdk.bench.SCENE_FRAMES", 4)
    out = tmp_path / "bench.json"
    arguments = ("bench", "--frames", 10, "--threads", 1, "--size", "160x96", "--json", out)
    assert edge_sdk(*arguments) == 0
    report = json.loads(out.read_text())
    steps = {(step["engine"], step["precision"]): step for step in report["steps"]}
    assert set(steps) == {(e, p) for e in ("openvino", "onnxruntime") for p in ("fp32", "int8")}
    for step in steps.values():
        assert step["reason"] or 0 < step["p50_ms"] <= step["p90_ms"] <= step["p99_ms"]
    assert set(report["stages"]) == {"align", "tone", "fuse", "hooks", "health", "total"}
    total = report["stages"]["total"]["mean_ms"]
    parts = sum(report["stages"][s]["mean_ms"] for s in ("align", "tone", "fuse", "hooks"))
    assert 0.5 * total < parts <= 1.02 * total
    assert report["macs"] == load_model().card["macs_640x480"] and report["memory_mib"] > 50
    assert "frames/s" in capsys.readouterr().out
