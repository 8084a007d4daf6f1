"""Pose between two cameras with known lenses, and of the board in every pair, by least squares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_sdk.calibration_file import CameraCalibration

from .lens import parameters_of, project

__all__ = ["RigSolution", "RigView", "solve_rig"]

Array = NDArray[np.float64]
_HUBER = 2.0


@dataclass(frozen=True)
class RigView:
    """Points of a board, (N, 3) metres, and where both cameras see them, (N, 2) pixels."""

    board: Array
    ir: Array
    visible: Array


@dataclass(frozen=True)
class RigSolution:
    """Pose of the cameras and the boards.

    Attributes:
        rotation, translation_m: X_visible = R X_ir + t.
        board_poses: (K, 6) of each board before the infrared camera.
        deviations: (6,) standard deviations of the pose: a turn about x, y, z in radians, then
            the shift in metres. The lenses are taken for exact.
        residuals: per view the (N, 2) infrared and (N, 2) visible residuals in pixels.
    """

    rotation: Array
    translation_m: Array
    board_poses: Array
    deviations: Array
    residuals: list[tuple[Array, Array]]

    @property
    def rms_px(self) -> float:
        """Root mean square distance over both cameras, pixels."""
        both = np.concatenate([np.concatenate(pair) for pair in self.residuals])
        return float(np.sqrt((both**2).sum(1).mean()))

    def rms_of(self, camera: str) -> float:
        """Root mean square distance in one camera, ``"ir"`` or ``"visible"``, pixels."""
        side = 0 if camera == "ir" else 1
        one = np.concatenate([pair[side] for pair in self.residuals])
        return float(np.sqrt((one**2).sum(1).mean()))

    @property
    def view_rms_px(self) -> list[float]:
        """The same for each view over both cameras."""
        found = []
        for pair in self.residuals:
            both = np.concatenate(pair)
            found.append(float(np.sqrt((both**2).sum(1).mean())))
        return found


def solve_rig(
    views: Sequence[RigView],
    ir: CameraCalibration,
    visible: CameraCalibration,
    start: tuple[Array, Array],
    boards: Array,
    iterations: int = 60,
) -> RigSolution:
    """Levenberg-Marquardt with the boards' poses eliminated, Huber's weights.

    The noise of the two cameras differs (a thermal one is coarser), so each has its own scale,
    found again from the residuals in every round.

    Args:
        views: at least one.
        ir, visible: the lenses.
        start: rotation and translation between the cameras.
        boards: (K, 6) poses before the infrared camera.
    """
    pose = np.concatenate([cv2.Rodrigues(start[0])[0].ravel(), start[1]])
    boards = boards.copy()
    scales = np.array([0.5, 0.5])
    normal = np.eye(6)
    for _ in range(3):
        damping = 1e-3
        cost = _cost(_residuals(views, ir, visible, pose, boards), scales)
        for _ in range(iterations):
            normal, right, back = _normal(views, ir, visible, pose, boards, scales, damping)
            step = np.linalg.solve(normal, right)
            trial = pose + step
            moved = boards + [inverse @ (r - cross.T @ step) for inverse, cross, r in back]
            new = _cost(_residuals(views, ir, visible, trial, moved), scales)
            if new < cost:
                done = cost - new < 1e-9 * cost
                pose, boards, cost = trial, moved, new
                damping = max(damping / 10, 1e-9)
                if done:
                    break
            else:
                damping *= 8
                if damping > 1e8:
                    break
        scales = _scales(_residuals(views, ir, visible, pose, boards), len(views))
    normal = _normal(views, ir, visible, pose, boards, scales, 0.0)[0]
    covariance = np.linalg.pinv(normal, hermitian=True)
    deviations = np.sqrt(np.maximum(np.diag(covariance), 0))
    residuals = _residuals(views, ir, visible, pose, boards)
    rotation = np.asarray(cv2.Rodrigues(pose[:3])[0], np.float64)
    return RigSolution(rotation, pose[3:], boards, deviations, residuals)


def _residuals(
    views: Sequence[RigView],
    ir: CameraCalibration,
    visible: CameraCalibration,
    pose: Array,
    boards: Array,
) -> list[tuple[Array, Array]]:
    found = []
    for view, board in zip(views, boards, strict=True):
        seen = project(ir.model, parameters_of(ir), board[:3], board[3:], view.board)[0]
        composed = cv2.composeRT(board[:3], board[3:], pose[:3], pose[3:])
        turn, shift = (np.asarray(part, np.float64) for part in composed[:2])
        there = project(
            visible.model, parameters_of(visible), turn.ravel(), shift.ravel(), view.board
        )[0]
        found.append((view.ir - seen, view.visible - there))
    return found


def _scales(residuals: list[tuple[Array, Array]], views: int) -> Array:
    """Noise of a coordinate in each camera: robust, with the poses' degrees of freedom."""
    found = []
    for side in (0, 1):
        flat = np.concatenate([pair[side] for pair in residuals]).ravel()
        share = 1 - (3 * views + 3) / max(len(flat), 3 * views + 4)
        middle = 1.4826 * float(np.median(np.abs(flat)))
        inside = flat[np.abs(flat) <= 4 * middle + 1e-9]
        found.append(max(float(np.sqrt((inside**2).mean() / max(share, 0.1))), 0.01))
    return np.array(found)


