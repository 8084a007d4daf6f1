"""One homography from many matches, most of which may be wrong: MAGSAC++ of OpenCV's USAC."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_sdk.geometry import apply, homography_fault

from .matcher import Matches

__all__ = ["Consensus", "consensus", "pooled", "support"]

Array = NDArray[np.float64]

_ITERATIONS, _CONFIDENCE = 10_000, 0.9999
_LEAST = 8


@dataclass(frozen=True)
class Consensus:
    """What the matches of all pairs agree on.

    Attributes:
        homography: (3, 3) infrared to visible, None if there is no sensible one.
        inliers: (N,) bool of the pooled matches.
    """

    homography: Array | None
    inliers: NDArray[np.bool_]


def pooled(matches: Sequence[Matches]) -> Matches:
    """The matches of all pairs as one list."""
    if not matches:
        return Matches(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0))
    return Matches(
        np.concatenate([one.ir_px for one in matches]),
        np.concatenate([one.visible_px for one in matches]),
        np.concatenate([one.scores for one in matches]),
    )


def consensus(
    matches: Sequence[Matches], ir_size: tuple[int, int], threshold_px: float
) -> Consensus:
    """MAGSAC++ (Barath et al., CVPR 2020) over the matches of all pairs.

    Args:
        matches: of every pair.
        ir_size: (width, height).
        threshold_px: upper limit of the noise of an inlier, pixels of the visible picture.
    """
    every = pooled(matches)
    nothing = Consensus(None, np.zeros(len(every), np.bool_))
    if len(every) < _LEAST:
        return nothing
    homography, inliers = cv2.findHomography(
        every.ir_px,
        every.visible_px,
        cv2.USAC_MAGSAC,
        threshold_px,
        maxIters=_ITERATIONS,
        confidence=_CONFIDENCE,
    )
    if homography is None or homography_fault(homography, ir_size) is not None:
        return nothing
    return Consensus(np.asarray(homography, np.float64), inliers.ravel().astype(np.bool_))


def support(every: Matches, homography: Array, threshold_px: float) -> NDArray[np.bool_]:
    """(N,) bool, which matches a homography brings within ``threshold_px`` of their partner."""
    if len(every) == 0:
        return np.zeros(0, np.bool_)
    error = np.linalg.norm(apply(homography, every.ir_px) - every.visible_px, axis=1)
    return np.asarray(error <= threshold_px)
