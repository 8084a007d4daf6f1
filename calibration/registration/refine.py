"""The homography that fits all blocks of all pairs best: coarse to fine, without derivatives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_sdk.geometry import apply

from .coarse import Hypothesis, corners_of
from .structure import CameraStructure, level_matrix
from .surfaces import Surfaces, local_scores

__all__ = [
    "MIN_BLOCKS",
    "Stage",
    "best_homography",
    "implausibility",
    "mean_homography",
    "pooled_score",
    "refine",
]

Array = NDArray[np.float64]
Float = NDArray[np.float32]

MIN_BLOCKS = 12
_PERSPECTIVE = 0.03
_ANISOTROPY = 0.006
_PRIOR_WEIGHT = 3e-4
_PEAK_FLOOR = 0.15
_UPSAMPLE = 8
_SMOOTH_PX = 0.7
_PEAK_PX = 1.0
_SAMPLES, _KEPT, _GENERATIONS = 400, 50, 12


@dataclass(frozen=True)
class Stage:
    """One step of :func:`refine`: level, largest shift and block in its pixels, and the standard
    deviation of the corners' first guesses."""

    level: int
    reach: int
    block_px: int
    sigma_px: float


def implausibility(homographies: Array, ir_size: tuple[int, int]) -> Array:
    """How far homographies are from what two cameras on one rig can do; 0 is best, (N,).

    Two cameras with square pixels and nearly parallel axes differ by a similarity, some perspective
    and next to no shear. With p the change of the third homogeneous coordinate from the centre to
    the corner, relative to the centre, and k the logarithm of the ratio of the singular values of
    the Jacobian in the centre: (p / 0.03)^2 + (k / 0.006)^2. Shift, scale and rotation are free.

    Args:
        homographies: (N, 3, 3).
        ir_size: (width, height).
    """
    h = homographies
    centre = np.array([(ir_size[0] - 1) / 2, (ir_size[1] - 1) / 2, 1.0])
    u, v, w = np.moveaxis(h @ centre, -1, 0)
    a = (h[:, 0, 0] * w - u * h[:, 2, 0]) / w**2
    b = (h[:, 0, 1] * w - u * h[:, 2, 1]) / w**2
    c = (h[:, 1, 0] * w - v * h[:, 2, 0]) / w**2
    d = (h[:, 1, 1] * w - v * h[:, 2, 1]) / w**2
    # For singular values s1, s2: ((a-d)^2 + (b+c)^2) / (4 det) = sinh^2(log(s1/s2) / 2).
    determinant = np.maximum(a * d - b * c, 1e-9)
    anisotropy = ((a - d) ** 2 + (b + c) ** 2) / (4 * determinant)
    radius = np.hypot(*ir_size) / 2
    perspective = (h[:, 2, 0] ** 2 + h[:, 2, 1] ** 2) / w**2 * radius**2
    return np.asarray(perspective / _PERSPECTIVE**2 + 4 * anisotropy / _ANISOTROPY**2)


class _Objective:
    """Mean over the blocks of the squared correlation, less the prior.

    The square of a correlation is the share of explained variance; its sum is, up to a factor, the
    log-likelihood ratio of "the block fits here" against "it does not" for small correlations. It
    also keeps blocks of mere noise from outvoting few good ones. For the search it is divided by
    the root of the block's own highest correlation: else few near objects of high contrast would
    decide alone.
    """

    def __init__(self, surfaces: Surfaces, ir_size: tuple[int, int]) -> None:
        self._ir_size = ir_size
        self._surfaces = surfaces
        self._scores = _upsampled(surfaces.scores, surfaces.reach)
        peaks = np.maximum(surfaces.scores.max(axis=(1, 2)), _PEAK_FLOOR)
        self._weights = _of_sum_1(surfaces.weights)
        self._balanced = _of_sum_1(surfaces.weights / np.sqrt(peaks))
        ones = np.ones((len(surfaces.centres), 1))
        self._points = np.concatenate([surfaces.centres, ones], axis=1)
        self._to_level = level_matrix(surfaces.level)
        self._from_level = np.linalg.inv(self._to_level)
        self._corners = corners_of(surfaces.size)

    def homographies(self, shifts: Array) -> Array:
        """(n, 8) shifts of the corners, level pixels -> (n, 3, 3) infrared to visible."""
        moved = self._from_level @ _four_points(self._corners, shifts) @ self._to_level
        full = moved @ self._surfaces.homography
        return np.asarray(full / full[:, 2:, 2:])

    def fit(self, shifts: Array) -> Array:
        """(n,) mean squared correlation without the prior."""
        return np.asarray(self._values(shifts) @ self._weights)

    def __call__(self, shifts: Array) -> Array:
        prior = implausibility(self.homographies(shifts), self._ir_size)
        return np.asarray(self._values(shifts) @ self._balanced - _PRIOR_WEIGHT * prior)

    def _values(self, shifts: Array) -> Array:
        """(n, N) signed squared correlation of every block; 0 beyond the surfaces' reach."""
        reach = self._surfaces.reach
        mapped = self._points @ _four_points(self._corners, shifts).transpose(0, 2, 1)
        offset = mapped[..., :2] / mapped[..., 2:] - self._surfaces.centres
        outside = np.abs(offset).max(axis=-1) > reach
        grid = np.clip((offset + reach) * _UPSAMPLE, 0, 2 * reach * _UPSAMPLE - 1e-3)
        cell = grid.astype(np.int64)
        fx, fy = np.moveaxis(grid - cell, -1, 0)
        x, y = np.moveaxis(cell, -1, 0)
        n = np.arange(len(self._points))[None]
        s = self._scores
        value = (s[n, y, x] * (1 - fx) + s[n, y, x + 1] * fx) * (1 - fy)
        value += (s[n, y + 1, x] * (1 - fx) + s[n, y + 1, x + 1] * fx) * fy
        return np.asarray(np.where(outside, 0, value))


