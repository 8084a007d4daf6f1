"""VC and FLK: does the fused video move as its sources do, and stand still where they do?"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics.grey import Grey, require_greys

__all__ = ["FramePairGreys", "flicker", "variation_consistency"]

FramePairGreys = tuple[Grey, Grey]
"""(previous, current) grey images of two successive frames."""

_STILL_LEVELS = 3.0
_STILL_BOX_PX = 5


def _change(frames: FramePairGreys) -> NDArray[np.int16]:
    previous, current = frames
    change: NDArray[np.int16] = current.astype(np.int16) - previous
    return change


def _require(fused: FramePairGreys, ir: FramePairGreys, visible: FramePairGreys) -> None:
    require_greys(
        fused=fused[1],
        previous_fused=fused[0],
        ir=ir[1],
        previous_ir=ir[0],
        visible=visible[1],
        previous_visible=visible[0],
    )


def variation_consistency(
    fused: FramePairGreys, ir: FramePairGreys, visible: FramePairGreys
) -> float:
    """VC: mean of (|dF - dA| + |dF - dB|) / 2 over pixels, d the difference of successive frames.

    Tang et al., "VideoFusion", CVPR 2026, equation 12. Smaller is better; it cannot fall below half
    of mean |dA - dB|.

    Args:
        fused: (previous, current) of the fused video, each (H, W) uint8.
        ir: the same of the clean infrared.
        visible: the same of the clean visible.

    Returns:
        Grey levels a frame.

    Raises:
        ConfigError: not grey images of one size.
    """
    _require(fused, ir, visible)
    change = _change(fused)
    return float(
        (np.abs(change - _change(ir)).mean() + np.abs(change - _change(visible)).mean()) / 2
    )


def flicker(fused: FramePairGreys, ir: FramePairGreys, visible: FramePairGreys) -> float:
    """FLK: mean |dF| on the pixels where both clean sources stand still.

    A source stands still where its |d|, averaged over 5 x 5 pixels, is at most 3 grey levels.

    Args:
        fused: (previous, current) of the fused video, each (H, W) uint8.
        ir: the same of the clean infrared.
        visible: the same of the clean visible.

    Returns:
        Grey levels a frame; smaller is better. ``nan`` if no pixel stands still.

    Raises:
        ConfigError: not grey images of one size.
    """
    _require(fused, ir, visible)
    still = np.ones(fused[0].shape, dtype=bool)
    for source in (ir, visible):
        moved = np.abs(_change(source)).astype(np.float32)
        # a sum of whole numbers, so that a mean of exactly 3 is never lost to rounding
        box_sum = cv2.boxFilter(moved, -1, (_STILL_BOX_PX, _STILL_BOX_PX), normalize=False)
        still &= box_sum <= _STILL_LEVELS * _STILL_BOX_PX**2
    return float(np.abs(_change(fused))[still].mean()) if still.any() else float("nan")
