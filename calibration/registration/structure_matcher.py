"""The built-in matcher: blocks of edge orientation, compared about a common start."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_sdk.geometry import apply

from .matcher import Matches
from .pairs import ImagePair
from .prepared import prepare
from .start import find_start
from .structure import CameraStructure, level_matrix
from .surfaces import Surfaces, local_scores

__all__ = ["StructureMatcher", "block_matches"]

Array = NDArray[np.float64]

_LEVEL, _REACH, _BLOCK_PX = 2, 6, 24
_MIN_SCORE = 0.15
_MIN_LEAD = 1.15


class StructureMatcher:
    """Needs no weights. The common start is found by :func:`.coarse.search` over all pairs."""

    name = "structure"

    def match(self, pairs: Sequence[ImagePair]) -> Sequence[Matches]:
        """Matches of every pair; empty ones where nothing fits anywhere."""
        prepared = prepare(pairs)
        start = find_start(prepared)
        matches = block_matches(prepared.ir, prepared.visible, start.best.homography)
        return [prepared.to_full(one) for one in matches]


def block_matches(ir: CameraStructure, visible: CameraStructure, start: Array) -> list[Matches]:
    """For every pair the blocks that have one clear best place near ``start``.

    Clear means a correlation of 0.15 or more that is 1.15 times that of the best place elsewhere.
    """
    groups = [[i] for i in range(ir.count)]
    surfaces = local_scores(ir, visible, start, _LEVEL, _REACH, _BLOCK_PX, groups)
    return [_peaks(one) for one in surfaces[: ir.count]]


def _peaks(surfaces: Surfaces) -> Matches:
    scores, reach = surfaces.scores, surfaces.reach
    count, size = len(scores), 2 * reach + 1
    if count == 0:
        return Matches(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0))
    at = scores.reshape(count, -1).argmax(axis=1)
    y, x = at // size, at % size
    n = np.arange(count)
    peak = scores[n, y, x]
    rows, columns = np.arange(size)[None, :, None], np.arange(size)[None, None, :]
    near = (np.abs(rows - y[:, None, None]) <= 2) & (np.abs(columns - x[:, None, None]) <= 2)
    second = np.where(near, -1.0, scores).reshape(count, -1).max(axis=1)
    inside = (np.minimum(x, y) > 0) & (np.maximum(x, y) < size - 1)
    good = inside & (peak >= _MIN_SCORE) & (peak >= _MIN_LEAD * second)
    n, x, y = n[good], x[good], y[good]
    # A parabola through the peak and its neighbours gives the fraction of a pixel.
    dx = _vertex(scores[n, y, x - 1], scores[n, y, x], scores[n, y, x + 1])
    dy = _vertex(scores[n, y - 1, x], scores[n, y, x], scores[n, y + 1, x])
    here = surfaces.centres[good]
    there = here + np.stack([x - reach + dx, y - reach + dy], axis=1)
    from_level = np.asarray(np.linalg.inv(level_matrix(surfaces.level)), np.float64)
    to_ir = np.asarray(np.linalg.inv(surfaces.homography), np.float64)
    ir_px = apply(to_ir, apply(from_level, here))
    return Matches(ir_px, apply(from_level, there), peak[good].astype(np.float64))


def _vertex(left: Array, middle: Array, right: Array) -> Array:
    curvature = np.minimum(left - 2 * middle + right, -1e-6)
    return np.asarray(np.clip(0.5 * (left - right) / curvature, -0.5, 0.5), np.float64)
