"""What was found of a target in one picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Observation", "Rejection"]


@dataclass(frozen=True)
class Observation:
    """A target in a picture.

    Attributes:
        name: of the picture.
        image_size: (width, height) in pixels.
        pixels: (N, 2) float64, where the points are seen; origin in the centre of the top left
            pixel.
        cells: (N, 2) int64 column and row of each point. Of a board that is seen in part the
            origin is arbitrary.
        complete: all points of the target were found, so that ``cells`` are the board's own (up to
            a turn of the board).
        coded: ``cells`` are the board's own, whole or not.
        method: how it was found, for people.
        edge_px: width of the squares' edges (contrast by steepest slope), pixels; nan if unknown.
    """

    name: str
    image_size: tuple[int, int]
    pixels: NDArray[np.float64]
    cells: NDArray[np.int64]
    complete: bool
    method: str
    edge_px: float = float("nan")
    coded: bool = False

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def extent(self) -> tuple[int, int]:
        """(columns, rows) of the part that is seen."""
        columns, rows = np.ptp(self.cells, axis=0) + 1
        return int(columns), int(rows)


@dataclass(frozen=True)
class Rejection:
    """A picture that is not used.

    Attributes:
        name: of the picture.
        reason: for people.
    """

    name: str
    reason: str
