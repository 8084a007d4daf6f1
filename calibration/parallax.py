"""What a homography for one distance costs at others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge_sdk.calibration_file import Calibration
from edge_sdk.errors import CalibrationError
from edge_sdk.geometry import apply, plane_homography

__all__ = ["Parallax", "parallax_table"]


@dataclass(frozen=True)
class Parallax:
    """Misalignment of what is at one distance.

    Attributes:
        distance_m: along the infrared camera's axis, metres.
        centre_px: in the middle of the infrared picture, pixels of the visible camera.
        worst_px: in the worst corner of the infrared picture.
    """

    distance_m: float
    centre_px: float
    worst_px: float


def parallax_table(calibration: Calibration, distances_m: Sequence[float]) -> list[Parallax]:
    """Misalignment at each distance: the file's homography against the plane's at that distance.

    Args:
        calibration: with extrinsics.
        distances_m: metres, above 0.

    Raises:
        CalibrationError: there are no extrinsics.
    """
    extrinsics = calibration.registration.extrinsics
    if extrinsics is None:
        raise CalibrationError("parallax needs registration.extrinsics (R, t_m), there are none")
    ir = calibration.cameras.ir
    width, height = ir.size
    points = np.array(
        [
            [(width - 1) / 2, (height - 1) / 2],
            [0, 0],
            [width - 1, 0],
            [0, height - 1],
            [width - 1, height - 1],
        ],
        dtype=np.float64,
    )
    used = apply(calibration.registration.matrix, points)
    rows = []
    for distance in distances_m:
        there = plane_homography(
            ir.matrix,
            calibration.cameras.visible.matrix,
            extrinsics.rotation,
            extrinsics.translation_m,
            distance,
        )
        off = np.linalg.norm(apply(there, points) - used, axis=1)
        rows.append(Parallax(float(distance), float(off[0]), float(off.max())))
    return rows
