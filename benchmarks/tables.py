"""Scores as tables for people (rich), and as JSON and CSV for everything else."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.goals import GOAL_SETS, GoalResult
from benchmarks.scoring import METRICS, Row

__all__ = ["print_goals", "print_rows", "write_csv", "write_json"]

_DECIMALS = {"SF": 1, "SD": 1, "EN": 2, "MI": 2, "TC": 2, "VC": 2, "FLK": 2}
_MET = {True: "[green]yes", False: "[red]no", None: "[yellow]not measured"}


def print_rows(console: Console, rows: Sequence[Row]) -> None:
    """One table for each condition and group, a line for each method (or sequence)."""
    tables: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        tables.setdefault((row.condition, row.group), []).append(row)
    for (condition, group), members in tables.items():
        table = Table(title=", ".join(part for part in (condition, group) if part))
        by_sequence = any(row.sequence for row in members)
        table.add_column("sequence" if by_sequence else "method")
        for name in ("frames", *METRICS):
            table.add_column(name, justify="right", no_wrap=True)
        for row in members:
            label = (row.sequence or "all frames") if by_sequence else row.method
            cells = [_cell(name, row.scores[name]) for name in METRICS]
            table.add_row(label, str(row.frames), *cells)
        console.print(table)


def print_goals(console: Console, results: Sequence[GoalResult]) -> None:
    """One table for each method and set of goals."""
    tables: dict[tuple[str, str], list[GoalResult]] = {}
    for result in results:
        tables.setdefault((result.method, result.goal_set), []).append(result)
    for (method, goal_set), members in tables.items():
        met = sum(result.met is True for result in members)
        table = Table(title=f"{method}: {met} of {len(members)} goals met, {goal_set}")
        for name in ("metric", "value", "baseline", "", "ratio", "needed", "met"):
            table.add_column(name, justify="left" if name in ("metric", "", "met") else "right")
        for result in members:
            goal = result.goal
            sign = "<=" if goal.at_most else ">="
            baseline = result.baseline_value
            table.add_row(
                goal.metric,
                _goal_cell(result.value),
                "-" if baseline is None else _goal_cell(baseline),
                goal.baseline,
                "-" if result.ratio is None else _goal_cell(result.ratio),
                f"{sign} {_goal_cell(result.needed)}"
                + (f" ({goal.bound:g} x)" if goal.baseline else ""),
                _MET[result.met],
            )
        console.print(table)


def write_json(path: Path, rows: Iterable[Row], goals: Sequence[GoalResult] | None) -> None:
    """Write all rows, and the goals where they were judged; ``nan`` becomes null."""
    report: dict[str, Any] = {
        "metrics": list(METRICS),
        "rows": [
            {
                "condition": row.condition or None,
                "group": row.group,
                "sequence": row.sequence or None,
                "method": row.method,
                "frames": row.frames,
                "scores": {name: _number(value) for name, value in row.scores.items()},
            }
            for row in rows
        ],
    }
    if goals is not None:
        report["goals"] = [
            {
                "goal_set": result.goal_set,
                "method": result.method,
                "metric": result.goal.metric,
                "value": _number(result.value),
                "baseline": result.goal.baseline or None,
                "baseline_value": _number(result.baseline_value),
                "ratio": _number(result.ratio),
                "bound": result.goal.bound,
                "needed": _number(result.needed),
                "at_most": result.goal.at_most,
                "met": result.met,
            }
            for result in goals
        ]
        report["all_met"] = _all_met(goals)
    path.write_text(json.dumps(report, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def _all_met(goals: Sequence[GoalResult]) -> dict[str, bool]:
    """Method to whether it meets every goal of every set; what was not measured is not met."""
    names = [goal_set.name for goal_set in GOAL_SETS]
    methods = dict.fromkeys(result.method for result in goals)
    verdict = {}
    for method in methods:
        own = [result for result in goals if result.method == method]
        complete = {result.goal_set for result in own} == set(names)
        verdict[method] = complete and all(result.met is True for result in own)
    return verdict


def write_csv(path: Path, rows: Iterable[Row]) -> None:
    """Write one line for each row; what is not defined stays empty."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["condition", "group", "sequence", "method", "frames", *METRICS])
        for row in rows:
            values = [_number(row.scores[name]) for name in METRICS]
            writer.writerow(
                [row.condition, row.group, row.sequence, row.method, row.frames, *values]
            )


def _cell(metric: str, value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.{_DECIMALS.get(metric, 3)}f}"


def _goal_cell(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value
