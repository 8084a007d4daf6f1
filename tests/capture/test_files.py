"""Recordings as cameras: frames, times, and inputs that are mixed up."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_sdk.capture import video
from edge_sdk.capture.camera import Camera
from edge_sdk.capture.files import (
    check_is_infrared,
    looks_like_colour,
    open_recording,
    same_source,
)
from edge_sdk.errors import ConfigError, SourceError
from tests.capture.recordings import (
    HEIGHT,
    MS,
    SHARED,
    WIDTH,
    colour_image,
    grey_image,
    needs_recordings,
    read_all,
    write_av,
    write_video,
)

# --- videos --------------------------------------------------------------------------------------


def test_video_frames_are_what_was_written(tmp_path: Path) -> None:
    images = [colour_image(k) for k in range(6)]
    path = write_video(tmp_path / "v.avi", images)
    with open_recording(path, "visible") as camera:
        assert isinstance(camera, Camera)
        assert (camera.name, camera.live) == ("visible", False)
        assert (camera.size, camera.dtype, camera.fps) == ((WIDTH, HEIGHT), np.uint8, 25)
        assert (camera.frame_count, camera.time_source) == (6, "container")
        frames = read_all(camera)
        assert camera.read() is None
    assert len(frames) == 6
    for k, (frame, image) in enumerate(zip(frames, images, strict=True)):
        np.testing.assert_array_equal(frame.image, image)
        assert (frame.sequence, frame.timestamp_ns) == (k, 40 * MS * k)
        assert (frame.camera, frame.name) == ("visible", None)


def test_closed_recording_starts_again_from_the_first_frame(tmp_path: Path) -> None:
    camera = open_recording(write_video(tmp_path / "v.avi", [colour_image(0)] * 3), "visible")
    camera.read()
    camera.open()  # open already: goes on
    assert camera.read().sequence == 1
    camera.close()
    camera.close()
    with pytest.raises(SourceError, match=r"closed: call open\(\)"):
        camera.read()
    camera.open()
    assert [frame.sequence for frame in read_all(camera)] == [0, 1, 2]


@pytest.mark.parametrize(
    ("name", "fourcc"), [("g.avi", "FFV1"), ("g.mp4", "mp4v"), ("g.avi", "MJPG")]
)
def test_grey_video_becomes_one_channel_for_infrared(
    name: str, fourcc: str, tmp_path: Path
) -> None:
    images = [grey_image(k) for k in range(8)]
    path = write_video(tmp_path / name, images, fourcc)
    for frame, image in zip(read_all(open_recording(path, "ir")), images, strict=True):
        assert frame.image.shape == (HEIGHT, WIDTH)
        assert frame.image.dtype == np.uint8
        error = np.abs(frame.image.astype(int) - image)
        assert error.max() == 0 if fourcc == "FFV1" else error.mean() < 4
    assert open_recording(path, "visible").read().image.shape == (HEIGHT, WIDTH, 3)


def test_16_bit_grey_video_keeps_its_16_bits(tmp_path: Path) -> None:
    path = write_av(tmp_path / "g.mkv", list(range(0, 200, 40)), "ffv1", "gray16le")
    camera = open_recording(path, "ir")
    assert camera.dtype == np.uint16
    for k, frame in enumerate(read_all(camera)):
        np.testing.assert_array_equal(frame.image, np.full((HEIGHT, WIDTH), 1000 + k, np.uint16))
    with pytest.raises(SourceError, match="swapped"):
        open_recording(path, "visible")


def test_fps_replaces_the_times_of_the_container(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.avi", [colour_image(0)] * 4, fps=25)
    camera = open_recording(path, "visible", fps=8)
    assert [frame.timestamp_ns for frame in read_all(camera)] == [0, 125 * MS, 250 * MS, 375 * MS]
    assert (camera.fps, camera.time_source) == (8, "fps")


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf")])
def test_fps_that_is_no_rate(fps: float) -> None:
    with pytest.raises(ConfigError, match="positive number"):
        open_recording("anything", "ir", fps=fps)


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_variable_rate_keeps_the_time_of_every_frame(suffix: str, tmp_path: Path) -> None:
    pts_ms = [0, 40, 80, 200, 240, 300, 1000, 1040, 1077]
    path = write_av(tmp_path / f"v.{suffix}", pts_ms, "mpeg4", "yuv420p")
    # For Matroska the frame count is guessed (28 here): no reason to call the file truncated.
    frames = read_all(open_recording(path, "visible"))
    assert [frame.timestamp_ns for frame in frames] == [t * MS for t in pts_ms]


def test_trimmed_mp4_is_not_called_truncated(tmp_path: Path) -> None:
    """The edit list hides the 10 frames before time 0; the header counts them."""
    options = {"avoid_negative_ts": "disabled", "use_editlist": "1"}
    pts_ms = list(range(-400, 1200, 40))
    path = write_av(tmp_path / "v.mp4", pts_ms, "mpeg4", "yuv420p", **options)
    assert len(read_all(open_recording(path, "visible"))) == 30


@pytest.mark.parametrize(
    ("stated_ms", "expected_ms"),
    [
        ([0, 0, 0, 0], [0, 40, 80, 120]),
        ([0, 33, 20, 99], [0, 33, 73, 99]),
        ([0, 33, 33, 34], [0, 33, 73, 113]),
        ([float("nan")] * 4, [0, 40, 80, 120]),
        ([7, 47, 1047, 1087], [7, 47, 1047, 1087]),
    ],
    ids=["all zero", "step back", "repeated", "none", "pause"],
)
def test_times_that_do_not_advance_are_replaced(
    stated_ms: list[float],
    expected_ms: list[int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = write_video(tmp_path / "v.avi", [colour_image(0)] * 4)
    real = cv2.VideoCapture

    class Scripted:
        def __init__(self, *arguments: object) -> None:
            self._capture = real(*arguments)
            self._times = iter(stated_ms)

        def get(self, which: int) -> float:
            return next(self._times) if which == cv2.CAP_PROP_POS_MSEC else self._capture.get(which)

        def __getattr__(self, name: str) -> object:
            return getattr(self._capture, name)

    monkeypatch.setattr(video.cv2, "VideoCapture", Scripted)
    frames = read_all(open_recording(path, "visible"))
    assert [frame.timestamp_ns for frame in frames] == [t * MS for t in expected_ms]


def test_package_loads_without_opencv() -> None:
    code = "import sys, edge_sdk.capture as c; c.Pairer; sys.exit('cv2' in sys.modules)"
    root = Path(__file__).resolve().parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, timeout=60).returncode == 0


# --- two visible inputs --------------------------------------------------------------------------


def test_colour_video_as_infrared_is_refused(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.avi", [colour_image(k) for k in range(5)])
    with pytest.raises(SourceError, match="infrared input looks like a colour video"):
        open_recording(path, "ir")
    frame = open_recording(path, "ir", allow_colour=True).read()
    # ITU-R BT.601 luma.
    luma = colour_image(0) @ np.array([0.114, 0.587, 0.299])
    np.testing.assert_allclose(frame.image, luma, atol=1)


@pytest.mark.parametrize("palette", [cv2.COLORMAP_JET, cv2.COLORMAP_INFERNO, cv2.COLORMAP_HOT])
def test_pseudo_colour_is_refused(palette: int, tmp_path: Path) -> None:
    images = [cv2.applyColorMap(grey_image(k), palette) for k in range(5)]
    with pytest.raises(SourceError, match="pseudo-colour"):
        open_recording(write_video(tmp_path / "v.mp4", images, "mp4v"), "ir")


def test_looks_like_colour() -> None:
    grey = grey_image(1)
    assert not looks_like_colour(grey)
    assert not looks_like_colour(np.dstack([grey] * 3))
    assert not looks_like_colour(np.dstack([grey, grey + 3, grey]))
    assert looks_like_colour(colour_image(1))
    check_is_infrared([grey, grey], "a")
    with pytest.raises(SourceError, match="camera two"):
        check_is_infrared([grey, colour_image(1), colour_image(2)], "camera two")


@needs_recordings
def test_real_recordings_are_told_apart() -> None:
    videos = SHARED / "train" / "videos"
    scenes = sorted(p for p in [*videos.iterdir(), SHARED / "val" / "videos" / "1230_1202"])
    for scene in scenes:
        assert open_recording(scene / "ir.mp4", "ir").read().image.ndim == 2
        with pytest.raises(SourceError, match="looks like a colour video"):
            open_recording(scene / "visible.mp4", "ir")
    for path in sorted((SHARED / "train" / "ir_only").iterdir())[:3]:
        assert open_recording(path, "ir").read().image.ndim == 2


def test_same_source(tmp_path: Path) -> None:
    a, b, link = tmp_path / "a.mp4", tmp_path / "b.mp4", tmp_path / "link.mp4"
    a.write_bytes(b"same")
    b.write_bytes(b"same")
    link.symlink_to(a)
    assert same_source(a, str(a))
    assert same_source(a, link)
    assert same_source(tmp_path, tmp_path / "x" / "..") is (tmp_path / "x").exists()
    assert not same_source(a, b)
    assert not same_source(tmp_path / "none", tmp_path / "none")
