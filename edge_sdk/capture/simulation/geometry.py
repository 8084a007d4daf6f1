"""Where a point of the scene lands in a picture: pinhole views, lenses, the rig's calibration.

The scene is measured in metres in (x, up, z): x to the right, up from the ground, z ahead of the
visible camera. A camera's own frame is OpenCV's: x right, y down, z along the optical axis. Pixel
coordinates put (0, 0) in the centre of the first pixel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["CameraModel", "RigCalibration", "View", "plane_homography"]

Floats = NDArray[np.float64]

_HORIZON = 0.45
"""Row of the principal point as a fraction of the height: more ground than sky."""


class View:
    """A pinhole camera and the canvas that it is drawn on.

    Attributes:
        matrix: (3, 3) intrinsics of the canvas, in pixels.
        rotation: (3, 3) from the visible camera's axes to this camera's axes.
        centre: (x, up, z) of the camera, metres.
        size: (width, height) of the canvas, pixels.
    """

    def __init__(
        self,
        matrix: Floats,
        rotation: Floats,
        centre: tuple[float, float, float],
        size: tuple[int, int],
    ) -> None:
        self.matrix = matrix
        self.rotation = rotation
        self.centre = centre
        self.size = size
        self._turn = rotation * (1.0, -1.0, 1.0)
        self._shift = -self._turn @ np.asarray(centre)
        self._focal = np.diag(matrix)[:2].copy()
        self._middle = matrix[:2, 2].copy()

    def project(self, points: NDArray[np.floating]) -> tuple[Floats, Floats]:
        """Pixels (N, 2) and depths along the optical axis (N,) of scene points (N, 3)."""
        camera = points @ self._turn.T + self._shift
        depth = camera[:, 2].copy()
        camera[:, :2] /= np.maximum(depth, 1e-3)[:, None]
        pixels = camera[:, :2] * self._focal + self._middle
        return pixels, depth

    def rays(self, columns: Floats, rows: Floats) -> Floats:
        """Directions (H, W, 3) in (x, up, z) of the pixels ``rows`` x ``columns``, depth 1."""
        x = (columns - self.matrix[0, 2]) / self.matrix[0, 0]
        y = (rows - self.matrix[1, 2]) / self.matrix[1, 1]
        camera = np.empty((len(rows), len(columns), 3))
        camera[..., 0] = x[None, :]
        camera[..., 1] = y[:, None]
        camera[..., 2] = 1.0
        scene = camera @ self.rotation
        scene[..., 1] = -scene[..., 1]
        return scene


class CameraModel:
    """One simulated camera: intrinsics, pose and lens.

    The scene is drawn through a pinhole onto a canvas (:attr:`view`), which is a little larger
    than the picture if the lens distorts, and then bent into the picture by :meth:`bend`.

    Attributes:
        size: (width, height) of the picture.
        matrix: (3, 3) intrinsics of the picture.
        distortion: (5,) k1, k2, p1, p2, k3 of OpenCV's model; only k1 and k2 are used.
        view: the pinhole view of the canvas.
    """

    def __init__(
        self,
        size: tuple[int, int],
        hfov_deg: float,
        centre: tuple[float, float, float],
        rotation_deg: tuple[float, float, float] = (0.0, 0.0, 0.0),
        distortion: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        width, height = size
        focal = width / 2.0 / math.tan(math.radians(hfov_deg) / 2.0)
        self.size = size
        self.matrix = np.array(
            [
                [focal, 0.0, (width - 1) / 2.0],
                [0.0, focal, height * _HORIZON - 0.5],
                [0.0, 0.0, 1.0],
            ]
        )
        self.distortion = np.array([distortion[0], distortion[1], 0.0, 0.0, 0.0])
        rotation = _rotation(rotation_deg)
        self._maps: tuple[NDArray[np.int16], NDArray[np.uint16]] | None = None
        self._nearest: NDArray[np.int16] | None = None
        if not self.distortion.any():
            self.view = View(self.matrix, rotation, centre, size)
            return
        grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1)
        straight = cv2.undistortPoints(
            grid.reshape(-1, 1, 2).astype(np.float64), self.matrix, self.distortion, P=self.matrix
        ).reshape(height, width, 2)
        low = np.floor(straight.min(axis=(0, 1))) - 1.0
        high = np.ceil(straight.max(axis=(0, 1))) + 1.0
        canvas = self.matrix.copy()
        canvas[:2, 2] -= low
        canvas_size = (int(high[0] - low[0]) + 1, int(high[1] - low[1]) + 1)
        self.view = View(canvas, rotation, centre, canvas_size)
        mapped = (straight - low).astype(np.float32)
        first, second = cv2.convertMaps(mapped[..., 0], mapped[..., 1], cv2.CV_16SC2)
        self._maps = (first, second)
        self._nearest = np.rint(mapped).astype(np.int16)

    def bend(self, canvas: NDArray[Any], *, nearest: bool = False) -> NDArray[Any]:
        """The picture as the lens makes it of a canvas; the canvas itself for a straight lens.

        Args:
            canvas: (H, W) or (H, W, C) of the size of ``view``.
            nearest: take the nearest pixel instead of blending (for depth and labels).
        """
        if self._maps is None:
            return canvas
        if nearest:
            assert self._nearest is not None
            return np.asarray(canvas[self._nearest[..., 1], self._nearest[..., 0]])
        return cv2.remap(canvas, *self._maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

    def pixels(self, points: NDArray[np.floating]) -> tuple[Floats, Floats]:
        """Pixels of the picture (N, 2), distortion included, and depths (N,) of scene points."""
        on_canvas, depth = self.view.project(points)
        if self._maps is None:
            return on_canvas, depth
        focal = self.view.matrix[0, 0]
        rays = np.ones((len(on_canvas), 3))
        rays[:, :2] = (on_canvas - self.view.matrix[:2, 2]) / focal
        zero = np.zeros(3)
        bent, _ = cv2.projectPoints(rays, zero, zero, self.matrix, self.distortion)
        return np.asarray(bent, np.float64).reshape(-1, 2), depth


@dataclass(frozen=True, eq=False)
class RigCalibration:
    """What a perfect calibration of the simulated rig would find.

    Attributes:
        distance_m: distance of the plane that ``homography`` is exact for.
        ir_matrix, visible_matrix: (3, 3) float64 intrinsics in pixels.
        ir_distortion, visible_distortion: (5,) float64 k1, k2, p1, p2, k3 (OpenCV's model).
        ir_size, visible_size: (width, height) in pixels.
        rotation, translation_m: (3, 3) and (3,) float64, from the infrared camera's frame to the
            visible camera's: ``x_visible = rotation @ x_ir + translation_m`` (OpenCV's axes).
        homography: (3, 3) float64, undistorted infrared pixels to undistorted visible pixels for
            the plane ``z = distance_m`` of the visible camera.
    """

    distance_m: float
    ir_matrix: Floats
    ir_distortion: Floats
    ir_size: tuple[int, int]
    visible_matrix: Floats
    visible_distortion: Floats
    visible_size: tuple[int, int]
    rotation: Floats
    translation_m: Floats
    homography: Floats


def plane_homography(
    from_matrix: Floats,
    to_matrix: Floats,
    rotation: Floats,
    translation: Floats,
    distance_m: float,
) -> Floats:
    """Homography between two views that a plane ``z = distance_m`` of the second camera induces.

    With ``x_to = R x_from + t`` and the plane ``n . x_to = d`` this is
    ``K_to (R + t (n^T R) / (d - n . t)) K_from^-1`` (Hartley and Zisserman, "Multiple View Geometry
    in Computer Vision", 2nd ed., section 13.1).

    Returns:
        (3, 3) float64, scaled so that its last entry is 1.
    """
    normal = np.array([0.0, 0.0, 1.0])
    plane = np.outer(translation, normal @ rotation) / (distance_m - float(normal @ translation))
    homography = to_matrix @ (rotation + plane) @ np.linalg.inv(from_matrix)
    return np.asarray(homography / homography[2, 2])


def _rotation(degrees: tuple[float, float, float]) -> Floats:
    """Rotation about the camera's x (pitch), y (yaw) and z (roll) axes, in this order."""
    matrix = np.eye(3)
    for axis, angle in enumerate(degrees):
        vector = np.zeros(3)
        vector[axis] = math.radians(angle)
        matrix = cv2.Rodrigues(vector)[0] @ matrix
    return matrix
