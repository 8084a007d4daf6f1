"""What "ahead of every peer, all at once" means, goal by goal, and whether a method meets it.

Levels depend on the scene, so a goal stands against a baseline scored on the same frames.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.dataset import CLEAN, DEGRADED, VIDEO_SCENES
from benchmarks.scoring import Row
from edge_sdk.errors import ConfigError

__all__ = ["GOAL_SETS", "Goal", "GoalResult", "GoalSet", "judge"]


@dataclass(frozen=True)
class Goal:
    """One score that has to be reached.

    Attributes:
        metric: name of the score.
        bound: the factor on the baseline's score, or the score itself without a baseline.
        baseline: name of the baseline method; ``""`` for an absolute goal.
        at_most: True if smaller is better.
    """

    metric: str
    bound: float
    baseline: str = ""
    at_most: bool = False


@dataclass(frozen=True)
class GoalSet:
    """Goals that have to be met together, on one group of scenes under one condition."""

    name: str
    condition: str
    group: str
    goals: tuple[Goal, ...]

    @property
    def baselines(self) -> tuple[str, ...]:
        """Methods that have to be scored beside the one that is judged."""
        return tuple(dict.fromkeys(goal.baseline for goal in self.goals if goal.baseline))


GOAL_SETS = (
    GoalSet(
        "clean video",
        CLEAN,
        VIDEO_SCENES,
        (
            Goal("VIF", 1.12, "max"),
            Goal("Qabf", 1.06, "max"),
            Goal("SSIM", 1.0, "average"),
            Goal("MI", 5.0),
            Goal("SD", 1.0, "max"),
            Goal("SF", 1.0, "max"),
            Goal("TC", 1.05, "max"),
            Goal("VIF_ir", 0.9, "max"),
            Goal("VC", 1.03, "max", at_most=True),
            Goal("FLK", 1.1, "max", at_most=True),
        ),
    ),
    GoalSet(
        "degraded video",
        DEGRADED,
        VIDEO_SCENES,
        (
            Goal("VIF", 1.3, "classical"),
            Goal("Qabf", 1.4, "classical"),
            Goal("SSIM", 1.1, "classical"),
            Goal("MI", 1.3, "classical"),
            Goal("SD", 1.0, "classical"),
            Goal("SF", 1.3, "classical"),
            Goal("TC", 0.75),
            Goal("VIF_ir", 1.3, "classical"),
            Goal("VC", 0.8, "classical", at_most=True),
            Goal("FLK", 0.6, "classical", at_most=True),
        ),
    ),
    GoalSet(
        "RoadScene stills",
        CLEAN,
        "pairs/roadscene",
        (Goal("VIF", 0.40), Goal("Qabf", 0.60), Goal("SSIM", 0.72)),
    ),
)


@dataclass(frozen=True)
class GoalResult:
    """A goal held against scores.

    Attributes:
        goal_set: name of the :class:`GoalSet`.
        method: what was judged.
        goal: what was asked of it.
        value: its score.
        baseline_value: the baseline's score; None for an absolute goal.
        needed: the score that meets the goal.
    """

    goal_set: str
    method: str
    goal: Goal
    value: float
    baseline_value: float | None
    needed: float

    @property
    def ratio(self) -> float | None:
        """Score over the baseline's score; None without a baseline or if that is 0."""
        return self.value / self.baseline_value if self.baseline_value else None

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None if these frames do not measure it (a score is ``nan``)."""
        if math.isnan(self.value) or math.isnan(self.needed):
            return None
        return self.value <= self.needed if self.goal.at_most else self.value >= self.needed


def judge(method: str, goal_set: GoalSet, rows: Sequence[Row]) -> list[GoalResult]:
    """Hold the scores of ``method`` against every goal of a set.

    Args:
        method: name of the method.
        goal_set: the goals.
        rows: scores of the method and of ``goal_set.baselines`` on the same frames.

    Raises:
        ConfigError: the rows lack the method or a baseline.
    """
    scores = {
        row.method: row.scores
        for row in rows
        if (row.condition, row.group, row.sequence) == (goal_set.condition, goal_set.group, "")
    }
    for name in (method, *goal_set.baselines):
        if name not in scores:
            raise ConfigError(f"the goals '{goal_set.name}' need scores of '{name}', found none")
    results = []
    for goal in goal_set.goals:
        baseline = scores[goal.baseline][goal.metric] if goal.baseline else None
        needed = goal.bound if baseline is None else goal.bound * baseline
        value = scores[method][goal.metric]
        results.append(GoalResult(goal_set.name, method, goal, value, baseline, needed))
    return results
