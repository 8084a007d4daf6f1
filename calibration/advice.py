"""What limits a calibration of a lens, in words, and what to film to improve it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .lens import NAMES
from .solver import Prior, Solution
from .views import Coverage, missing_regions

__all__ = ["advise", "assumed_parameters"]

Array = NDArray[np.float64]
_TILT_DEG = 20.0
_FOCAL_SHARE = 0.005
_UNCERTAIN_PX = 1.0


def assumed_parameters(solution: Solution, prior: Prior) -> list[str]:
    """Names of the parameters that the views say little about.

    Of those that were estimated, the ones whose standard deviation is above half of what was
    known before; those that were left at 0 are not listed. ``fy/fx`` stands for square pixels.
    """
    names = NAMES[solution.model]
    deviation = np.sqrt(np.diag(solution.covariance))
    assumed = [
        name
        for k, name in enumerate(names)
        if solution.free[k] and deviation[k] > 0.5 * prior.deviation[k]
    ]
    fx, fy = solution.parameters[:2]
    gradient = np.zeros(len(names))
    gradient[:2] = -fy / fx**2, 1 / fx
    ratio = float(np.sqrt(gradient @ solution.covariance @ gradient))
    if ratio > 0.5 * prior.ratio:
        assumed.append("fy/fx")
    return assumed


def advise(
    solution: Solution,
    coverage: Coverage,
    uncertainty_px: Array,
    tilts_deg: Array,
    assumed: list[str],
) -> list[str]:
    """Warnings, the gravest first; each says what to do."""
    warnings = []
    focal = solution.parameters[:2]
    share = float((np.sqrt(np.diag(solution.covariance)[:2]) / focal).max())
    steep = float(tilts_deg.max())
    if steep < _TILT_DEG:
        warnings.append(
            f"all views are nearly frontal (tilt up to {steep:.0f} degrees): focal length and "
            "distance look alike, so that the focal length is not measured; add views with the "
            "board tilted by 30 to 45 degrees to the left, right, up and down"
        )
    elif share > _FOCAL_SHARE:
        warnings.append(
            f"the focal length is known to {100 * share:.1f} % (one standard deviation) only; add "
            "views with the board tilted by 30 to 45 degrees and filling the picture"
        )
    if assumed:
        warnings.append(
            f"these views do not tell {', '.join(assumed)}: usual values are assumed "
            "(square pixels, axis near the middle, little distortion); add views"
        )
    if len(tilts_deg) < 6:
        warnings.append(
            f"only {len(tilts_deg)} view{'' if len(tilts_deg) == 1 else 's'}; 15 or more different "
            "ones average the noise and show outliers"
        )
    regions = missing_regions(coverage)
    if regions:
        warnings.append(
            f"few or no corners in the picture's {', '.join(regions)}: the distortion there is "
            "extrapolated; hold the board there"
        )
    known = np.isfinite(uncertainty_px)
    if known.any() and float(np.nanmax(uncertainty_px)) > _UNCERTAIN_PX:
        worst = np.unravel_index(np.nanargmax(uncertainty_px), uncertainty_px.shape)
        where = _place(
            worst[0] / (uncertainty_px.shape[0] - 1), worst[1] / (uncertainty_px.shape[1] - 1)
        )
        warnings.append(
            f"pixels are uncertain by {float(np.nanmax(uncertainty_px)):.1f} px (one standard "
            f"deviation) at the {where}, {float(np.nanmedian(uncertainty_px)):.2f} px usually"
        )
    if not known.all():
        warnings.append(
            "the lens model turns back inside of the picture: its outer part shows nothing that "
            "can be undistorted; add views there, or use the fisheye model"
        )
    return warnings


def _place(y: float, x: float) -> str:
    vertical = "top" if y < 0.34 else "bottom" if y > 0.66 else ""
    horizontal = "left" if x < 0.34 else "right" if x > 0.66 else ""
    return f"{vertical} {horizontal}".strip() or "middle"
