"""The lenses that a registration is told of: one file of the rig, or one file of each camera."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_sdk.calibration_file import CalibrationCameras
from edge_sdk.errors import CalibrationError, ConfigError

from ..formats import load, load_lens

__all__ = ["Lenses", "read_lenses"]


@dataclass(frozen=True)
class Lenses:
    """Both cameras' intrinsics, and what their files say about themselves."""

    cameras: CalibrationCameras
    report: dict[str, Any] = field(default_factory=dict)


def read_lenses(
    rig: Path | None = None, ir: Path | None = None, visible: Path | None = None
) -> Lenses | None:
    """Intrinsics of both cameras from files of any format that :func:`calibration.formats.load`
    reads; None if no file is given.

    Args:
        rig: one file with both cameras: of edge_sdk, or a Kalibr camchain.
        ir, visible: a file of each, as ``edge-sdk calibrate intrinsics`` writes it, or ROS
            ``camera_info``; of a file with both the one is taken.

    Raises:
        ConfigError: one file of a pair is missing, or too many are given.
        CalibrationError: a file is absent, of another kind, wrong, or of one camera only.
    """
    if rig is None and ir is None and visible is None:
        return None
    if rig is not None:
        if ir is not None or visible is not None:
            raise ConfigError(
                "--calibration and --ir-camera, --visible-camera exclude each other: give one file "
                "of the rig, or one of each camera"
            )
        loaded = load(rig)
        if set(loaded.cameras) != {"ir", "visible"}:
            raise CalibrationError(
                f"{rig}: this {loaded.kind} holds one camera; give one of each with --ir-camera "
                "and --visible-camera"
            )
        return Lenses(CalibrationCameras(**loaded.cameras), dict(loaded.report))
    if ir is None or visible is None:
        missing = "--ir-camera" if ir is None else "--visible-camera"
        raise ConfigError(
            f"{missing} is missing: with one lens undistorted and the other not no homography "
            "holds; give both or neither"
        )
    ir_lens, warnings = load_lens(ir, "ir")
    visible_lens, more = load_lens(visible, "visible")
    report = {"warnings": [*warnings, *more]} if warnings or more else {}
    return Lenses(CalibrationCameras(ir=ir_lens, visible=visible_lens), report)
