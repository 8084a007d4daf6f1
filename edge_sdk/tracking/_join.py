"""Joins parts of a body that something cold, such as a jacket, keeps apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_sdk.tracking._regions import Floats, Ints, Regions, Row

__all__ = ["join_parts"]

MAX_COLDER_ABOVE = 1.5
"""A head is bare, and no colder than the legs below it: what is, is a wall behind the person ..."""
MAX_COLDER_BELOW = 4.0
"""... while clothes may hide most of the warmth."""
MAX_JOINED = 24
"""Only this many of the warmest regions are tried as parts of one body; bounds the work."""
PAIRS = np.array(np.tril_indices(MAX_JOINED, -1))
"""(2, K) all pairs of that many; the first n * (n - 1) / 2 are those of the first n."""


def join_parts(parts: Regions) -> tuple[Regions, Regions, Floats]:
    """Joins heads, arms and legs to bodies, best pair first.

    Returns:
        The parts left alone, the bodies made of several, and of the latter how good their form is.
    """
    order = np.argsort(-parts.heat, kind="stable")
    warmest = parts.take(order[:MAX_JOINED])
    pool = warmest.rows()
    n = len(pool)
    alive = list(range(n))
    form: dict[int, float] = {}
    pairs: dict[tuple[int, int], tuple[float, float, Row]] = {}

    def consider(one: int, other: int) -> None:
        made = _join(pool[one], pool[other])
        if made is not None:
            pairs[one, other] = made

    i, j = PAIRS[:, : n * (n - 1) // 2]
    near = _may_fit(warmest.box[:, i], warmest.box[:, j]).nonzero()[0]
    for one, other in zip(i[near].tolist(), j[near].tolist(), strict=True):
        consider(one, other)
    while pairs:
        (one, other), (_, aspect, body) = max(pairs.items(), key=lambda item: item[1][0])
        gone = {one, other}
        pairs = {key: made for key, made in pairs.items() if not gone.intersection(key)}
        alive = [k for k in alive if k not in gone]
        new = len(pool)
        pool.append(body)
        form[new] = aspect
        for k in alive:
            consider(k, new)
        alive.append(new)
    bodies = [k for k in alive if k >= n]
    left = np.array([k for k in alive if k < n], np.int64)
    return (
        parts.take(np.concatenate((order[left], order[MAX_JOINED:]))),
        Regions.of_rows([pool[k] for k in bodies]),
        np.array([form[k] for k in bodies], np.float64),
    )


def _may_fit(one: Ints, other: Ints) -> NDArray[np.bool_]:
    """Which pairs of boxes, (4, K) each, :func:`_join` may join: most it would refuse at once."""
    is_upper = one[1] <= other[1]
    x0, _, x1, y1 = np.where(is_upper, one, other)
    left, top, right, bottom = np.where(is_upper, other, one)
    upper, lower, twice_middle = x1 - x0, right - left, x0 + x1
    return np.asarray(
        (upper >= 0.15 * lower)
        & (upper <= 1.5 * lower)
        & (twice_middle >= 2 * left)
        & (twice_middle <= 2 * right)
        & (top - y1 <= bottom - top)
    )


def _join(one: Row, other: Row) -> tuple[float, float, Row] | None:
    """One body of two parts, an upper and a lower one: how good, its form and it; None if not.

    A cold jacket between a warm head and warm legs leaves a gap of up to the height of the legs;
    other parts are closer. The longer the lower part, the more of the body it is already, and the
    smaller the gap.
    """
    upper, lower = (one, other) if one[1] <= other[1] else (other, one)
    ux0, y0, ux1, uy1, upper_area, upper_heat = upper
    lx0, ly0, lx1, ly1, lower_area, lower_heat = lower
    wu, wl, hu, hl = ux1 - ux0, lx1 - lx0, uy1 - y0, ly1 - ly0
    if not 0.15 * wl <= wu <= 1.5 * wl or not lx0 <= 0.5 * (ux0 + ux1) <= lx1:
        return None
    gap = ly0 - uy1
    head_like = hu < 0.5 * hl and wu < 0.75 * wl
    if gap > hl * max(0.1, (1.0 if head_like else 0.25) * _ramp(hl / wl, 2.65, 2.3)):
        return None
    x0, x1, y1 = min(ux0, lx0), max(ux1, lx1), max(uy1, ly1)
    w, h, area = x1 - x0, y1 - y0, upper_area + lower_area
    if w > 1.7 * max(wu, wl) or not 1.2 * w <= h <= 5.5 * w or hu > 0.6 * h:
        return None
    warmth_u, warmth_l = upper_heat / upper_area, lower_heat / lower_area
    if warmth_l > MAX_COLDER_ABOVE * warmth_u or warmth_u > MAX_COLDER_BELOW * warmth_l:
        return None
    aspect = _aspect(w, h)
    gain = aspect - _aspect(wl, hl)
    fill = area / (w * h)
    if gain < -0.1 or fill < 0.05:
        return None
    form = aspect * _ramp(fill, 0.0, 0.25)
    return gain - max(gap, 0) / h, form, (x0, y0, x1, y1, area, upper_heat + lower_heat)


def _aspect(width: int, height: int) -> float:
    a = height / width
    return min(_ramp(a, 0.3, 1.95), _ramp(a, 6.0, 4.6))


def _ramp(value: float, zero: float, full: float) -> float:
    """As that of ``_regions``, but of plain numbers, for which numpy is slow."""
    return min(1.0, max(0.0, (value - zero) / (full - zero)))
