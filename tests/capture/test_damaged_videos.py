"""Videos that are cut off or are no videos: all that is there, then one error, and silence."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_sdk.capture.files import open_recording
from edge_sdk.capture.quiet import quiet_opencv
from edge_sdk.errors import DependencyError, SourceError
from tests.capture.recordings import (
    MS,
    colour_image,
    cut,
    grey_image,
    read_all,
    write_av,
    write_video,
)


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
@pytest.mark.parametrize(
    ("name", "fourcc"),
    [("v.avi", "MJPG"), ("v.avi", "FFV1"), ("v.avi", "XVID"), ("v.mkv", "FFV1"), ("v.mkv", "mp4v")],
)
def test_truncated_video_delivers_its_frames_and_then_one_error(
    name: str, fourcc: str, part: float, tmp_path: Path
) -> None:
    path = cut(write_video(tmp_path / name, [colour_image(k) for k in range(40)], fourcc), part)
    camera = open_recording(path, "visible")
    frames = []
    with pytest.raises(SourceError, match="truncated") as caught:
        while (frame := camera.read()) is not None:
            frames.append(frame)
    assert f"{len(frames)} of 40 frames" in str(caught.value)
    assert part * 40 - 4 <= len(frames) <= part * 40 + 2
    assert [frame.timestamp_ns for frame in frames] == [40 * MS * k for k in range(len(frames))]
    with pytest.raises(SourceError, match="truncated"):
        camera.read()


@pytest.mark.parametrize(
    ("movflags", "of"), [("faststart", " of 40"), ("frag_keyframe+empty_moov", "")]
)
def test_truncated_mp4_with_its_index_in_front(movflags: str, of: str, tmp_path: Path) -> None:
    pts_ms = list(range(0, 1600, 40))
    path = write_av(tmp_path / "v.mp4", pts_ms, "mpeg4", "yuv420p", movflags=movflags)
    assert len(read_all(open_recording(path, "visible"))) == 40
    camera = open_recording(cut(path, 0.6), "visible")
    with pytest.raises(SourceError, match=rf"truncated: [12]\d{of} frames"):
        read_all(camera)


def test_cut_that_costs_no_frame_is_no_error(tmp_path: Path) -> None:
    """Only the end of the AVI's index is lost."""
    path = write_video(tmp_path / "v.avi", [colour_image(k) for k in range(20)], "MJPG")
    path.write_bytes(path.read_bytes()[:-20])
    assert len(read_all(open_recording(path, "visible"))) == 20


def test_mp4_cut_before_its_index(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", [colour_image(k) for k in range(20)], "mp4v")
    with pytest.raises(SourceError, match=r"truncated.*index is lost"):
        open_recording(cut(path, 0.8), "visible")


def test_error_within_the_first_frames_waits_for_its_turn(tmp_path: Path) -> None:
    """Infrared is looked at five frames ahead; the two good frames come out all the same."""
    path = write_video(tmp_path / "v.avi", [grey_image(k) for k in range(40)])
    camera = open_recording(cut(path, 0.11), "ir")
    assert camera.read().sequence == 0
    with pytest.raises(SourceError, match=r"truncated: \d of 40"):
        while camera.read() is not None:
            pass


def write_text(path: Path) -> None:
    path.write_text("no video at all\n" * 100)


def write_bits(path: Path) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(5000))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (Path.touch, r"empty \(0 bytes\)"),
        (write_text, "no format that FFmpeg can decode"),
        (write_bits, "no format that FFmpeg can decode"),
        (lambda path: path.write_bytes(b"RIFF"), "cannot open"),
        (lambda path: path.write_bytes(b"\x1a\x45\xdf\xa3\x01"), "cannot open"),
        (lambda path: None, "does not exist"),
        (os.mkfifo, "neither a file nor a folder"),
        (Path.mkdir, "has no images"),
    ],
    ids=["empty", "text", "noise", "avi stub", "mkv stub", "missing", "fifo", "bare folder"],
)
def test_what_is_no_recording_is_one_clear_error(
    make: Callable[[Path], object], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "video.mp4"
    make(path)
    with pytest.raises(SourceError, match=message) as caught:
        open_recording(path, "ir")
    assert "video.mp4" in str(caught.value)


def test_opencv_without_ffmpeg_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_video(tmp_path / "v.avi", [grey_image(0)])
    monkeypatch.setattr(cv2.videoio_registry, "hasBackend", lambda backend: False)
    with pytest.raises(DependencyError, match=r"v\.avi needs an OpenCV with FFmpeg"):
        open_recording(path, "ir")


CHATTER = """
import sys
from edge_sdk.capture.files import open_recording
from edge_sdk.errors import SourceError
for path in sys.argv[1:]:
    try:
        camera = open_recording(path, "visible")
        while camera.read() is not None:
            pass
    except SourceError:
        print("told")
"""


def test_decoders_write_nothing_to_the_terminal(tmp_path: Path) -> None:
    images = [colour_image(k) for k in range(20)]
    paths = []
    for name, fourcc in [
        ("a.mkv", "FFV1"),
        ("b.avi", "MJPG"),
        ("c.avi", "XVID"),
        ("d.mp4", "mp4v"),
    ]:
        paths.append(cut(write_video(tmp_path / name, images, fourcc), 0.5))
    for suffix in ("png", "jpg", "tif", "bmp", "webp"):
        (tmp_path / suffix).mkdir()
        cv2.imwrite(str(tmp_path / suffix / f"0.{suffix}"), images[0])
        cut(tmp_path / suffix / f"0.{suffix}", 0.7)
        paths.append(tmp_path / suffix)
    write_text(tmp_path / "text.mp4")
    paths.append(tmp_path / "text.mp4")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("OPENCV_")}
    done = subprocess.run(
        [sys.executable, "-c", CHATTER, *map(str, paths)],
        capture_output=True, text=True, timeout=60, env=environment,
        cwd=Path(__file__).resolve().parents[2],
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout.split() == ["told"] * len(paths)


def test_log_level_comes_back_after_overlapping_blocks() -> None:
    before = cv2.utils.logging.getLogLevel()
    inside, leave = threading.Event(), threading.Event()

    def other() -> None:
        with quiet_opencv():
            inside.set()
            leave.wait(5)

    thread = threading.Thread(target=other)
    with quiet_opencv():
        thread.start()
        assert inside.wait(5)
    assert cv2.utils.logging.getLogLevel() == cv2.utils.logging.LOG_LEVEL_SILENT
    leave.set()
    thread.join(5)
    assert cv2.utils.logging.getLogLevel() == before
