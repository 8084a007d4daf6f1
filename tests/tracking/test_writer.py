"""The CSV file of tracks."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from edge_sdk.errors import ConfigError
from edge_sdk.frames import FusedFrame, Track
from edge_sdk.tracking import TrackWriter

IMAGE = np.zeros((4, 4, 3), np.uint8)


def frame(index: int, *tracks: Track) -> FusedFrame:
    return FusedFrame(IMAGE, None, IMAGE, 10**15 + index, 0, tracks=list(tracks), index=index)


def test_golden_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "tracks.csv"
    with TrackWriter(path) as writer:
        writer.write(frame(0))
        writer.write(
            frame(
                1,
                Track(1, (0.0, 1.5, 20.25, 30.0), "warm", 0.87654),
                Track(2, (5.0, 6.0, 7.0, 8.0), 'a "b", c', 1.0),
            )
        )
    assert path.read_bytes() == (
        b"timestamp_ns,frame,track_id,label,score,x1,y1,x2,y2\n"
        b"1000000000000001,1,1,warm,0.8765,0.00,1.50,20.25,30.00\n"
        b'1000000000000001,1,2,"a ""b"", c",1.0000,5.00,6.00,7.00,8.00\n'
    )


def test_rows_are_readable_before_the_file_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "tracks.csv"
    writer = TrackWriter(path)
    writer.write(frame(3, Track(7, (1, 2, 3, 4), "person", 0.5)))
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    writer.close()
    writer.close()
    assert [(row["track_id"], row["label"], row["x2"]) for row in rows] == [("7", "person", "3.00")]


def test_a_path_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path, tmp_path / "file" / "tracks.csv"):
        with pytest.raises(ConfigError, match="cannot be written"):
            TrackWriter(path)


def test_writing_after_close(tmp_path: Path) -> None:
    with TrackWriter(tmp_path / "tracks.csv") as writer:
        pass
    with pytest.raises(ConfigError, match="is closed"):
        writer.write(frame(0))
