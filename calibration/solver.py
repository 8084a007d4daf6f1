"""Lens and poses from what was seen: robust least squares with priors, and its covariance.

Bundle adjustment of one camera: Levenberg-Marquardt with the poses eliminated (Schur complement,
Triggs et al., "Bundle adjustment - a modern synthesis", 2000). Priors are what everybody knows of
a lens before measuring: square pixels, the axis near the middle, moderate distortion. With many
views they do not matter; with few they stand in for what these views cannot say, and the
covariance shows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_sdk.errors import CalibrationError

from .lens import Model, project, rays

__all__ = ["Prior", "Solution", "View", "default_prior", "fit_pose", "solve"]

Array = NDArray[np.float64]
_HUBER = 2.0  # standard deviations
_UNEVEN_PX = 1.0  # what a board that is not quite flat or even does to a view, see _floor
_STARTS = (0.55, 0.85, 1.2, 1.8, 3.0)  # focal lengths to start from, in image widths


@dataclass(frozen=True)
class View:
    """Points of a flat board, (N, 3), and where they are seen, (N, 2) pixels."""

    board: Array
    pixels: Array


@dataclass(frozen=True)
class Prior:
    """Gaussian knowledge about the parameters: mean and standard deviation, (n,) each.

    ``ratio`` is the standard deviation of fy/fx from 1.
    """

    mean: Array
    deviation: Array
    ratio: float = 0.005


@dataclass(frozen=True)
class Solution:
    """A lens, and where the board was.

    Attributes:
        model: lens model.
        parameters: (n,) see :mod:`calibration.lens`.
        free: (n,) bool, which were estimated.
        poses: (K, 6) rotation vector and translation of each view, X_camera = R X_board + t.
        covariance: (n, n) of the parameters, 0 where not estimated.
        residuals: one (N, 2) array a view, seen minus projected, pixels.
        sigma_px: noise of a coordinate, from the residuals.
        cost: weighted squares with priors, for comparing solutions.
    """

    model: Model
    parameters: Array
    free: NDArray[np.bool_]
    poses: Array
    covariance: Array
    residuals: list[Array]
    sigma_px: float
    cost: float

    @property
    def rms_px(self) -> float:
        """Root mean square of the distances, pixels."""
        return rms(np.concatenate(self.residuals))


def rms(residuals: Array) -> float:
    """Root mean square distance of (N, 2) residuals."""
    return float(np.sqrt((residuals**2).sum(1).mean()))


def default_prior(model: Model, size: tuple[int, int]) -> Prior:
    """What is known of any lens: weak, see the numbers."""
    width, height = size
    longer = max(size)
    mean = [longer, longer, (width - 1) / 2, (height - 1) / 2]
    deviation = [0.5 * longer, 0.5 * longer, 0.03 * longer, 0.03 * longer]
    if model == "pinhole":
        mean += [0.0] * 5
        deviation += [0.4, 0.6, 0.003, 0.003, 0.6]
    else:
        mean += [0.0] * 4
        deviation += [0.2, 0.2, 0.2, 0.2]
    return Prior(np.array(mean, float), np.array(deviation))


def solve(
    views: Sequence[View],
    model: Model,
    size: tuple[int, int],
    free: NDArray[np.bool_],
    prior: Prior | None = None,
    start: Solution | None = None,
) -> Solution:
    """The lens and the poses that explain the views best.

    Args:
        views: at least one, each of 4 points or more.
        model: lens model.
        size: (width, height) of the pictures, pixels.
        free: (n,) which parameters to estimate; the others keep the prior's mean.
        prior: None for :func:`default_prior`.
        start: of the same views, instead of a search for the focal length.

    Raises:
        CalibrationError: no start leads to a lens that sees the boards.
    """
    prior = default_prior(model, size) if prior is None else prior
    if start is not None:
        parameters = np.where(free, start.parameters, prior.mean)
        return _noise_scaled(views, model, free, prior, parameters, start.poses)
    best: tuple[float, Array, Array] | None = None
    few = free.copy()
    few[4:] = False  # the focal length first
    few[2:4] = False
    for share in _STARTS:
        parameters = prior.mean.copy()
        parameters[:2] = share * max(size)
        try:
            poses = np.array([fit_pose(view, model, parameters) for view in views])
            parameters, poses, cost = _minimise(views, model, few, prior, parameters, poses, 1.0, 8)
            parameters, poses, cost = _minimise(
                views, model, free, prior, parameters, poses, 1.0, 10
            )
        except (CalibrationError, np.linalg.LinAlgError):
            continue
        if np.isfinite(cost) and (best is None or cost < best[0]):
            best = cost, parameters, poses
    if best is None:
        raise CalibrationError(
            "no lens explains these views; are the board's size and its corners right?"
        )
    _, parameters, poses = best
    poses = np.array(
        [fit_pose(view, model, parameters, pose) for view, pose in zip(views, poses, strict=True)]
    )
    return _noise_scaled(views, model, free, prior, parameters, poses)


def _noise_scaled(
    views: Sequence[View],
    model: Model,
    free: NDArray[np.bool_],
    prior: Prior,
    parameters: Array,
    poses: Array,
) -> Solution:
    """Solved with the noise that the residuals show: only so have priors their right weight."""
    sigma = 0.3
    for _ in range(3):
        parameters, poses, cost = _minimise(views, model, free, prior, parameters, poses, sigma, 40)
        residuals, _, _ = _linearise(views, model, parameters, poses)
        new = max(_noise(residuals, int(free.sum())), _floor(len(views)))
        done = abs(new / sigma - 1) < 0.03
        sigma = new
        if done:
            break
    normal = _normal(views, model, free, prior, parameters, poses, sigma)[0]
    covariance = np.zeros((len(parameters), len(parameters)))
    covariance[np.ix_(free, free)] = np.linalg.pinv(normal[np.ix_(free, free)], hermitian=True)
    return Solution(model, parameters, free, poses, covariance, residuals, sigma, cost)


def _floor(views: int) -> float:
    """Least noise in pixels that few views are credited with.

    A board that is bent or printed unevenly moves all corners of a view together, which a lens can
    imitate. Over several different views it cannot, and the residuals show the noise.
    """
    return _UNEVEN_PX / views if views < 4 else 0.005


def _noise(residuals: list[Array], parameters: int) -> float:
    """Standard deviation of a coordinate: robust, with the degrees of freedom that poses take."""
    flat = np.concatenate(residuals).ravel()
    freedom = max(len(flat) - 6 * len(residuals) - parameters, 0.1 * len(flat))
    middle = 1.4826 * float(np.median(np.abs(flat)))
    inside = flat[np.abs(flat) <= 4 * middle + 1e-9]
    return max(float(np.sqrt((inside**2).sum() / freedom)), 0.005)


def _linearise(
    views: Sequence[View], model: Model, parameters: Array, poses: Array
) -> tuple[list[Array], list[Array], list[Array]]:
    residuals, by_lens, by_pose = [], [], []
    for view, pose in zip(views, poses, strict=True):
        pixels, a, b = project(model, parameters, pose[:3], pose[3:], view.board)
        residuals.append(view.pixels - pixels)
        by_lens.append(a)
        by_pose.append(b)
    return residuals, by_lens, by_pose


def _weights(residual: Array, sigma: float) -> Array:
    """(2 N,) Huber's weights, one a point."""
    length = np.linalg.norm(residual, axis=1) / sigma
    weight = np.minimum(1.0, _HUBER / np.maximum(length, 1e-9)) / sigma**2
    return np.repeat(weight, 2)


