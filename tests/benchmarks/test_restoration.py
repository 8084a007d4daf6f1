from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from benchmarks.dataset import load_scenes
from benchmarks.restoration import Untouched, main, restoration_scores
from tests.benchmarks.pictures import coloured, textured


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """One scene of three frames; the degraded ones are brighter by 7 and noisy."""
    random = np.random.default_rng(3)
    folder = tmp_path / "frames" / "a"
    for name, pictures in {
        "ir": [textured(k, 96, 128) // 2 for k in range(3)],
        "visible": [coloured(k, 96, 128) // 2 for k in range(3)],
    }.items():
        for suffix in ("", "_degraded"):
            (folder / f"{name}{suffix}").mkdir(parents=True)
        for k, picture in enumerate(pictures):
            cv2.imwrite(str(folder / name / f"{k}.png"), picture)
            worse = picture + 7.0
            if name == "visible":
                worse = worse + random.normal(0, 5, picture.shape[:2])[..., None]
            worse = np.clip(np.rint(worse), 0, 255).astype(np.uint8)
            cv2.imwrite(str(folder / f"{name}_degraded" / f"{k}.png"), worse)
    return tmp_path


def test_figures_are_those_of_another_library(data: Path) -> None:
    (scene,) = load_scenes(data, "degraded")
    scores = restoration_scores(scene, Untouched())
    assert len(scores) == 3
    # An offset of 7 levels alone: 20 log10(255 / 7).
    assert [s["PSNR_ir"] for s in scores] == pytest.approx([20 * np.log10(255 / 7)] * 3, abs=1e-6)
    for score, frame in zip(scores, scene.frames(), strict=True):
        found, clean = (
            cv2.cvtColor(frame[name], cv2.COLOR_BGR2GRAY) for name in ("visible_input", "visible")
        )
        assert score["PSNR_vis"] == pytest.approx(peak_signal_noise_ratio(clean, found), abs=0.05)
        expected = structural_similarity(
            clean, found, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
            win_size=11, data_range=255,
        )  # fmt: skip
        assert score["SSIM_vis"] == pytest.approx(expected, abs=0.02)


def test_the_command_writes_a_table_of_all_three(data: Path, capsys) -> None:
    assert main(["--data", str(data), "--json", str(data / "out.json")]) == 0
    table = json.loads((data / "out.json").read_text())
    assert list(table) == ["degraded input", "classical restoration", "edge-sdk int8"]
    assert "PSNR_ir" in capsys.readouterr().out
    assert all(np.isfinite(list(row.values())).all() for row in table.values())


def test_data_without_degraded_scenes(tmp_path: Path, capsys) -> None:
    (tmp_path / "frames" / "a" / "ir").mkdir(parents=True)
    (tmp_path / "frames" / "a" / "visible").mkdir()
    for name in ("ir", "visible"):
        cv2.imwrite(str(tmp_path / "frames" / "a" / name / "0.png"), textured(1, 96, 128))
    assert main(["--data", str(tmp_path)]) == 2
    assert "has no degraded scenes" in capsys.readouterr().err
