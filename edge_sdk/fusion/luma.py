"""Fusion works on luma; colour comes from the visible frame and goes round the network."""

from __future__ import annotations

import cv2
import numpy as np

from edge_sdk.frames import Image

__all__ = ["join_luma", "split_luma"]


def split_luma(bgr: Image) -> tuple[Image, Image]:
    """(H, W, 3) uint8 BGR to luma (H, W) uint8 and the whole YCrCb image (BT.601, full range)."""
    ycrcb = cv2.cvtColor(bgr, cv2.COLOR_BGR2YCrCb)
    return cv2.extractChannel(ycrcb, 0), ycrcb


def join_luma(luma: Image, ycrcb: Image) -> Image:
    """A new luma (H, W) uint8 with the chroma of ``ycrcb`` to (H, W, 3) uint8 BGR.

    Writes the luma into ``ycrcb``.
    """
    cv2.insertChannel(np.ascontiguousarray(luma), ycrcb, 0)
    return cv2.cvtColor(ycrcb, cv2.COLOR_YCrCb2BGR)
