"""A video of a live run plays as fast as it happened, and what lies in a folder is told."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_sdk.errors import ConfigError
from edge_sdk.frames import FusedFrame
from edge_sdk.outputs import FolderOutput, VideoOutput

SIZE = (96, 64)


def _fused(stamp_s: float, level: int = 0) -> FusedFrame:
    image = np.full((SIZE[1], SIZE[0], 3), level, np.uint8)
    return FusedFrame(image, None, image, round(stamp_s * 1e9), 0)


def _write(path, stamps_s, fps=30.0, real_time=True) -> VideoOutput:
    with VideoOutput(path, fps, real_time) as output:
        for stamp_s in stamps_s:
            fused = _fused(stamp_s, min(255, round(20 * stamp_s)))
            output.write(fused.image, fused)
    return output


def _levels(path) -> list[float]:
    video, levels = cv2.VideoCapture(str(path)), []
    while True:
        there, image = video.read()
        if not there:
            return levels
        levels.append(float(image.mean()))


@pytest.mark.parametrize("rate", [7.0, 15.0, 29.97, 30.0, 60.0])
def test_ten_seconds_play_for_ten_seconds(tmp_path, rate):
    rng = np.random.default_rng(0)
    stamps = np.arange(0, 10, 1 / rate) + rng.uniform(-0.004, 0.004, round(np.ceil(10 * rate)))
    output = _write(tmp_path / "a.mp4", stamps)
    levels = _levels(tmp_path / "a.mp4")
    assert len(levels) == output.written == pytest.approx(300, abs=6)
    # What is shown at every moment is what was seen then (its level grows by 20 a second).
    shown = np.array(levels) / 20
    assert (
        np.abs(shown - np.arange(len(levels)) / 30).max() < 1 / rate + 0.25
    )  # the codec is off by some levels
    if rate == 30.0:
        assert output.repeated == output.left_out == 0


def test_a_pause_is_played_and_a_jump_of_the_clock_is_not(tmp_path):
    stamps = [k / 30 for k in range(30)] + [4 + k / 30 for k in range(30)]
    stamps += [1e6 + k / 30 for k in range(30)] + [5 + k / 30 for k in range(30)]
    output = _write(tmp_path / "a.mp4", stamps)
    # 1 s, a pause of 3 s, and another 3 s.
    assert output.written == pytest.approx(210, abs=5) and output.repeated == pytest.approx(
        90, abs=4
    )


def test_a_recording_is_written_frame_by_frame(tmp_path):
    output = _write(tmp_path / "a.mp4", [0.0, 1.0, 1.001, 5.0], real_time=False)
    assert output.written == len(_levels(tmp_path / "a.mp4")) == 4


@pytest.mark.parametrize(("width", "height"), [(97, 65), (97, 64), (96, 65), (96, 64)])
@pytest.mark.parametrize("suffix", ["mp4", "avi"])
def test_odd_sizes_keep_every_row_and_column(tmp_path, width, height, suffix):
    image = np.full((height, width, 3), 40, np.uint8)
    image[:, -3:] = 220  # the last columns and rows are bright: they must still be there
    image[-3:] = 220
    with VideoOutput(tmp_path / f"a.{suffix}", 30.0) as output:
        output.write(image, FusedFrame(image, None, image, 0, 0))
    there, read = cv2.VideoCapture(str(tmp_path / f"a.{suffix}")).read()
    assert there and read.shape[:2] == (height + height % 2, width + width % 2)
    wanted = cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
    assert np.abs(read.astype(int) - wanted).mean() < 6  # as far as the codec goes
    assert read[:, -1].mean() > 180 and read[-1].mean() > 180


def test_a_folder_counts_the_pictures_of_before(tmp_path):
    for index in range(8):
        (tmp_path / f"{index:06d}.png").write_bytes(b"old")
    (tmp_path / "tracks.csv").write_text("kept")
    with FolderOutput(tmp_path) as output:
        assert output.found == output.older == 8
        fused = _fused(0.0)
        output.write(fused.image, fused)
    assert output.written == 1 and output.older == 7 and output.found == 8


def test_a_folder_that_takes_no_file(tmp_path):
    for make in (lambda: FolderOutput(Path("/proc")), lambda: VideoOutput(Path("/proc/a.mp4"), 30)):
        with pytest.raises(ConfigError, match="/proc cannot be written to"):
            make()
