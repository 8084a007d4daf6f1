"""Calibrations written in the format that is asked for."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any, Final

import yaml

from edge_sdk.calibration_file import (
    CameraFile,
    write_calibration,
    write_camera,
)
from edge_sdk.errors import CalibrationError, ConfigError

from .kalibr import to_kalibr
from .load import Loaded
from .ros import to_ros

__all__ = ["FORMATS", "save"]

FORMATS: Final = ("edge-sdk", "ros", "kalibr")


def save(
    loaded: Loaded, path: str | Path, form: str = "edge-sdk", which: str | None = None
) -> None:
    """Write a calibration.

    Args:
        loaded: what to write.
        path: the file.
        form: ``edge-sdk``, ``ros`` (one camera) or ``kalibr`` (one or both).
        which: of two cameras the one to write, ``"ir"`` or ``"visible"``.

    Raises:
        ConfigError: the format is unknown, or it holds one camera and there are two.
        CalibrationError: the format cannot hold this lens, or the file cannot be written.
    """
    if form not in FORMATS:
        raise ConfigError(f"format {form!r}: must be one of {', '.join(FORMATS)}")
    cameras = loaded.cameras
    if which is not None:
        if which not in cameras:
            raise ConfigError(
                f"there is no camera {which!r} in the {loaded.kind}; it has {', '.join(cameras)}"
            )
        cameras = {which: cameras[which]}
    if form == "kalibr":
        pose = loaded.extrinsics if len(cameras) == 2 else None
        _write(to_kalibr(list(cameras.values()), pose), path)
    elif form == "ros":
        _write(to_ros(_only(cameras, "a ROS camera_info file")), path)
    elif loaded.calibration is not None and which is None:
        write_calibration(loaded.calibration, path)
    else:
        camera = _only(cameras, "a camera file of edge_sdk")
        file = CameraFile(date=dt.date.today(), camera=camera, report=loaded.report)
        write_camera(file, path)


def _only(cameras: dict[str, Any], what: str) -> Any:
    if len(cameras) != 1:
        raise ConfigError(f"{what} holds one camera, here are two; give --which ir or visible")
    return next(iter(cameras.values()))


def _write(data: dict[str, Any], path: str | Path) -> None:
    path = Path(path)
    partial = path.with_name(path.name + ".partial")
    text = yaml.safe_dump(data, sort_keys=False, default_flow_style=None, width=100)
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as fault:
        partial.unlink(missing_ok=True)
        raise CalibrationError(
            f"calibration file cannot be written: {path}: {fault.strerror}"
        ) from fault
