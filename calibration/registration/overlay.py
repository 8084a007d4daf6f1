"""A picture by which eyes can judge a registration."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_sdk.calibration_file import CalibrationCameras
from edge_sdk.frames import Image
from edge_sdk.geometry import stretch

from .pairs import ImagePair, undistorted
from .register import RegistrationResult

__all__ = ["before_and_after", "checkerboard"]

_LOCAL_CONTRAST = 3.0


def checkerboard(pair: ImagePair, homography: NDArray[np.float64], squares: int = 8) -> Image:
    """Squares of infrared and visible in turn: edges run on across the squares where they align.

    Args:
        pair: the pictures.
        homography: (3, 3) infrared to visible pixels.
        squares: number of squares along the longer side.

    Returns:
        (H, W, 3) uint8 BGR of the visible picture's size. The infrared has its local contrast
        raised and is drawn in a warm palette; where it does not reach, the visible picture shows.
    """
    width, height = pair.visible_size
    enhanced = cv2.createCLAHE(_LOCAL_CONTRAST, (8, 8)).apply(pair.ir_picture())
    warped = cv2.warpPerspective(enhanced, homography, (width, height))
    covered = cv2.warpPerspective(np.ones(pair.ir.shape, np.uint8), homography, (width, height))
    palette = cv2.applyColorMap(warped, cv2.COLORMAP_INFERNO)
    side = max(1, max(width, height) // squares)
    rows, columns = np.indices((height, width)) // side
    infrared = ((rows + columns) % 2 == 0) & (covered > 0)
    return np.where(infrared[..., None], palette, pair.picture).astype(np.uint8)


def before_and_after(
    pair: ImagePair, result: RegistrationResult, cameras: CalibrationCameras | None = None
) -> Image:
    """Checkerboards side by side: infrared stretched onto the visible picture, and registered.

    Args:
        pair: as it was registered.
        result: what was found.
        cameras: the intrinsics that it was found with.

    Returns:
        (H, 2 W + 8, 3) uint8 BGR.
    """
    if cameras is not None:
        pair = undistorted([pair], cameras)[0]
    before = checkerboard(pair, stretch(pair.ir_size, pair.visible_size))
    after = checkerboard(pair, result.homography)
    gap = np.full((before.shape[0], 8, 3), 255, np.uint8)
    return np.concatenate([before, gap, after], axis=1)
