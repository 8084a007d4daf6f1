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


@pytest.fixture
def folders(tmp_path) -> Path:
    for camera in ("ir", "visible"):
        (tmp_path / camera).mkdir()
        for index in range(3):
            cv2.imwrite(str(tmp_path / camera / f"{index}.png"), _picture(camera, index))
    table = "name,timestamp_ns\n" + "".join(f"{k}.png,{k * 10**8}\n" for k in range(3))
    (tmp_path / "ir" / "timestamps.csv").write_text(table)
    return tmp_path


def test_every_file_of_a_folder_of_pictures(folders, capsys):
    both = ("--ir", folders / "ir", "--visible", folders / "visible")
    picture, table = folders / "ir" / "0.png", folders / "ir" / "timestamps.csv"
    (folders / "link.csv").symlink_to(picture)
    _untouched(picture, *both, "--output", f"{folders / 'o'}/", "--tracks", picture)
    _untouched(table, *both, "--tracks", table)
    _untouched(picture, *both, "--tracks", folders / "link.csv")
    rig = folders / "rig.yaml"
    rig.write_text(
        "cameras:\n  ir: {driver: files, path: ir}\n  visible: {driver: files, path: visible}\n"
    )
    _untouched(picture, rig, "--tracks", picture)
    assert capsys.readouterr().err.count("is one of the inputs and would be overwritten") == 4
    # Frames that would go through links onto what is read.
    (folders / "links").mkdir()
    (folders / "links" / "1.png").symlink_to(folders / "visible" / "1.png")
    _untouched(folders / "visible" / "1.png", *both, "--output", f"{folders / 'links'}/")
    assert "holds the input 1.png" in capsys.readouterr().err
    assert not (folders / "o").exists()


def test_the_files_of_a_model_folder(tmp_path, capsys):
    card = tmp_path / "mine" / "model.json"
    card.parent.mkdir()
    card.write_text("{}")
    both = ("--ir", tmp_path / "a", "--visible", tmp_path / "b", "--model", f"{tmp_path / 'mine'}/")
    _untouched(card, *both, "--tracks", card)
    assert edge_sdk("bench", "--model", card.parent, "--json", card) == 2
    assert card.read_text() == "{}"
    assert capsys.readouterr().err.count("is one of the inputs") == 2


@pytest.mark.parametrize(
    "command",
    [
        ("intrinsics", "--images", "ir", "--output", "ir/0.png"),
        ("intrinsics", "--images", "ir", "--report", "ir/1.png"),
        ("intrinsics", "--images", "i*/?.png", "--output", "ir/0.png"),
        ("intrinsics", "--images", "i*/?.png", "--report", "ir/1.png"),
        ("intrinsics", "--camera", "ir", "--rig", "rig.yaml", "--output", "visible/0.png"),
        ("intrinsics", "--camera", "ir", "--rig", "rig.yaml", "--save", "ir"),
        ("stereo", "--ir", "ir", "--visible", "visible", "--output", "ir/0.png"),
        ("stereo", "--ir", "ir/*.png", "--visible", "visible/*", "--report", "visible/2.png"),
        ("register", "--ir", "ir", "--visible", "visible", "--output", "ir/0.png"),
        (
            "register",
            "--ir",
            "ir",
            "--visible",
            "visible",
            "--output",
            "x",
            "--overlay",
            "ir/0.png",
        ),
        ("register", "--ir", "ir", "--visible", "visible", "--output", "x", "--report", "ir/0.png"),
        ("register", "--rig", "rig.yaml", "--output", "visible/0.png"),
    ],
)
def test_pictures_that_are_calibrated_from(command, folders, capsys, monkeypatch):
    monkeypatch.chdir(folders)
    (folders / "rig.yaml").write_text(
        "cameras:\n  ir: {driver: files, path: ir}\n  visible: {driver: files, path: visible}\n"
    )
    before = {file: file.read_bytes() for file in folders.rglob("*") if file.is_file()}
    square = () if command[0] == "register" else ("--square-mm", 40)
    assert edge_sdk("calibrate", *command, *square) == 2
    assert "is one of the inputs and would be overwritten" in capsys.readouterr().err
    assert {file: file.read_bytes() for file in folders.rglob("*") if file.is_file()} == before


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("run", "--output", "a.mp4", "--tracks", "a.mp4"), "--output and --tracks are both a.mp4"),
        (("run", "--output", "a.mp4", "--tracks", "./a.mp4"), "are both a.mp4"),
        (
            ("run", "--output", "o1/", "--tracks", "o1/0.png"),
            "--tracks o1/0.png lies in the folder",
        ),
        (("run", "--output", "o1", "--tracks", "o1/"), "are both"),
        (("calibrate", "stereo", "--output", "q.yaml", "--report", "q.yaml"), "are both q.yaml"),
        (("calibrate", "register", "--output", "q", "--report", "q"), "are both q"),
        (
            ("calibrate", "register", "--output", "q", "--report", "r.png", "--overlay", "r.png"),
            "--overlay and --report are both r.png",
        ),
    ],
)
def test_outputs_that_would_replace_each_other(command, words, folders, capsys, monkeypatch):
    monkeypatch.chdir(folders)
    square = ("--square-mm", 40) if "stereo" in command else ()
    assert edge_sdk(*command, "--ir", "ir", "--visible", "visible", *square) == 2
    assert words in capsys.readouterr().err
    assert sorted(path.name for path in folders.iterdir()) == ["ir", "visible"]


