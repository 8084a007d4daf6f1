"""The goals: their numbers, their directions, and what counts as met."""

from __future__ import annotations

import math

import pytest

from benchmarks.goals import GOAL_SETS, GoalSet, judge
from benchmarks.scoring import METRICS, Row
from edge_sdk.errors import ConfigError

CLEAN, DEGRADED, ROADSCENE = GOAL_SETS

NINE_SCENES = {
    # what the baselines reach on the nine scenes that the goals were written for
    "max": {"VIF": 0.401, "Qabf": 0.731, "SD": 50.4, "SF": 28.8, "TC": 0.78, "VC": 2.03}
    | {"FLK": 0.39, "SSIM": 0.624, "MI": 7.17, "VIF_ir": 0.222},
    "average": {"SSIM": 0.634},
    "classical": {"VIF": 0.208, "Qabf": 0.320, "SSIM": 0.543, "MI": 2.47, "SD": 46.6}
    | {"SF": 14.8, "TC": 0.55, "VC": 3.19, "FLK": 1.1, "VIF_ir": 0.138},
}


def _row(goal_set: GoalSet, method: str, scores: dict[str, float]) -> Row:
    row = Row(goal_set.condition, goal_set.group, "", method)
    row.add(scores)
    return row


def _judge(goal_set: GoalSet, scores: dict[str, float]) -> dict[str, bool | None]:
    rows = [_row(goal_set, name, NINE_SCENES[name]) for name in goal_set.baselines]
    results = judge("mine", goal_set, [*rows, _row(goal_set, "mine", scores)])
    return {result.goal.metric: result.met for result in results}


@pytest.mark.parametrize(
    ("goal_set", "expected"),
    [
        (
            CLEAN,
            {"VIF": 0.45, "Qabf": 0.78, "SSIM": 0.634, "MI": 5, "SD": 50, "SF": 29, "TC": 0.82}
            | {"VIF_ir": 0.20, "VC": 2.1, "FLK": 0.43},
        ),
        (
            DEGRADED,
            {"VIF": 0.27, "Qabf": 0.45, "SSIM": 0.60, "MI": 3.2, "SD": 47, "SF": 19, "TC": 0.75}
            | {"VIF_ir": 0.18, "VC": 2.55, "FLK": 0.66},
        ),
        (ROADSCENE, {"VIF": 0.40, "Qabf": 0.60, "SSIM": 0.72}),
    ],
    ids=lambda value: value.name if isinstance(value, GoalSet) else "",
)
def test_needed_scores_on_the_nine_scenes(goal_set: GoalSet, expected: dict[str, float]) -> None:
    rows = [_row(goal_set, name, NINE_SCENES[name]) for name in goal_set.baselines]
    mine = _row(goal_set, "mine", dict.fromkeys(METRICS, 1.0))
    needed = {
        result.goal.metric: result.needed for result in judge("mine", goal_set, [*rows, mine])
    }
    # the page that sets the goals rounds them
    assert needed == pytest.approx(expected, rel=0.025)


def test_a_method_that_reaches_everything_meets_every_goal() -> None:
    good = {"VIF": 0.46, "Qabf": 0.79, "SSIM": 0.64, "MI": 5.1, "SD": 51, "SF": 30, "TC": 0.83}
    good |= {"VIF_ir": 0.21, "VC": 2.0, "FLK": 0.4}
    assert set(_judge(CLEAN, good).values()) == {True}
    worse = good | {"VC": 2.2, "FLK": 0.5, "MI": 4.9}
    assert {name for name, met in _judge(CLEAN, worse).items() if not met} == {"VC", "FLK", "MI"}


def test_what_the_frames_do_not_measure_is_not_met() -> None:
    scores = dict.fromkeys(METRICS, 100.0)
    del scores["TC"]
    assert _judge(CLEAN, scores)["TC"] is None


def test_ratio_is_that_to_the_baseline() -> None:
    rows = [_row(DEGRADED, "classical", NINE_SCENES["classical"])]
    rows.append(_row(DEGRADED, "mine", dict.fromkeys(METRICS, 1.1)))
    ratios = {result.goal.metric: result.ratio for result in judge("mine", DEGRADED, rows)}
    assert ratios["FLK"] == pytest.approx(1.0)
    assert ratios["VIF"] == pytest.approx(1.1 / 0.208)
    assert ratios["TC"] is None


def test_a_baseline_that_was_not_scored_is_named() -> None:
    with pytest.raises(ConfigError, match="'max'"):
        judge("mine", CLEAN, [_row(CLEAN, "mine", {"VIF": 1.0})])


def test_averages_leave_out_what_is_not_defined() -> None:
    row = Row("", "all", "", "mine")
    for value in (0.5, float("nan"), 0.7):
        row.add({"TC": value})
    assert row.scores["TC"] == pytest.approx(0.6)
    assert math.isnan(row.scores["FLK"])
