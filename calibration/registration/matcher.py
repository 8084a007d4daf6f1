"""Correspondences between infrared and visible: the protocol that every matcher fulfils."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .pairs import ImagePair

__all__ = ["Matcher", "Matches"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Matches:
    """Points of one pair that show the same thing.

    Attributes:
        ir_px: (N, 2) float64, pixels of the infrared picture, origin in the centre of the first.
        visible_px: (N, 2) float64, pixels of the visible picture.
        scores: (N,) float64, larger is better; only their order counts.
    """

    ir_px: Array
    visible_px: Array
    scores: Array

    def __len__(self) -> int:
        return len(self.ir_px)


class Matcher(Protocol):
    """Finds correspondences. Any object with these two members will do."""

    @property
    def name(self) -> str:
        """Stands in the report."""

    def match(self, pairs: Sequence[ImagePair]) -> Sequence[Matches]:
        """Matches of every pair, in order; a pair without any has an empty one."""
