"""Warm regions of a heat map: a tree of thresholds, the regions worth keeping, cuts and joins.

The tree is the idea of maximally stable extremal regions (Matas et al., BMVC 2002): a body has a
sharp rim, so its region hardly changes between two thresholds, while a warm wall or floor melts
away. A few thresholds are enough here, which takes less time than all grey levels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np

from edge_sdk.frames import Image

__all__ = ["HeatMap", "Region", "cut_side_by_side", "join_parts", "stable_regions"]

LEVEL_RATIO = 1.6
"""Each threshold of the tree is this many times the one below it ..."""
LEVEL_STEP = 0.12
"""... but no more than this share of the hottest pixel above it."""
MIN_AREA = 6
MIN_ROWS = 3
MAX_COLDER_ABOVE = 1.5
"""A head is bare, and no colder than the legs below it: what is, is a wall behind the person ..."""
MAX_COLDER_BELOW = 4.0
"""... while clothes may hide most of the warmth."""
MAX_JOINED = 24
"""Only this many of the warmest regions are tried as parts of one body; bounds the work."""


def ramp(value: float, zero: float, full: float) -> float:
    """0 at ``zero``, 1 at ``full``, linear between, clipped outside."""
    return min(1.0, max(0.0, (value - zero) / (full - zero)))


@dataclass(slots=True)
class Region:
    """One connected warm region; ``x1`` and ``y1`` are exclusive, all in work pixels.

    Attributes:
        area: pixels in the region.
        heat: sum of the heat map over the region, in grey levels.
        value: 0 to 1, how much it looks like a warm body; set by :func:`stable_regions`.
        threshold: its pixels are at least this warm, those of its children at least ``above``.
        label: its number in ``labels``, a uint16 label image whose corner is at ``origin``.
    """

    x0: int
    y0: int
    x1: int
    y1: int
    area: int
    heat: float = 0.0
    value: float = 0.0
    threshold: float = 0.0
    above: float = 0.0
    label: int = 0
    labels: Image | None = None
    origin: tuple[int, int] = (0, 0)
    children: list[Region] = field(default_factory=list)

    @property
    def width(self) -> int:
        return self.x1 - self.x0

    @property
    def height(self) -> int:
        return self.y1 - self.y0

    def mask(self) -> Image:
        """(height, width) of 0 and 1."""
        assert self.labels is not None
        left, top = self.origin
        crop = self.labels[self.y0 - top : self.y1 - top, self.x0 - left : self.x1 - left]
        return (crop == self.label).view(np.uint8)


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
        self._sums, self._squares = cv2.integral2(heat)
        self._raw_sums = cv2.integral(raw)
        self._c0 = contrast_c0

    @staticmethod
    def _box(sums: Image, x0: int, y0: int, x1: int, y1: int) -> int:
        return int(sums[y1, x1]) - int(sums[y0, x1]) - int(sums[y1, x0]) + int(sums[y0, x0])

    def contrast(self, region: Region) -> float:
        """Mean heat inside minus that beside the region, in grey levels."""
        pad = max(2, region.width // 3)
        left, right = max(0, region.x0 - pad), min(self.width, region.x1 + pad)
        around = (right - left) * region.height - region.area
        beside = self._box(self._sums, left, region.y0, right, region.y1) - region.heat
        return region.heat / region.area - beside / max(around, 1)

    def certainty(self, region: Region) -> float:
        """0 to 1, from the contrast; half at ``contrast_c0``."""
        contrast = self.contrast(region)
        return contrast**2 / (contrast**2 + self._c0**2) if contrast > 0.0 else 0.0

    def relief(self, region: Region) -> float:
        """Standard deviation of the heat in the region's box, grey levels.

        A body is warm before something cold and fills its box in part; a piece of a warm wall or a
        window fills it evenly.
        """
        corners = region.x0, region.y0, region.x1, region.y1
        pixels = region.width * region.height
        mean = self._box(self._sums, *corners) / pixels
        return max(0.0, self._box(self._squares, *corners) / pixels - mean**2) ** 0.5

    def solidity(self, region: Region) -> float:
        """Share of the heat in the box that is no thin horizontal lines (blinds): 0 to 1."""
        corners = region.x0, region.y0, region.x1, region.y1
        return self._box(self._sums, *corners) / max(self._box(self._raw_sums, *corners), 1)


def _threshold_tree(heat: Image, lowest: float) -> list[Region]:
    """Regions at the lowest threshold, with those of each higher one as their children."""
    roots: list[Region] = []
    step = LEVEL_STEP * float(cv2.minMaxLoc(heat)[1])
    below: dict[int, Region] = {}
    below_labels: Image = np.zeros((0, 0), np.uint16)
    below_x, below_y = 0, 0
    threshold, left, top = lowest, 0, 0
    while True:
        # "Greater than" in OpenCV; the heat is whole numbers.
        mask = cv2.threshold(heat, np.ceil(threshold) - 1, 255, cv2.THRESH_BINARY)[1]
        x, y, w, h = cv2.boundingRect(mask)
        if w == 0:
            return roots
        # What is hotter lies inside this box: the next passes need not look elsewhere.
        heat, left, top = heat[y : y + h, x : x + w], left + x, top + y
        _, labels, stats, _ = cv2.connectedComponentsWithStats(
            mask[y : y + h, x : x + w], connectivity=8, ltype=cv2.CV_16U
        )
        big = (stats[:, cv2.CC_STAT_AREA] >= MIN_AREA) & (stats[:, cv2.CC_STAT_HEIGHT] >= MIN_ROWS)
        big[0] = False  # label 0 is what is colder than the threshold
        above = min(threshold * LEVEL_RATIO, threshold + step)
        here: dict[int, Region] = {}
        for label in np.flatnonzero(big).tolist():
            x, y, w, h, area = stats[label].tolist()
            region = Region(x + left, y + top, x + w + left, y + h + top, area)
            region.threshold, region.above = threshold, above
            region.label, region.labels, region.origin = label, labels, (left, top)
            here[label] = region
            if not below_labels.size:
                roots.append(region)
                continue
            first = x + int((labels[y, x : x + w] == label).argmax())
            parent = below.get(int(below_labels[y + top - below_y, first + left - below_x]))
            if parent is not None:
                parent.children.append(region)
        below, below_labels, below_x, below_y = here, labels, left, top
        threshold = above


def _melted(region: Region) -> float:
    """Sets ``region.heat`` from its children; returns the share of area left one level up."""
    kept = sum(child.area for child in region.children)
    t = region.threshold
    inner = sum(child.heat - t * child.area for child in region.children)
    # Pixels that are gone at the next threshold lie between the two, more of them near the lower.
    rim = (region.area - kept) * (region.above - t) * 0.4
    region.heat = t * region.area + inner + rim
    return kept / region.area if region.children else 0.1


def stable_regions(
    heat_map: HeatMap, lowest: float, shape: Callable[[int, int, int], float]
) -> list[Region]:
    """The regions that explain the heat best: no two of them overlap.

    Args:
        heat_map: the map to look at.
        lowest: lowest threshold, grey levels.
        shape: (width, height, area) to 0..1, how much that is the shape of a body.
    """

    roots = _threshold_tree(heat_map.heat, lowest)
    return [region for root in roots for region in _best(root, heat_map, shape)]


def _best(
    region: Region, heat_map: HeatMap, shape: Callable[[int, int, int], float]
) -> list[Region]:
    """The region itself, or the best of what is inside it.

    No inner function that calls itself: that is a cycle, which would keep the maps of every frame
    until the garbage collector comes round.
    """
    inside = [part for child in region.children for part in _best(child, heat_map, shape)]
    stability = ramp(_melted(region), 0.25, 0.75)
    form = shape(region.width, region.height, region.area)
    if form > 0.0:
        region.value = form * heat_map.certainty(region) * (0.3 + 0.7 * stability)
    if not inside:
        return [region]
    # A small part (a face, a leg) must be much better than the whole to replace it.
    part_value = max(p.value - 0.25 * (1.0 - p.height / region.height) for p in inside)
    tall = [p for p in inside if p.value > 0.5 and p.height > 0.7 * region.height]
    if len(tall) > 1 and min(p.x1 for p in tall) <= max(p.x0 for p in tall) + 1:
        part_value += 0.15  # two whole bodies beside each other
    whole_is_hopeless = region.value < 0.5 * max(p.value for p in inside)
    return inside if whole_is_hopeless or part_value > region.value + 0.1 else [region]


def cut_side_by_side(
    region: Region,
    shape: Callable[[int, int, int], float],
    min_height: float,
    mask: Image | None = None,
    depth: int = 0,
) -> list[Region]:
    """Cuts a region with two heads between them, where both sides have the shape of a body.

    The outline seen from above has a peak for each head. A cut needs a valley between two peaks
    that is lower than both by 8 % of the smaller body, and at most eight bodies come out.
    """
    h, w = region.height, region.width
    if depth == 3 or w < 6 or h < min_height or w < 0.3 * h:
        return [region]
    if mask is None:
        mask = region.mask()
    count = mask.sum(axis=0, dtype=np.int32)
    empty = count == 0
    top = mask.argmax(axis=0)
    top[empty] = h
    peak_l = np.minimum.accumulate(top)[:-1]
    peak_r = np.minimum.accumulate(top[::-1])[::-1][1:]
    valley = np.maximum(top[:-1], top[1:]) - np.maximum(peak_l, peak_r)
    if int(valley.max()) < 2:
        return [region]
    bottom = h - mask[::-1].argmax(axis=0)
    bottom[empty] = 0
    height_l = np.maximum.accumulate(bottom)[:-1] - peak_l
    height_r = np.maximum.accumulate(bottom[::-1])[::-1][1:] - peak_r
    area_l = np.cumsum(count)[:-1]
    smaller = np.minimum(height_l, height_r)
    possible = (
        (valley >= np.maximum(0.08 * smaller, 2))
        & (np.minimum(area_l, region.area - area_l) > 0.2 * region.area)
        & (smaller >= min_height)
    )
    best_score, best_column = 0.0, 0
    for i in np.flatnonzero(possible).tolist():
        left, al = i + 1, int(area_l[i])
        form = min(
            shape(left, int(height_l[i]), al),
            shape(w - left, int(height_r[i]), region.area - al),
        )
        score = form + float(valley[i]) / h
        if form > 0.45 and score > best_score:
            best_score, best_column = score, left
    if best_column == 0:
        return [region]
    out: list[Region] = []
    for begin, end in ((0, best_column), (best_column, w)):
        part = mask[:, begin:end]
        x, y, pw, ph = cv2.boundingRect(part)
        part = part[y : y + ph, x : x + pw]
        x0, y0 = region.x0 + begin + x, region.y0 + y
        area = int(np.count_nonzero(part))
        half = Region(x0, y0, x0 + pw, y0 + ph, area, region.heat * area / region.area)
        out += cut_side_by_side(half, shape, min_height, part, depth + 1)
    return out


def _aspect(width: int, height: int) -> float:
    a = height / width
    return min(ramp(a, 0.3, 1.95), ramp(a, 6.0, 4.6))


def _join(one: Region, other: Region) -> tuple[float, Region] | None:
    """One body of two parts, an upper and a lower one, and how good that is; None if it is not.

    A cold jacket between a warm head and warm legs leaves a gap of up to the height of the legs;
    other parts are closer. The longer the lower part, the more of the body it is already, and the
    smaller the gap.
    """
    upper, lower = (one, other) if one.y0 <= other.y0 else (other, one)
    wu, wl, hu, hl = upper.width, lower.width, upper.height, lower.height
    if not 0.15 * wl <= wu <= 1.5 * wl:
        return None
    if not lower.x0 <= 0.5 * (upper.x0 + upper.x1) <= lower.x1:
        return None
    gap = lower.y0 - upper.y1
    head_like = hu < 0.5 * hl and wu < 0.75 * wl
    if gap > hl * max(0.1, (1.0 if head_like else 0.25) * ramp(hl / wl, 2.65, 2.3)):
        return None
    x0, x1 = min(upper.x0, lower.x0), max(upper.x1, lower.x1)
    y0, y1 = upper.y0, max(upper.y1, lower.y1)
    w, h, area = x1 - x0, y1 - y0, upper.area + lower.area
    if w > 1.7 * max(wu, wl) or not 1.2 * w <= h <= 5.5 * w or hu > 0.6 * h:
        return None
    warmth_u, warmth_l = upper.heat / upper.area, lower.heat / lower.area
    if warmth_l > MAX_COLDER_ABOVE * warmth_u or warmth_u > MAX_COLDER_BELOW * warmth_l:
        return None
    form = _aspect(w, h)
    gain = form - _aspect(wl, hl)
    fill = area / (w * h)
    if gain < -0.1 or fill < 0.05:
        return None
    body = Region(x0, y0, x1, y1, area, upper.heat + lower.heat, form * ramp(fill, 0.0, 0.25))
    return gain - max(gap, 0) / h, body


def join_parts(parts: list[Region]) -> tuple[list[Region], list[Region]]:
    """Joins heads, arms and legs to bodies, best pair first.

    Returns:
        The parts left alone, and the bodies made of several; ``value`` of the latter is their form.
    """
    parts = sorted(parts, key=lambda part: -part.heat)
    pool, rest = parts[:MAX_JOINED], parts[MAX_JOINED:]
    joined: set[int] = set()
    pairs: dict[tuple[int, int], tuple[float, Region]] = {}
    alive = list(range(len(pool)))
    for i in alive:
        for j in alive[:i]:
            made = _join(pool[i], pool[j])
            if made is not None:
                pairs[i, j] = made
    while pairs:
        (i, j), (_, body) = max(pairs.items(), key=lambda item: item[1][0])
        alive = [k for k in alive if k not in (i, j)]
        pairs = {key: made for key, made in pairs.items() if i not in key and j not in key}
        new = len(pool)
        pool.append(body)
        joined.add(new)
        for k in alive:
            made = _join(pool[k], body)
            if made is not None:
                pairs[new, k] = made
        alive.append(new)
    alone = [pool[k] for k in alive if k not in joined]
    return alone + rest, [pool[k] for k in alive if k in joined]