def _cost(residuals: list[Array], parameters: Array, prior: Prior, sigma: float) -> float:
    length = np.linalg.norm(np.concatenate(residuals), axis=1) / sigma
    robust = np.where(length <= _HUBER, length**2, 2 * _HUBER * length - _HUBER**2).sum()
    known = (((parameters - prior.mean) / prior.deviation) ** 2).sum()
    known += ((parameters[1] / parameters[0] - 1) / prior.ratio) ** 2
    return float(robust + known)


def _normal(
    views: Sequence[View],
    model: Model,
    free: NDArray[np.bool_],
    prior: Prior,
    parameters: Array,
    poses: Array,
    sigma: float,
    damping: float = 0.0,
) -> tuple[Array, Array, list[tuple[Array, Array, Array]]]:
    """Normal equations of the lens with the poses eliminated, and what brings the poses back."""
    residuals, by_lens, by_pose = _linearise(views, model, parameters, poses)
    normal = np.diag(1 / prior.deviation**2)
    right = (prior.mean - parameters) / prior.deviation**2
    # fy / fx = 1 within the ratio, linear in the logarithms.
    fx, fy = parameters[:2]
    row = np.zeros(len(parameters))
    row[:2] = -fy / fx**2, 1 / fx
    normal += np.outer(row, row) / prior.ratio**2
    right += row * (1 - fy / fx) / prior.ratio**2
    back = []
    for residual, a, b in zip(residuals, by_lens, by_pose, strict=True):
        w = _weights(residual, sigma)
        e = residual.ravel()
        wa, wb = a * w[:, None], b * w[:, None]
        v = b.T @ wb
        v[np.diag_indices(6)] *= 1 + damping
        cross = a.T @ wb
        inverse = np.linalg.inv(v + np.eye(6) * 1e-12 * np.trace(v))
        normal += a.T @ wa - cross @ inverse @ cross.T
        pose_right = b.T @ (w * e)
        right += a.T @ (w * e) - cross @ inverse @ pose_right
        back.append((inverse, cross, pose_right))
    normal[np.diag_indices(len(normal))] *= 1 + damping
    return normal, right, back


