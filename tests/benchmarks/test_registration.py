"""The registration benchmark against answers whose errors are known."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks import registration
from benchmarks.registration import (
    Estimate,
    Trial,
    corner_error_px,
    offset_and_spread_px,
    random_homography,
    run_trials,
)

SIZE = (64, 48)


def shifted(x: float, y: float) -> np.ndarray:
    return np.array([[1.0, 0, x], [0, 1.0, y], [0, 0, 1.0]])


def trial(offset: list[list[float]] | None) -> Trial:
    return Trial("scene", "method", "black", 1.0, True, 0.0, "", offset)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name in ("ir", "visible"):
        folder = tmp_path / "frames" / "scene" / name
        folder.mkdir(parents=True)
        for index in range(2):
            picture = rng.integers(0, 255, SIZE[::-1], np.uint8)
            cv2.imwrite(str(folder / f"{index:02d}.png"), picture)
    return tmp_path


def test_corner_error_of_a_shift_is_its_length():
    truth = random_homography(np.random.default_rng(3), (640, 480))
    assert corner_error_px(shifted(3, 4) @ truth, truth, (640, 480)) == pytest.approx(5.0)
    assert corner_error_px(None, truth, (640, 480)) == np.inf


def test_what_answers_share_and_how_they_differ():
    first, second = [[3.0, 5.0]] * 4, [[3.0, 3.0]] * 4
    shared, spread = offset_and_spread_px([trial(first), trial(second), trial(None)])
    assert (shared, spread) == (pytest.approx(5.0), pytest.approx(1.0))
    assert np.isnan(offset_and_spread_px([trial(first), trial(None)])).all()


def test_a_recording_that_is_off_shows_as_common_offset_not_as_spread(
    recording: Path, monkeypatch: pytest.MonkeyPatch
):
    """Answers that undo the warp exactly and then shift by (3, 4), as a recording that is itself
    shifted would make a perfect method answer."""
    seeds = iter(range(3))

    def answer(pairs):
        warp = random_homography(np.random.default_rng(next(seeds)), SIZE)
        return Estimate(shifted(3, 4) @ np.linalg.inv(warp), True)

    monkeypatch.setitem(registration.METHODS, "edge-sdk", answer)
    trials = list(run_trials(recording, ["edge-sdk"], 3, 2, ["black"], 0, []))
    assert [t.error_px for t in trials] == pytest.approx([5.0] * 3)
    assert offset_and_spread_px(trials) == (pytest.approx(5.0), pytest.approx(0.0, abs=1e-6))
