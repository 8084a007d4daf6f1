"""From nothing to a first homography, and to the best one that is clearly another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .coarse import Hypothesis, SearchRange, search, spread
from .prepared import Prepared
from .refine import Stage, refine

__all__ = ["Start", "evenly", "find_start"]

Array = NDArray[np.float64]

_SEARCH_PAIRS, _HYPOTHESES = 8, 6
_FIRST = (Stage(level=3, reach=5, block_px=24, sigma_px=4.0),)
_APART_PX = 24.0


@dataclass(frozen=True)
class Start:
    """The best hypothesis after a first refinement, and the best of the others if there is one."""

    best: Hypothesis
    other: Hypothesis | None


def find_start(prepared: Prepared, within: SearchRange | None = None) -> Start:
    """Search the whole range, refine the best hypotheses, and rank them by the pooled score."""
    some = evenly(prepared.count, _SEARCH_PAIRS)
    ir, visible = prepared.ir, prepared.visible
    found = search(ir, visible, within or SearchRange(), some, _HYPOTHESES)
    refined = [refine(ir, visible, one.homography, _FIRST, some) for one in found]
    refined.sort(key=lambda one: -one.score)
    distinct: Sequence[Hypothesis] = spread(refined, ir.size, _APART_PX, 2)
    if not distinct:
        return Start(Hypothesis(0.0, np.eye(3)), None)
    return Start(distinct[0], distinct[1] if len(distinct) > 1 else None)


def evenly(count: int, wanted: int) -> list[int]:
    """Up to ``wanted`` indices below ``count``, evenly spread, first and last included."""
    return sorted({round(x) for x in np.linspace(0, count - 1, min(count, wanted))})