def _cost(residuals: list[tuple[Array, Array]], scales: Array) -> float:
    total = 0.0
    for pair in residuals:
        for side in (0, 1):
            length = np.linalg.norm(pair[side], axis=1) / scales[side]
            total += float(
                np.where(length <= _HUBER, length**2, 2 * _HUBER * length - _HUBER**2).sum()
            )
    return total if np.isfinite(total) else np.inf


def _normal(
    views: Sequence[RigView],
    ir: CameraCalibration,
    visible: CameraCalibration,
    pose: Array,
    boards: Array,
    scales: Array,
    damping: float,
) -> tuple[Array, Array, list[tuple[Array, Array, Array]]]:
    normal, right = np.zeros((6, 6)), np.zeros(6)
    back = []
    for view, board in zip(views, boards, strict=True):
        seen, _, by_board = project(ir.model, parameters_of(ir), board[:3], board[3:], view.board)
        composed = cv2.composeRT(board[:3], board[3:], pose[:3], pose[3:])
        turn, shift, *parts = (np.asarray(part, np.float64) for part in composed)
        there, _, by_pose = project(
            visible.model, parameters_of(visible), turn.ravel(), shift.ravel(), view.board
        )
        # cv2.composeRT: d(turn, shift) by (r1, t1, r2, t2), each (3, 3).
        by_first = np.block([[parts[0], parts[1]], [parts[4], parts[5]]])
        by_second = np.block([[parts[2], parts[3]], [parts[6], parts[7]]])
        residuals = (view.ir - seen, view.visible - there)
        weights = [_weights(r, scales[side]) for side, r in enumerate(residuals)]
        w = np.concatenate(weights)
        e = np.concatenate([r.ravel() for r in residuals])
        b = np.concatenate([by_board, by_pose @ by_first])
        a = np.concatenate([np.zeros_like(by_board), by_pose @ by_second])
        wa, wb = a * w[:, None], b * w[:, None]
        v = b.T @ wb
        v[np.diag_indices(6)] *= 1 + damping
        inverse = np.linalg.inv(v + np.eye(6) * 1e-12 * np.trace(v))
        cross = a.T @ wb
        board_right = b.T @ (w * e)
        normal += a.T @ wa - cross @ inverse @ cross.T
        right += a.T @ (w * e) - cross @ inverse @ board_right
        back.append((inverse, cross, board_right))
    normal[np.diag_indices(6)] *= 1 + damping
    return normal, right, back


def _weights(residual: Array, scale: float) -> Array:
    length = np.linalg.norm(residual, axis=1) / scale
    return np.repeat(np.minimum(1.0, _HUBER / np.maximum(length, 1e-9)) / scale**2, 2)
