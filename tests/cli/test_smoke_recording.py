"""A real recording: people in dense smoke, whom only the infrared camera sees."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_sdk.cli import main

SHARED = Path(__file__).resolve().parents[3] / "shared"
SCENE = SHARED / "data/train/videos/0117_1620"


def _grey(path: Path) -> list[np.ndarray]:
    video, frames = cv2.VideoCapture(str(path)), []
    while True:
        there, image = video.read()
        if not there:
            return frames
        frames.append(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))


def _contrast(image: np.ndarray, box: tuple[int, int, int, int]) -> float:
    """The warm (bright) half of what is in the box against a rim of half its width around it."""
    x1, y1, x2, y2 = box
    pad = max(4, (x2 - x1) // 2)
    inside = image[y1:y2, x1:x2].astype(np.float32)
    wide = image[max(0, y1 - pad) : y2 + pad, max(0, x1 - pad) : x2 + pad].astype(np.float32)
    around = (wide.sum() - inside.sum()) / max(1, wide.size - inside.size)
    return float(inside[inside >= np.median(inside)].mean() - around)


@pytest.mark.slow
@pytest.mark.skipif(not SCENE.is_dir(), reason=f"needs the recordings in {SHARED}")
def test_people_in_smoke_carry_tracks_and_are_visible(tmp_path, capsys):
    out, tracks = tmp_path / "out.mp4", tmp_path / "tracks.csv"
    with pytest.raises(SystemExit) as ended:
        main(
            [
                *("run", "--ir", str(SCENE / "ir.mp4"), "--visible", str(SCENE / "visible.mp4")),
                *("--output", str(out), "--tracks", str(tracks), "--no-overlay", "--json"),
            ]
        )
    assert not ended.value.code
    summary = json.loads(capsys.readouterr().out)
    fused, visible = _grey(out), _grey(SCENE / "visible.mp4")
    assert len(fused) == len(visible) == summary["fused"] and not summary["dropped"]

    boxes = defaultdict(list)
    for row in csv.DictReader(tracks.open()):
        x1, y1, x2, y2 = (float(row[name]) for name in ("x1", "y1", "x2", "y2"))
        box = (max(0, round(x1)), max(0, round(y1)), min(640, round(x2)), min(480, round(y2)))
        if box[2] - box[0] >= 4 and box[3] - box[1] >= 8:
            boxes[int(row["frame"])].append(box)
    assert len(boxes) >= 0.8 * len(fused)  # frames in which somebody is tracked
    pairs = [
        (_contrast(fused[k], box), _contrast(visible[k], box))
        for k in sorted(boxes)
        for box in boxes[k]
    ]
    in_fused, in_visible = np.array(pairs).T
    # The smoke hides them from the visible camera; in the fused picture they stand out.
    assert np.median(in_fused) > 20 and np.median(in_fused) > 3 * np.median(in_visible)
