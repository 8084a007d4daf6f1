"""Cuts warm regions where two heads stand beside each other."""

from __future__ import annotations

import numpy as np

from edge_sdk.tracking._regions import Ints, Regions, Row, Shape
from edge_sdk.tracking._tree import ThresholdTree

__all__ = ["cut_side_by_side"]

MIN_WIDTH = 6
MIN_VALLEY = 2
MAX_DEPTH = 3


def cut_side_by_side(
    tree: ThresholdTree, numbers: Ints, shape: Shape, min_height: float
) -> Regions:
    """Cuts regions with two heads between them, where both sides have the shape of a body.

    The outline seen from above has a peak for each head. A cut needs a valley between two peaks
    that is lower than both by 8 % of the smaller body, and at most eight bodies come out.

    Args:
        tree: where the regions are from.
        numbers: which of them.
        shape: of both sides of a cut.
        min_height: of both sides of a cut, work pixels.

    Returns:
        All of them, with those that are cut replaced by their pieces.
    """
    regions = tree.regions.take(numbers)
    width, height = regions.size
    worth = (width >= MIN_WIDTH) & (height >= min_height) & (width >= 0.3 * height)
    candidates = np.flatnonzero(worth)
    if not len(candidates):
        return regions
    outlines = _outlines(tree, numbers[candidates])
    with_valley = (_valleys(outlines[0]).max(axis=1) >= MIN_VALLEY).nonzero()[0]
    pieces: list[Row] = []
    origin: list[int] = []
    rows = regions.take(candidates[with_valley]).rows()
    for k, (x0, y0, x1, y1, area, heat) in zip(with_valley.tolist(), rows, strict=True):
        cut = _cut(outlines[:, k, : x1 - x0], (x0, y0, x1, y1, area, heat), shape, min_height)
        if len(cut) > 1:
            pieces += cut
            origin += [int(candidates[k])] * len(cut)
    if not pieces:
        return regions
    is_whole = np.ones(len(regions), np.bool_)
    is_whole[origin] = False
    uncut = is_whole.nonzero()[0]
    order = np.concatenate((uncut, origin)).argsort(kind="stable")
    return regions.take(uncut).plus(Regions.of_rows(pieces)).take(order)


def _outlines(tree: ThresholdTree, numbers: Ints) -> Ints:
    """(3, N, widest) of each column: first row, last row, exclusive, and pixels of the region.

    No column of a connected region is empty. Those to the right of it begin below everything, so
    that there is no valley.
    """
    runs, left = tree.runs, tree.regions.box[0, numbers]
    n, widest = len(numbers), int(tree.regions.size[0, numbers].max())
    index = np.full(len(tree) + 1, -1)  # the last one is for runs of no region
    index[numbers] = np.arange(n)
    of_run = index[runs.region]
    which = np.flatnonzero(of_run >= 0)
    k, y0, y1 = of_run[which], runs.y0[which], runs.y1[which]
    column = k * widest + runs.x[which] - left[k]
    outlines = np.empty((3, n * widest), np.int64)
    outlines[0], outlines[1] = np.iinfo(np.int32).max, 0
    np.minimum.at(outlines[0], column, y0)
    np.maximum.at(outlines[1], column, y1)
    outlines[2] = np.bincount(column, y1 - y0, n * widest)
    return outlines.reshape(3, n, widest)


def _peaks(top: Ints) -> tuple[Ints, Ints]:
    """For each gap between two columns the highest row to its left and to its right."""
    left = np.minimum.accumulate(top[..., :-1], axis=-1)
    right = np.minimum.accumulate(top[..., :0:-1], axis=-1)[..., ::-1]
    return left, right


def _valleys(top: Ints) -> Ints:
    """How far each gap between two columns is below the peaks beside it, pixels."""
    left, right = _peaks(top)
    return np.asarray(np.maximum(top[..., :-1], top[..., 1:]) - np.maximum(left, right))


def _cut(outline: Ints, row: Row, shape: Shape, min_height: float, depth: int = 0) -> list[Row]:
    """Pieces of a region with this outline, (3, width), from left to right."""
    x0, y0, x1, y1, area, heat = row
    h, w = y1 - y0, x1 - x0
    if depth == MAX_DEPTH or w < MIN_WIDTH or h < min_height or w < 0.3 * h:
        return [row]
    top, bottom, count = outline
    peak_l, peak_r = _peaks(top)
    valley = np.maximum(top[:-1], top[1:]) - np.maximum(peak_l, peak_r)
    if int(valley.max()) < MIN_VALLEY:
        return [row]
    height_l = np.maximum.accumulate(bottom[:-1]) - peak_l
    height_r = np.maximum.accumulate(bottom[:0:-1])[::-1] - peak_r
    area_l = count[:-1].cumsum()
    smaller = np.minimum(height_l, height_r)
    possible = (valley >= np.maximum(0.08 * smaller, MIN_VALLEY)) & (smaller >= min_height)
    possible &= np.minimum(area_l, area - area_l) > 0.2 * area
    which = possible.nonzero()[0]
    if not len(which):
        return [row]
    area_l, width_l, valley = area_l[which], which + 1, valley[which]
    both_sides = shape(
        np.concatenate((width_l, w - width_l)),
        np.concatenate((height_l[which], height_r[which])),
        np.concatenate((area_l, area - area_l)),
    )
    form = np.minimum(both_sides[: len(which)], both_sides[len(which) :])
    score = np.where(form > 0.45, form + valley / h, 0.0)
    best = int(score.argmax())
    if score[best] <= 0.0:
        return [row]
    column, area_left = int(width_l[best]), int(area_l[best])
    out: list[Row] = []
    for begin, end, pixels in ((0, column, area_left), (column, w, area - area_left)):
        y0, y1 = int(top[begin:end].min()), int(bottom[begin:end].max())
        piece = (x0 + begin, y0, x0 + end, y1, pixels, heat * pixels / area)
        out += _cut(outline[:, begin:end], piece, shape, min_height, depth + 1)
    return out
