"""TC: does a hot target still stand out in the fused picture?"""

from __future__ import annotations

import cv2
import numpy as np

from benchmarks.metrics.grey import Grey, require_greys

__all__ = ["target_contrast"]

_HOT_LEVEL = 110.0
_HOT_PERCENTILE = 98.0
_LEAST_CONTRAST = 1.0


def _square(side_px: int) -> Grey:
    return np.ones((side_px, side_px), np.uint8)


def target_contrast(fused: Grey, ir: Grey) -> float:
    """Contrast of the hot targets against what surrounds them, as a share of that in the infrared.

    The target is where the clean infrared is above max(110, its 98th percentile), opened 3 x 3; its
    surroundings are the ring between that dilated by 5 x 5 and by 15 x 15. The contrast is the mean
    over the target minus the mean over the ring.

    Args:
        fused: (H, W) uint8.
        ir: (H, W) uint8, the CLEAN infrared.

    Returns:
        1: the target stands out as in the infrared; 0: it is lost; below 0: it is darker than its
        surroundings. ``nan`` if the frame has no hot target, or if the infrared itself shows it
        with less than one grey level of contrast.

    Raises:
        ConfigError: not two grey images of one size.
    """
    require_greys(fused=fused, ir=ir)
    threshold = max(_HOT_LEVEL, float(np.percentile(ir, _HOT_PERCENTILE)))
    target = cv2.morphologyEx((ir > threshold).astype(np.uint8), cv2.MORPH_OPEN, _square(3))
    inside = target > 0
    ring = (cv2.dilate(target, _square(15)) > 0) & (cv2.dilate(target, _square(5)) == 0)
    if not inside.any() or not ring.any():
        return float("nan")
    in_infrared = float(ir[inside].mean() - ir[ring].mean())
    if in_infrared < _LEAST_CONTRAST:
        return float("nan")
    return float(fused[inside].mean() - fused[ring].mean()) / in_infrared
