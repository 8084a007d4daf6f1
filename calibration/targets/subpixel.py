"""Corners placed by fitting what a blurred corner looks like to all pixels around it.

Two straight edges cross: brightness = a + gx x + gy y + b tanh(d1 / s) tanh(d2 / s), where d1 and
d2 are the distances from the two edges and s is the blur. Every pixel along the edges helps, so
that noise averages out, which a fit of a quadratic surface (that sees mostly flat squares) does
not do. Solved for all corners of a picture at once by Levenberg and Marquardt's method.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["fit_corners"]

Array = NDArray[np.float64]
_GEOMETRY = 5  # x, y, both edges' directions, logarithm of the blur


def fit_corners(
    image: NDArray[Any],
    points: Array,
    edges: Array,
    half_px: Array,
    bends: Array | None = None,
    iterations: int = 25,
) -> tuple[Array, Array]:
    """Fit the corner model around each point.

    Args:
        image: (H, W) float32.
        points: (N, 2) starting values, within about a pixel or two.
        edges: (N, 2) directions of the edges, radians.
        half_px: (N,) radius of the window; less than half of the smallest square.
        bends: (N, 2) curvature of the edges, 1/pixels, positive towards the normal
            (sin, -cos) of the edge; None for straight edges. A lens bends them: taken for straight
            they would pull the corner by some hundredths of a pixel, all to the same side.

    Returns:
        (N, 2) pixels, and (N,) their standard deviation in pixels as the residuals say it; inf
        where the fit failed.
    """
    placed = points.astype(np.float64).copy()
    deviation = np.full(len(points), np.inf)
    bends = np.zeros((len(points), 2)) if bends is None else bends
    halves = np.clip(np.floor(half_px), 2, 15).astype(int)
    for half in np.unique(halves):
        rows = np.nonzero(halves == half)[0]
        placed[rows], deviation[rows] = _fit(
            image, points[rows], edges[rows], bends[rows], int(half), iterations
        )
    return placed, deviation


def _fit(
    image: NDArray[Any],
    points: Array,
    edges: Array,
    bends: Array,
    half: int,
    iterations: int,
) -> tuple[Array, Array]:
    span = np.arange(-half, half + 1)
    x, y = (grid.ravel() for grid in np.meshgrid(span, span))
    inside = x * x + y * y <= (half + 0.5) ** 2
    x, y = x[inside], y[inside]
    centre = np.rint(points).astype(int)
    height, width = image.shape
    u, v = centre[:, :1] + x, centre[:, 1:] + y
    here = (u >= 0) & (v >= 0) & (u < width) & (v < height)
    values = image[np.clip(v, 0, height - 1), np.clip(u, 0, width - 1)].astype(np.float64)
    offsets = x.astype(np.float64), y.astype(np.float64)
    state = np.column_stack([points - centre, edges, np.full(len(points), np.log(1.2))])
    damping = np.full(len(points), 1e-2)
    residual, jacobian, cost = _evaluate(state, offsets, values, here, bends)
    for _ in range(iterations):
        normal = np.einsum("nmi,nmj->nij", jacobian, jacobian)
        gradient = np.einsum("nmi,nm->ni", jacobian, residual)
        diagonal = np.einsum("nii->ni", normal)
        extra = damping[:, None] * diagonal + 1e-9 * diagonal.max(1, keepdims=True) + 1e-12
        step = np.linalg.solve(normal + np.eye(_GEOMETRY) * extra[:, None], gradient[..., None])
        step = np.clip(step[..., 0], -0.7, 0.7)
        trial = state - step
        trial[:, 4] = np.clip(trial[:, 4], np.log(0.4), np.log(0.8 * half + 0.5))
        new_residual, new_jacobian, new_cost = _evaluate(trial, offsets, values, here, bends)
        better = new_cost < cost
        state = np.where(better[:, None], trial, state)
        residual = np.where(better[:, None], new_residual, residual)
        jacobian = np.where(better[:, None, None], new_jacobian, jacobian)
        change = np.where(better, np.abs(step[:, :2]).max(1), 0.0)
        cost = np.where(better, new_cost, cost)
        damping = np.clip(np.where(better, damping / 4, damping * 5), 1e-7, 1e7)
        if (change < 2e-4).all() and (better | (damping > 1e2)).all():
            break
    normal = np.einsum("nmi,nmj->nij", jacobian, jacobian)
    freedom = np.maximum(here.sum(1) - _GEOMETRY - 4, 1)
    scale = np.einsum("nii->ni", normal).max(1)[:, None, None]
    inverse = np.linalg.pinv(normal / np.maximum(scale, 1e-12)) / np.maximum(scale, 1e-12)
    spread = np.sqrt(np.maximum(inverse[:, 0, 0] + inverse[:, 1, 1], 0) / 2 * cost / freedom)
    moved = np.linalg.norm(state[:, :2] + centre - points, axis=1)
    apart = np.abs(np.sin(state[:, 2] - state[:, 3]))
    failed = (moved > max(1.5, 0.6 * half)) | (apart < 0.2) | ~np.isfinite(spread) | (spread <= 0)
    return np.where(failed[:, None], points, state[:, :2] + centre), np.where(
        failed, np.inf, spread
    )


def _evaluate(
    state: Array,
    offsets: tuple[Array, Array],
    values: Array,
    here: NDArray[np.bool_],
    bends: Array,
) -> tuple[Array, Array, Array]:
    """Residual (N, M), its derivative by the geometry (N, M, 5), and the cost (N,).

    Brightness, contrast and slope enter linearly: they are solved for exactly and projected out of
    the derivative (variable projection, Golub and Pereyra 1973, in Kaufman's approximation).
    """
    dx = offsets[0] - state[:, :1]
    dy = offsets[1] - state[:, 1:2]
    blur = np.exp(state[:, 4:5])
    sides = []
    for k in (2, 3):
        cos, sin = np.cos(state[:, k : k + 1]), np.sin(state[:, k : k + 1])
        along = dx * cos + dy * sin
        distance = dx * sin - dy * cos - 0.5 * bends[:, k - 2 : k - 1] * along**2
        value = np.tanh(distance / blur)
        sides.append((cos, sin, distance, value, (1 - value * value) / blur))
    (c1, s1, d1, v1, g1), (c2, s2, d2, v2, g2) = sides
    weight = here.astype(np.float64)
    product = v1 * v2
    ones = np.ones_like(product)
    linear = np.stack(
        [
            ones,
            np.broadcast_to(offsets[0], product.shape),
            np.broadcast_to(offsets[1], product.shape),
            product,
        ],
        axis=-1,
    )
    linear = linear * weight[..., None]
    target = values * weight
    normal = np.einsum("nmi,nmj->nij", linear, linear) + 1e-9 * np.eye(4)
    right = np.einsum("nmi,nm->ni", linear, target)
    solved = np.linalg.solve(normal, right[..., None])[..., 0]
    residual = np.einsum("nmi,ni->nm", linear, solved) - target
    contrast = solved[:, 3:4]
    jacobian = np.stack(
        [
            -(s1 * g1 * v2 + s2 * g2 * v1),
            c1 * g1 * v2 + c2 * g2 * v1,
            (dx * c1 + dy * s1) * g1 * v2,
            (dx * c2 + dy * s2) * g2 * v1,
            -(d1 * g1 * v2 + d2 * g2 * v1),
        ],
        axis=-1,
    )
    jacobian = jacobian * (contrast * weight)[..., None]
    inner = np.linalg.solve(normal, np.einsum("nmi,nmj->nij", linear, jacobian))
    jacobian = jacobian - np.einsum("nmi,nij->nmj", linear, inner)
    return residual, jacobian, np.einsum("nm,nm->n", residual, residual)
