from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from benchmarks.goals import Goal, GoalResult
from benchmarks.limits import (
    MIX_SHIFTS,
    InformedStudent,
    MixShift,
    StudentFuser,
    main,
    percent_of_goal,
    shift_mix,
)
from benchmarks.metrics.grey import grey
from edge_sdk.fusion import Fuser
from quantize.student.weights import load_packed
from tests.benchmarks.pictures import coloured, textured


def frame(noise: int = 0, height: int = 96, width: int = 128) -> dict[str, np.ndarray]:
    """Clean sources, always the same, and noisy ones to fuse; ``noise`` is its seed."""
    rng = np.random.default_rng(noise)
    ir = cv2.cvtColor(textured(1, height, width) // 2, cv2.COLOR_GRAY2BGR)
    visible = coloured(2, height, width) // 2
    noisy = [
        np.clip(x + rng.normal(0, 9, (height, width, 1)), 0, 255).astype(np.uint8)
        for x in (ir, visible)
    ]
    return {"ir": ir, "visible": visible, "ir_input": noisy[0], "visible_input": noisy[1]}


def test_a_told_source_that_is_all_of_the_mix_comes_out_as_it_is() -> None:
    student = load_packed("default", InformedStudent)
    shift_mix(student, MixShift(share=1e4))
    curve = student.tone[2]
    assert isinstance(curve, torch.nn.Conv2d)
    with torch.no_grad():  # neither more detail of one nor any of the other, no stretch
        for conv, rows in ((student.weights, slice(4, 6)), (curve, slice(7, 9))):
            assert conv.bias is not None
            conv.weight[rows], conv.bias[rows] = 0.0, 0.0
    pictures = frame()
    fused = grey(StudentFuser(student, ("ir", "visible")).fuse(pictures))
    np.testing.assert_allclose(fused.astype(int), grey(pictures["ir"]).astype(int), atol=2)


def test_told_nothing_it_fuses_as_the_packed_model() -> None:
    ours = StudentFuser(load_packed("default", InformedStudent))
    packed = Fuser("default", "onnxruntime", "fp32")
    for k in range(3):
        pictures = frame(k, 97, 130)
        found = ours.fuse(pictures).astype(int)
        wanted = packed.step(
            grey(pictures["ir_input"]), pictures["visible_input"], k * 33_333_333
        ).image.astype(int)
        # Weights lie in the folder in half precision.
        assert np.abs(found - wanted).mean() < 0.5
        assert np.abs(found - wanted).max() <= 8


def test_shift_to_one_source_brings_the_picture_nearer_to_it() -> None:
    pictures = frame()
    distance = {}
    for name in ("more infrared", "less infrared"):
        student = load_packed("default", InformedStudent)
        shift_mix(student, MIX_SHIFTS[name])
        fused = grey(StudentFuser(student).fuse(pictures)).astype(int)
        distance[name] = np.abs(fused - grey(pictures["ir"])).mean()
    assert distance["more infrared"] < distance["less infrared"]


@pytest.mark.parametrize(
    ("at_most", "value", "needed", "percent"),
    [(False, 0.3, 0.4, 75.0), (True, 0.5, 0.4, 80.0), (True, 0.2, 0.4, 200.0)],
)
def test_percent_of_a_goal(at_most: bool, value: float, needed: float, percent: float) -> None:
    goal = Goal("VC" if at_most else "VIF", 1.0, "max", at_most)
    result = GoalResult("set", "method", goal, value, needed, needed)
    assert percent_of_goal(result) == pytest.approx(percent)
    assert result.met is (percent >= 100)


def test_the_command_writes_every_variant(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for k in range(2):
        for role, picture in frame(k).items():
            folder = tmp_path / "frames" / "a" / role.replace("_input", "_degraded")
            folder.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / f"{k}.png"), picture)
    out = tmp_path / "out.json"
    assert main(["--data", str(tmp_path), "--json", str(out)]) == 0
    tables = json.loads(out.read_text())
    assert list(tables) == ["clean video", "degraded video"]
    assert {"as it is", "both clean", *MIX_SHIFTS} <= set(tables["degraded video"])
    assert "both clean" not in tables["clean video"]
    told, alone = tables["degraded video"]["both clean"], tables["degraded video"]["as it is"]
    assert told["VIF"] > alone["VIF"]
    assert "degraded video" in capsys.readouterr().out


def test_an_empty_folder_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "frames").mkdir()
    assert main(["--data", str(tmp_path)]) == 2
    assert "has no scenes that a goal is judged on" in capsys.readouterr().err
