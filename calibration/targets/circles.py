"""Grids of circles: holes before a warm plate, heated dots, printed dots; dark or bright."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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
            blobs = _alike(_blobs(candidate.shape).detect(candidate), size[0] * size[1])
            if blobs is None:
                continue
            for flags in (layout, layout | cv2.CALIB_CB_CLUSTERING):
                centres = _grid(blobs, size, flags)
                if centres is None:
                    continue
                pixels = (centres.reshape(-1, 2).astype(np.float64) + 0.5) / scale - 0.5
                cells = np.array([(i, j) for j in range(size[1]) for i in range(size[0])])
                method = f"{polarity} circles" + (f" ({step})" if step else "")
                where = (picture.shape[1], picture.shape[0])
                return Observation(name, where, pixels, cells, complete=True, method=method)
    return f"no grid of {size[0]}x{size[1]} circles found"


def _alike(blobs: Sequence[cv2.KeyPoint], count: int) -> NDArray[Any] | None:
    """(N, 2) float32 centres of blobs of like size that lie together; None if they are too few.

    OpenCV's search for the grid takes minutes among hundreds of points: at most a third more than
    wanted are left.
    """
    if len(blobs) < count:
        return None
    sizes = np.log([blob.size for blob in blobs])
    order = np.argsort(sizes)
    ends = np.searchsorted(sizes[order], sizes[order] + np.log(2.5), side="right")
    first = int(np.argmax(ends - np.arange(len(ends))))
    points = np.array([blobs[k].pt for k in order[first : ends[first]]], dtype=np.float32)
    if len(points) < count:
        return None
    while len(points) > count + count // 3:
        distances = np.linalg.norm(points[:, None] - points[None], axis=2)
        lonely = np.sort(distances, axis=1)[:, 3]
        drop = max(1, (len(points) - count - count // 3) // 2)
        points = points[np.sort(np.argsort(lonely)[: len(points) - drop])]
    return points


def _grid(points: NDArray[Any], size: tuple[int, int], flags: int) -> NDArray[Any] | None:
    """The points in the order of the grid; None if they are no grid.

    OpenCV's finder takes a picture, so it is given one: clean dots where the points are.
    """
    low = points.min(0)
    gaps = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(gaps, np.inf)
    scale = 14.0 / max(float(np.median(gaps.min(1))), 1.0)
    at = (points - low) * scale + 20
    canvas = np.full((int(at[:, 1].max()) + 20, int(at[:, 0].max()) + 20), 255, np.uint8)
    for x, y in at:
        cv2.circle(canvas, (round(16 * x), round(16 * y)), 16 * 4, 0, -1, cv2.LINE_AA, 4)
    found, centres = cv2.findCirclesGrid(
        canvas, size, flags=flags, blobDetector=_blobs((2000, 2000))
    )
    if not found or centres is None:
        return None
    nearest = np.linalg.norm(centres.reshape(-1, 1, 2) - at[None], axis=2)
    chosen = nearest.argmin(1)
    if len(set(chosen.tolist())) != len(chosen) or nearest.min(1).max() > 2:
        return None
    return points[chosen]


def _blobs(shape: tuple[int, ...]) -> cv2.SimpleBlobDetector:
    """Round dark blobs of 3 pixels across to a tenth of the picture."""
    parameters = cv2.SimpleBlobDetector.Params()
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
