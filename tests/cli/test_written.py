"""What is written, and what is said about it."""

from __future__ import annotations

from tests.cli.test_cli import _frames, edge_sdk, folders, videos
from tests.tracking.test_yolo import network, v8

__all__ = ["folders", "videos"]  # fixtures


def test_older_pictures_in_the_folder_are_told(folders, capsys):
    out = folders / "fused"
    arguments = ("run", "--ir", folders / "ir", "--visible", folders / "visible", "--threads", 1)
    arguments = (*arguments, "--output", f"{out}/", "--detector", "none")
    assert edge_sdk(*arguments) == 0
    assert "warning" not in capsys.readouterr().err
    for extra in ((), ("--stills",)):
        arguments = tuple(a for a in arguments if not extra or a not in ("--detector", "none"))
        assert edge_sdk(*arguments, *extra, "--max-frames", 1) == 0
        error = capsys.readouterr().err
        assert error.count("warning: ") == 1
        assert "5 were there, 4 of them still lie beside the 1 written" in error
    assert edge_sdk(*arguments) == 0  # all are replaced: nothing is mixed
    assert "warning" not in capsys.readouterr().err


def test_an_odd_size_is_not_cut(videos, tmp_path):
    sources = ("--ir", videos / "ir.mp4", "--visible", videos / "visible.mp4", "--threads", 1)
    run = ("run", *sources, "--size", "157x95", "--max-frames", 1, "--detector", "none")
    assert edge_sdk(*run, "--output", tmp_path / "a.mp4") == 0
    assert _frames(tmp_path / "a.mp4")[0].shape == (96, 158, 3)


def test_a_yolo_network_in_the_place_of_the_detector(videos, tmp_path):
    """One object at one place in every frame; its file is an input, and not overwritten."""
    network_file = network(
        tmp_path / "yolo.onnx", v8((32, 24, 20, 10, 0.9, 0)), names="{0: 'cat', 1: 'dog'}"
    )
    sources = ("--ir", videos / "ir.mp4", "--visible", videos / "visible.mp4", "--threads", 1)
    run = ("run", *sources, "--detector", network_file, "--max-frames", 6)
    assert edge_sdk(*run, "--tracks", tmp_path / "tracks.csv") == 0
    rows = (tmp_path / "tracks.csv").read_text().splitlines()[1:]
    assert rows and all(",cat," in row for row in rows)
    content = network_file.read_bytes()
    assert edge_sdk(*run, "--tracks", network_file) == 2
    assert network_file.read_bytes() == content
