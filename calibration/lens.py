"""The two lens models: projection with its derivatives, and back to rays.

Parameters are one vector: fx, fy, cx, cy and the distortion in OpenCV's order (k1, k2, p1, p2, k3
or, fisheye, k1 to k4), see :class:`edge_sdk.calibration_file.CameraCalibration`.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_sdk.calibration_file import CameraCalibration
from edge_sdk.geometry import undistorted_to_raw

__all__ = [
    "NAMES",
    "Model",
    "camera_from",
    "matrix_of",
    "parameters_of",
    "project",
    "project_rays",
    "rays",
]

Array = NDArray[np.float64]
Model = Literal["pinhole", "fisheye"]
NAMES: Final[dict[str, tuple[str, ...]]] = {
    "pinhole": ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2", "k3"),
    "fisheye": ("fx", "fy", "cx", "cy", "k1", "k2", "k3", "k4"),
}


def matrix_of(parameters: Array) -> Array:
    """(3, 3) camera matrix."""
    fx, fy, cx, cy = parameters[:4]
    return np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])


def parameters_of(camera: CameraCalibration) -> Array:
    """The parameter vector of a camera."""
    return np.array([camera.K.fx, camera.K.fy, camera.K.cx, camera.K.cy, *camera.distortion])


def camera_from(
    parameters: Array, model: Model, size: tuple[int, int], name: str, identity: str | None = None
) -> CameraCalibration:
    """A camera of a calibration file."""
    fx, fy, cx, cy = (float(value) for value in parameters[:4])
    return CameraCalibration.model_validate(
        {
            "name": name,
            "identity": identity,
            "width": int(size[0]),
            "height": int(size[1]),
            "model": model,
            "K": {"fx": fx, "fy": fy, "cx": cx, "cy": cy},
            "distortion": [float(value) for value in parameters[4:]],
        }
    )


def project(
    model: Model, parameters: Array, rotation_vector: Array, translation: Array, points: Array
) -> tuple[Array, Array, Array]:
    """Pixels of points, and their derivatives.

    Args:
        model: lens model.
        parameters: (9,) or (8,).
        rotation_vector, translation: (3,) pose, X_camera = R X + t.
        points: (N, 3).

    Returns:
        (N, 2) pixels; (2 N, 9 or 8) derivative by the parameters; (2 N, 6) by the pose.
    """
    points = np.ascontiguousarray(points, np.float64).reshape(-1, 1, 3)
    rotation_vector = np.asarray(rotation_vector, np.float64).reshape(3, 1)
    translation = np.asarray(translation, np.float64).reshape(3, 1)
    matrix, distortion = matrix_of(parameters), parameters[4:].copy()
    if model == "fisheye":
        pixels, j = cv2.fisheye.projectPoints(
            points, rotation_vector, translation, matrix, distortion
        )
        return _f(pixels).reshape(-1, 2), _f(j)[:, :8], _f(j)[:, 8:14]
    pixels, j = cv2.projectPoints(points, rotation_vector, translation, matrix, distortion)
    return _f(pixels).reshape(-1, 2), _f(j)[:, 6:15], _f(j)[:, :6]


def _f(values: Any) -> Array:
    return np.asarray(values, np.float64)


def project_rays(model: Model, parameters: Array, directions: Array) -> tuple[Array, Array, Array]:
    """Pixels of directions (points at infinity), and their derivatives.

    Args:
        model, parameters: the lens.
        directions: (N, 3) with z > 0.

    Returns:
        (N, 2) pixels; (2 N, 9 or 8) by the parameters; (2 N, 3) by a small turn of the camera.
    """
    zero = np.zeros(3)
    pixels, by_lens, by_pose = project(model, parameters, zero, zero, directions)
    return pixels, by_lens, by_pose[:, :3]


def rays(model: Model, parameters: Array, pixels: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Undistorted directions of pixels, by Newton's method.

    Args:
        model, parameters: the lens.
        pixels: (N, 2).

    Returns:
        (N, 2) x/z and y/z; (N,) bool, False where the lens shows no direction before the camera.
    """
    focal, centre = parameters[:2], parameters[2:4]
    identity = np.eye(3)
    wanted = (np.asarray(pixels, np.float64) - centre) / focal
    found = wanted.copy()
    if model == "fisheye":  # start from a = r, the lens without distortion
        r = np.linalg.norm(wanted, axis=1, keepdims=True)
        angle = np.minimum(r, 1.4)
        found = wanted * np.where(r > 1e-9, np.tan(angle) / np.maximum(r, 1e-9), 1.0)

    def distort(x: Array) -> Array:
        return undistorted_to_raw(model, identity, parameters[4:], x)[0]

    step = 1e-6
    along_x, along_y = np.array([step, 0.0]), np.array([0.0, step])
    for _ in range(60):
        value = distort(found)
        dx = (distort(found + along_x) - value) / step
        dy = (distort(found + along_y) - value) / step
        error = wanted - value
        det = dx[:, 0] * dy[:, 1] - dx[:, 1] * dy[:, 0]
        det = np.where(np.abs(det) < 1e-6, 1e-6, det)
        move = np.column_stack(
            [
                (dy[:, 1] * error[:, 0] - dy[:, 0] * error[:, 1]) / det,
                (dx[:, 0] * error[:, 1] - dx[:, 1] * error[:, 0]) / det,
            ]
        )
        length = np.linalg.norm(move, axis=1, keepdims=True)
        limit = 0.3 * (1 + np.linalg.norm(found, axis=1, keepdims=True))
        move *= np.minimum(1.0, limit / np.maximum(length, 1e-12))
        found = found + move
        if np.abs(move).max(initial=0.0) < 1e-11:
            break
    value, near = undistorted_to_raw(model, identity, parameters[4:], found)
    good = near & (np.linalg.norm(value - wanted, axis=1) < 1e-6)
    return found, good
