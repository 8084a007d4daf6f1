"""Where a point of one picture lies in another: homographies and lens distortion, in numpy alone.

Pixel coordinates have their origin in the centre of the top left pixel, as in OpenCV.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "apply",
    "fit",
    "homography_fault",
    "plane_homography",
    "same_aspect",
    "scale_at_centre",
    "stretch",
    "undistorted_to_raw",
]

Array = NDArray[np.float64]
_SAME_ASPECT = 0.01
_MAX_SCALE, _MAX_ASPECT = 100.0, 10.0


def homography_fault(homography: ArrayLike, ir_size: tuple[int, int]) -> str | None:
    """Why a homography cannot map an infrared picture onto a visible one; None if it can.

    Refused are: a singular matrix, a mirror image, a picture cut by the horizon (where the third
    homogeneous coordinate changes sign), and a local scale somewhere in the picture that is beyond
    1:100, or 10 times more in one direction than in the other.

    Args:
        homography: (3, 3).
        ir_size: (width, height) of the infrared picture in pixels.
    """
    h = np.asarray(homography, dtype=np.float64)
    norm = float(np.linalg.norm(h))
    if norm == 0 or not np.isfinite(norm):
        return "must have finite numbers that are not all 0"
    h = h / norm
    width, height = ir_size
    xs, ys = np.meshgrid([0.0, (width - 1) / 2, width - 1.0], [0.0, (height - 1) / 2, height - 1.0])
    u, v, w = h @ np.stack([xs.ravel(), ys.ravel(), np.ones(9)])
    if np.abs(w).min() < 1e-12:
        return "is singular: it maps a part of the picture to infinity"
    if w.min() < 0 < w.max():
        return "cuts the picture: a part of it lies behind the camera"
    # Jacobian of (u/w, v/w) by the quotient rule, at corners, edge centres and centre.
    jacobian = np.array(
        [[(h[0, k] * w - u * h[2, k]) / w**2, (h[1, k] * w - v * h[2, k]) / w**2] for k in (0, 1)]
    ).transpose(2, 1, 0)
    stretches = np.linalg.svd(jacobian, compute_uv=False)
    smallest, largest = float(stretches.min()), float(stretches.max())
    if smallest < 1 / _MAX_SCALE or largest > _MAX_SCALE:
        return (
            f"is singular or nearly so: one infrared pixel becomes {smallest:.3g} to {largest:.3g} "
            f"visible pixels long; between {1 / _MAX_SCALE:g} and {_MAX_SCALE:g} can be"
        )
    aspect = float((stretches[:, 0] / stretches[:, 1]).max())
    if aspect > _MAX_ASPECT:
        return (
            f"is nearly singular: it stretches {aspect:.3g} times more in one direction than in "
            f"the other; up to {_MAX_ASPECT:g} can be"
        )
    if np.linalg.det(jacobian).min() < 0:
        return "mirrors the picture (negative determinant); were two points or axes swapped?"
    return None


def undistorted_to_raw(
    model: str, matrix: Array, coefficients: Array, points: Array
) -> tuple[Array, NDArray[np.bool_]]:
    """Where the lens puts undistorted pixels.

    Radial-tangential (Brown 1966): x' = x (1 + k1 r^2 + k2 r^4 + k3 r^6) + 2 p1 x y
    + p2 (r^2 + 2 x^2), y' likewise. Equidistant (Kannala and Brandt 2006): r' = a (1 + k1 a^2
    + k2 a^4 + k3 a^6 + k4 a^8), a = atan r. Both in OpenCV's conventions.

    Args:
        model: ``"pinhole"`` (radial-tangential) or ``"fisheye"`` (equidistant).
        matrix: (3, 3) camera matrix.
        coefficients: (5,) k1, k2, p1, p2, k3 or (4,) k1 to k4.
        points: (..., 2) float64, undistorted pixels (u, v).

    Returns:
        (..., 2) float64 raw pixels, and (...) bool: False where a point lies so far off the axis
        that the polynomial has turned back (it would show a part of the picture a second time).
    """
    focal, centre, c = matrix[[0, 1], [0, 1]], matrix[:2, 2], coefficients
    x, y = np.moveaxis((points - centre) / focal, -1, 0)
    r2 = x * x + y * y
    if model == "fisheye":
        r = np.sqrt(r2)
        angle = np.arctan(r)
        a2 = angle * angle
        radial = angle * (1 + a2 * (c[0] + a2 * (c[1] + a2 * (c[2] + a2 * c[3]))))
        factor = np.where(r > 1e-12, radial / np.where(r > 1e-12, r, 1.0), 1.0)
        near = angle < _turning_point(c)
        xd, yd = x * factor, y * factor
    else:
        k1, k2, p1, p2, k3 = c
        factor = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
        near = np.sqrt(r2) < _turning_point(np.array([k1, k2, k3]))
        xd = x * factor + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)
        yd = y * factor + 2 * p2 * x * y + p1 * (r2 + 2 * y * y)
    return np.stack([xd, yd], axis=-1) * focal + centre, near


def _turning_point(k: Array) -> float:
    """Smallest r > 0 at which r (1 + k1 r^2 + k2 r^4 + ...) stops growing; inf if it never does."""
    derivative = np.concatenate([[1.0], k * (2 * np.arange(1, len(k) + 1) + 1)])
    roots = np.roots(derivative[::-1])
    real = roots[np.abs(roots.imag) < 1e-9].real
    return math.sqrt(real[real > 0].min()) if (real > 0).any() else math.inf


def plane_homography(
    ir_matrix: Array,
    visible_matrix: Array,
    rotation: Array,
    translation_m: Array,
    distance_m: float,
) -> Array:
    """Homography that the plane Z = ``distance_m`` before the infrared camera induces.

    H = K_v (R - t n^T / d) K_i^-1 between the cameras K_i [I | 0] and K_v [R | t] (Hartley and
    Zisserman, Multiple View Geometry, 2nd edition, equation 13.2). Their plane is n^T X + d = 0, so
    the plane Z = distance_m has n = (0, 0, -1) and d = distance_m.

    Args:
        ir_matrix, visible_matrix: (3, 3) camera matrices K.
        rotation, translation_m: X_visible = R X_ir + t, metres.
        distance_m: metres, may be infinite.

    Returns:
        (3, 3) float64, undistorted infrared to undistorted visible pixels.
    """
    normal = np.array([0.0, 0.0, -1.0])
    moved = rotation - np.outer(translation_m, normal) / distance_m
    return np.asarray(visible_matrix @ moved @ np.linalg.inv(ir_matrix))


def fit(size: tuple[int, int], output_size: tuple[int, int]) -> Array:
    """``size`` to ``output_size``: one scale for both axes, cut equally where it sticks out."""
    sx, sy = output_size[0] / size[0], output_size[1] / size[1]
    if not same_aspect(size, output_size):
        sx = sy = max(sx, sy)
    # Centre to centre, in coordinates that have their origin in the centre of the first pixel.
    return np.array(
        [
            [sx, 0.0, (output_size[0] - 1) / 2 - sx * (size[0] - 1) / 2],
            [0.0, sy, (output_size[1] - 1) / 2 - sy * (size[1] - 1) / 2],
            [0.0, 0.0, 1.0],
        ]
    )


def stretch(size: tuple[int, int], output_size: tuple[int, int]) -> Array:
    """``size`` to ``output_size``, edge to edge."""
    sx, sy = output_size[0] / size[0], output_size[1] / size[1]
    return np.array([[sx, 0.0, (sx - 1) / 2], [0.0, sy, (sy - 1) / 2], [0.0, 0.0, 1.0]])


def same_aspect(a: tuple[int, int], b: tuple[int, int]) -> bool:
    """True if width to height agree within 1 %."""
    return abs(a[0] * b[1] / (a[1] * b[0]) - 1) <= _SAME_ASPECT


def scale_at_centre(homography: Array, size: tuple[int, int]) -> float:
    """Output pixels per source pixel in the centre of the picture, geometric mean of both axes."""
    centre = np.array([(size[0] - 1) / 2, (size[1] - 1) / 2])
    steps = apply(homography, centre + np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    return float(math.sqrt(abs(np.linalg.det(steps[1:] - steps[0]))))


def apply(homography: Array, points: Array) -> Array:
    """(N, 2) points through a homography."""
    mapped = np.column_stack([points, np.ones(len(points))]) @ homography.T
    return np.asarray(mapped[:, :2] / mapped[:, 2:])
