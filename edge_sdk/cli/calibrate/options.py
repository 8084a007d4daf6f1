"""Options that the calibration commands share."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from edge_sdk.cli.calibrate import workshop
from edge_sdk.cli.overwrite import check_file, refuse_one_place_twice, refuse_to_overwrite
from edge_sdk.errors import ConfigError

__all__ = [
    "Board",
    "Dictionary",
    "Json",
    "Legacy",
    "MarkerMm",
    "Model",
    "Report",
    "SquareMm",
    "TargetKind",
    "check_format",
    "check_model",
    "check_outputs",
    "make_target",
    "print_json",
]

Board = Annotated[
    str | None,
    typer.Option(
        help="COLUMNSxROWS: inner corners of a checkerboard, circles, squares of a ChArUco board; "
        "default: the checkerboard's size is found out."
    ),
]
TargetKind = Annotated[
    str, typer.Option("--target", help="checkerboard, circles, asymmetric-circles or charuco.")
]
SquareMm = Annotated[
    float | None,
    typer.Option(help="Side of a square; of circles the distance of neighbouring rows."),
]
MarkerMm = Annotated[
    float | None, typer.Option(help="ChArUco: side of a marker; default: 0.75 of a square.")
]
Dictionary = Annotated[str, typer.Option(help="ChArUco: OpenCV's name of the markers.")]
Legacy = Annotated[
    bool, typer.Option("--legacy-charuco", help="ChArUco board made before OpenCV 4.6.")
]
Model = Annotated[str, typer.Option(help="pinhole (radial-tangential) or fisheye (equidistant).")]
Report = Annotated[Path | None, typer.Option(help="HTML page with figures and pictures.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def make_target(
    kind: str,
    board: str | None,
    square_mm: float | None,
    marker_mm: float | None = None,
    dictionary: str = "DICT_4X4_50",
    legacy: bool = False,
) -> Any:
    """The workshop's target for these options."""
    targets = workshop("targets")
    columns, rows = (None, None) if board is None else targets.parse_board(board)
    return targets.Target(
        kind=kind,
        columns=columns,
        rows=rows,
        spacing_m=None if square_mm is None else square_mm / 1000,
        marker_m=None if marker_mm is None else marker_mm / 1000,
        dictionary=dictionary,
        legacy=legacy,
    )


def check_model(model: str) -> None:
    """Refuse an unknown lens model."""
    if model not in ("pinhole", "fisheye"):
        raise ConfigError(f"--model {model}: must be pinhole or fisheye")


def check_outputs(
    outputs: Mapping[str, Path | None],
    sources: Sequence[str | Path | None],
    save: Path | None = None,
) -> None:
    """Refuse, before the work, what cannot be written or would replace something.

    Args:
        outputs: the option's name, and the file that was given; None: nothing.
        sources: what the command reads: files, folders, patterns.
        save: folder for pictures.

    Raises:
        ConfigError: a file cannot be written, or would replace an input or another output.
    """
    for path in outputs.values():
        if path is not None:
            check_file(path)
    folder = None if save is None else f"{save}/"
    refuse_one_place_twice({**outputs, "--save": folder})
    refuse_to_overwrite(sources, [*outputs.values(), folder])


def check_format(form: str, allowed: Sequence[str]) -> None:
    """Refuse a format that the result cannot be written in."""
    if form not in allowed:
        raise ConfigError(f"--format {form}: must be one of {', '.join(allowed)}")


def print_json(values: dict[str, Any]) -> None:
    """Print as JSON; numbers that JSON lacks become null."""
    print(json.dumps(_plain(values), indent=2))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value != value:
        return None
    return str(value) if isinstance(value, Path) else value
