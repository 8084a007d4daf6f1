"""Command: score fused frames, or fuse and score.

::

    python -m benchmarks.quality --fused DIR --ir DIR --visible DIR [--stills]
    python -m benchmarks.quality --method max --method classical --data D --condition degraded
    python -m benchmarks.quality --goals --method M --data D
    python -m benchmarks.quality --list-methods

Exit code 0 when the scores were computed (whether or not goals are met), 2 for bad input.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from benchmarks.command import exit_code
from benchmarks.dataset import CLEAN, CONDITIONS, load_scenes
from benchmarks.goals import GOAL_SETS, GoalResult, GoalSet, judge
from benchmarks.methods import ALL_BASELINES, expand_names, make_method, registered
from benchmarks.scoring import Fuser, MethodFuser, ReadyMade, Row, score_scenes
from benchmarks.sequences import Scene, match_folders
from benchmarks.tables import print_goals, print_rows, write_csv, write_json
from edge_sdk.errors import ConfigError

__all__ = ["main"]

_TABLE_WIDTH = 150


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; see the head of this file.

    Args:
        arguments: the command line after the program's name; None for that of the process.

    Returns:
        Exit code.
    """
    options = _parser().parse_args(arguments)
    return exit_code(lambda: _run(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality",
        description="Score fused frames against their clean sources, or fuse and score.",
    )
    ready = parser.add_argument_group("frames that were fused before")
    ready.add_argument("--fused", type=Path, metavar="DIR", help="folder (or video) of them")
    ready.add_argument("--ir", type=Path, metavar="DIR", help="the clean infrared frames")
    ready.add_argument("--visible", type=Path, metavar="DIR", help="the clean visible frames")
    ready.add_argument(
        "--stills",
        action="store_true",
        help="the images of a folder are unrelated: no temporal figures",
    )
    live = parser.add_argument_group("fuse, then score")
    live.add_argument(
        "--method", action="append", default=[], help=f"method, repeatable; {ALL_BASELINES}"
    )
    live.add_argument("--data", type=Path, metavar="D", help="folder with frames, videos, pairs")
    live.add_argument("--condition", choices=CONDITIONS, help="inputs to fuse (default: clean)")
    live.add_argument(
        "--goals",
        action="store_true",
        help="hold the methods against every goal (of one condition, if one is given)",
    )
    live.add_argument(
        "--max-frames", type=int, default=24, metavar="N", help="frames of each video (default: 24)"
    )
    live.add_argument(
        "--only", action="append", default=[], metavar="PATTERN", help="scenes, as 'frames/*'"
    )
    live.add_argument("--list-methods", action="store_true", help="show what can be named")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all scores as JSON")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write all scores as CSV")
    return parser


def _run(options: argparse.Namespace) -> None:
    console = Console()
    if not console.is_terminal:
        # in a pipe or a log rich would cut the table at 80 columns
        console = Console(width=_TABLE_WIDTH)
    if options.list_methods:
        for entry in registered():
            name = f"{entry.name}:{entry.argument}" if entry.argument else entry.name
            print(f"{name:<24} {entry.summary}")
        return
    _check_options(options)
    goals: list[GoalResult] | None = None
    if options.fused is not None:
        scenes = match_folders(options.fused, options.ir, options.visible, stills=options.stills)
        rows = _score("scoring", scenes, {"fused": ReadyMade()})
        sequences = {row.sequence for row in rows if row.sequence}
        print_rows(console, rows if len(sequences) > 1 else rows[-1:])
    elif options.goals:
        rows, goals = _score_goals(options)
        print_rows(console, [row for row in rows if not row.sequence])
        print_goals(console, goals)
    else:
        rows = _score_methods(options, options.condition or CLEAN)
        print_rows(console, [row for row in rows if not row.sequence])
    try:
        if options.json is not None:
            write_json(options.json, rows, goals)
        if options.csv is not None:
            write_csv(options.csv, rows)
    except OSError as error:
        raise ConfigError(f"cannot write '{error.filename}': {error.strerror}") from error


