"""What stands between the student and its goals: the same figures with parts of it replaced.

    python -m benchmarks.limits --data D
    python -m benchmarks.limits --data D --condition degraded --model FOLDER --json OUT.json

On degraded scenes a clean source takes the place of a restored one, behind the same mix: what no
restoration can exceed. On all scenes the mix leans one way or another, which tells what a figure
costs in others. Every figure is given in percent of its goal (where smaller is better, the goal in
percent of the figure): 100 or more is met. The student runs in torch, in float.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from torch import Tensor

from benchmarks.command import exit_code
from benchmarks.dataset import CONDITIONS, DEGRADED, load_scenes
from benchmarks.goals import GOAL_SETS, GoalResult, GoalSet, judge
from benchmarks.methods import make_method
from benchmarks.metrics.grey import grey
from benchmarks.scoring import Fuser, MethodFuser, Row, score_scenes
from benchmarks.sequences import Scene
from edge_sdk.errors import ConfigError
from edge_sdk.fusion.luma import join_luma, split_luma
from quantize.student.network import MAPS, MULTIPLE_PX, Student, StudentConfig, StudentState
from quantize.student.space import space_to_depth
from quantize.student.weights import load_packed

__all__ = ["MIX_SHIFTS", "InformedStudent", "StudentFuser", "main", "percent_of_goal", "shift_mix"]

Picture = NDArray[np.uint8]
TABLE_WIDTH = 150
AS_IT_IS = "as it is"
SUBSTITUTES: Mapping[str, tuple[str, ...]] = {
    "clean infrared": ("ir",),
    "clean visible": ("visible",),
    "both clean": ("ir", "visible"),
}


@dataclass(frozen=True)
class MixShift:
    """A change of the mix, before it is smoothed over time.

    Attributes:
        share: added to the logit of the infrared's share.
        decided: factor on that logit; below 1 every share is nearer to one half.
        ir_detail, visible_detail: added to the gains of what is finer than a block.
    """

    share: float = 0.0
    decided: float = 1.0
    ir_detail: float = 0.0
    visible_detail: float = 0.0


MIX_SHIFTS: Mapping[str, MixShift] = {
    "more infrared": MixShift(share=0.5),
    "less infrared": MixShift(share=-0.5),
    "nearer to half": MixShift(decided=0.7),
    "more infrared detail": MixShift(ir_detail=0.1),
    "less infrared detail": MixShift(ir_detail=-0.1),
    "more visible detail": MixShift(visible_detail=0.1),
    "less visible detail": MixShift(visible_detail=-0.1),
}


class InformedStudent(Student):
    """A student that is told what a source looks like without its degradation.

    Attributes:
        clean: ``"ir"`` or ``"visible"`` to the clean luma in block layout, (1, 16, H/4, W/4).
    """

    def __init__(self, config: StudentConfig | None = None) -> None:
        super().__init__(config)
        self.clean: dict[str, Tensor] = {}

    def toned(self, ir: Tensor, visible: Tensor, curve: Tensor) -> tuple[Tensor, Tensor]:
        """The clean sources where they are known, else what the student restores."""
        ir, visible = super().toned(ir, visible, curve)
        return self.clean.get("ir", ir), self.clean.get("visible", visible)


class StudentFuser:
    """Fuses the frames of a scene; ``clean`` names the sources that the student is told."""

    def __init__(self, student: InformedStudent, clean: tuple[str, ...] = ()) -> None:
        self._student = student
        self._clean = clean
        self._state: StudentState | None = None

    def reset(self) -> None:
        """Begin a sequence."""
        self._state = None

    @torch.no_grad()
    def fuse(self, frame: Mapping[str, Picture]) -> Picture:
        """Pictures (H, W, 3) uint8 BGR of the roles of a scene to the fused one."""
        luma, ycrcb = split_luma(frame["visible_input"])
        ir, visible = _padded(grey(frame["ir_input"])), _padded(luma)
        if self._state is None:
            self._state = self._student.initial_state(1, *ir.shape[-2:])
        self._student.clean = {
            name: space_to_depth(_padded(grey(frame[name]))) for name in self._clean
        }
        output, self._state = self._student(ir, visible, self._state)
        height, width = luma.shape
        fused = output.fused[0, 0, :height, :width].numpy()
        return join_luma(np.rint(fused * 255).astype(np.uint8), ycrcb)


def _padded(luma: Picture) -> Tensor:
    """(H, W) uint8 to (1, 1, H', W') in [0, 1], continued to sizes that the student takes."""
    bottom, right = (-size % MULTIPLE_PX for size in luma.shape)
    framed = cv2.copyMakeBorder(luma, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
    return torch.from_numpy(framed.astype(np.float32) / 255)[None, None]


@torch.no_grad()
def shift_mix(student: Student, shift: MixShift) -> None:
    """Change the student's mix in place."""
    maps = student.weights
    assert maps.bias is not None
    choice = MAPS.index("choice")
    maps.weight[choice] *= shift.decided
    maps.bias[choice] *= shift.decided
    maps.bias[choice] += shift.share
    maps.bias[MAPS.index("ir_detail")] += shift.ir_detail
    maps.bias[MAPS.index("visible_detail")] += shift.visible_detail


