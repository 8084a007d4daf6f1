"""The page of a registration without a target."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_sdk.calibration_file import CalibrationCameras
from edge_sdk.geometry import apply

from ..registration.overlay import before_and_after
from ..registration.pairs import ImagePair
from ..registration.register import RegistrationResult
from .charts import heat_map, inline
from .page import Page

__all__ = ["registration_uncertainty", "write_registration_report"]

Array = NDArray[np.float64]

_GRID = (24, 32)


def write_registration_report(
    result: RegistrationResult,
    pairs: Sequence[ImagePair],
    path: str | Path,
    cameras: CalibrationCameras | None = None,
) -> None:
    """Write the page: figures, what speaks against it, uncertainty, pictures before and after.

    Args:
        result: of :func:`calibration.registration.register`, passed or not.
        pairs: as they were registered.
        path: HTML file.
        cameras: the intrinsics that it was found with.

    Raises:
        ConfigError: it cannot be written.
    """
    q = result.quality
    halves = "not measured, there is one pair"
    if q.halves_px is not None:
        halves = f"{q.halves_px:.1f} px apart (at most {q.limit_px:.1f})"
    page = Page("Registration without a target")
    page.heading("Infrared to visible")
    page.rows(
        [
            ("verdict", "passed" if result.passed else "refused"),
            ("pairs", f"{result.pairs}, {result.seconds:.1f} s, matcher {result.matcher}"),
            ("matches", f"{q.inliers} of {q.matches} agree, in {q.coverage:.0%} of the cells"),
            ("overlap", f"{q.overlap:.0%} of the visible picture"),
            ("parts of the picture", f"{q.spread_px:.1f} px apart (at most {q.limit_px:.1f})"),
            ("halves of the pairs", halves),
            ("lead over the next best", f"{q.lead:.0%}"),
            ("fit lost by 4 px", f"{q.sharpness:.0%}"),
        ]
    )
    page.table(["homography", "", ""], [[f"{v:.6g}" for v in row] for row in result.homography])
    page.warnings([*result.faults, *result.warnings])
    page.heading("Uncertainty")
    spread = registration_uncertainty(result)
    page.figures(
        [
            (
                inline(heat_map(spread, result.visible_size), "uncertainty"),
                "Pixels (one standard deviation) over the visible picture, from random halves of "
                "its parts; grey: not covered by the infrared. What is nearer or farther than most "
                "of the scene is off by its parallax in addition.",
            )
        ]
    )
    page.heading(
        "Chessboards of both cameras",
        "Coloured squares are infrared. Left merely scaled, right aligned: lines must go on across "
        "the squares.",
    )
    for index in sorted({0, len(pairs) // 2, len(pairs) - 1}):
        picture = before_and_after(pairs[index], result, cameras)
        page.figures([(inline(picture, f"pair {index + 1}"), f"pair {index + 1}")])
    page.write(path)


def registration_uncertainty(result: RegistrationResult, grid: tuple[int, int] = _GRID) -> Array:
    """(rows, columns) float64 pixels: root mean square distance of where the homographies of random
    halves put a point from where the result puts it; nan outside of the infrared picture."""
    rows, columns = grid
    width, height = result.visible_size
    x, y = np.meshgrid(
        (np.arange(columns) + 0.5) * width / columns - 0.5,
        (np.arange(rows) + 0.5) * height / rows - 0.5,
    )
    here = np.stack([x.ravel(), y.ravel()], axis=1)
    ir = apply(np.asarray(np.linalg.inv(result.homography), np.float64), here)
    off = [np.square(apply(one, ir) - here).sum(axis=1) for one in result.resampled]
    spread = np.sqrt(np.mean(off, axis=0))
    limit = np.array(result.ir_size) - 0.5
    covered = ((ir >= -0.5) & (ir <= limit)).all(axis=1)
    return np.where(covered, spread, np.nan).reshape(grid)
