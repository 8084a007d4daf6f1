"""Scene cuts: both cameras suddenly look at something else."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_sdk.frames import Image

__all__ = ["SceneCut"]

THUMBNAIL = (20, 15)  # columns, rows: averages away noise and small moving objects
SAME = 0.5
FLAT = 2.0  # grey levels: a thumbnail with less contrast says nothing


class SceneCut:
    """Compares thumbnails of successive frames by correlation, which ignores exposure.

    A cut is when the infrared AND the visible lose their correlation: light that goes on, smoke
    that drifts in or a shutter that closes changes one camera only.
    """

    def __init__(self) -> None:
        self._before: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None

    def reset(self) -> None:
        self._before = None

    def step(self, ir: Image, luma: Image) -> bool:
        """True if this pair, (H, W) uint8 each, follows a cut."""
        now = _thumbnail(ir), _thumbnail(luma)
        before, self._before = self._before, now
        if before is None:
            return False
        return all(_differs(a, b) for a, b in zip(before, now, strict=True))


def _thumbnail(image: Image) -> NDArray[np.float32]:
    small = cv2.resize(image, THUMBNAIL, interpolation=cv2.INTER_AREA).astype(np.float32)
    return small - small.mean()


def _differs(a: NDArray[np.float32], b: NDArray[np.float32]) -> bool:
    size_a, size_b = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    if min(size_a, size_b) < FLAT * np.sqrt(a.size):
        return bool(np.abs(a - b).mean() > 4 * FLAT)
    return float((a * b).sum()) / (size_a * size_b) < SAME
