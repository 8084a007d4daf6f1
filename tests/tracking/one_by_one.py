"""The warm-object detector once more, in plain Python and one region at a time.

Slow and simple: flood fills, lists and recursion instead of arrays, runs and reductions. What
``edge_sdk.tracking`` finds with the latter must be the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from edge_sdk.frames import Image
from edge_sdk.tracking import WarmObjectDetector, warm


def ramp(value: float, zero: float, full: float) -> float:
    return min(1.0, max(0.0, (value - zero) / (full - zero)))


@dataclass
class Region:
    """``mask`` is (height, width) bool; a body made of parts has none, and carries its form."""

    x0: int
    y0: int
    x1: int
    y1: int
    area: int
    heat: float
    mask: Image | None = None
    form: float | None = None
    value: float = 0.0
    threshold: float = 0.0
    above: float = 0.0
    children: list[Region] = field(default_factory=list)

    @property
    def w(self) -> int:
        return self.x1 - self.x0

    @property
    def h(self) -> int:
        return self.y1 - self.y0


class OneByOne:
    """``detect(ir)`` gives a list of (box, score), best first."""

    def __init__(self, min_score: float, min_contrast: float = 25.0) -> None:
        self.options = WarmObjectDetector(min_contrast, min_score=min_score)

    def detect(self, ir: Image) -> list[tuple[tuple[float, ...], float]]:
        o = self.options
        image, self.raw, self.map, noise = warm._heat(ir)
        self.height, self.width = image.shape
        hottest = int(np.quantile(self.map, 0.998, method="inverted_cdf"))
        self.c0 = max(o.min_contrast, 0.35 * hottest)
        roots = self.tree(max(0.2 * o.min_contrast, 3.0 * noise, 0.13 * hottest))
        parts = [
            piece
            for root in roots
            for region in self.best(root)
            if self.contrast(region) > 0.5 * o.min_contrast
            for piece in self.cut(region, 0)
        ]
        alone, bodies = join([part for part in parts if self.solidity(part) >= 0.7])
        alone += [part for part in parts if self.solidity(part) < 0.7]
        found = []
        for r in alone + bodies:
            form = self.shape(r.w, r.h, r.area) if r.form is None else r.form * self.size(r.h)
            if form > 0.0 and r.h >= o.min_height_share * self.height:
                found.append((self.score(r, form), r))
        found.sort(key=lambda item: -item[0])
        kept: list[tuple[float, Region]] = []
        for score, r in found:
            if score >= o.min_score and not any(nested(r, other) for _, other in kept):
                kept.append((score, r))
        sx, sy = ir.shape[1] / self.width, ir.shape[0] / self.height
        boxes = [((r.x0 * sx, r.y0 * sy, r.x1 * sx, r.y1 * sy), score) for score, r in kept]
        return [
            (box, score)
            for box, score in boxes
            if o.min_area_px <= (box[2] - box[0]) * (box[3] - box[1]) <= o.max_area_share * ir.size
        ]

    def size(self, height: int) -> float:
        share, least = height / self.height, self.options.min_height_share
        return min(ramp(share, 0.8 * least, 1.4 * least), ramp(share, 1.35, 0.8))

    def shape(self, w: int, h: int, area: int) -> float:
        upright = min(ramp(h / w, 0.25, 2.2), ramp(h / w, 9.0, 4.2))
        return upright * ramp(area / (w * h), 0.05, 0.45) * self.size(h)

    def contrast(self, r: Region) -> float:
        pad = max(2, r.w // 3)
        band = self.map[r.y0 : r.y1, max(0, r.x0 - pad) : r.x1 + pad]
        return r.heat / r.area - (int(band.sum()) - r.heat) / max(band.size - r.area, 1)

    def certainty(self, r: Region) -> float:
        contrast = max(0.0, self.contrast(r))
        return contrast**2 / (contrast**2 + self.c0**2)

    def solidity(self, r: Region) -> float:
        box = slice(r.y0, r.y1), slice(r.x0, r.x1)
        return int(self.map[box].sum()) / max(int(self.raw[box].sum()), 1)

    def score(self, r: Region, form: float) -> float:
        contrast = self.contrast(r)
        if contrast <= 0.0:
            return 0.0
        spread = float(self.map[r.y0 : r.y1, r.x0 : r.x1].std())
        unit = min(self.options.min_contrast, contrast)
        score = form * self.certainty(r) * self.solidity(r) * ramp(spread, 0.4 * unit, 0.7 * unit)
        return min(1.0, score / 0.8)

    def tree(self, lowest: float) -> list[Region]:
        step = 0.12 * float(self.map.max())
        levels: list[list[Region]] = []
        threshold = lowest
        while (self.map >= threshold).any():
            above = min(threshold * 1.6, threshold + step)
            mask = (self.map >= threshold).view(np.uint8)
            _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
            here = []
            for label, (x, y, w, h, area) in enumerate(stats.tolist()):
                if label > 0 and area >= 6 and h >= 3:
                    inside = labels[y : y + h, x : x + w] == label
                    here.append(Region(x, y, x + w, y + h, area, 0.0, inside))
                    here[-1].threshold, here[-1].above = threshold, above
            for region in here if levels else []:
                assert region.mask is not None
                column = region.x0 + int(region.mask[0].argmax())
                (parent,) = (r for r in levels[-1] if holds(r, column, region.y0))
                parent.children.append(region)
            levels.append(here)
            threshold = above
        for region in (r for level in levels[::-1] for r in level):
            t, kept = region.threshold, sum(child.area for child in region.children)
            region.heat = t * region.area
            region.heat += sum(child.heat - t * child.area for child in region.children)
            region.heat += (region.area - kept) * (region.above - t) * 0.4
        return levels[0] if levels else []

    def best(self, region: Region) -> list[Region]:
        inside = [part for child in region.children for part in self.best(child)]
        left = sum(child.area for child in region.children) / region.area if inside else 0.1
        region.value = self.shape(region.w, region.h, region.area) * self.certainty(region)
        region.value *= 0.3 + 0.7 * ramp(left, 0.25, 0.75)
        if not inside:
            return [region]
        part_value = max(p.value - 0.25 * (1.0 - p.h / region.h) for p in inside)
        tall = [p for p in inside if p.value > 0.5 and p.h > 0.7 * region.h]
        if len(tall) > 1 and min(p.x1 for p in tall) <= max(p.x0 for p in tall) + 1:
            part_value += 0.15
        hopeless = region.value < 0.5 * max(p.value for p in inside)
        return inside if hopeless or part_value > region.value + 0.1 else [region]

    def cut(self, r: Region, depth: int) -> list[Region]:
        least = self.options.min_height_share * self.height
        if depth == 3 or r.w < 6 or r.h < least or r.w < 0.3 * r.h:
            return [r]
        assert r.mask is not None
        best_score, best_column = 0.0, 0
        for column in range(1, r.w):
            left, right = part_of(r, 0, column), part_of(r, column, r.w)
            beside = r.mask[:, column - 1 : column + 1].argmax(axis=0)
            valley = r.y0 + int(beside.max()) - max(left.y0, right.y0)
            smaller = min(left.h, right.h)
            if (
                valley < max(0.08 * smaller, 2)
                or min(left.area, right.area) <= 0.2 * r.area
                or smaller < least
            ):
                continue
            form = min(self.shape(p.w, p.h, p.area) for p in (left, right))
            if form > 0.45 and form + valley / r.h > best_score:
                best_score, best_column = form + valley / r.h, column
        if best_column == 0:
            return [r]
        halves = part_of(r, 0, best_column), part_of(r, best_column, r.w)
        return [piece for half in halves for piece in self.cut(half, depth + 1)]


def holds(r: Region, x: int, y: int) -> bool:
    assert r.mask is not None
    return r.x0 <= x < r.x1 and r.y0 <= y < r.y1 and bool(r.mask[y - r.y0, x - r.x0])


def part_of(r: Region, begin: int, end: int) -> Region:
    assert r.mask is not None
    mask = r.mask[:, begin:end]
    rows = np.flatnonzero(mask.any(axis=1))
    top, bottom, area = int(rows[0]), int(rows[-1]) + 1, int(mask.sum())
    box = (r.x0 + begin, r.y0 + top, r.x0 + end, r.y0 + bottom)
    return Region(*box, area, r.heat * area / r.area, mask[top:bottom])


def nested(one: Region, other: Region) -> bool:
    w = min(one.x1, other.x1) - max(one.x0, other.x0)
    h = min(one.y1, other.y1) - max(one.y0, other.y0)
    return min(w, h) > 0 and w * h > 0.6 * min(one.w * one.h, other.w * other.h)


def aspect(w: int, h: int) -> float:
    return min(ramp(h / w, 0.3, 1.95), ramp(h / w, 6.0, 4.6))


def pair(one: Region, other: Region) -> tuple[float, Region] | None:
    u, b = (one, other) if one.y0 <= other.y0 else (other, one)
    gap = b.y0 - u.y1
    most = 1.0 if u.h < 0.5 * b.h and u.w < 0.75 * b.w else 0.25
    x0, y0, x1, y1 = min(u.x0, b.x0), u.y0, max(u.x1, b.x1), max(u.y1, b.y1)
    w, h, area = x1 - x0, y1 - y0, u.area + b.area
    warmth_u, warmth_b = u.heat / u.area, b.heat / b.area
    gain, fill = aspect(w, h) - aspect(b.w, b.h), area / (w * h)
    if (
        not 0.15 * b.w <= u.w <= 1.5 * b.w
        or not b.x0 <= 0.5 * (u.x0 + u.x1) <= b.x1
        or gap > b.h * max(0.1, most * ramp(b.h / b.w, 2.65, 2.3))
        or w > 1.7 * max(u.w, b.w)
        or not 1.2 * w <= h <= 5.5 * w
        or u.h > 0.6 * h
        or warmth_b > 1.5 * warmth_u
        or warmth_u > 4.0 * warmth_b
        or gain < -0.1
        or fill < 0.05
    ):
        return None
    form = aspect(w, h) * ramp(fill, 0.0, 0.25)
    return gain - max(gap, 0) / h, Region(x0, y0, x1, y1, area, u.heat + b.heat, form=form)


def join(parts: list[Region]) -> tuple[list[Region], list[Region]]:
    parts = sorted(parts, key=lambda part: -part.heat)
    alive, rest = parts[:24], parts[24:]
    while True:
        made = [
            (joined, one, other)
            for i, one in enumerate(alive)
            for other in alive[:i]
            if (joined := pair(*((other, one) if one.form is not None else (one, other))))
        ]
        if not made:
            break
        (_, body), *two = max(made, key=lambda item: item[0][0])
        alive = [r for r in alive if all(r is not part for part in two)] + [body]
    alone = [r for r in alive if r.form is None]
    return alone + rest, [r for r in alive if r.form is not None]
