"""The command, from the command line to table, JSON and CSV."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from benchmarks import methods, metrics
from benchmarks.baselines import MaxLuma
from benchmarks.dataset import load_scenes
from benchmarks.quality import main
from benchmarks.scoring import METRICS, MethodFuser, score_scenes
from tests.benchmarks.pictures import DATA, Picture, blurred, coloured, textured


def _scene(frames: int, seed: int = 0) -> tuple[list[Picture], list[Picture]]:
    """A slowly moving pair of streams with a hot target, 60 x 72."""
    ir_all, visible_all = textured(seed, 60, 90) // 3, coloured(seed + 1, 60, 90)
    irs, visibles = [], []
    for shift in range(frames):
        ir = ir_all[:, shift : shift + 72].copy()
        ir[20:30, 30:38] = 220
        irs.append(ir)
        visibles.append(visible_all[:, shift : shift + 72].copy())
    return irs, visibles


def _write(folder: Path, pictures: list[Picture]) -> None:
    folder.mkdir(parents=True)
    for index, picture in enumerate(pictures):
        assert cv2.imwrite(str(folder / f"{index:04}.png"), picture)


def _degrade(irs: list[Picture], visibles: list[Picture]) -> tuple[list[Picture], list[Picture]]:
    random = np.random.default_rng(3)
    stripes = random.normal(0, 9, 72)
    noisy = [ir + 35 + stripes + random.normal(0, 11, ir.shape) for ir in irs]
    return (
        [np.clip(np.rint(ir), 0, 255).astype(np.uint8) for ir in noisy],
        [blurred(visible, 1.4) for visible in visibles],
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The layout of the recorded data: two scenes, one of them with two degraded frames, stills."""
    root = tmp_path / "data"
    for seed, name in ((0, "a"), (10, "b")):
        irs, visibles = _scene(3, seed)
        _write(root / "frames" / name / "ir", irs)
        _write(root / "frames" / name / "visible", visibles)
    irs, visibles = _scene(3)
    degraded = _degrade(irs, visibles)
    _write(root / "frames" / "a" / "ir_degraded", degraded[0][:2])
    _write(root / "frames" / "a" / "visible_degraded", degraded[1][:2])
    irs, visibles = _scene(2, 20)
    _write(root / "pairs" / "roadscene" / "ir", irs)
    _write(root / "pairs" / "roadscene" / "visible", visibles)
    return root


def _run(arguments: list[Any], tmp_path: Path) -> dict[str, Any]:
    report = tmp_path / "report.json"
    assert main([*map(str, arguments), "--json", str(report)]) == 0
    loaded: dict[str, Any] = json.loads(report.read_text())
    return loaded


def _mean_row(report: dict[str, Any], method: str, group: str) -> dict[str, Any]:
    (row,) = (
        row
        for row in report["rows"]
        if (row["method"], row["group"], row["sequence"]) == (method, group, None)
    )
    found: dict[str, Any] = row
    return found


