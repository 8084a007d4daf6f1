"""What one would try first to register infrared and visible pictures, with OpenCV alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.registration import ImagePair, Matches
from calibration.registration.robust import consensus
from edge_sdk.geometry import stretch

__all__ = ["ecc", "sift_magsac"]

Array = NDArray[np.float64]

_RATIO, _THRESHOLD_PX = 0.85, 3.0
_ECC_LEVELS, _ECC_STEPS, _ECC_PAIRS = 3, 60, 5


def sift_magsac(pairs: Sequence[ImagePair]) -> Array | None:
    """SIFT with Lowe's ratio test, the matches of all pairs into one MAGSAC++ homography."""
    sift = cv2.SIFT.create(2000)
    found = []
    for pair in pairs:
        grey = np.asarray(np.clip(pair.visible, 0, 255), np.uint8)
        a, da = sift.detectAndCompute(pair.ir_picture(), None)
        b, db = sift.detectAndCompute(grey, None)
        if da is None or db is None or len(db) < 2:
            continue
        couples = cv2.BFMatcher(cv2.NORM_L2).knnMatch(da, db, k=2)
        good = [m for m, n in couples if m.distance < _RATIO * n.distance]
        found.append(
            Matches(
                np.array([a[m.queryIdx].pt for m in good], np.float64).reshape(-1, 2),
                np.array([b[m.trainIdx].pt for m in good], np.float64).reshape(-1, 2),
                np.array([-m.distance for m in good], np.float64),
            )
        )
    return consensus(found, pairs[0].ir_size, _THRESHOLD_PX).homography


def ecc(pairs: Sequence[ImagePair]) -> Array | None:
    """Enhanced correlation coefficient (Evangelidis and Psarakis, PAMI 2008) of gradient strength,
    coarse to fine from the middle; the median of the homographies of five pairs."""
    chosen = [pairs[i] for i in {round(x) for x in np.linspace(0, len(pairs) - 1, _ECC_PAIRS)}]
    answers = [h for h in (_ecc_of(pair) for pair in chosen) if h is not None]
    return None if not answers else np.asarray(np.median(answers, axis=0))


def _ecc_of(pair: ImagePair) -> Array | None:
    # OpenCV's warp maps template (visible) to input (infrared) pixels.
    warp = np.linalg.inv(stretch(pair.ir_size, pair.visible_size))
    for level in reversed(range(_ECC_LEVELS)):
        scale = 0.5**level
        to_level = np.array([[scale, 0, (scale - 1) / 2], [0, scale, (scale - 1) / 2], [0, 0, 1]])
        ir, visible = (
            _gradient(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
            for image in (pair.ir, pair.visible)
        )
        start = (to_level @ warp @ np.linalg.inv(to_level)).astype(np.float32)
        everywhere = np.ones(ir.shape, np.uint8)
        criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, _ECC_STEPS, 1e-5)
        try:
            _, moved = cv2.findTransformECC(
                visible, ir, start / start[2, 2], cv2.MOTION_HOMOGRAPHY, criteria, everywhere, 5
            )
        except cv2.error:  # it says so when it does not converge
            return None
        warp = np.linalg.inv(to_level) @ moved.astype(np.float64) @ to_level
    homography = np.linalg.inv(warp)
    return np.asarray(homography / homography[2, 2])


def _gradient(image: NDArray[Any]) -> NDArray[np.float32]:
    smooth = cv2.GaussianBlur(image, (0, 0), 1.0)
    x, y = cv2.Scharr(smooth, cv2.CV_32F, 1, 0), cv2.Scharr(smooth, cv2.CV_32F, 0, 1)
    return np.asarray(cv2.magnitude(x, y), np.float32)