def percent_of_goal(result: GoalResult) -> float:
    """100 where the goal is just met, more where it is exceeded; ``nan`` if it was not measured."""
    value, needed = result.value, result.needed
    over, under = (needed, value) if result.goal.at_most else (value, needed)
    return 100 * over / under if under else float("nan")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.limits", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="as for benchmarks.quality")
    parser.add_argument("--condition", choices=CONDITIONS, help="(default: both)")
    parser.add_argument("--model", default="default", help="model name or folder")
    parser.add_argument("--json", type=Path, help="file to write the tables to")
    options = parser.parse_args(arguments)
    return exit_code(lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    chosen: list[tuple[GoalSet, list[Scene]]] = []
    for goal_set in GOAL_SETS:
        if options.condition in (None, goal_set.condition):
            found = load_scenes(options.data, goal_set.condition)
            scenes = [scene for scene in found if scene.group == goal_set.group]
            if scenes:
                chosen.append((goal_set, scenes))
    if not chosen:
        raise ConfigError(f"'{options.data}' has no scenes that a goal is judged on")
    console = Console(stderr=True)
    tables: dict[str, dict[str, dict[str, float]]] = {}
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        for goal_set, scenes in chosen:
            fusers = _fusers(options.model, goal_set)
            task = progress.add_task(goal_set.name, total=sum(s.frame_count() for s in scenes))
            tables[goal_set.name] = _table(
                goal_set, scenes, fusers, partial(progress.advance, task)
            )
    for name, table in tables.items():
        _print(name, table)
    if options.json is not None:
        try:
            options.json.write_text(json.dumps(tables, indent=2) + "\n")
        except OSError as error:
            raise ConfigError(f"--json {options.json}: {error.strerror}") from None


def _fusers(model: str, goal_set: GoalSet) -> dict[str, Fuser]:
    fusers: dict[str, Fuser] = {AS_IT_IS: StudentFuser(load_packed(model, InformedStudent))}
    if goal_set.condition == DEGRADED:
        for name, clean in SUBSTITUTES.items():
            fusers[name] = StudentFuser(load_packed(model, InformedStudent), clean)
    for name, shift in MIX_SHIFTS.items():
        student = load_packed(model, InformedStudent)
        shift_mix(student, shift)
        fusers[name] = StudentFuser(student)
    return fusers


def _table(
    goal_set: GoalSet,
    scenes: Sequence[Scene],
    fusers: Mapping[str, Fuser],
    on_frame: Callable[[], object],
) -> dict[str, dict[str, float]]:
    """Name of the variant to name of the metric to percent of its goal."""
    baselines = {name: MethodFuser(name, make_method(name)) for name in goal_set.baselines}
    rows: list[Row] = score_scenes(
        scenes, {**baselines, **fusers}, condition=goal_set.condition, on_frame=on_frame
    )
    return {
        name: {r.goal.metric: percent_of_goal(r) for r in judge(name, goal_set, rows)}
        for name in fusers
    }


def _print(name: str, table: Mapping[str, Mapping[str, float]]) -> None:
    metrics = list(next(iter(table.values())))
    printed = Table("", *metrics, title=f"{name}, % of the goal")
    for variant, values in table.items():
        printed.add_row(variant, *(f"{values[metric]:.1f}" for metric in metrics))
    # In a pipe or a log rich would cut the table at 80 columns.
    console = Console()
    (console if console.is_terminal else Console(width=TABLE_WIDTH)).print(printed)


if __name__ == "__main__":
    sys.exit(main())
