"""How the two cameras stand to each other, from a board that both see.

The lenses are known; what is sought is one pose between the cameras and the pose of the board in
each pair. With few views only a homography for the board's plane is certain.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_sdk.calibration_file import Calibration, CameraCalibration, build_calibration
from edge_sdk.errors import CalibrationError
from edge_sdk.geometry import apply, homography_fault, plane_homography

from .lens import parameters_of, rays
from .rig_solver import RigSolution, RigView, solve_rig
from .solver import View, fit_pose
from .targets import Observation, Rejection, Target

__all__ = ["Stereo", "StereoPair", "calibrate_stereo"]

Array = NDArray[np.float64]
_ENOUGH_VIEWS = 3
_BAD_PAIR = 2.5


@dataclass(frozen=True)
class StereoPair:
    """The board as both cameras saw it at one moment."""

    name: str
    ir: Observation
    visible: Observation


@dataclass(frozen=True)
class Stereo:
    """The rig's calibration and all that tells how good it is.

    Attributes:
        calibration: for the file.
        target: the board.
        solution: pose between the cameras, boards' poses, residuals, covariance.
        pairs: the used pairs, in the order of ``solution.board_poses``; cells are equal in both.
        rejections: pairs that were not used, and why.
        warnings: what limits the result.
    """

    calibration: Calibration
    target: Target
    solution: RigSolution
    pairs: list[StereoPair]
    rejections: list[Rejection]
    warnings: list[str] = field(default_factory=list)

    def report(self) -> dict[str, Any]:
        """The figures, for a file or ``--json``."""
        return dict(self.calibration.report)


def calibrate_stereo(
    pairs: Sequence[StereoPair],
    target: Target,
    ir: CameraCalibration,
    visible: CameraCalibration,
    distance_m: float | None = None,
    rejections: Sequence[Rejection] = (),
) -> Stereo:
    """Pose and homography from boards that both cameras see.

    Args:
        pairs: the board in both pictures.
        target: with its spacing in metres.
        ir, visible: the lenses.
        distance_m: align at this distance; None: at the median distance of the boards.
        rejections: pairs that were lost before, for the report.

    Raises:
        CalibrationError: no pair is of use, or its lenses are of another image size.
    """
    if target.spacing_m is None:
        raise CalibrationError(
            "the board's squares must be known in millimetres to measure how the cameras stand to "
            "each other: give --square-mm"
        )
    out = list(rejections)
    matched = []
    for pair in pairs:
        ir.require(f"{pair.name}: infrared lens", pair.ir.image_size)
        visible.require(f"{pair.name}: visible lens", pair.visible.image_size)
        result = _match(pair, target)
        if isinstance(result, StereoPair):
            matched.append(result)
        else:
            out.append(Rejection(pair.name, result))
    if not matched:
        reasons = "; ".join(f"{r.name}: {r.reason}" for r in out[:4])
        raise CalibrationError(f"no pair shows the whole board in both pictures: {reasons}")
    matched, solution = _solved(matched, target, ir, visible)
    matched, solution, bad = _without_bad_pairs(matched, solution, target, ir, visible)
    out += bad
    distances = solution.board_poses[:, 5].copy()
    centre = target.places(matched[0].ir.cells).mean(0)
    for k, pose in enumerate(solution.board_poses):
        distances[k] = (cv2.Rodrigues(pose[:3])[0] @ centre + pose[3:])[2]
    full = len(matched) >= _ENOUGH_VIEWS
    at = float(np.median(distances)) if distance_m is None else distance_m
    if not at > 0:
        raise CalibrationError(f"--distance-m must be above 0, found {distance_m}")
    if not full and distance_m is not None:
        raise CalibrationError(
            f"aligning at {distance_m:g} m needs the cameras' pose, thus {_ENOUGH_VIEWS} views of "
            f"the board or more; there are {len(matched)}"
        )
    fitted, plane_px = _fitted_homography(matched, ir, visible)
    if full:
        homography = plane_homography(
            ir.matrix, visible.matrix, solution.rotation, solution.translation_m, at
        )
    else:
        homography = fitted
    homography = homography / homography[2, 2]
    fault = homography_fault(homography, ir.size)
    if fault:
        raise CalibrationError(f"the homography between the cameras {fault}")
    figures = _figures(solution, matched, out, distances, at, target)
    figures["plane_fit_px"] = _rounded(plane_px)
    warnings = _warnings(solution, matched, distances, full)
    figures["warnings"] = warnings
    registration: dict[str, Any] = {"homography": homography, "distance_m": at}
    if full:
        registration["extrinsics"] = {
            "R": solution.rotation,
            "t_m": solution.translation_m,
        }
    calibration = build_calibration(
        {
            "date": dt.date.today(),
            "cameras": {"ir": ir.model_dump(), "visible": visible.model_dump()},
            "registration": registration,
            "report": figures,
        }
    )
    return Stereo(calibration, target, solution, matched, out, warnings)


def _match(pair: StereoPair, target: Target) -> StereoPair | str:
    """The pair with equal cells in both, in the same order; or why that cannot be."""
    ir, visible = pair.ir, pair.visible
    if not (ir.coded and visible.coded):
        for name, seen in (("infrared", ir), ("visible", visible)):
            if not seen.complete:
                return (
                    f"the {name} picture shows the board in part ({len(seen)} corners), so that "
                    "its corners have no names"
                )
        if sorted(ir.extent) != sorted(visible.extent):
            return f"boards of {ir.extent} and {visible.extent} corners"
        ir = _longer_first(ir, target)
        visible = _longer_first(visible, target)
        visible = _turned_like(ir, visible)
    index = {tuple(cell): k for k, cell in enumerate(visible.cells.tolist())}
    common = [(k, index[tuple(c)]) for k, c in enumerate(ir.cells.tolist()) if tuple(c) in index]
    if len(common) < 6:
        return f"only {len(common)} corners are in both pictures"
    left, right = (list(side) for side in zip(*common, strict=True))
    return StereoPair(
        pair.name,
        replace(ir, cells=ir.cells[left], pixels=ir.pixels[left]),
        replace(visible, cells=visible.cells[right], pixels=visible.pixels[right]),
    )


def _longer_first(seen: Observation, target: Target) -> Observation:
    """Cells as the target counts them: a board on its side is turned by a quarter."""
    if target.size is None or seen.extent == target.size or target.kind != "checkerboard":
        return seen
    cells = np.column_stack([seen.cells[:, 1], seen.cells[:, 0].max() - seen.cells[:, 0]])
    return replace(seen, cells=cells)


def _half_turned(seen: Observation) -> Observation:
    return replace(seen, cells=seen.cells.max(0) - seen.cells)


def _axes(seen: Observation) -> Array:
    """(2,) direction of the columns in the picture, unit length."""
    design = np.column_stack([seen.cells, np.ones(len(seen))])
    way = np.linalg.lstsq(design, seen.pixels, rcond=None)[0][0]
    return np.asarray(way / np.linalg.norm(way))


def _turned_like(ir: Observation, visible: Observation) -> Observation:
    """The visible board turned by half if that brings its columns nearer to the infrared's.

    The cameras of a rig stand upright to each other within less than a quarter turn.
    """
    if float(_axes(ir) @ _axes(visible)) < 0:
        return _half_turned(visible)
    return visible


def _views(pairs: Sequence[StereoPair], target: Target) -> list[RigView]:
    return [RigView(target.places(p.ir.cells), p.ir.pixels, p.visible.pixels) for p in pairs]


def _solved(
    pairs: list[StereoPair], target: Target, ir: CameraCalibration, visible: CameraCalibration
) -> tuple[list[StereoPair], RigSolution]:
    """The rig from poses of single boards, refined over all."""
    starts, boards = [], []
    for view in _views(pairs, target):
        left = fit_pose(View(view.board, view.ir), ir.model, parameters_of(ir))
        right = fit_pose(View(view.board, view.visible), visible.model, parameters_of(visible))
        a, b = cv2.Rodrigues(left[:3])[0], cv2.Rodrigues(right[:3])[0]
        r = b @ a.T
        starts.append((r, right[3:] - r @ left[3:]))
        boards.append(left)
    # The view whose pose the others agree with most: single boards far away tilt either way.
    costs = [sum(min(_angle(r.T @ other), 0.3) for other, _ in starts) for r, _ in starts]
    best = int(np.argmin(costs))
    near = [t for r, t in starts if _angle(starts[best][0].T @ r) < 0.1]
    start = starts[best][0], np.median(near, axis=0)
    return pairs, solve_rig(_views(pairs, target), ir, visible, start, np.array(boards))


def _angle(rotation: Array) -> float:
    return float(np.arccos(np.clip((np.trace(rotation) - 1) / 2, -1, 1)))


def _without_bad_pairs(
    pairs: list[StereoPair],
    solution: RigSolution,
    target: Target,
    ir: CameraCalibration,
    visible: CameraCalibration,
) -> tuple[list[StereoPair], RigSolution, list[Rejection]]:
    out: list[Rejection] = []
    for _ in range(5):
        errors = solution.view_rms_px
        usual = float(np.median(errors))
        bad = [k for k, e in enumerate(errors) if e > max(_BAD_PAIR * usual, 0.3)]
        if len(pairs) < 4 or not bad or len(bad) > len(pairs) // 2:
            break
        for k in bad:
            reason = (
                f"error {errors[k]:.2f} px RMS, usually {usual:.2f} px; did the board move between "
                "the two pictures?"
            )
            out.append(Rejection(pairs[k].name, reason))
        kept = [k for k in range(len(pairs)) if k not in bad]
        pairs = [pairs[k] for k in kept]
        start = solution.rotation, solution.translation_m
        solution = solve_rig(_views(pairs, target), ir, visible, start, solution.board_poses[kept])
    return pairs, solution, out


def _fitted_homography(
    pairs: Sequence[StereoPair], ir: CameraCalibration, visible: CameraCalibration
) -> tuple[Array, float]:
    """Homography of undistorted pixels over all pairs, and its RMS error in visible pixels."""
    left = np.concatenate([_undistorted(ir, p.ir.pixels) for p in pairs])
    right = np.concatenate([_undistorted(visible, p.visible.pixels) for p in pairs])
    found, _ = cv2.findHomography(left, right, method=0)
    if found is None:
        raise CalibrationError("the corners lie on one line: no homography can be fitted")
    h = np.asarray(found, np.float64)
    return h, float(np.sqrt(((apply(h, left) - right) ** 2).sum(1).mean()))


def _undistorted(camera: CameraCalibration, pixels: Array) -> Array:
    directions, good = rays(camera.model, parameters_of(camera), pixels)
    if not good.all():
        raise CalibrationError(
            f"the lens {camera.name!r} cannot undistort all corners; calibrate it with views that "
            "reach the picture's corners"
        )
    return np.asarray(directions * [camera.K.fx, camera.K.fy] + [camera.K.cx, camera.K.cy])


def _figures(
    solution: RigSolution,
    pairs: Sequence[StereoPair],
    rejections: Sequence[Rejection],
    distances: Array,
    at: float,
    target: Target,
) -> dict[str, Any]:
    turn = np.degrees(_angle(solution.rotation))
    return {
        "method": "board",
        "target": target.describe(),
        "pairs_used": len(pairs),
        "pairs_rejected": {r.name: r.reason for r in rejections},
        "points": int(sum(len(p.ir.pixels) for p in pairs)),
        "rms_px": _rounded(solution.rms_px),
        "rms_ir_px": _rounded(solution.rms_of("ir")),
        "rms_visible_px": _rounded(solution.rms_of("visible")),
        "pair_rms_px": {
            p.name: _rounded(e) for p, e in zip(pairs, solution.view_rms_px, strict=True)
        },
        "baseline_m": _rounded(float(np.linalg.norm(solution.translation_m))),
        "turn_deg": _rounded(float(turn)),
        "rotation_deviation_deg": [_rounded(v) for v in np.degrees(solution.deviations[:3])],
        "translation_deviation_m": [_rounded(v) for v in solution.deviations[3:]],
        "board_distance_m": [_rounded(float(d)) for d in (distances.min(), distances.max())],
        "aligned_at_m": _rounded(at),
    }


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def _warnings(
    solution: RigSolution, pairs: Sequence[StereoPair], distances: Array, full: bool
) -> list[str]:
    warnings = []
    if not full:
        warnings.append(
            f"only {len(pairs)} pair{'' if len(pairs) == 1 else 's'}: the homography holds for the "
            f"plane of this board, {np.median(distances):.2f} m away, and for no other; with "
            f"{_ENOUGH_VIEWS} or more (15 are good) the cameras' pose is measured too"
        )
        return warnings
    turn = float(np.degrees(solution.deviations[:3]).max())
    shift = float(solution.deviations[3:].max())
    if turn > 0.2:
        warnings.append(
            f"the turn between the cameras is known to {turn:.2f} degrees only (one standard "
            "deviation); add pairs with the board in all parts of the picture"
        )
    if shift > 0.002:
        warnings.append(
            f"the shift between the cameras is known to {1000 * shift:.1f} mm only (one standard "
            "deviation); add pairs with the board nearer and tilted"
        )
    if distances.max() < 1.3 * distances.min():
        warnings.append(
            "all boards are at nearly the same distance; add nearer and farther ones, which tell "
            "turn and shift apart"
        )
    return warnings
