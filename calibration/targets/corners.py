"""Corners of a checkerboard as saddle points of the brightness: found, described, refined.

A corner where two dark and two bright squares meet is a saddle: the brightness grows along one
diagonal and falls along the other. Blur and a lens do not change that, nor does a board that is
inverted, as cold and warm boards are in infrared. Lucchese and Mitra, "Using saddle points for
subpixel feature detection in camera calibration targets", 2002; ring test after Bennett and
Lasenby, "ChESS - quick and robust detection of chess-board features", 2014.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Corners", "find_corners", "refine_saddles"]

Array = NDArray[np.float64]
_RING = 32
_MAX_CANDIDATES = 1200
_WEAK = 0.02  # of the strongest saddle's response


@dataclass(frozen=True)
class Corners:
    """Candidates for corners.

    Attributes:
        points: (N, 2) float64 pixels.
        bright: (N,) direction in which the bright squares lie, radians modulo pi.
        edges: (N, 2) directions of the two edges that cross, radians modulo pi.
        strength: (N,) response: square root of the Hessian's negative determinant, grey levels per
            squared pixel, at the scale of the search.
    """

    points: Array
    bright: Array
    edges: Array
    strength: Array

    def __len__(self) -> int:
        return len(self.points)


def find_corners(image: NDArray[Any], sigma_px: float) -> Corners:
    """Saddle points with four alternating sectors around them.

    Args:
        image: (H, W) float32.
        sigma_px: scale: the picture is smoothed by this Gaussian; squares must be some 5 times as
            wide.
    """
    smooth = cv2.GaussianBlur(image, (0, 0), sigma_px)
    xx, yy, xy = _second_derivatives(smooth)
    response = xy * xy - xx * yy
    size = 2 * max(1, round(1.5 * sigma_px)) + 1
    top = cv2.dilate(response, np.ones((size, size), np.uint8))
    margin = max(3, round(2 * sigma_px))
    inner = np.zeros(response.shape, bool)
    inner[margin:-margin, margin:-margin] = True
    strongest = float(np.percentile(response, 99.9))
    v, u = np.nonzero((response == top) & inner & (response > _WEAK**2 * strongest + 1e-12))
    if len(u) > _MAX_CANDIDATES:
        best = np.argsort(response[v, u])[::-1][:_MAX_CANDIDATES]
        u, v = u[best], v[best]
    if not len(u):
        return Corners(np.empty((0, 2)), np.empty(0), np.empty((0, 2)), np.empty(0))
    points = np.column_stack([u, v]).astype(np.float64)
    radius = 2.6 * sigma_px + 0.8
    ring = _ring(smooth, points, radius)
    edges, alternating = _sectors(ring)
    a, b, c = xx[v, u], xy[v, u], yy[v, u]
    bright = 0.5 * np.arctan2(2.0 * b, a - c) % np.pi
    strength = np.sqrt(response[v, u])
    keep = alternating
    return Corners(points[keep], bright[keep], edges[keep], strength[keep])


def _second_derivatives(
    smooth: NDArray[Any],
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    xx = cv2.filter2D(smooth, cv2.CV_32F, np.array([[1, -2, 1]], np.float32))
    yy = cv2.filter2D(smooth, cv2.CV_32F, np.array([[1], [-2], [1]], np.float32))
    cross = np.array([[1, 0, -1], [0, 0, 0], [-1, 0, 1]], np.float32) / 4
    return xx, yy, cv2.filter2D(smooth, cv2.CV_32F, cross)


def _ring(image: NDArray[Any], points: Array, radius_px: float) -> NDArray[Any]:
    """(N, 32) brightness on a circle around each point, counter-clockwise from +x (y down)."""
    angles = np.arange(_RING) * (2 * np.pi / _RING)
    x = points[:, :1] + radius_px * np.cos(angles)
    y = points[:, 1:] + radius_px * np.sin(angles)
    return cv2.remap(
        image,
        x.astype(np.float32),
        y.astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )


def _sectors(ring: NDArray[Any]) -> tuple[Array, NDArray[np.bool_]]:
    """Edge directions from four changes between dark and bright, and whether there are four."""
    middle = (ring.max(1, keepdims=True) + ring.min(1, keepdims=True)) / 2
    level = ring - middle
    following = np.roll(level, -1, axis=1)
    change = (level >= 0) != (following >= 0)
    good = change.sum(1) == 4
    edges = np.zeros((len(ring), 2))
    rows = np.nonzero(good)[0]
    if len(rows):
        at = np.nonzero(change[rows])[1].reshape(-1, 4)
        before = np.take_along_axis(level[rows], at, 1)
        after = np.take_along_axis(following[rows], at, 1)
        angle = (at + before / (before - after)) * (2 * np.pi / _RING)
        # Two edges: changes 0 and 2 are the ends of one line, 1 and 3 of the other.
        first = np.angle(np.exp(2j * angle[:, 0]) + np.exp(2j * angle[:, 2])) / 2
        second = np.angle(np.exp(2j * angle[:, 1]) + np.exp(2j * angle[:, 3])) / 2
        edges[rows] = np.column_stack([first, second]) % np.pi
        straight = _apart(angle[:, 0], angle[:, 2]) < 0.7
        straight &= _apart(angle[:, 1], angle[:, 3]) < 0.7
        straight &= _apart(first, second) > 0.3
        good[rows] = straight
    return edges, good


def _apart(a: Array, b: Array) -> Array:
    """Angle between two undirected directions, 0 to pi/2."""
    d = np.abs(a - b) % np.pi
    return np.minimum(d, np.pi - d)


def refine_saddles(
    image: NDArray[Any], points: Array, half_px: Array, iterations: int = 12
) -> tuple[Array, NDArray[np.bool_], Array]:
    """Stationary point of a quadratic surface, fitted around each point by weighted least squares.

    Args:
        image: (H, W) float32, smoothed lightly at most.
        points: (N, 2) starting values, pixels.
        half_px: (N,) half width of the window, pixels; a third of a square is right.

    Returns:
        (N, 2) refined pixels; (N,) bool, False where the fit is no saddle or ran away; (N,)
        direction of the bright squares, radians modulo pi.
    """
    refined = points.astype(np.float64).copy()
    good = np.ones(len(points), bool)
    bright = np.zeros(len(points))
    halves = np.clip(np.round(half_px), 2, 14).astype(int)
    for half in np.unique(halves):
        rows = np.nonzero(halves == half)[0]
        offsets, solve = _surface(int(half))
        at = refined[rows]
        for step in range(iterations):
            x = (at[:, :1] + offsets[:, 0]).astype(np.float32)
            y = (at[:, 1:] + offsets[:, 1]).astype(np.float32)
            values = _sample(image, x, y)
            c = values.astype(np.float64) @ solve.T  # a x^2 + b x y + c y^2 + d x + e y + f
            det = 4 * c[:, 0] * c[:, 2] - c[:, 1] ** 2
            saddle = det < -1e-12
            det = np.where(saddle, det, -1.0)
            move = np.column_stack(
                [
                    (c[:, 1] * c[:, 4] - 2 * c[:, 2] * c[:, 3]) / det,
                    (c[:, 1] * c[:, 3] - 2 * c[:, 0] * c[:, 4]) / det,
                ]
            )
            length = np.linalg.norm(move, axis=1, keepdims=True)
            move *= np.minimum(1.0, 0.5 * half / np.maximum(length, 1e-12))
            at = at + np.where(saddle[:, None], move, 0.0)
            if step == iterations - 1 or length.max(initial=0.0) < 1e-4:
                good[rows] = saddle & (length[:, 0] < 0.05)
                break
        bright[rows] = 0.5 * np.arctan2(c[:, 1], c[:, 0] - c[:, 2]) % np.pi
        refined[rows] = at
    good &= np.linalg.norm(refined - points, axis=1) < np.maximum(1.0, 0.8 * halves)
    return refined, good, bright


def _surface(half: int) -> tuple[Array, Array]:
    """Sample offsets (M, 2) and the (6, M) matrix that solves for the quadratic's coefficients."""
    span = np.arange(-half, half + 1, dtype=np.float64)
    x, y = (grid.ravel() for grid in np.meshgrid(span, span))
    inside = x * x + y * y <= (half + 0.5) ** 2
    x, y = x[inside], y[inside]
    weight = np.exp(-(x * x + y * y) / (2 * (0.6 * half) ** 2))
    design = np.column_stack([x * x, x * y, y * y, x, y, np.ones_like(x)])
    root = np.sqrt(weight)[:, None]
    return np.column_stack([x, y]), np.linalg.pinv(design * root) * root.T


def _sample(image: NDArray[Any], x: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
    return cv2.remap(image, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
