"""Reading folders and videos: what matches, what is refused, and with which words."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.sequences import Clip, Scene, find_clips, match_folders
from edge_sdk.errors import ConfigError, SourceError
from tests.benchmarks.pictures import coloured


def _write(path: Path, picture: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture)


def _flat(level: int, height: int = 48, width: int = 64) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


def _write_video(path: Path, frames: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    assert writer.isOpened()
    for index in range(frames):
        writer.write(_flat(20 * index))
    writer.release()


def _three_folders(root: Path, names: list[str]) -> tuple[Path, Path, Path]:
    for role in ("fused", "ir", "visible"):
        for index, name in enumerate(names):
            _write(root / role / f"{name}.png", _flat(10 * index))
    return root / "fused", root / "ir", root / "visible"


def test_frame_2_comes_before_frame_10(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        _write(tmp_path / f"frame{number}.png", _flat(number))
    clip = find_clips(tmp_path)["."]
    assert clip.stems == ("frame1", "frame2", "frame10")
    assert [int(picture[0, 0, 0]) for picture in clip.read()] == [1, 2, 10]


def test_formats_may_differ_and_frames_match_by_stem(tmp_path: Path) -> None:
    picture = coloured(1, 48, 64)
    for role, suffix in (("fused", "png"), ("ir", "webp"), ("visible", "tiff")):
        _write(tmp_path / role / f"7.{suffix}", picture)
    (tmp_path / "ir" / "notes.txt").write_text("not a frame")
    (tmp_path / "ir" / ".hidden.png").write_text("not a frame")
    (scene,) = match_folders(tmp_path / "fused", tmp_path / "ir", tmp_path / "visible")
    (frame,) = scene.frames()
    assert np.array_equal(frame["fused"], picture)
    assert np.array_equal(frame["visible"], picture)


def test_sub_folders_are_sequences(tmp_path: Path) -> None:
    for role in ("fused", "ir", "visible"):
        _write(tmp_path / role / "night" / "0.png", _flat(1))
        _write(tmp_path / role / "day" / "street" / "0.png", _flat(2))
    scenes = match_folders(tmp_path / "fused", tmp_path / "ir", tmp_path / "visible")
    assert [scene.name for scene in scenes] == ["day/street", "night"]


def test_missing_frames_are_named(tmp_path: Path) -> None:
    folders = _three_folders(tmp_path, ["0", "1", "2"])
    (tmp_path / "ir" / "1.png").unlink()
    with pytest.raises(ConfigError, match=r"'.*ir' lacks 1\."):
        match_folders(*folders)


def test_missing_sequences_are_named(tmp_path: Path) -> None:
    for role in ("fused", "ir", "visible"):
        _write(tmp_path / role / "night" / "0.png", _flat(1))
    _write(tmp_path / "fused" / "day" / "0.png", _flat(1))
    with pytest.raises(ConfigError, match=r"ir' lacks day; .*visible' lacks day"):
        match_folders(tmp_path / "fused", tmp_path / "ir", tmp_path / "visible")


def test_a_folder_without_frames_and_no_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no images and no videos"):
        find_clips(tmp_path)
    with pytest.raises(ConfigError, match="neither a folder nor a video"):
        find_clips(tmp_path / "absent")


def test_two_frames_of_one_name_are_refused(tmp_path: Path) -> None:
    _write(tmp_path / "0.png", _flat(1))
    _write(tmp_path / "0.bmp", _flat(1))
    with pytest.raises(ConfigError, match=r"0\.bmp.*0\.png"):
        find_clips(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not a picture"])
def test_an_unreadable_image_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "0.png").write_bytes(content)
    with pytest.raises(SourceError, match=r"0\.png .* damaged or no image"):
        list(find_clips(tmp_path)["."].read())


def test_an_unreadable_video_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"not a video")
    with pytest.raises(SourceError, match=r"a\.mp4 as a video"):
        list(Clip(tmp_path / "a.mp4").read())


def test_a_16_bit_image_is_refused(tmp_path: Path) -> None:
    _write(tmp_path / "0.png", np.full((48, 64), 3000, np.uint16))
    with pytest.raises(SourceError, match=r"uint16.*8 bit"):
        list(find_clips(tmp_path)["."].read())


def test_sizes_that_differ_are_named(tmp_path: Path) -> None:
    folders = _three_folders(tmp_path, ["0"])
    _write(tmp_path / "ir" / "0.png", _flat(1, 50, 64))
    (scene,) = match_folders(*folders)
    with pytest.raises(SourceError, match="fused 64x48, ir 64x50, visible 64x48"):
        list(scene.frames())


def test_unrelated_stills_of_other_sizes_need_to_be_called_stills(tmp_path: Path) -> None:
    folders = _three_folders(tmp_path, ["0"])
    for role in ("fused", "ir", "visible"):
        _write(tmp_path / role / "1.png", _flat(1, 50, 70))
    with pytest.raises(SourceError, match="--stills"):
        list(match_folders(*folders)[0].frames())
    assert len(list(match_folders(*folders, stills=True)[0].frames())) == 2


def test_videos_match_by_order_and_stop_at_max_frames(tmp_path: Path) -> None:
    for role in ("ir", "visible"):
        _write_video(tmp_path / f"{role}.avi", 6)
    clips = {role: Clip(tmp_path / f"{role}.avi") for role in ("ir", "visible")}
    scene = Scene("v", "all", True, clips, max_frames=4)
    levels = [int(frame["ir"].mean()) for frame in scene.frames()]
    assert levels == pytest.approx([0, 20, 40, 60], abs=2)
    assert scene.frame_count() == 4
    assert Scene("v", "all", True, clips).frame_count() == 6


def test_videos_of_unequal_length_are_refused(tmp_path: Path) -> None:
    _write_video(tmp_path / "fused.avi", 5)
    _write_video(tmp_path / "ir.avi", 5)
    _write_video(tmp_path / "visible.avi", 3)
    (scene,) = match_folders(*(tmp_path / f"{role}.avi" for role in ("fused", "ir", "visible")))
    with pytest.raises(SourceError, match=r"'visible' .* ends after 3 frames while 'fused'"):
        list(scene.frames())
