"""What a command reads is never replaced by what it makes of it."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from tests.cli.test_cli import _picture, _video, edge_sdk


def _untouched(path: Path, *arguments: object) -> None:
    before = path.read_bytes()
    assert edge_sdk("run", "--detector", "none", "--threads", 1, *arguments) == 2
    assert path.read_bytes() == before


@pytest.fixture
def recordings(tmp_path) -> Path:
    for camera in ("ir", "visible"):
        _video(tmp_path / f"{camera}.mp4", camera, 2)
    return tmp_path


def test_a_rig_file_and_its_recordings(recordings, capsys):
    rig = recordings / "rig.yaml"
    text = (
        "cameras:\n  ir: {driver: files, path: ir.mp4}\n"
        "  visible: {driver: files, path: visible.mp4}\n"
    )
    rig.write_text(text)
    _untouched(recordings / "visible.mp4", rig, "--output", recordings / "visible.mp4")
    _untouched(recordings / "ir.mp4", rig, "--tracks", recordings / "ir.mp4")
    _untouched(rig, rig, "--tracks", rig)
    rig.write_text(text + "output: {video: ir.mp4}\n")
    _untouched(recordings / "ir.mp4", rig)
    assert capsys.readouterr().err.count("is one of the inputs") == 4


def test_a_picture_in_the_folder_that_the_frames_would_go_to(tmp_path, capsys):
    for camera in ("ir", "visible"):
        (tmp_path / camera).mkdir()
        cv2.imwrite(str(tmp_path / camera / "f000.png"), _picture(camera, 0))
    single = tmp_path / "visible" / "f000.png"
    both = ("--ir", tmp_path / "ir" / "f000.png", "--visible", single)
    _untouched(single, *both, "--output", f"{tmp_path / 'visible'}/")
    assert "holds the input f000.png" in capsys.readouterr().err


def test_options_that_a_rig_file_replaces_are_refused(tmp_path, capsys):
    assert edge_sdk("init", tmp_path / "rig.yaml") == 0
    assert edge_sdk("run", tmp_path / "rig.yaml", "--allow-colour") == 2
    assert "--allow-colour or --stills exclude each other" in capsys.readouterr().err
