"""Recordings in, exact pairs out: by time, by name, and what is said when neither works."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_sdk.capture.files import RecordedCamera, open_recording
from edge_sdk.capture.pairing import CameraDrops
from edge_sdk.capture.recorded_pairs import pair_recordings
from edge_sdk.errors import ConfigError, SourceError
from edge_sdk.frames import FramePair
from tests.capture.pairing_reference import MS, brute_force, times
from tests.capture.recordings import SHARED, needs_recordings


def write_folder(path: Path, names: Iterable[str], times_ms: Iterable[float] | None = None) -> Path:
    """Grey images, the k-th of level k."""
    path.mkdir()
    names = list(names)
    for level, name in enumerate(names):
        cv2.imwrite(str(path / name), np.full((4, 6), level, np.uint8))
    if times_ms is not None:
        rows = [f"{n},{round(t * MS)}" for n, t in zip(names, times_ms, strict=True)]
        (path / "timestamps.csv").write_text("\n".join(["name,timestamp_ns", *rows]) + "\n")
    return path


def open_both(ir: Path, visible: Path, **options: float) -> tuple[RecordedCamera, RecordedCamera]:
    return open_recording(ir, "ir", **options), open_recording(visible, "visible", **options)


def names(pairs: Iterable[FramePair]) -> list[tuple[str | None, str | None]]:
    return [(p.ir and p.ir.name, p.visible and p.visible.name) for p in pairs]


def test_folders_with_times_pair_by_time(tmp_path: Path) -> None:
    ir = write_folder(tmp_path / "ir", ["a.png", "b.png", "c.png"], [0, 110, 220])
    visible_ms = [0, 33, 67, 100, 133, 167, 200, 233]
    visible = write_folder(tmp_path / "v", [f"{k}.png" for k in range(8)], visible_ms)
    pairs = pair_recordings(*open_both(ir, visible), 20 * MS)
    assert times(pairs) == [(0, 0), (110, 100), (220, 233)]
    assert pairs.stats.visible == CameraDrops(no_partner=5)
    assert pairs.stats.ir.total == 0
    assert pairs.stats.max_abs_skew_ns == 13 * MS


def test_the_tolerance_is_inclusive(tmp_path: Path) -> None:
    ir = write_folder(tmp_path / "ir", ["a.png", "b.png"], [0, 120])
    visible = write_folder(tmp_path / "v", ["a.png", "b.png"], [20, 100])
    assert times(pair_recordings(*open_both(ir, visible), 20 * MS)) == [(0, 20), (120, 100)]


def test_a_recording_that_starts_much_earlier_loses_nothing_that_can_pair(tmp_path: Path) -> None:
    early = [40.0 * k for k in range(60)]
    ir = write_folder(tmp_path / "ir", [f"{k}.png" for k in range(60)], early)
    visible = write_folder(tmp_path / "v", [f"{k}.png" for k in range(10)], early[50:])
    pairs = pair_recordings(*open_both(ir, visible), 10 * MS)
    assert times(pairs) == [(t, t) for t in early[50:]]
    assert pairs.stats.ir == CameraDrops(no_partner=50)


@pytest.mark.parametrize("seed", range(5))
def test_recordings_with_jitter_against_brute_force(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    while True:
        ir_ms = sorted(rng.choice(150, 6, replace=False).tolist())
        visible_ms = sorted(rng.choice(150, 6, replace=False).tolist())
        skews = [abs(a - b) for a in ir_ms for b in visible_ms if abs(a - b) <= 30]
        if skews and len(set(skews)) == len(skews):
            break
    ir = write_folder(tmp_path / "ir", [f"{k}.png" for k in range(6)], ir_ms)
    visible = write_folder(tmp_path / "v", [f"{k}.png" for k in range(6)], visible_ms)
    pairs = list(pair_recordings(*open_both(ir, visible), 30 * MS))
    assert times(pairs) == brute_force(ir_ms, visible_ms, 30)


def test_folders_without_times_pair_by_stem(tmp_path: Path) -> None:
    ir = write_folder(tmp_path / "ir", ["00036N.png", "00047N.png", "00051N.png"])
    visible = write_folder(tmp_path / "v", ["00036N.jpg", "00040N.jpg", "00051N.jpg"])
    pairs = pair_recordings(*open_both(ir, visible), 1 * MS)
    made = list(pairs)
    assert names(made) == [("00036N.png", "00036N.jpg"), ("00051N.png", "00051N.jpg")]
    assert [p.skew_ns for p in made] == [0, 0]
    assert pairs.stats.ir == pairs.stats.visible == CameraDrops(no_partner=1)


def test_a_gap_in_one_folder_does_not_shift_the_pairs(tmp_path: Path) -> None:
    ir = write_folder(tmp_path / "ir", ["0001.png", "0002.png", "0004.png", "0005.png"])
    visible = write_folder(tmp_path / "v", [f"{k:04}.png" for k in range(2, 7)])
    pairs = pair_recordings(*open_both(ir, visible, allow_gaps=True), 1 * MS)
    assert names(pairs) == [(f"{k:04}.png", f"{k:04}.png") for k in (2, 4, 5)]


def test_different_prefixes_pair_by_number(tmp_path: Path) -> None:
    ir = write_folder(tmp_path / "ir", [f"ir_{k}.png" for k in range(1, 12)])
    visible = write_folder(tmp_path / "v", [f"vis_{k:03}.png" for k in range(3, 12)])
    pairs = pair_recordings(*open_both(ir, visible), 1 * MS)
    assert names(pairs) == [(f"ir_{k}.png", f"vis_{k:03}.png") for k in range(3, 12)]
    assert pairs.stats.ir == CameraDrops(no_partner=2)


def test_names_that_say_nothing_pair_by_order(tmp_path: Path) -> None:
    ir = write_folder(tmp_path / "ir", ["lake.png", "road.png"])
    visible = write_folder(tmp_path / "v", ["x7.png", "x99.png"])
    pairs = pair_recordings(*open_both(ir, visible), 1 * MS)
    assert names(pairs) == [("lake.png", "x7.png"), ("road.png", "x99.png")]


def test_names_that_say_nothing_and_unequal_counts(tmp_path: Path) -> None:
    ir = write_folder(tmp_path / "ir", ["lake.png", "road.png"])
    visible = write_folder(tmp_path / "v", ["x7.png", "x99.png", "x200.png"])
    with pytest.raises(SourceError, match=r"2 images and .* has 3"):
        pair_recordings(*open_both(ir, visible), 1 * MS)


def test_names_of_which_few_agree(tmp_path: Path) -> None:
    ir = write_folder(tmp_path / "ir", ["a.png", "b.png", "c.png"])
    visible = write_folder(tmp_path / "v", ["c.png", "d.png", "e.png"])
    with pytest.raises(SourceError, match="only 1 of 3 file names"):
        pair_recordings(*open_both(ir, visible), 1 * MS)


def test_recorded_times_win_over_made_up_ones(tmp_path: Path) -> None:
    ir = write_folder(tmp_path / "ir", ["a.png", "b.png"], [5000, 5111])
    visible = write_folder(tmp_path / "v", ["a.png", "b.png"])
    assert times(pair_recordings(*open_both(ir, visible), 1 * MS)) == [(5000, 5000), (5111, 5111)]


def test_folders_of_different_rates_pair_by_time(tmp_path: Path) -> None:
    ir = open_recording(write_folder(tmp_path / "ir", ["0.png", "1.png"]), "ir", fps=10)
    folder = write_folder(tmp_path / "v", [f"{k}.png" for k in range(4)])
    visible = open_recording(folder, "visible", fps=20)
    assert names(pair_recordings(ir, visible, 1 * MS)) == [("0.png", "0.png"), ("1.png", "2.png")]


def write_video(path: Path, levels: Iterable[int], fps: float) -> Path:
    writer = cv2.VideoWriter(
        str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*"FFV1"), fps, (64, 48)
    )
    assert writer.isOpened()
    for level in levels:
        writer.write(np.full((48, 64, 3), level, np.uint8))
    writer.release()
    return path


def test_a_folder_without_times_and_a_video_need_a_rate(tmp_path: Path) -> None:
    ir = write_folder(tmp_path / "ir", [f"{k}.png" for k in range(5)])
    visible = write_video(tmp_path / "v.avi", range(10, 15), 25)
    with pytest.raises(ConfigError, match="--fps"):
        pair_recordings(*open_both(ir, visible), 1 * MS)
    with open_recording(ir, "ir", fps=25) as a, open_recording(visible, "visible") as b:
        pairs = list(pair_recordings(a, b, 1 * MS))
    assert [(int(p.ir.image[0, 0]), int(p.visible.image[0, 0, 0])) for p in pairs] == [
        (k, 10 + k) for k in range(5)
    ]


def test_videos_of_one_length_and_different_rates_pair_by_time(tmp_path: Path) -> None:
    ir = write_video(tmp_path / "ir.avi", range(40), 20)
    visible = write_video(tmp_path / "v.avi", range(40), 40)
    pairs = pair_recordings(*open_both(ir, visible), 1 * MS)
    levels = [(int(p.ir.image[0, 0]), int(p.visible.image[0, 0, 0])) for p in pairs]
    assert levels == [(k, 2 * k) for k in range(20)]
    assert pairs.stats.ir == pairs.stats.visible == CameraDrops(no_partner=20)


@pytest.mark.parametrize("cut", ["ir", "visible"])
def test_a_truncated_recording_delivers_its_pairs_and_then_the_error(
    cut: str, tmp_path: Path
) -> None:
    cameras = ("ir", "visible")
    files = {camera: write_video(tmp_path / f"{camera}.avi", range(40), 25) for camera in cameras}
    data = files[cut].read_bytes()
    files[cut].write_bytes(data[: len(data) // 2])
    with open_recording(files[cut], cut) as camera:
        readable = 0
        with pytest.raises(SourceError, match="truncated"):
            while camera.read() is not None:
                readable += 1
    assert 0 < readable < 40
    pairs = pair_recordings(*open_both(files["ir"], files["visible"]), 1 * MS)
    made = []
    with pytest.raises(SourceError, match=f"truncated: {readable} of 40 frames"):
        for pair in pairs:
            made.append(pair)
    assert [int(p.visible.image[0, 0, 0]) for p in made] == list(range(readable))


def test_recordings_of_different_times_are_one_error(tmp_path: Path) -> None:
    ir = write_folder(tmp_path / "ir", ["a.png", "b.png"], [0, 40])
    visible = write_folder(tmp_path / "v", ["a.png", "b.png"], [9000, 9040])
    with pytest.raises(SourceError, match=r"0\.000 s to 0\.040 s, visible from 9\.000 s"):
        list(pair_recordings(*open_both(ir, visible), 20 * MS))


def test_cameras_in_the_wrong_place(tmp_path: Path) -> None:
    ir, visible = open_both(
        write_folder(tmp_path / "ir", ["a.png"]), write_folder(tmp_path / "v", ["a.png"])
    )
    with pytest.raises(ConfigError, match='named "ir", but got the recorded camera "visible"'):
        pair_recordings(visible, ir, 1 * MS)


@needs_recordings
def test_real_videos() -> None:
    folder = SHARED / "val" / "videos" / "1230_1202"
    pairs = pair_recordings(*open_both(folder / "ir.mp4", folder / "visible.mp4"), 20 * MS)
    sequences = [(p.ir.sequence, p.visible.sequence, p.skew_ns) for p in pairs]
    assert sequences == [(k, k, 0) for k in range(205)]
    assert pairs.stats.paired == 205


@needs_recordings
def test_real_folders() -> None:
    msrs = SHARED / "train" / "pairs" / "msrs"
    pairs = names(pair_recordings(*open_both(msrs / "ir", msrs / "visible"), 0))
    assert len(pairs) == 12
    assert all(ir == visible for ir, visible in pairs)
