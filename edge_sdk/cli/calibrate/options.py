"""Options that the calibration commands share."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from edge_sdk.cli.calibrate import workshop
from edge_sdk.cli.overwrite import refuse_to_overwrite
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
    "check_model",
    "check_output",
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


def check_output(path: Path | None, sources: Sequence[str | Path | None]) -> None:
    """Refuse to write over what is read, onto a folder, or into one that is not there."""
    if path is None:
        return
    if not path.parent.is_dir():
        raise ConfigError(f"{path}: the folder {path.parent} is not there")
    if path.is_dir():
        raise ConfigError(f"{path}: is a folder; give the name of a file")
    refuse_to_overwrite(sources, [path])


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
