"""One camera's lens from views of a board: outliers out, no more parameters than the views carry.

The model of the distortion grows only as far as the data ask for it (Bayesian information
criterion): a coefficient that is not needed would bend the picture's corners where no board was.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sdk.calibration_file import CameraCalibration
from edge_sdk.errors import CalibrationError

from .advice import advise, assumed_parameters
from .lens import NAMES, Model, camera_from, project
from .solver import Solution, View, default_prior, fit_pose, rms, solve
from .targets import Findings, Observation, Rejection, Target
from .uncertainty import projection_uncertainty_px
from .views import Coverage, coverage_of, tilts_deg

__all__ = ["Intrinsics", "calibrate_intrinsics"]

Array = NDArray[np.float64]
_BAD_VIEW = 2.5  # times the median error of the views
_BAD_POINT = 5.0  # standard deviations
_BLURRED = 2.2  # times the median width of the edges
_STEPS: dict[str, tuple[int, ...]] = {"pinhole": (5, 6, 8, 9), "fisheye": (4, 5, 6, 8)}


@dataclass(frozen=True)
class Intrinsics:
    """A calibrated lens and all that tells how good it is.

    Attributes:
        camera: for the calibration file.
        target: the board.
        solution: parameters, poses, covariance, residuals of the used views.
        observations: the used views, in the order of ``solution.poses``.
        rejections: views that were not used, and why.
        dropped_points: corners of used views that were left out as outliers.
        coverage: of the picture by corners.
        uncertainty_px: (rows, columns) over the picture, see ``calibration.uncertainty``.
        cross_validation_px: RMS error on views that the lens was not fitted to; None for few views.
        assumed: parameters that the views cannot tell, which are therefore what is usual.
        warnings: what limits the result, and what to film to improve it.
    """

    camera: CameraCalibration
    target: Target
    solution: Solution
    observations: list[Observation]
    rejections: list[Rejection]
    dropped_points: int
    coverage: Coverage
    uncertainty_px: Array
    cross_validation_px: float | None
    assumed: list[str]
    warnings: list[str] = field(default_factory=list)

    @property
    def deviations(self) -> dict[str, float]:
        """Standard deviation of each parameter; 0 for what was not estimated."""
        values = np.sqrt(np.diag(self.solution.covariance))
        return dict(zip(NAMES[self.solution.model], values.tolist(), strict=True))

    @property
    def view_rms_px(self) -> dict[str, float]:
        """RMS error of each used view, pixels."""
        pairs = zip(self.observations, self.solution.residuals, strict=True)
        return {observation.name: rms(residual) for observation, residual in pairs}

    def report(self) -> dict[str, Any]:
        """The figures, for a file or ``--json``."""
        uncertainty = self.uncertainty_px
        known = bool(np.isfinite(uncertainty).any())
        return {
            "date": dt.date.today().isoformat(),
            "target": self.target.describe(),
            "views_used": len(self.observations),
            "views_rejected": {r.name: r.reason for r in self.rejections},
            "points": int(sum(len(r) for r in self.solution.residuals)),
            "points_dropped": self.dropped_points,
            "rms_px": _rounded(self.solution.rms_px),
            "noise_px": _rounded(self.solution.sigma_px),
            "cross_validation_px": _rounded(self.cross_validation_px),
            "standard_deviation": {k: _rounded(v) for k, v in self.deviations.items()},
            "uncertainty_px_median": _rounded(np.nanmedian(uncertainty)) if known else None,
            "uncertainty_px_worst": _rounded(np.nanmax(uncertainty)) if known else None,
            "coverage": _rounded(self.coverage.share),
            "tilt_deg_max": _rounded(tilts_deg(self.solution.poses).max()),
            "view_rms_px": {k: _rounded(v) for k, v in self.view_rms_px.items()},
            "assumed": self.assumed,
            "warnings": self.warnings,
        }


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def calibrate_intrinsics(
    findings: Findings,
    model: Model = "pinhole",
    name: str = "camera",
    identity: str | None = None,
) -> Intrinsics:
    """The lens that explains the findings.

    Args:
        findings: the target in each picture.
        model: ``pinhole`` or ``fisheye``.
        name, identity: for the file, see ``CameraCalibration``.

    Raises:
        CalibrationError: no views, or none that a lens could have made.
    """
    if not findings.observations:
        raise CalibrationError("no view of the board is left to calibrate from")
    observations, rejections = _sharp(findings.observations, findings.rejections)
    target, size = findings.target, findings.image_size
    views = [View(target.places(o.cells), o.pixels) for o in observations]
    solution = _grown(views, model, size)
    dropped = 0
    for _ in range(8):
        limit = _BAD_POINT * max(solution.sigma_px, 0.02)
        inside = [np.linalg.norm(r, axis=1) <= limit for r in solution.residuals]
        # A few corners that are off go alone; a view with many of them goes as a whole.
        mild = [bool(i.mean() >= 0.8) for i in inside]
        few = sum(int((~i).sum()) for i, ok in zip(inside, mild, strict=True) if ok)
        bad = {} if few else _bad_views(solution, observations)
        if not few and not bad:
            break
        dropped += few
        kept = [k for k in range(len(views)) if k not in bad]
        rejections += [Rejection(observations[k].name, reason) for k, reason in bad.items()]
        views = [
            View(views[k].board[inside[k]], views[k].pixels[inside[k]]) if mild[k] else views[k]
            for k in kept
        ]
        observations = [observations[k] for k in kept]
        solution = _grown(views, model, size, _without(solution, kept))
    coverage = coverage_of([v.pixels for v in views], size)
    uncertainty = projection_uncertainty_px(model, solution.parameters, solution.covariance, size)
    prior = default_prior(model, size)
    assumed = assumed_parameters(solution, prior)
    result = Intrinsics(
        camera=camera_from(solution.parameters, model, size, name, identity),
        target=target,
        solution=solution,
        observations=observations,
        rejections=rejections,
        dropped_points=dropped,
        coverage=coverage,
        uncertainty_px=uncertainty,
        cross_validation_px=_cross_validation(views, solution, size),
        assumed=assumed,
        warnings=[],
    )
    result.warnings.extend(
        advise(solution, coverage, uncertainty, tilts_deg(solution.poses), assumed)
    )
    return result


def _sharp(
    observations: Sequence[Observation], rejections: Sequence[Rejection]
) -> tuple[list[Observation], list[Rejection]]:
    """Without views whose edges are much wider than most views' (motion, focus)."""
    widths = np.array([o.edge_px for o in observations])
    known = np.isfinite(widths)
    kept, out = list(observations), list(rejections)
    if known.sum() >= 5:
        usual = float(np.median(widths[known]))
        blurred = [
            o for o in observations if o.edge_px > max(_BLURRED * usual, usual + 3)
        ]  # nan compares False
        kept = [o for o in observations if o not in blurred]
        out += [
            Rejection(o.name, f"blurred: edges are {o.edge_px:.1f} px wide, usually {usual:.1f} px")
            for o in blurred
        ]
    return kept, out