def test_a_rigs_own_video_and_the_tracks(recordings, capsys, monkeypatch):
    monkeypatch.chdir(recordings)
    (recordings / "rig.yaml").write_text(
        "cameras:\n  ir: {driver: simulated}\n  visible: {driver: simulated}\n"
        "output: {video: a.mp4}\n"
    )
    assert edge_sdk("run", "rig.yaml", "--tracks", "a.mp4", "--max-frames", 1) == 2
    assert "one would replace the other" in capsys.readouterr().err


def test_guided_capture_keeps_its_views(folders, capsys, monkeypatch):
    monkeypatch.chdir(folders)
    (folders / "shots").mkdir()
    command = ("calibrate", "intrinsics", "--camera", "ir", "--rig", "rig.yaml")
    assert edge_sdk(*command, "--save", "shots", "--report", "shots/view_000.png") == 2
    assert "--report shots/view_000.png lies in the folder of --save" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [
        ("bench", "--json", "/proc/x.json"),
        ("bench", "--json", "no/x.json"),
        ("bench", "--json", "ir"),
        ("run", "--ir", "ir", "--visible", "visible", "--output", "/proc/x.mp4"),
        ("run", "--ir", "ir", "--visible", "visible", "--output", "/proc/"),
        ("calibrate", "intrinsics", "--images", "ir", "--output", "/proc/x.yaml"),
        ("calibrate", "intrinsics", "--images", "ir", "--report", "/proc/x.html"),
        ("calibrate", "intrinsics", "--images", "ir", "--output", "x", "--format", "matlab"),
        ("calibrate", "stereo", "--ir", "ir", "--visible", "visible", "--output", "/proc/x"),
        ("calibrate", "stereo", "--ir", "ir", "--visible", "visible", "--format", "ros"),
        ("calibrate", "register", "--ir", "ir", "--visible", "visible", "--output", "/proc/x"),
    ],
)
def test_what_cannot_be_written_is_told_before_the_work(command, folders, capsys, monkeypatch):
    """/proc takes no files, not even of root."""

    def work(*arguments: object, **named: object) -> None:
        raise AssertionError("the work has begun")

    for place in (
        "edge_sdk.bench.run_bench",
        "edge_sdk.fusion.Fuser.step",
        "edge_sdk.capture.folder.read_image" if command[0] == "calibrate" else "cv2.imwrite",
    ):
        monkeypatch.setattr(place, work)
    monkeypatch.chdir(folders)
    square = ("--square-mm", 40) if "intrinsics" in command or "stereo" in command else ()
    assert edge_sdk(*command, *square) == 2
    error = capsys.readouterr().err
    assert any(
        words in error
        for words in ("cannot be written to", "is not there", "is a folder", "must be one of")
    )
