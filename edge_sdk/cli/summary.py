"""The table at the end of a run."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from edge_sdk.outputs import FolderOutput, Output
from edge_sdk.stats import PipelineStats

__all__ = ["print_summary", "warn_of_older"]

STAGES = ("align", "tone", "fuse", "hooks", "total")


def print_summary(
    stats: PipelineStats, tracks: int, written: dict[str, str | Path], as_json: bool
) -> None:
    """Print what happened: for people, or as one JSON object."""
    if as_json:
        values: dict[str, Any] = stats.to_dict()
        values["tracks"] = tracks
        values["written"] = {name: str(path) for name, path in written.items()}
        print(json.dumps(values, indent=2))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_row("engine", stats.engine or "-")
    frames_in = ", ".join(f"{count} {camera}" for camera, count in stats.frames_in.items())
    table.add_row("frames in", frames_in or "-")
    table.add_row("fused", f"{stats.fused} ({stats.fps:.1f} frames/s)")
    table.add_row("dropped", _counts(stats.dropped))
    for camera, counts in stats.cameras.items():
        table.add_row(f"{camera} camera", _counts(counts))
    table.add_row("degraded", _counts(stats.degraded))
    table.add_row("state resets", _counts(stats.resets))
    if stats.events:
        table.add_row("events", _counts(stats.events))
    table.add_row("skew", f"mean {stats.skew_ms_mean:.1f} ms, max {stats.skew_ms_max:.1f} ms")
    table.add_row("tracks", str(tracks))
    for name in STAGES:
        if name in stats.latency:
            stage = stats.latency[name]
            table.add_row(f"{name} ms", f"median {stage.p50_ms:.2f}, p99 {stage.p99_ms:.2f}")
    for name, path in written.items():
        table.add_row(name, Text(str(path)))
    Console().print(table)


def warn_of_older(output: Output | None, path: str | Path | None) -> None:
    """One line on standard error if pictures of before are mixed with those of this run."""
    if isinstance(output, FolderOutput) and output.older:
        print(
            f"warning: {path} has pictures of before: {output.found} were there, {output.older} of "
            f"them still lie beside the {output.written} written; remove them, or give an empty "
            "folder",
            file=sys.stderr,
        )


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {cause}" for cause, count in counts.items()) or "none"