def _free(model: Model, count: int) -> NDArray[np.bool_]:
    names = NAMES[model]
    return np.arange(len(names)) < count


def _grown(
    views: Sequence[View], model: Model, size: tuple[int, int], start: Solution | None = None
) -> Solution:
    """The solution with as many distortion coefficients as the data ask for."""
    best: tuple[float, Solution] | None = None
    for count in _STEPS[model]:
        solution = solve(views, model, size, _free(model, count), start=start)
        start = solution
        flat = np.concatenate(solution.residuals).ravel()
        criterion = len(flat) * np.log(max(_robust_variance(flat), 1e-8))
        criterion += count * np.log(len(flat))
        if best is None or criterion < best[0]:
            best = criterion, solution
    assert best is not None
    return best[1]


def _robust_variance(flat: Array) -> float:
    limit = 4 * 1.4826 * float(np.median(np.abs(flat))) + 1e-9
    return float((np.minimum(np.abs(flat), limit) ** 2).mean())


def _without(solution: Solution, kept: list[int]) -> Solution:
    return Solution(
        solution.model,
        solution.parameters,
        solution.free,
        solution.poses[kept],
        solution.covariance,
        [solution.residuals[k] for k in kept],
        solution.sigma_px,
        solution.cost,
    )


def _bad_views(solution: Solution, observations: Sequence[Observation]) -> dict[int, str]:
    """Views that fit far worse than the others, the worst half at most."""
    errors = np.array([rms(r) for r in solution.residuals])
    if len(errors) < 4:
        return {}
    usual = float(np.median(errors))
    limit = max(_BAD_VIEW * usual, 0.1)
    bad = [int(k) for k in np.argsort(errors)[::-1] if errors[k] > limit][: len(errors) // 4 + 1]
    return {k: f"error {errors[k]:.2f} px RMS, usually {usual:.2f} px" for k in bad}


def _cross_validation(
    views: Sequence[View], solution: Solution, size: tuple[int, int]
) -> float | None:
    """RMS error on views left out in turn (5 groups): the lens of the others, the pose fitted."""
    if len(views) < 5:
        return None
    errors = []
    for group in range(5):
        kept = [k for k in range(len(views)) if k % 5 != group]
        start = _without(solution, kept)
        fitted = solve([views[k] for k in kept], solution.model, size, solution.free, start=start)
        for k in range(group, len(views), 5):
            pose = fit_pose(views[k], solution.model, fitted.parameters, solution.poses[k])
            seen = project(solution.model, fitted.parameters, pose[:3], pose[3:], views[k].board)[0]
            errors.append(views[k].pixels - seen)
    return rms(np.concatenate(errors))
