"""Does anything move in the picture?"""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["StillnessCheck"]

CELL_PX = 32
EVERY_NS = 100_000_000


class StillnessCheck:
    """Compares a coarse copy of the picture, in cells of 32 x 32 pixels, with the last second's.

    A cell averages 1,024 pixels, so that noise of 20 grey levels moves it by
    0.6; a person of 20 x 50 pixels, 60 levels warmer, who moves by four pixels moves it by 12.

    Args:
        span_s: for how long nothing may have moved, seconds.
        most: largest change of any cell that still counts as still, grey levels.
    """

    def __init__(self, span_s: float = 1.0, most: float = 3.0) -> None:
        self._span_ns = round(span_s * 1e9)
        self._most = most
        self._past: deque[tuple[int, NDArray[np.float32]]] = deque()

    def update(self, image: NDArray[np.uint8], timestamp_ns: int) -> bool:
        """Take in the next picture, (H, W) uint8; True if nothing has moved for ``span_s``."""
        past = self._past
        if past and timestamp_ns < past[-1][0]:
            past.clear()
        if not past or timestamp_ns - past[-1][0] >= EVERY_NS:
            height, width = image.shape
            cells = max(1, width // CELL_PX), max(1, height // CELL_PX)
            small = cv2.resize(image, cells, interpolation=cv2.INTER_AREA).astype(np.float32)
            past.append((timestamp_ns, small))
            while timestamp_ns - past[1 if len(past) > 1 else 0][0] >= self._span_ns:
                past.popleft()
        newest = past[-1][1]
        if newest.shape != past[0][1].shape:
            past.clear()
            return False
        if past[-1][0] - past[0][0] < self._span_ns * 0.9:
            return False
        return all(np.abs(newest - old).max() <= self._most for _, old in past)

    def reset(self) -> None:
        """Forget the past."""
        self._past.clear()
