"""A tree of thresholds over a heat map, and the regions of it that are worth keeping.

The tree is the idea of maximally stable extremal regions (Matas et al., BMVC 2002): a body has a
sharp rim, so its region hardly changes between two thresholds, while a warm wall or floor melts
away. A few thresholds are enough here, which takes less time than all grey levels.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edge_sdk.frames import Image
from edge_sdk.tracking._regions import Floats, HeatMap, Ints, Regions, Shape, ramp

__all__ = ["ThresholdTree"]

LEVEL_RATIO = 1.6
"""Each threshold of the tree is this many times the one below it ..."""
LEVEL_STEP = 0.12
"""... but no more than this share of the hottest pixel above it."""
MIN_AREA = 6
MIN_ROWS = 3
RIM_SHARE = 0.4
"""Pixels that are gone at the next threshold lie between the two, more of them near the lower."""


@dataclass(slots=True)
class Runs:
    """The pixels of regions as vertical runs, those of the lowest threshold first, then by column.

    Attributes:
        region: (R,) number of the region; -1 of one that is too small to have a number.
        x: (R,) column.
        y0: (R,) first row.
        y1: (R,) last row, exclusive.
    """

    region: Ints
    x: Ints
    y0: Ints
    y1: Ints


class ThresholdTree:
    """Connected regions at a row of thresholds; each lies inside one of the threshold below.

    Args:
        heat: (H, W) uint8, the map to look at.
        lowest: lowest threshold, grey levels.

    Attributes:
        regions: all N of them, the coldest threshold first; their heat is an estimate.
        runs: their pixels.
        parent: (N,) number of the region around each; -1 at the lowest threshold.
        left: (N,) share of the area that is left at the next threshold.
    """

    def __init__(self, heat: Image, lowest: float) -> None:
        self._thresholds = _thresholds(heat, lowest)
        levels = len(self._thresholds) - 1
        level, x, y0, y1 = _vertical_runs(heat, self._thresholds[:-1])
        # OpenCV would also measure what it labels, but looks at every pixel again for that.
        begin = np.searchsorted(level, np.arange(levels + 1))
        pixel = y0 * heat.shape[1] + x
        label, label_below, first_label = _label(heat, self._thresholds[:-1], pixel, begin)

        n = int(first_label[-1])
        area = np.bincount(label, y1 - y0, n).astype(np.int64)
        box = np.empty((4, n), np.int64)
        box[1], box[3] = heat.shape[0], 0
        np.minimum.at(box[1], label, y0)
        np.maximum.at(box[3], label, y1)
        # Runs are in the order of their columns, and of several assignments the last one stays.
        some = np.zeros(n, np.int64)
        some[label[::-1]] = np.arange(len(label))[::-1]
        box[0] = x[some]
        box[2][label] = x + 1
        is_big = (area >= MIN_AREA) & (box[3] - box[1] >= MIN_ROWS)
        big = np.flatnonzero(is_big)
        self._start = np.searchsorted(big, first_label)
        self._level = np.repeat(np.arange(levels), np.diff(self._start))
        self.regions = Regions(box[:, big], area[big], np.zeros(len(big)))
        number = np.where(is_big, np.cumsum(is_big) - 1, -1)
        self.runs = Runs(number[label], x, y0, y1)
        inner = slice(self._start[min(1, levels)], None)
        self.parent = np.full(len(big), -1)
        self.parent[inner] = number[label_below[some[big[inner]]]]
        self.left = self._melt()

    def __len__(self) -> int:
        return len(self.regions)

    def _melt(self) -> Floats:
        """Sets the heat of all regions, from that of the ones inside; returns what is left."""
        area, heat = self.regions.area, self.regions.heat
        n, inner = len(area), self.parent >= 0
        kept = np.bincount(self.parent[inner], area[inner], n)
        low, high = self._thresholds[self._level], self._thresholds[self._level + 1]
        heat += low * area
        rim = (area - kept) * (high - low) * RIM_SHARE
        for level in range(len(self._start) - 2, -1, -1):
            here = slice(self._start[level], self._start[level + 1])
            heat[here] += rim[here]
            if level > 0:
                warmer = heat[here] - self._thresholds[level - 1] * area[here]
                heat += np.bincount(self.parent[here], warmer, n)
        return np.asarray(np.where(kept > 0, kept / area, 0.1))

    def best(self, heat_map: HeatMap, shape: Shape) -> Ints:
        """Numbers of the regions that explain the heat best: no two of them overlap."""
        if not len(self):
            return np.zeros(0, np.int64)
        r, begin = self.regions, self._start
        width, height = r.size
        value = shape(width, height, r.area) * heat_map.certainty(heat_map.contrast(r))
        value *= 0.3 + 0.7 * ramp(self.left, 0.25, 0.75)
        # Of what is chosen inside each region: the best, and the best for its height.
        highest, inside = np.full((2, len(r)), -np.inf)
        # From the hottest threshold down: either a region or the best of what is inside it.
        chosen = around = np.arange(begin[-2], begin[-1])
        for level in range(len(begin) - 3, -1, -1):
            around = self.parent[around]
            part_value, part_height, whole_height = value[chosen], height[chosen], height[around]
            np.maximum.at(highest, around, part_value)
            # A small part (a face, a leg) must be much better than the whole to replace it.
            np.maximum.at(inside, around, part_value - 0.25 * (1.0 - part_height / whole_height))
            tall = ((part_value > 0.5) & (part_height > 0.7 * whole_height)).nonzero()[0]
            if len(tall) > 1:
                inside[self._with_two(chosen[tall], around[tall])] += 0.15
            here = slice(begin[level], begin[level + 1])
            stays = value[here] >= 0.5 * highest[here]
            stays &= inside[here] <= value[here] + 0.1
            whole = stays.nonzero()[0] + begin[level]
            part = (~stays[around - begin[level]]).nonzero()[0]
            chosen = np.concatenate((whole, chosen[part]))
            around = np.concatenate((whole, around[part]))
            order = around.argsort(kind="stable")
            chosen, around = chosen[order], around[order]
        return chosen

    def _with_two(self, bodies: Ints, around: Ints) -> Ints:
        """Regions around two whole bodies beside each other."""
        left, _, right, _ = self.regions.box[:, bodies].tolist()
        inside: dict[int, list[int]] = {}
        for k, number in enumerate(around.tolist()):
            inside.setdefault(number, []).append(k)
        return np.array(
            [
                number
                for number, ks in inside.items()
                if len(ks) > 1 and min(right[k] for k in ks) <= max(left[k] for k in ks) + 1
            ],
            np.int64,
        )


def _thresholds(heat: Image, lowest: float) -> Floats:
    """All that some pixel reaches, and the one above them."""
    hottest = float(cv2.minMaxLoc(heat)[1])
    step = LEVEL_STEP * hottest
    thresholds = [float(lowest)]
    while thresholds[-1] <= hottest:
        thresholds.append(min(thresholds[-1] * LEVEL_RATIO, thresholds[-1] + step))
    return np.array(thresholds)


def _label(heat: Image, thresholds: Floats, pixels: Ints, begin: Ints) -> tuple[Ints, Ints, Ints]:
    """Numbers what is connected, from one threshold to the next.

    Args:
        heat: (H, W) uint8.
        thresholds: (levels,) rising.
        pixels: (R,) flat indices into ``heat``, those of the lowest threshold first.
        begin: (levels + 1,) where those of each threshold begin.

    Returns:
        (R,) number of what each pixel is part of; (R,) the same at the threshold below, nothing of
        use for the lowest; (levels + 1,) the first number of each threshold.
    """
    # Written in part only: nothing outside the box of what is warm enough is ever read.
    labels, below = np.empty((2, *heat.shape), np.uint16)
    label, label_below = np.empty((2, len(pixels)), np.int64)
    first, left, top = [0, 0], 0, 0
    for level, threshold in enumerate(thresholds.tolist()):
        # "Greater than" in OpenCV; the heat is whole numbers.
        mask = cv2.threshold(heat, np.ceil(threshold) - 1, 255, cv2.THRESH_BINARY)[1]
        x, y, w, h = cv2.boundingRect(mask)
        # What is hotter lies inside this box: the next passes need not look elsewhere.
        heat, left, top = heat[y : y + h, x : x + w], left + x, top + y
        count, _ = cv2.connectedComponents(
            mask[y : y + h, x : x + w],
            labels=labels[top : top + h, left : left + w],
            connectivity=8,
            ltype=cv2.CV_16U,
        )
        here = slice(begin[level], begin[level + 1])
        label[here] = labels.reshape(-1)[pixels[here]]
        label[here] += first[-1]
        if level > 0:
            label_below[here] = below.reshape(-1)[pixels[here]]
            label_below[here] += first[-2]
        first.append(first[-1] + count)
        labels, below = below, labels
    return label, label_below, np.array(first[1:])


def _vertical_runs(heat: Image, thresholds: Floats) -> tuple[Ints, Ints, Ints, Ints]:
    """Level, column, first row and end row of all runs of pixels that reach a threshold.

    A step from one pixel to the next that passes several thresholds begins or ends as many runs.
    """
    height, width = heat.shape
    stride = height + 1  # a cold pixel at the end of each column, so that no run goes on
    levels = np.searchsorted(thresholds, np.arange(256), side="right").astype(np.uint8)
    columns = np.zeros(1 + width * stride, np.uint8)
    columns[1:].reshape(width, stride)[:, :height] = cv2.transpose(cv2.LUT(heat, levels))
    steps = np.flatnonzero(columns[1:] != columns[:-1])
    before, after = columns[steps].astype(np.int64), columns[steps + 1].astype(np.int64)
    rises = np.flatnonzero(after > before)
    falls = np.flatnonzero(after < before)
    level, begin = _by_level(steps[rises], before[rises], after[rises])
    _, end = _by_level(steps[falls], after[falls], before[falls])
    x = begin // stride
    top = x * stride
    return level, x, begin - top, end - top


def _by_level(position: Ints, low: Ints, high: Ints) -> tuple[Ints, Ints]:
    """Each position once for every level from ``low`` to ``high`` - 1, sorted by level."""
    count = high - low
    offset = np.repeat(low - (np.cumsum(count) - count), count)
    level = offset + np.arange(len(offset))
    order = level.astype(np.uint8).argsort(kind="stable")  # few values: sorted by counting
    return level[order], np.repeat(position, count)[order]
