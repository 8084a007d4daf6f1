"""Kalibr ``camchain`` YAML: a chain of cameras and the pose of each before the one before it.

``T_cn_cnm1`` takes points of camera n-1 into camera n: with the infrared camera first it is the
(R, t) of our extrinsics. Models: ``pinhole`` with ``radtan``, ``equidistant`` or ``none``.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sdk.calibration_file import CameraCalibration, Extrinsics
from edge_sdk.errors import CalibrationError
from edge_sdk.yaml_file import YamlText

from ..lens import parameters_of, project_rays, rays
from .fields import numbers, refuse, value_at

__all__ = ["from_kalibr", "is_kalibr", "to_kalibr"]

Array = NDArray[np.float64]
_LOSS_PX = 0.1


def is_kalibr(data: dict[str, Any]) -> bool:
    """True for the keys of a ``camchain`` file."""
    return any(re.fullmatch(r"cam\d+", str(key)) for key in data)


def from_kalibr(text: YamlText) -> tuple[list[CameraCalibration], Extrinsics | None]:
    """The cameras of a chain, and the pose of the second one before the first.

    Raises:
        CalibrationError: a key is missing or wrong, or a camera model is another.
    """
    names = sorted(
        (str(k) for k in text.data if re.fullmatch(r"cam\d+", str(k))), key=lambda n: int(n[3:])
    )
    if len(names) > 2:
        raise CalibrationError(
            f"{text.where}: a chain of {len(names)} cameras; edge_sdk has two, infrared and visible"
        )
    cameras = [_camera(text, name) for name in names]
    extrinsics = None
    if len(names) == 2:
        value = text.data[names[1]]
        if isinstance(value, dict) and "T_cn_cnm1" in value:
            extrinsics = _pose(text, (names[1], "T_cn_cnm1"))
    return cameras, extrinsics


def _camera(text: YamlText, name: str) -> CameraCalibration:
    model = value_at(text, (name, "camera_model"))
    if model != "pinhole":
        raise refuse(
            text,
            (name, "camera_model"),
            f"must be pinhole, found {model!r}; edge_sdk has pinhole with radtan or equidistant",
        )
    fx, fy, cx, cy = numbers(text, (name, "intrinsics"), 4)
    if fx <= 0 or fy <= 0:
        raise refuse(
            text, (name, "intrinsics"), f"must begin with focal lengths above 0: {fx}, {fy}"
        )
    width, height = (int(v) for v in numbers(text, (name, "resolution"), 2))
    kind = value_at(text, (name, "distortion_model"))
    if kind == "radtan":
        lens, d = "pinhole", [*numbers(text, (name, "distortion_coeffs"), 4), 0.0]
    elif kind == "equidistant":
        lens, d = "fisheye", numbers(text, (name, "distortion_coeffs"), 4)
    elif kind == "none":
        lens, d = "pinhole", [0.0] * 5
    else:
        raise refuse(
            text,
            (name, "distortion_model"),
            f"must be radtan, equidistant or none, found {kind!r}",
        )
    topic = text.data[name].get("rostopic")
    if min(width, height) < 16:
        raise refuse(text, (name, "resolution"), f"must be [width, height]: {width}, {height}")
    return CameraCalibration.model_validate(
        {
            "name": topic if isinstance(topic, str) and topic else name,
            "width": width,
            "height": height,
            "model": lens,
            "K": {"fx": fx, "fy": fy, "cx": cx, "cy": cy},
            "distortion": d,
        }
    )


def _pose(text: YamlText, keys: tuple[str, str]) -> Extrinsics:
    value = value_at(text, keys)
    try:
        matrix = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        matrix = np.zeros(0)
    last = matrix.shape == (4, 4) and np.allclose(matrix[3], [0, 0, 0, 1], atol=1e-9)
    if not last or not np.isfinite(matrix).all():
        raise refuse(text, keys, f"must be a 4x4 matrix that ends with 0, 0, 0, 1: {value!r}")
    r = matrix[:3, :3]
    if np.abs(r @ r.T - np.eye(3)).max() > 1e-3 or np.linalg.det(r) < 0:
        raise refuse(text, keys, "must hold a rotation (R R^T = I, determinant 1)")
    return Extrinsics.model_validate({"R": r.tolist(), "t_m": matrix[:3, 3].tolist()})


def to_kalibr(
    cameras: list[CameraCalibration], extrinsics: Extrinsics | None = None
) -> dict[str, Any]:
    """The keys of a ``camchain`` file: the infrared camera is cam0, the visible one cam1.

    Kalibr's ``radtan`` has no k3: the other coefficients are fitted anew to the same lens.

    Raises:
        CalibrationError: a lens needs its k3 (the fit is off by more than 0.1 px somewhere).
    """
    chain: dict[str, Any] = {}
    for index, camera in enumerate(cameras):
        kind = "radtan" if camera.model == "pinhole" else "equidistant"
        entry: dict[str, Any] = {}
        if index and extrinsics is not None:
            pose = np.eye(4)
            pose[:3, :3], pose[:3, 3] = extrinsics.rotation, extrinsics.translation_m
            entry["T_cn_cnm1"] = pose.tolist()
        overlaps = [other for other in range(len(cameras)) if other != index]
        parameters = parameters_of(camera)
        if kind == "radtan" and camera.distortion[4] != 0:
            parameters = _without_k3(camera)
        entry |= {
            "cam_overlaps": overlaps,
            "camera_model": "pinhole",
            "distortion_coeffs": parameters[4:8].tolist(),
            "distortion_model": kind,
            "intrinsics": parameters[:4].tolist(),
            "resolution": [camera.width, camera.height],
            "rostopic": camera.name if camera.name.startswith("/") else f"/cam{index}/image_raw",
        }
        chain[f"cam{index}"] = entry
    return chain


def _without_k3(camera: CameraCalibration) -> Array:
    """The same lens with k3 = 0, as near as it comes over the picture (Gauss-Newton)."""
    wanted = parameters_of(camera)
    u, v = np.meshgrid(np.linspace(0, camera.width - 1, 25), np.linspace(0, camera.height - 1, 25))
    pixels = np.column_stack([u.ravel(), v.ravel()])
    directions, good = rays(camera.model, wanted, pixels)
    points = np.column_stack([directions, np.ones(len(directions))])[good]
    fitted = wanted.copy()
    fitted[8] = 0.0
    off = pixels[good]
    for _ in range(20):
        seen, by_lens, _ = project_rays(camera.model, fitted, points)
        off = pixels[good] - seen
        fitted[:8] += np.linalg.lstsq(by_lens[:, :8], off.ravel(), rcond=None)[0]
    loss = float(np.linalg.norm(off, axis=1).max())
    if loss > _LOSS_PX:
        raise CalibrationError(
            f"camera {camera.name!r} has k3 = {camera.distortion[4]:.4g}, which Kalibr's radtan "
            f"lacks: without it pixels are off by up to {loss:.2f} px; use the ROS format"
        )
    return fitted