def test_scores_of_a_folder_are_the_means_of_the_metrics(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    irs, visibles = _scene(3)
    fused = [MaxLuma().step(ir, visible) for ir, visible in zip(irs, visibles, strict=True)]
    for name, pictures in (("fused", fused), ("ir", irs), ("visible", visibles)):
        _write(tmp_path / name, pictures)
    folders = [x for name in ("fused", "ir", "visible") for x in (f"--{name}", tmp_path / name)]
    report = _run(folders, tmp_path)
    scores = _mean_row(report, "fused", "all")["scores"]
    assert list(scores) == list(METRICS)

    f, b = [metrics.grey(x) for x in fused], [metrics.grey(x) for x in visibles]
    per_frame = list(zip(f, irs, b, strict=True))
    assert scores["EN"] == pytest.approx(np.mean([metrics.entropy(x) for x in f]))
    assert scores["MI"] == pytest.approx(
        np.mean(
            [metrics.mutual_information(x, s) for x, *both in per_frame for s in both],
        )
        * 2
    )
    assert scores["VIF_ir"] == pytest.approx(np.mean([metrics.vif(a, x) for x, a, _ in per_frame]))
    assert scores["VIF"] == pytest.approx((scores["VIF_ir"] + scores["VIF_vis"]) / 2)
    assert scores["SSIM"] == pytest.approx((scores["SSIM_ir"] + scores["SSIM_vis"]) / 2)
    assert scores["Qabf"] == pytest.approx(np.mean([metrics.qabf(*x) for x in per_frame]))
    changes = [((f[t], f[t + 1]), (irs[t], irs[t + 1]), (b[t], b[t + 1])) for t in (0, 1)]
    assert scores["VC"] == pytest.approx(
        np.mean([metrics.variation_consistency(*change) for change in changes])
    )
    assert scores["FLK"] == pytest.approx(np.mean([metrics.flicker(*c) for c in changes]))
    printed = capsys.readouterr().out
    assert f"{scores['VIF']:.3f}" in printed and "Qabf" in printed


def test_stills_have_no_temporal_figures(tmp_path: Path) -> None:
    irs, visibles = _scene(2)
    for name, pictures in (("fused", irs), ("ir", irs), ("visible", visibles)):
        _write(tmp_path / name, pictures)
    folders = [x for name in ("fused", "ir", "visible") for x in (f"--{name}", tmp_path / name)]
    scores = _run([*folders, "--stills"], tmp_path)["rows"][-1]["scores"]
    assert scores["VC"] is None and scores["FLK"] is None
    assert scores["TC"] == pytest.approx(1)


def test_methods_are_scored_on_every_scene(data: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    arguments = ["--method", "visible", "--method", "max", "--data", data, "--csv", table]
    report = _run(arguments, tmp_path)
    assert {row["sequence"] for row in report["rows"]} == {
        *("frames/a", "frames/b", "pairs/roadscene", None)
    }
    visible = _mean_row(report, "visible", "scenes")
    assert visible["frames"] == 6
    assert visible["scores"]["VIF_vis"] == pytest.approx(1, abs=1e-6)
    assert visible["scores"]["SSIM_vis"] == pytest.approx(1)
    assert _mean_row(report, "max", "scenes")["scores"]["TC"] > visible["scores"]["TC"]
    with table.open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == len(report["rows"]) == 2 * 5
    assert float(lines[0]["EN"]) == report["rows"][0]["scores"]["EN"]


def test_degraded_frames_are_fused_and_scored_against_the_clean_ones(
    data: Path, tmp_path: Path
) -> None:
    arguments = ["--method", "visible", "--method", "infrared", "--data", data]
    report = _run([*arguments, "--condition", "degraded"], tmp_path)
    assert _mean_row(report, "infrared", "scenes")["scores"]["SSIM_ir"] < 0.7
    row = _mean_row(report, "visible", "scenes")
    assert row["frames"] == 2
    assert row["condition"] == "degraded"
    clean, degraded = (
        [
            metrics.grey(np.asarray(cv2.imread(str(path)), np.uint8))
            for path in sorted((data / "frames" / "a" / name).glob("*.png"))
        ]
        for name in ("visible", "visible_degraded")
    )
    expected = np.mean([metrics.vif(x, y) for x, y in zip(clean[:2], degraded, strict=True)])
    assert row["scores"]["VIF_vis"] == pytest.approx(expected)


def test_only_chooses_scenes(data: Path, tmp_path: Path) -> None:
    arguments = ["--method", "max", "--data", data, "--only", "frames/b"]
    assert {row["sequence"] for row in _run(arguments, tmp_path)["rows"]} == {"frames/b", None}


class _Counting:
    """Notes how many frames it has seen since the reset, and spoils its inputs."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self._since_reset = -100

    def reset(self) -> None:
        self._since_reset = 0

    def step(self, ir_u8: Picture, visible_bgr_u8: Picture) -> Picture:
        self._since_reset += 1
        self.seen.append(self._since_reset)
        ir_u8[:] = 0
        visible_bgr_u8[:] = self._since_reset
        return visible_bgr_u8


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> _Counting:
    monkeypatch.setattr(methods, "_registry", dict(methods._registry))
    method = _Counting()
    methods.register("counting", lambda: method, "counts")
    return method


def test_every_sequence_and_every_still_begins_with_a_reset(
    data: Path, tmp_path: Path, counting: _Counting
) -> None:
    arguments = ["--method", "counting", "--method", "visible", "--data", data]
    report = _run(arguments, tmp_path)
    assert counting.seen == [1, 2, 3, 1, 2, 3, 1, 1]
    # what one method does to its inputs reaches neither the references nor the next method
    assert _mean_row(report, "visible", "scenes")["scores"]["SSIM_vis"] == pytest.approx(1)


def test_a_method_that_returns_another_shape_is_named(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(methods, "_registry", dict(methods._registry))

    class Wrong(_Counting):
        def step(self, ir_u8: Picture, visible_bgr_u8: Picture) -> Picture:
            return ir_u8

    methods.register("wrong", Wrong, "returns the infrared in one channel")
    assert main(["--method", "wrong", "--data", str(data)]) == 2
    assert "'wrong' returned (60, 72)" in capsys.readouterr().err


def test_goals_run_the_baselines_that_they_need(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = _run(["--goals", "--method", "max", "--data", data], tmp_path)
    goals = {(goal["goal_set"], goal["metric"]): goal for goal in report["goals"]}
    assert len(goals) == 10 + 10 + 3
    sharpness = goals["clean video", "SF"]
    assert sharpness["baseline"] == "max"
    assert sharpness["ratio"] == pytest.approx(1) and sharpness["met"] is True
    fidelity = goals["clean video", "VIF"]
    assert fidelity["needed"] == pytest.approx(1.12 * fidelity["baseline_value"])
    assert fidelity["met"] is False
    assert goals["clean video", "SSIM"]["baseline"] == "average"
    flicker = goals["degraded video", "FLK"]
    assert flicker["baseline"] == "classical" and flicker["at_most"]
    assert goals["RoadScene stills", "VIF"]["baseline_value"] is None
    assert report["all_met"] == {"max": False}
    assert "goals met, degraded video" in capsys.readouterr().out


def test_goals_of_one_condition_and_of_data_without_some_groups(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--goals", "--method", "max", "--data", data, "--only", "frames/*"]
    report = _run([*arguments, "--condition", "clean"], tmp_path)
    assert {goal["goal_set"] for goal in report["goals"]} == {"clean video"}
    assert "'RoadScene stills' are not judged" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to score"),
        (["--fused", "x"], "--fused also needs --ir and --visible"),
        (["--method", "max"], "--method also needs --data"),
        (
            ["--fused", "x", "--ir", "x", "--visible", "x", "--data", "x"],
            "--fused and --data do not go together",
        ),
        (["--goals", "--fused", "x", "--ir", "x", "--visible", "x"], "--goals judges methods"),
        (["--method", "nonsense", "--data", "{data}"], "no fusion method is named 'nonsense'"),
        (["--method", "max", "--data", "{data}/frames"], "none of the folders"),
        (["--method", "max", "--data", "{data}", "--only", "videos/*"], "no clean scenes"),
        (["--method", "max", "--data", "{data}", "--max-frames", "0"], "at least 1"),
        (["--method", "max", "--data", "{data}", "--json", "{data}/no/x.json"], "cannot write"),
    ],
)
def test_bad_input_is_one_message_and_exit_code_2(
    arguments: list[str], message: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([argument.format(data=data) for argument in arguments]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("error: ") and message in printed.err
    assert printed.err.count("\n") == 1
    assert printed.out == ""


def test_frames_that_are_too_small_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("fused", "ir", "visible"):
        _write(tmp_path / name, [textured(1, 30, 50)])
    folders = [str(x) for n in ("fused", "ir", "visible") for x in (f"--{n}", tmp_path / n)]
    assert main(folders) == 2
    assert "50x30 pixels are too small" in capsys.readouterr().err


def test_a_degraded_scene_needs_both_sources(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _write(data / "frames" / "b" / "ir_degraded", [textured(1)])
    assert main(["--method", "max", "--data", str(data), "--condition", "degraded"]) == 2
    assert "visible_degraded' is missing" in capsys.readouterr().err


def test_methods_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list-methods"]) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert set(methods.BASELINES) <= set(listed)


@pytest.mark.skipif(
    not (DATA / "train").is_dir(), reason="recorded scenes are not beside the project"
)
def test_baselines_on_a_recorded_scene_are_where_they_were_measured() -> None:
    """The levels were measured on nine other scenes, so the bounds are wide."""
    (scene,) = load_scenes(DATA / "train", "clean", only=["frames/0115_1831"])
    names = ("visible", "average", "max")
    fusers = {name: MethodFuser(name, methods.make_method(name)) for name in names}
    rows = score_scenes([replace(scene, max_frames=2)], fusers)
    visible, average, brighter = (row.scores for row in rows if not row.sequence)
    assert visible["VIF"] == pytest.approx(0.518, abs=0.03)
    assert visible["Qabf"] == pytest.approx(0.812, abs=0.06)
    assert visible["SSIM"] == pytest.approx(0.628, abs=0.04)
    assert visible["TC"] == pytest.approx(-0.02, abs=0.15)
    assert average["Qabf"] == pytest.approx(0.400, abs=0.06)
    assert average["TC"] == pytest.approx(0.49, abs=0.1)
    assert average["VIF"] < brighter["VIF"] < visible["VIF"]
    assert brighter["VC"] == pytest.approx(visible["VC"], rel=0.05)
