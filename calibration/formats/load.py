"""Any calibration file that we know, by its content."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_sdk.calibration_file import (
    Calibration,
    CameraCalibration,
    Extrinsics,
    read_calibration,
    read_camera,
)
from edge_sdk.errors import CalibrationError
from edge_sdk.yaml_file import read_yaml

from .kalibr import from_kalibr, is_kalibr
from .ros import from_ros, is_ros

__all__ = ["Loaded", "lens_warning", "load", "load_camera", "load_lens"]


@dataclass(frozen=True)
class Loaded:
    """What a file holds.

    Attributes:
        kind: for people, for instance ``"Kalibr camchain"``.
        cameras: by name: ``ir`` and ``visible``, or ``camera`` if there is only one.
        extrinsics: pose between the two, X_visible = R X_ir + t.
        calibration: the whole, if it is a calibration file of edge_sdk.
        report: figures that the file holds about its own quality.
    """

    kind: str
    cameras: dict[str, CameraCalibration]
    extrinsics: Extrinsics | None = None
    calibration: Calibration | None = None
    report: dict[str, Any] = field(default_factory=dict)


def load(path: str | Path) -> Loaded:
    """Read a calibration: edge_sdk's own, of one camera or a rig, ROS's, or Kalibr's.

    Raises:
        CalibrationError: the file is absent, of another kind, or wrong.
    """
    text = read_yaml(path, "calibration file", CalibrationError)
    data = text.data
    if "edge_sdk_calibration" in data:
        whole = read_calibration(path)
        both = {"ir": whole.cameras.ir, "visible": whole.cameras.visible}
        pose = whole.registration.extrinsics
        return Loaded("edge_sdk calibration", both, pose, whole, dict(whole.report))
    if "edge_sdk_camera" in data:
        file = read_camera(path)
        return Loaded("edge_sdk camera", {"camera": file.camera}, report=dict(file.report))
    if is_kalibr(data):
        cameras, extrinsics = from_kalibr(text)
        names = ("camera",) if len(cameras) == 1 else ("ir", "visible")
        return Loaded("Kalibr camchain", dict(zip(names, cameras, strict=True)), extrinsics)
    if is_ros(data):
        return Loaded("ROS camera_info", {"camera": from_ros(text)})
    keys = ", ".join(str(key) for key in list(data)[:6])
    raise CalibrationError(
        f"{path}: no calibration that edge_sdk knows (its keys are {keys}); known are edge_sdk's "
        "own files, ROS camera_info and Kalibr camchain"
    )


def load_camera(
    path: str | Path,
    which: str,
    size: tuple[int, int] | None = None,
    identity: str | None = None,
) -> CameraCalibration:
    """One camera of a file.

    Args:
        path: any file that :func:`load` reads.
        which: ``"ir"`` or ``"visible"``; a file of one camera is taken as that one.
        size: (width, height) of the pictures it is for.
        identity: the device it is for.

    Raises:
        CalibrationError: as :func:`load`, or it is of another image size or device.
    """
    return load_lens(path, which, size, identity)[0]


def load_lens(
    path: str | Path,
    which: str,
    size: tuple[int, int] | None = None,
    identity: str | None = None,
) -> tuple[CameraCalibration, list[str]]:
    """As :func:`load_camera`, with what the file itself says against this lens."""
    loaded = load(path)
    camera = loaded.cameras[which] if which in loaded.cameras else loaded.cameras["camera"]
    if size is not None:
        camera.require(f"{path}: {which} camera", size, identity)
    stated = loaded.report.get("warnings")
    warnings = [str(item) for item in stated] if isinstance(stated, list) else []
    if which in loaded.cameras:  # a rig's file: the others are about the pose, which is not taken
        return camera, [text for text in warnings if text.startswith(lens_warning(which, ""))]
    return camera, [lens_warning(which, text) for text in warnings]


def lens_warning(which: str, text: str) -> str:
    """A warning about one lens, as a rig's file has it."""
    return f"{which} lens: {text}"
