"""Which part of a picture shows something: frames of warped or undistorted images are left out."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["valid_area"]

Float = NDArray[np.float32]
_FLAT_LEVELS = 4.0  # a lossy codec leaves a black frame within so many grey levels
_STILL_LEVELS = 6.0


def valid_area(images: Sequence[Float], margin_px: int) -> Float:
    """Where the pictures of one camera have content.

    Left out is what is flat in all pictures, never changes, and touches the edge of the picture:
    the frame that a warp or an undistortion leaves. The area kept is the convex hull of the rest,
    which is exact for a warped picture; so a black sky above a skyline is cut only outside of the
    highest roofs. The hull is eroded, since the step onto the frame is no structure of the scene.

    Args:
        images: (H, W) float32, 0..255, all of one size.
        margin_px: how far the hull is eroded beyond 2 pixels, also at the edge of the picture.

    Returns:
        (H, W) float32, 1 inside and 0 outside; all 0 where nothing has content.
    """
    lowest, highest = images[0].copy(), images[0].copy()
    flat = np.ones(images[0].shape, np.bool_)
    kernel = np.ones((5, 5), np.uint8)
    for image in images:
        np.minimum(lowest, image, out=lowest)
        np.maximum(highest, image, out=highest)
        flat &= cv2.dilate(image, kernel) - cv2.erode(image, kernel) <= _FLAT_LEVELS
    flat &= highest - lowest <= _STILL_LEVELS
    _, labels = cv2.connectedComponents(flat.astype(np.uint8), connectivity=4)
    at_edge = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    frame = flat & np.isin(labels, at_edge[at_edge > 0])
    content = cv2.morphologyEx((~frame).astype(np.uint8), cv2.MORPH_OPEN, kernel)
    rows, columns = np.nonzero(content)
    mask = np.zeros(images[0].shape, np.uint8)
    if len(rows):
        hull = cv2.convexHull(np.stack([columns, rows], axis=1).astype(np.int32))
        cv2.fillConvexPoly(mask, hull, 1)
    padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    reach = margin_px + 2  # flatness was judged in 5 x 5 pixels, so the hull is 2 too wide
    eroded = cv2.erode(padded, np.ones((2 * reach + 1,) * 2, np.uint8))[1:-1, 1:-1]
    return np.ascontiguousarray(eroded, dtype=np.float32)