def _check_options(options: argparse.Namespace) -> None:
    ready = {f"--{name}": getattr(options, name) for name in ("fused", "ir", "visible")}
    live = {"--method": options.method, "--data": options.data}
    for mode, other in ((ready, live), (live, ready)):
        lacking = [name for name, value in mode.items() if not value]
        given = [name for name, value in mode.items() if value]
        if given and lacking:
            raise ConfigError(f"{given[0]} also needs {' and '.join(lacking)}")
        if given and any(other.values()):
            raise ConfigError(
                f"{given[0]} and {next(name for name, value in other.items() if value)} do not go "
                "together: either score frames that were fused before, or fuse and score"
            )
    if not any(ready.values()) and not any(live.values()):
        raise ConfigError(
            "nothing to score: give --fused DIR --ir DIR --visible DIR, or --method M --data D"
        )
    if options.goals and not options.method:
        raise ConfigError("--goals judges methods: give --method M --data D")
    if options.max_frames < 1:
        raise ConfigError(f"--max-frames must be at least 1, found {options.max_frames}")
    for path in (options.json, options.csv):
        if path is not None and (path.is_dir() or not path.absolute().parent.is_dir()):
            raise ConfigError(
                f"cannot write '{path}': it is a folder, or its folder does not exist; name a file"
            )


def _score_methods(options: argparse.Namespace, condition: str) -> list[Row]:
    scenes = _load(options, condition)
    if not scenes:
        raise ConfigError(
            f"'{options.data}' has no {condition} scenes"
            + (f" named {' or '.join(options.only)}" if options.only else "")
        )
    fusers = _make_fusers(expand_names(options.method))
    return _score(condition, scenes, fusers, condition)


def _score_goals(options: argparse.Namespace) -> tuple[list[Row], list[GoalResult]]:
    methods = expand_names(options.method)
    chosen: list[tuple[GoalSet, list[Scene]]] = []
    for goal_set in GOAL_SETS:
        if options.condition in (None, goal_set.condition):
            scenes = _load(options, goal_set.condition)
            mine = [scene for scene in scenes if scene.group == goal_set.group]
            if mine:
                chosen.append((goal_set, mine))
            else:
                print(
                    f"note: '{options.data}' has no {goal_set.condition} scenes of group "
                    f"'{goal_set.group}', the goals '{goal_set.name}' are not judged",
                    file=sys.stderr,
                )
    if not chosen:
        raise ConfigError(f"'{options.data}' has no scenes that a goal is judged on")
    wanted = expand_names(
        [*methods, *(name for goal_set, _ in chosen for name in goal_set.baselines)]
    )
    fusers = _make_fusers(wanted)
    rows: list[Row] = []
    results: list[GoalResult] = []
    for goal_set, scenes in chosen:
        needed = {name: fusers[name] for name in expand_names([*methods, *goal_set.baselines])}
        own = _score(goal_set.name, scenes, needed, goal_set.condition)
        rows += own
        results += [result for name in methods for result in judge(name, goal_set, own)]
    return rows, sorted(results, key=lambda result: methods.index(result.method))


def _load(options: argparse.Namespace, condition: str) -> list[Scene]:
    return load_scenes(options.data, condition, max_frames=options.max_frames, only=options.only)


def _make_fusers(names: Iterable[str]) -> dict[str, MethodFuser]:
    return {name: MethodFuser(name, make_method(name)) for name in names}


def _score(
    title: str, scenes: Sequence[Scene], fusers: Mapping[str, Fuser], condition: str = ""
) -> list[Row]:
    """Score with a progress bar on a terminal's standard error."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(title, total=sum(scene.frame_count() for scene in scenes))
        return score_scenes(
            scenes, fusers, condition=condition, on_frame=lambda: progress.advance(task)
        )


if __name__ == "__main__":
    sys.exit(main())
