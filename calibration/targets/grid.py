"""Corners made into a checkerboard: neighbours found, counted, and the lattice extended.

The board may be cut by the picture's edge, be covered in part, or have a field without squares (a
code, a hand): whatever corners form one connected lattice are used.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .corners import Corners, refine_saddles

__all__ = ["Lattice", "grow_lattice", "normalised"]

Array = NDArray[np.float64]
Lattice = dict[tuple[int, int], tuple[float, float]]
"""Pixels (u, v) of the corner in column i and row j; the origin is arbitrary."""

_DIRECTION = 0.40  # radians between an edge and the way to the next corner
_POLARITY = 0.55  # radians by which neighbouring corners may miss a quarter turn of each other
_NEAR = 0.22  # of a square: how far a corner may lie from where its neighbours expect it
_REACH = 3  # squares from which a corner is predicted
_MAX_SEEDS = 30
_STEPS = ((1, 0), (-1, 0), (0, 1), (0, -1))


def grow_lattice(image: NDArray[Any], corners: Corners, least: int = 9) -> Lattice:
    """The largest lattice among the corners.

    Args:
        image: (H, W) float32, smoothed at the scale of the corners.
        corners: candidates.
        least: a smaller lattice is none.

    Returns:
        The lattice; empty if there is none. Its axes are right-handed in the picture (column to
        row turns as x to y does).
    """
    best: Lattice = {}
    used: set[int] = set()
    tries = 0
    for cross in _crosses(corners, _links(corners)):
        if used & set(cross.values()):
            continue
        if tries >= (_MAX_SEEDS if len(best) < 2 * least else _MAX_SEEDS // 4):
            break
        tries += 1
        lattice, members = _extend(image, corners, cross)
        lattice = _without_outliers(lattice)
        if len(lattice) >= least:
            used |= members
        if len(lattice) > len(best):
            best = lattice
    if len(best) < least or min(_extent(best)) < 2:
        return {}
    return normalised(_without_stubs(best))


def _without_stubs(lattice: Lattice) -> Lattice:
    """Without outer lines of one or two corners beside long ones: mostly the rim of the board."""
    lattice = dict(lattice)
    while True:
        for axis in (0, 1):
            counts = Counter(cell[axis] for cell in lattice)
            for line, inner in (
                (min(counts), min(counts) + 1),
                (max(counts), max(counts) - 1),
            ):
                if counts[line] <= 2 and counts[line] <= 0.4 * counts[inner]:
                    lattice = {c: p for c, p in lattice.items() if c[axis] != line}
                    break
            else:
                continue
            break
        else:
            return lattice


def _crosses(corners: Corners, links: NDArray[np.int64]) -> list[dict[tuple[int, int], int]]:
    """Corners with four neighbours around them at like distances, the most regular first."""
    found = []
    for k in np.nonzero((links >= 0).all(1))[0]:
        arms = corners.points[links[k]] - corners.points[k]
        lengths = np.linalg.norm(arms, axis=1)
        if len(set(links[k])) < 4:
            continue
        bend = np.linalg.norm(arms[0] + arms[1]) / lengths[:2].sum()
        bend += np.linalg.norm(arms[2] + arms[3]) / lengths[2:].sum()
        if bend > 0.5 or lengths.max() > 4 * lengths.min():
            continue
        strengths = corners.strength[[k, *links[k]]]
        even = float(strengths.min() / strengths.max())
        cross = {(0, 0): int(k)}
        cross |= {step: int(links[k, slot]) for slot, step in enumerate(_STEPS)}
        found.append((bend + 0.3 * (1 - even), cross))
    return [cross for _, cross in sorted(found, key=lambda pair: pair[0])]


def _links(corners: Corners) -> NDArray[np.int64]:
    """(N, 4) the next corner along +edge 0, -edge 0, +edge 1, -edge 1; -1 if there is none.

    Only mutual links are kept: the corner there leads back along one of its own edges.
    """
    n = len(corners)
    links = np.full((n, 4), -1, np.int64)
    if n < 4:
        return links
    delta = corners.points[None] - corners.points[:, None]
    distance = np.linalg.norm(delta, axis=2)
    np.fill_diagonal(distance, np.inf)
    turn = np.abs(corners.bright[None] - corners.bright[:, None]) % np.pi
    quarter = np.abs(np.minimum(turn, np.pi - turn) - np.pi / 2) < _POLARITY
    heading = np.arctan2(delta[..., 1], delta[..., 0])
    for slot in range(4):
        way = corners.edges[:, slot // 2] + np.pi * (slot % 2)
        off = np.abs(np.angle(np.exp(1j * (heading - way[:, None]))))
        # Straight ahead counts as nearer than aside.
        cost = np.where(quarter & (off < _DIRECTION), distance * (1 + 2 * off), np.inf)
        nearest = cost.argmin(1)
        links[:, slot] = np.where(np.isfinite(cost.min(1)), nearest, -1)
    for k in range(n):
        for slot in range(4):
            other = links[k, slot]
            if other >= 0 and k not in links[other]:
                links[k, slot] = -1
    return links


def _extent(lattice: Lattice) -> tuple[int, int]:
    """(columns, rows) of the bounding box."""
    cells = np.array(list(lattice))
    columns, rows = cells.max(0) - cells.min(0) + 1
    return int(columns), int(rows)


def _predict(lattice: Lattice, cell: tuple[int, int]) -> tuple[Array, float] | None:
    """Where the neighbours expect a corner, and how long a square is there, in pixels.

    The corner itself, if it is in the lattice, is not asked.
    """
    near = [
        (max(abs(a), abs(b)) + 0.1 * (abs(a) + abs(b)), a, b)
        for a in range(-_REACH, _REACH + 1)
        for b in range(-_REACH, _REACH + 1)
        if (a or b) and (cell[0] + a, cell[1] + b) in lattice
    ]
    near.sort()
    near = near[:10]
    if len(near) < 5 or near[0][0] > 2.5:
        return None
    d = np.array([(a, b) for _, a, b in near], dtype=np.float64)
    if min(np.ptp(d, axis=0)) < 1:
        return None
    pixels = np.array([lattice[cell[0] + a, cell[1] + b] for _, a, b in near])
    weight = 1 / (0.3 + np.abs(d).sum(1))[:, None]
    # An affine map, and its change with one bilinear term: enough over two squares.
    terms = [np.ones(len(d)), d[:, 0], d[:, 1]]
    if len(d) >= 8:
        terms.append(d[:, 0] * d[:, 1])
    design = np.column_stack(terms)
    solution = np.linalg.lstsq(design * weight, pixels * weight, rcond=1e-6)[0]
    length = float(np.sqrt(abs(np.linalg.det(solution[1:3]))))
    return solution[0], max(length, 1e-6)


def _extend(
    image: NDArray[Any],
    corners: Corners,
    members: dict[tuple[int, int], int],
) -> tuple[Lattice, set[int]]:
    """The lattice that grows around a cross: candidates, and corners too weak to be candidates.

    Returns:
        The lattice, and the candidates that it took.
    """
    lattice = {cell: (corners.points[k, 0], corners.points[k, 1]) for cell, k in members.items()}
    bright = {cell: float(corners.bright[k]) for cell, k in members.items()}
    used = set(members.values())
    height, width = image.shape
    tried: dict[tuple[int, int], int] = {}
    for _ in range(60):
        rim = {
            (i + a, j + b) for i, j in lattice for a, b in _STEPS if (i + a, j + b) not in lattice
        }
        added = False
        for cell in sorted(rim, key=lambda c: (-_neighbours(lattice, c), c)):
            support = _support(lattice, cell)
            if tried.get(cell, -1) >= support:
                continue  # nothing new around it since it was refused
            tried[cell] = support
            expected = _predict(lattice, cell)
            if expected is None:
                continue
            place, length = expected
            if not (2 < place[0] < width - 3 and 2 < place[1] < height - 3):
                continue
            polarity = _polarity(bright, cell)
            gaps = np.linalg.norm(corners.points - place, axis=1)
            k = int(gaps.argmin())
            if (
                gaps[k] < _NEAR * length
                and k not in used
                and _apart(float(corners.bright[k]), polarity) < _POLARITY
            ):
                point, angle = corners.points[k], float(corners.bright[k])
                used.add(k)
            else:
                refined, good, angles = refine_saddles(image, place[None], np.array([0.3 * length]))
                point, angle = refined[0], float(angles[0])
                if (
                    not good[0]
                    or np.linalg.norm(point - place) > 0.6 * _NEAR * length
                    or _apart(angle, polarity) > 0.6 * _POLARITY
                ):
                    continue
            if not _is_corner(image, point, length, polarity):
                continue
            lattice[cell] = (float(point[0]), float(point[1]))
            bright[cell] = angle
            added = True
        if not added:
            break
    return lattice, used


def _support(lattice: Lattice, cell: tuple[int, int]) -> int:
    return sum((cell[0] + a, cell[1] + b) in lattice for a in (-1, 0, 1) for b in (-1, 0, 1))


def _is_corner(image: NDArray[Any], point: Array, length: float, polarity: float) -> bool:
    """Four squares around the point: bright along ``polarity`` and dark across, clearly."""
    angles = polarity + np.arange(4) * np.pi / 2
    values = []
    for radius in (0.3, 0.45):
        u = np.round(point[0] + radius * length * np.cos(angles)).astype(int)
        v = np.round(point[1] + radius * length * np.sin(angles)).astype(int)
        if u.min() < 0 or v.min() < 0 or u.max() >= image.shape[1] or v.max() >= image.shape[0]:
            return False
        values.append(image[v, u])
    level = np.mean(values, axis=0)
    step = min(level[0], level[2]) - max(level[1], level[3])
    return bool(step > 0.25 * (level.max() - level.min()) and step > 0)


def _neighbours(lattice: Lattice, cell: tuple[int, int]) -> int:
    return sum((cell[0] + a, cell[1] + b) in lattice for a, b in _STEPS)


def _polarity(bright: dict[tuple[int, int], float], cell: tuple[int, int]) -> float:
    """Direction of the bright squares that a corner in ``cell`` must have, from those near it."""
    total = 0j
    for a in range(-2, 3):
        for b in range(-2, 3):
            angle = bright.get((cell[0] + a, cell[1] + b))
            if angle is not None:
                weight = 1 / (1 + abs(a) + abs(b))
                total += weight * np.exp(2j * (angle + (a + b) % 2 * np.pi / 2))
    return float(np.angle(total) / 2)


def _apart(a: float, b: float) -> float:
    d = abs(a - b) % np.pi
    return min(d, np.pi - d)


def _without_outliers(lattice: Lattice) -> Lattice:
    """Without corners that lie off the line of their neighbours, and what then hangs loose."""
    lattice = dict(lattice)
    off = {cell: _off(lattice, cell) for cell in lattice}
    while off:
        cell = max(off, key=lambda c: off[c])
        if off[cell] < 1.2 * _NEAR:
            break
        del lattice[cell], off[cell]
        for a in range(-_REACH, _REACH + 1):
            for b in range(-_REACH, _REACH + 1):
                near = (cell[0] + a, cell[1] + b)
                if near in lattice:
                    off[near] = _off(lattice, near)
    while True:
        loose = [cell for cell in lattice if _neighbours(lattice, cell) < 2]
        if not loose:
            return _largest_part(lattice)
        for cell in loose:
            del lattice[cell]


def _off(lattice: Lattice, cell: tuple[int, int]) -> float:
    """Distance of a corner from where its neighbours expect it, in squares; 0 if they are few."""
    expected = _predict(lattice, cell)
    if expected is None:
        return 0.0
    return float(np.linalg.norm(np.array(lattice[cell]) - expected[0])) / expected[1]


def _largest_part(lattice: Lattice) -> Lattice:
    left = set(lattice)
    best: set[tuple[int, int]] = set()
    while left:
        part = {left.pop()}
        queue = deque(part)
        while queue:
            i, j = queue.popleft()
            for a, b in _STEPS:
                if (i + a, j + b) in left:
                    left.discard((i + a, j + b))
                    part.add((i + a, j + b))
                    queue.append((i + a, j + b))
        if len(part) > len(best):
            best = part
    return {cell: lattice[cell] for cell in best}


def normalised(lattice: Lattice) -> Lattice:
    """Cells from (0, 0); columns along +x of the picture as far as possible, rows then along +y."""
    cells = np.array(list(lattice), dtype=np.float64)
    pixels = np.array(list(lattice.values()))
    design = np.column_stack([cells, np.ones(len(cells))])
    axes = np.linalg.lstsq(design, pixels, rcond=None)[0][:2]
    turned = cells.astype(int)
    if np.linalg.det(axes) < 0:
        turned[:, 1] *= -1
        axes[1] *= -1
    # Quarter turns keep the handedness: choose the one with the columns most along +x.
    options = [(axes[0], (1, 0, 0, 1)), (axes[1], (0, 1, -1, 0))]
    options += [(-axes[0], (-1, 0, 0, -1)), (-axes[1], (0, -1, 1, 0))]
    a, b, c, d = max(options, key=lambda option: option[0][0])[1]
    turned = np.column_stack(
        [a * turned[:, 0] + b * turned[:, 1], c * turned[:, 0] + d * turned[:, 1]]
    )
    turned -= turned.min(0)
    return {
        (int(i), int(j)): (float(u), float(v))
        for (i, j), (u, v) in zip(turned, pixels, strict=True)
    }
