"""Warm regions as arrays, and the heat map that says how warm they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_sdk.frames import Image

__all__ = ["Floats", "HeatMap", "Ints", "Regions", "Row", "Shape", "ramp"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Shape = Callable[[Ints, Ints, Ints], Floats]
"""(width, height, area), arrays of one length, to 0..1: how much that is the shape of a body."""
Row = tuple[int, int, int, int, int, float]
"""x0, y0, x1, y1, area and heat of one of :class:`Regions`, as plain numbers."""


def ramp(value: Any, zero: Any, full: Any) -> Any:
    """0 at ``zero``, 1 at ``full``, linear between, clipped outside; of arrays."""
    return np.minimum(np.maximum((value - zero) / (full - zero), 0.0), 1.0)


@dataclass(slots=True)
class Regions:
    """N warm regions.

    Attributes:
        box: (4, N) x0, y0, x1, y1, the latter two exclusive, work pixels.
        area: (N,) pixels in each region.
        heat: (N,) sum of the heat map over each region, in grey levels.
    """

    box: Ints
    area: Ints
    heat: Floats

    @property
    def size(self) -> Ints:
        """(2, N) width and height."""
        return self.box[2:] - self.box[:2]

    def __len__(self) -> int:
        return len(self.area)

    def take(self, which: Ints) -> Regions:
        """Those at these indices."""
        return Regions(self.box[:, which], self.area[which], self.heat[which])

    def rows(self) -> list[Row]:
        """Each as plain numbers."""
        columns = (*self.box.tolist(), self.area.tolist(), self.heat.tolist())
        return list(zip(*columns, strict=True))

    @classmethod
    def of_rows(cls, rows: Sequence[Row]) -> Regions:
        """The opposite of :meth:`rows`."""
        values = np.array(rows, np.float64).reshape(-1, 6).T
        whole = values[:5].astype(np.int64)
        return cls(whole[:4], whole[4], values[5])

    def plus(self, others: Regions) -> Regions:
        """These, and after them the others."""
        if not len(others):
            return self
        return Regions(
            np.concatenate((self.box, others.box), axis=1),
            np.concatenate((self.area, others.area)),
            np.concatenate((self.heat, others.heat)),
        )


class HeatMap:
    """How much warmer each pixel is than its surroundings, with box sums in constant time.

    Args:
        heat: (H, W) uint8, grey levels above the background, thin horizontal lines removed.
        raw: (H, W) uint8, the same before the removal.
        contrast_c0: grey levels of contrast that count as half certain.
    """

    def __init__(self, heat: Image, raw: Image, contrast_c0: float) -> None:
        self.heat = heat
        self.height, self.width = heat.shape
        sums, squares = cv2.integral2(heat)
        self._sums, self._squares = sums.ravel(), squares.ravel()
        self._raw_sums = cv2.integral(raw).ravel()
        self._c0 = contrast_c0

    def _corners(self, x0: Ints, y0: Ints, x1: Ints, y1: Ints) -> tuple[Ints, Ints, Ints, Ints]:
        top, bottom = y0 * (self.width + 1), y1 * (self.width + 1)
        return top + x0, top + x1, bottom + x0, bottom + x1

    @staticmethod
    def _box(sums: Any, corners: tuple[Ints, Ints, Ints, Ints]) -> Any:
        a, b, c, d = corners
        return sums[d] - sums[b] - sums[c] + sums[a]

    def contrast(self, regions: Regions) -> Floats:
        """(N,) mean heat inside minus that beside each region, in grey levels."""
        x0, y0, x1, y1 = regions.box
        pad = np.maximum((x1 - x0) // 3, 2)
        left, right = np.maximum(x0 - pad, 0), np.minimum(x1 + pad, self.width)
        around = (right - left) * (y1 - y0) - regions.area
        beside = self._box(self._sums, self._corners(left, y0, right, y1)) - regions.heat
        return np.asarray(regions.heat / regions.area - beside / np.maximum(around, 1))

    def certainty(self, contrast: Floats) -> Floats:
        """(N,) 0 to 1, from the contrast; half at ``contrast_c0``."""
        square = np.maximum(contrast, 0.0) ** 2
        return square / (square + self._c0**2)

    def relief(self, regions: Regions) -> Floats:
        """(N,) standard deviation of the heat in each region's box, grey levels.

        A body is warm before something cold and fills its box in part; a piece of a warm wall or a
        window fills it evenly.
        """
        corners = self._corners(*regions.box)
        width, height = regions.size
        pixels = width * height
        mean = self._box(self._sums, corners) / pixels
        variance = self._box(self._squares, corners) / pixels - mean**2
        return np.asarray(np.sqrt(np.maximum(variance, 0.0)))

    def solidity(self, regions: Regions) -> Floats:
        """(N,) share of the heat in the box that is no thin horizontal lines (blinds): 0 to 1."""
        corners = self._corners(*regions.box)
        raw = np.maximum(self._box(self._raw_sums, corners), 1)
        return np.asarray(self._box(self._sums, corners) / raw)
