"""Whether a rig is aligned better by a new homography than by the one in use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_sdk.calibration_file import CalibrationCameras

from .pairs import ImagePair, undistorted
from .prepared import prepare
from .refine import MIN_BLOCKS, pooled_score
from .register import register
from .surfaces import local_scores

__all__ = ["Recheck", "fit_of", "recheck"]

Array = NDArray[np.float64]

_CLEARLY = 1.3
_LEVEL, _REACH, _BLOCK_PX = 1, 1, 40


@dataclass(frozen=True)
class Recheck:
    """What :func:`recheck` found.

    Attributes:
        homography: the new one, infrared to visible.
        better: True if it passes the gate and fits at least 1.3 times as well as the old one.
        message: why, in a few words.
    """

    homography: Array
    better: bool
    message: str


def recheck(
    pairs: Sequence[ImagePair], current: Array, cameras: CalibrationCameras | None = None
) -> Recheck:
    """Register anew and compare with the homography in use.

    Args:
        pairs: of now.
        current: (3, 3) infrared to visible, undistorted pixels.
        cameras: intrinsics, if there are any.

    Raises:
        ConfigError, CalibrationError: as :func:`.register.register`.
    """
    result = register(pairs, cameras=cameras)
    if not result.passed:
        return Recheck(result.homography, False, "; ".join(result.faults))
    old, new = fit_of(pairs, [current, result.homography], cameras)
    ratio = new / max(old, 1e-9)
    message = f"the new alignment fits {min(ratio, 99.0):.1f} times as well as the one before"
    return Recheck(result.homography, ratio >= _CLEARLY, message)


def fit_of(
    pairs: Sequence[ImagePair],
    homographies: Sequence[Array],
    cameras: CalibrationCameras | None = None,
) -> list[float]:
    """Mean squared correlation of the structure of all blocks, 0..1, for each homography."""
    ratio = None
    if cameras is not None:
        pairs = undistorted(pairs, cameras)
        ratio = float(cameras.visible.matrix[0, 0] / cameras.ir.matrix[0, 0])
    prepared = prepare(pairs, ratio)
    every = [list(range(prepared.count))]
    scores = []
    for homography in homographies:
        working = prepared.working_homography(np.asarray(homography, np.float64))
        surfaces = local_scores(
            prepared.ir, prepared.visible, working, _LEVEL, _REACH, _BLOCK_PX, every
        )[-1]
        enough = len(surfaces.centres) >= MIN_BLOCKS
        scores.append(pooled_score(surfaces, prepared.ir.size, working) if enough else 0.0)
    return scores