def _minimise(
    views: Sequence[View],
    model: Model,
    free: NDArray[np.bool_],
    prior: Prior,
    parameters: Array,
    poses: Array,
    sigma: float,
    iterations: int,
) -> tuple[Array, Array, float]:
    """Levenberg-Marquardt from a start."""
    damping = 1e-3
    cost = _cost(_linearise(views, model, parameters, poses)[0], parameters, prior, sigma)
    for _ in range(iterations):
        normal, right, back = _normal(views, model, free, prior, parameters, poses, sigma, damping)
        step = np.zeros(len(parameters))
        step[free] = np.linalg.solve(normal[np.ix_(free, free)], right[free])
        moved = poses + [inverse @ (r - cross.T @ step) for inverse, cross, r in back]
        trial = parameters + step
        sane = trial[0] > 1 and trial[1] > 1 and (moved[:, 5] > 0).all()
        new = (
            _cost(_linearise(views, model, trial, moved)[0], trial, prior, sigma)
            if sane
            else np.inf
        )
        if new < cost:
            gain = (cost - new) / max(cost, 1e-12)
            parameters, poses, cost = trial, moved, new
            damping = max(damping / 10, 1e-9)
            if gain < 1e-9:
                break
        else:
            damping *= 8
            if damping > 1e8:
                break
    return parameters, poses, cost


def fit_pose(view: View, model: Model, parameters: Array, pose: Array | None = None) -> Array:
    """Pose of a flat board before a known lens; the better of the two that look alike.

    Args:
        view: what is seen.
        model, parameters: the lens.
        pose: (6,) a further start.

    Returns:
        (6,) rotation vector and translation.

    Raises:
        CalibrationError: the board cannot be before this lens.
    """
    directions, good = rays(model, parameters, view.pixels)
    starts = [] if pose is None else [np.asarray(pose, float)]
    if good.sum() >= 4:
        count, turns, shifts, _ = cv2.solvePnPGeneric(
            np.ascontiguousarray(view.board[good]).reshape(-1, 1, 3),
            np.ascontiguousarray(directions[good]).reshape(-1, 1, 2),
            np.eye(3),
            None,
            flags=cv2.SOLVEPNP_IPPE,
        )
        for k in range(count):
            starts.append(np.concatenate([turns[k].ravel(), shifts[k].ravel()]))
    found = [_refine_pose(view, model, parameters, s) for s in starts if s[5] > 0]
    found = [pair for pair in found if np.isfinite(pair[1]) and pair[0][5] > 0]
    if not found:
        raise CalibrationError("a board cannot be placed before the lens")
    return min(found, key=lambda pair: pair[1])[0]


def _refine_pose(view: View, model: Model, parameters: Array, pose: Array) -> tuple[Array, float]:
    damping = 1e-3
    pixels, _, b = project(model, parameters, pose[:3], pose[3:], view.board)
    e = (view.pixels - pixels).ravel()
    cost = float(e @ e)
    for _ in range(30):
        v = b.T @ b
        v[np.diag_indices(6)] *= 1 + damping
        try:
            step = np.linalg.solve(v, b.T @ e)
        except np.linalg.LinAlgError:
            return pose, np.inf
        trial = pose + step
        pixels, _, new_b = project(model, parameters, trial[:3], trial[3:], view.board)
        new_e = (view.pixels - pixels).ravel()
        new = float(new_e @ new_e)
        if np.isfinite(new) and new < cost:
            done = cost - new < 1e-10 * cost
            pose, e, b, cost = trial, new_e, new_b, new
            damping = max(damping / 10, 1e-9)
            if done:
                break
        else:
            damping *= 8
            if damping > 1e7:
                break
    return pose, cost
