"""Grids of circles: holes before a warm plate, heated dots, printed dots; dark or bright."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .observation import Observation
from .prepare import grey, preparations, to_8_bit
from .target import Target

__all__ = ["find_circles"]


def find_circles(image: NDArray, target: Target, name: str) -> Observation | str:
    """A whole grid of circles in a picture.

    The centre of a circle's picture is not the picture of its centre when the board is tilted; for
    circles of a third of the spacing that is a few hundredths of a pixel.

    Args:
        image: (H, W) or (H, W, 3), 8 or 16 bit.
        target: of kind ``circles`` or ``asymmetric-circles``.
        name: of the picture.

    Returns:
        The observation, or the reason why there is none.
    """
    picture = grey(image)
    size = target.size
    assert size is not None
    asymmetric = target.kind == "asymmetric-circles"
    layout = cv2.CALIB_CB_ASYMMETRIC_GRID if asymmetric else cv2.CALIB_CB_SYMMETRIC_GRID
    for step, scale, prepared in preparations(picture):
        eight = to_8_bit(prepared)
        for polarity, candidate in (("dark", eight), ("bright", 255 - eight)):
            detector = _blobs(candidate.shape)
            for flags in (layout, layout | cv2.CALIB_CB_CLUSTERING):
                found, centres = cv2.findCirclesGrid(
                    candidate, size, flags=flags, blobDetector=detector
                )
                if not found or centres is None:
                    continue
                pixels = (centres.reshape(-1, 2).astype(np.float64) + 0.5) / scale - 0.5
                cells = np.array([(i, j) for j in range(size[1]) for i in range(size[0])])
                method = f"{polarity} circles" + (f" ({step})" if step else "")
                where = (picture.shape[1], picture.shape[0])
                return Observation(name, where, pixels, cells, complete=True, method=method)
    return f"no grid of {size[0]}x{size[1]} circles found"


def _blobs(shape: tuple[int, ...]) -> cv2.SimpleBlobDetector:
    """Round dark blobs of 3 pixels across to a tenth of the picture."""
    parameters = cv2.SimpleBlobDetector_Params()
    parameters.minArea = 7.0
    parameters.maxArea = 0.02 * shape[0] * shape[1]
    parameters.minDistBetweenBlobs = 3.0
    parameters.minCircularity = 0.6
    parameters.filterByCircularity = True
    parameters.minConvexity = 0.85
    parameters.thresholdStep = 8.0
    parameters.minThreshold = 8.0
    parameters.maxThreshold = 248.0
    parameters.minInertiaRatio = 0.15
    return cv2.SimpleBlobDetector.create(parameters)
