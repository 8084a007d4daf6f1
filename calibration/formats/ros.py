"""ROS ``camera_info`` YAML, as ``camera_info_manager`` and ``camera_calibration`` use it.

Distortion models of ``sensor_msgs/distortion_models.hpp``: ``plumb_bob`` is our ``pinhole``,
``equidistant`` our ``fisheye``; of ``rational_polynomial`` only what is ``plumb_bob`` in disguise.
"""

from __future__ import annotations

from typing import Any

from edge_sdk.calibration_file import CameraCalibration
from edge_sdk.yaml_file import YamlText

from .fields import numbers, refuse, value_at, whole

__all__ = ["from_ros", "is_ros", "to_ros"]


def is_ros(data: dict[str, Any]) -> bool:
    """True for the keys of a ``camera_info`` file."""
    return "camera_matrix" in data and "image_width" in data


def from_ros(text: YamlText, name: str | None = None) -> CameraCalibration:
    """The camera of a ``camera_info`` file.

    Raises:
        CalibrationError: a key is missing or wrong, or the distortion model is another.
    """
    width, height = whole(text, ("image_width",)), whole(text, ("image_height",))
    k = numbers(text, ("camera_matrix", "data"), 9)
    if k[0] <= 0 or k[4] <= 0 or any(k[i] for i in (3, 6, 7)) or k[8] != 1:
        raise refuse(text, ("camera_matrix", "data"), f"is no camera matrix: {k}")
    if abs(k[1]) > 1e-9:
        raise refuse(text, ("camera_matrix", "data"), f"has skew {k[1]}, which is not supported")
    kind = value_at(text, ("distortion_model",))
    keys = ("distortion_coefficients", "data")
    if kind == "plumb_bob":
        model, d = "pinhole", numbers(text, keys, (4, 5))
        d += [0.0] * (5 - len(d))
    elif kind in ("equidistant", "fisheye"):
        model, d = "fisheye", numbers(text, keys, 4)
    elif kind == "rational_polynomial":
        d = numbers(text, keys, (8, 12, 14))
        if any(abs(value) > 1e-12 for value in d[5:]):
            raise refuse(
                text,
                ("distortion_model",),
                "is rational_polynomial with k4 to k6 (or more) that are not 0, which edge_sdk "
                "does not have; calibrate with plumb_bob or equidistant",
            )
        model, d = "pinhole", d[:5]
    else:
        raise refuse(
            text,
            ("distortion_model",),
            f"must be plumb_bob, equidistant or rational_polynomial, found {kind!r}",
        )
    stated = text.data.get("camera_name")
    return CameraCalibration.model_validate(
        {
            "name": name or (stated if isinstance(stated, str) and stated else "camera"),
            "width": width,
            "height": height,
            "model": model,
            "K": {"fx": k[0], "fy": k[4], "cx": k[2], "cy": k[5]},
            "distortion": d,
        }
    )


def to_ros(camera: CameraCalibration) -> dict[str, Any]:
    """The keys of a ``camera_info`` file.

    Rectification is none (identity), and the projection matrix is the camera matrix: a single
    camera whose undistorted picture keeps its scale.
    """
    k = camera.matrix
    projection = [[*row, 0.0] for row in k.tolist()]
    return {
        "image_width": camera.width,
        "image_height": camera.height,
        "camera_name": camera.name,
        "camera_matrix": _matrix(k.tolist()),
        "distortion_model": {"pinhole": "plumb_bob", "fisheye": "equidistant"}[camera.model],
        "distortion_coefficients": _matrix([camera.distortion]),
        "rectification_matrix": _matrix([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]]),
        "projection_matrix": _matrix(projection),
    }


def _matrix(rows: list[list[float]]) -> dict[str, Any]:
    data = [float(value) for row in rows for value in row]
    return {"rows": len(rows), "cols": len(rows[0]), "data": data}
