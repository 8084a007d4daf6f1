"""Qabf: how much of the edges of both sources the fused picture keeps."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics.grey import Grey, require_greys

__all__ = ["qabf"]

_STRENGTH = (0.9994, -15.0, 0.5)
_ORIENTATION = (0.9879, -22.0, 0.8)


def _edges(image: Grey) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Strength and orientation (radians, -pi/2 to pi/2) of the Sobel gradient."""
    across = cv2.Sobel(image, cv2.CV_64F, 1, 0)
    down = cv2.Sobel(image, cv2.CV_64F, 0, 1)
    slope = np.divide(down, across, out=np.full_like(down, np.inf), where=across != 0)
    return np.hypot(across, down), np.arctan(slope)


def _sigmoid(x: NDArray[np.float64], curve: tuple[float, float, float]) -> NDArray[np.float64]:
    top, slope, centre = curve
    value: NDArray[np.float64] = top / (1 + np.exp(slope * (x - centre)))
    return value


def qabf(fused: Grey, ir: Grey, visible: Grey) -> float:
    """Edge information that is kept from both sources, weighted by the strength of their edges.

    Xydeas and Petrovic, "Objective image fusion performance measure", Electronics Letters 36,
    2000, with their constants and weights of exponent L = 1. The gradient at the border comes from
    the mirrored image, so that the frame of the picture is no edge.

    Returns:
        0 to 0.975 (three equal pictures; the sigmoids never reach 1); ``nan`` if neither source
        has an edge.

    Raises:
        ConfigError: not three grey images of one size.
    """
    require_greys(smallest_side_px=2, fused=fused, ir=ir, visible=visible)
    strength_f, angle_f = _edges(fused)
    kept = total = 0.0
    for source in (ir, visible):
        strength_s, angle_s = _edges(source)
        stronger = np.maximum(strength_s, strength_f)
        weaker = np.minimum(strength_s, strength_f)
        ratio = np.divide(weaker, stronger, out=np.zeros_like(stronger), where=stronger > 0)
        aligned = 1 - np.abs(angle_s - angle_f) / (np.pi / 2)
        preserved = _sigmoid(ratio, _STRENGTH) * _sigmoid(aligned, _ORIENTATION)
        kept += float((preserved * strength_s).sum())
        total += float(strength_s.sum())
    return kept / total if total > 0 else float("nan")