def _of_sum_1(weights: Array) -> Array:
    return np.asarray(weights / max(float(weights.sum()), 1e-9))


def best_homography(
    surfaces: Surfaces, ir_size: tuple[int, int], sigma_px: float, seed: int = 0
) -> Hypothesis:
    """The homography that maximises the pooled score of these surfaces.

    Cross-entropy method (Rubinstein 1999) over the shifts of the four corners: sample, keep the
    best eighth, fit a Gaussian to them, repeat. It needs no derivatives, and a block that is
    ambiguous alone does no harm. The same input gives the same result.

    Args:
        surfaces: about a homography near the one looked for.
        ir_size: (width, height), full resolution.
        sigma_px: standard deviation of the first guesses of the corners, pixels of the level.
        seed: of the samples.
    """
    objective = _Objective(surfaces, ir_size)
    rng = np.random.default_rng(seed)
    together = np.kron(np.ones((4, 4)), np.eye(2))
    mean, covariance = np.zeros(8), sigma_px**2 * (0.5 * np.eye(8) + 0.5 * together)
    ranks = np.linspace(1.0, 0.2, _KEPT)
    ranks /= ranks.sum()
    best, best_score = np.zeros(8), -np.inf
    for _ in range(_GENERATIONS):
        samples = rng.multivariate_normal(mean, covariance, size=_SAMPLES)
        samples[0] = mean
        scores = objective(samples)
        order = np.argsort(-scores)[:_KEPT]
        if scores[order[0]] > best_score:
            best, best_score = samples[order[0]], float(scores[order[0]])
        mean = ranks @ samples[order]
        off = samples[order] - mean
        covariance = (off * ranks[:, None]).T @ off + 1e-4 * np.eye(8)
    return Hypothesis(float(objective.fit(best[None])[0]), objective.homographies(best[None])[0])


def pooled_score(surfaces: Surfaces, ir_size: tuple[int, int], homography: Array) -> float:
    """Mean squared correlation at a homography, 0 where it lies beyond the surfaces' reach."""
    to_level = level_matrix(surfaces.level)
    step = to_level @ homography @ np.linalg.inv(to_level @ surfaces.homography)
    corners = corners_of(surfaces.size)
    moved = np.column_stack([corners, np.ones(4)]) @ step.T
    shifts = (moved[:, :2] / moved[:, 2:] - corners).reshape(1, 8)
    return float(_Objective(surfaces, ir_size).fit(shifts)[0])


def refine(
    ir: CameraStructure,
    visible: CameraStructure,
    start: Array,
    stages: Sequence[Stage],
    pictures: Sequence[int],
) -> Hypothesis:
    """``start`` improved over all stages; a score of 0 if the overlap is too small to say."""
    current = Hypothesis(0.0, start)
    for stage in stages:
        surfaces = local_scores(
            ir,
            visible,
            current.homography,
            stage.level,
            stage.reach,
            stage.block_px,
            [list(pictures)],
        )[-1]
        if len(surfaces.centres) < MIN_BLOCKS:
            return Hypothesis(0.0, current.homography)
        current = best_homography(surfaces, ir.size, stage.sigma_px)
    return current


def mean_homography(homographies: Sequence[Array], ir_size: tuple[int, int]) -> Array:
    """The homography that takes the picture's corners to the mean of where these take them."""
    corners = corners_of(ir_size)
    target = np.mean([apply(one, corners) for one in homographies], axis=0)
    return np.asarray(_four_points(corners, (target - corners).reshape(1, 8))[0])


def _four_points(corners: Array, shifts: Array) -> Array:
    """(n, 3, 3) homographies that move the corners (4, 2) by the shifts (n, 8), x and y in turn."""
    n = len(shifts)
    target = corners[None] + shifts.reshape(n, 4, 2)
    system = np.zeros((n, 8, 8))
    for k, (x, y) in enumerate(corners):
        u, v = target[:, k, 0], target[:, k, 1]
        system[:, 2 * k, :3] = x, y, 1
        system[:, 2 * k + 1, 3:6] = x, y, 1
        system[:, 2 * k, 6], system[:, 2 * k, 7] = -u * x, -u * y
        system[:, 2 * k + 1, 6], system[:, 2 * k + 1, 7] = -v * x, -v * y
    solved = np.linalg.solve(system, target.reshape(n, 8, 1))[..., 0]
    return np.concatenate([solved, np.ones((n, 1))], axis=1).reshape(n, 3, 3)


def _upsampled(scores: Float, reach: int) -> Float:
    """Signed squares of the surfaces, smoothed and sampled eight times finer.

    Scaled so that a peak as narrow as they are has the same height between the samples as on them.
    Otherwise whole-pixel shifts would win, and above all no shift at all.
    """
    size = 2 * reach + 1
    fine = np.arange((size - 1) * _UPSAMPLE + 1) / _UPSAMPLE
    kernel = np.exp(-0.5 * ((fine[:, None] - np.arange(size)) / _SMOOTH_PX) ** 2)
    peak = np.exp(-0.5 * ((fine[:, None] - np.arange(size)) / _PEAK_PX) ** 2)
    kernel = (kernel / (kernel * peak).sum(axis=1, keepdims=True)).astype(np.float32)
    smooth = kernel @ scores @ kernel.T
    return np.asarray(np.sign(smooth) * smooth * smooth, np.float32)
