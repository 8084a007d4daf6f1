"""Checkerboards: OpenCV's sector-based detector first, then our own, which needs no whole board."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .corners import find_corners, refine_saddles
from .grid import Lattice, grow_lattice, normalised
from .observation import Observation
from .prepare import grey, preparations, to_8_bit
from .subpixel import fit_corners
from .target import Target

__all__ = ["edge_width_px", "find_checkerboard"]

Float = NDArray[Any]  # (H, W) float32
_SCALES = (1.0, 1.5, 2.2, 3.2, 4.8)
_UNSURE = 0.7  # standard deviation of a corner in pixels above which it is left out
_LARGEST = 1600  # pixels of the longer side in which corners are looked for
_PLENTY = 48  # corners after which no further preparation is tried
_ENOUGH = 12  # corners that a view must have to be of use


def find_checkerboard(
    image: NDArray, target: Target, name: str, partial: bool = True
) -> Observation | str:
    """A checkerboard in a picture.

    Args:
        image: (H, W) or (H, W, 3), 8 or 16 bit; bright and dark squares may be exchanged.
        target: its size may be unknown.
        name: of the picture.
        partial: accept a board that is cut by the edge or covered in part.

    Returns:
        The observation, or the reason why there is none.
    """
    picture = grey(image)
    best: Lattice = {}
    method = ""
    size = target.size
    # Corners are looked for in a picture of bounded size, and placed in the original.
    shrink = min(1.0, _LARGEST / max(picture.shape))
    smaller = picture
    if shrink < 1:
        smaller = cv2.resize(picture, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    for step, scale, prepared in preparations(smaller):
        scale *= shrink
        if size is not None:
            found = _sector_based(prepared, size)
            if found:
                best, method = _scaled(found, scale), _named("sector-based", step)
                break
        lattice = _lattice(prepared)
        if len(lattice) > len(best):
            best, method = _scaled(lattice, scale), _named("saddle lattice", step)
        enough = _PLENTY if not step else 2 * _ENOUGH
        if best and (_is_whole(best, size) or len(best) >= enough):
            break
    best = _refined(picture, best) if best else best
    if not best:
        return "no board found"
    if len(best) < min(_ENOUGH, 10**9 if size is None else size[0] * size[1]):
        return f"only {len(best)} corners found, {_ENOUGH} are needed"
    cells = np.array(list(best), dtype=np.int64)
    pixels = np.array(list(best.values()))
    observation = Observation(
        name,
        (picture.shape[1], picture.shape[0]),
        pixels,
        cells,
        _is_whole(best, size),
        method,
        edge_width_px(picture, best),
    )
    if size is not None:
        columns, rows = observation.extent
        if not (columns <= size[0] and rows <= size[1]) and not (
            columns <= size[1] and rows <= size[0]
        ):
            return (
                f"a board of {columns}x{rows} inner corners or more was found, not "
                f"{size[0]}x{size[1]}"
            )
        if not observation.complete and not partial:
            return f"only {len(best)} of {size[0] * size[1]} corners found"
    return observation


def _named(detector: str, step: str) -> str:
    return f"{detector} ({step})" if step else detector


def _sector_based(image: Float, size: tuple[int, int]) -> Lattice:
    """Duda and Frese, "Accurate detection and localization of checkerboard corners for
    calibration", 2018, as in OpenCV."""
    eight = to_8_bit(image)
    flags = cv2.CALIB_CB_EXHAUSTIVE | cv2.CALIB_CB_LARGER
    try:
        found, corners, meta = cv2.findChessboardCornersSBWithMeta(eight, size, flags)
    except cv2.error:
        return {}
    # A part of a larger board is another board: the lattice will tell which.
    if not found or corners is None or sorted(meta.shape[:2]) != sorted(size):
        return {}
    size = (meta.shape[1], meta.shape[0])
    points = corners.reshape(size[1], size[0], 2)
    return normalised(
        {
            (i, j): (float(points[j, i, 0]), float(points[j, i, 1]))
            for j in range(size[1])
            for i in range(size[0])
        }
    )


def _lattice(image: Float) -> Lattice:
    """The largest lattice over the scales."""
    best: Lattice = {}
    for sigma in _SCALES:
        if sigma * 40 > min(image.shape):
            break
        corners = find_corners(image, sigma)
        lattice = grow_lattice(cv2.GaussianBlur(image, (0, 0), 0.7 * sigma), corners)
        # A coarser scale must find more to be preferred: it places corners less exactly.
        if len(lattice) > len(best):
            best = lattice
        elif len(best) >= _PLENTY:
            break
    return best


def _scaled(lattice: Lattice, scale: float) -> Lattice:
    """Pixels of the original picture."""
    if scale == 1.0:
        return lattice
    return {
        cell: ((u + 0.5) / scale - 0.5, (v + 0.5) / scale - 0.5) for cell, (u, v) in lattice.items()
    }


def _is_whole(lattice: Lattice, size: tuple[int, int] | None) -> bool:
    """All corners are there, of the given size or, without one, of the lattice's own extent."""
    columns, rows = (int(n) + 1 for n in np.array(list(lattice)).max(0))
    if size is None:
        return len(lattice) == columns * rows
    return len(lattice) == size[0] * size[1] and sorted((columns, rows)) == sorted(size)


def _refined(image: Float, lattice: Lattice) -> Lattice:
    """Every corner fitted anew in the original picture, in a window that fits its squares."""
    cells, pixels = list(lattice), np.array(list(lattice.values()))
    spacing = _spacing(lattice)
    start, good, bright = refine_saddles(image, pixels, 0.25 * spacing)
    start = np.where(good[:, None], start, pixels)
    edges = _edges(lattice, bright)
    straight, _ = fit_corners(image, start, edges, 0.45 * spacing)
    placed = {c: (float(p[0]), float(p[1])) for c, p in zip(cells, straight, strict=True)}
    edges = _edges(placed, bright)
    refined, deviation = fit_corners(image, straight, edges, 0.45 * spacing, _bends(placed, edges))
    # One that ran away, or left the place that detection gave it, is no corner.
    off = np.linalg.norm(refined - pixels, axis=1)
    good = (deviation < _UNSURE) & (off < np.maximum(1.5, 0.25 * spacing))
    height, width = image.shape
    good &= (refined > 0).all(1) & (refined[:, 0] < width - 1) & (refined[:, 1] < height - 1)
    kept = {
        cell: (float(p[0]), float(p[1]))
        for cell, p, ok in zip(cells, refined, good, strict=True)
        if ok
    }
    return normalised(kept) if len(kept) >= 4 else {}


def _edges(lattice: Lattice, bright: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 2) directions of the edges through each corner, from its neighbours, radians."""
    edges = np.column_stack([bright + np.pi / 4, bright - np.pi / 4])
    for row, ((i, j), p) in enumerate(lattice.items()):
        for axis, (a, b) in enumerate(((1, 0), (0, 1))):
            ahead, back = lattice.get((i + a, j + b), p), lattice.get((i - a, j - b), p)
            if ahead != back:
                edges[row, axis] = np.arctan2(ahead[1] - back[1], ahead[0] - back[0])
    return edges


def _bends(lattice: Lattice, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 2) curvature of the edges through each corner, from the corners before and after it.

    A parabola through three corners; at the rim the one of the next corner inwards.
    """
    bends = np.zeros((len(lattice), 2))
    known = np.zeros((len(lattice), 2), bool)
    rows = {cell: row for row, cell in enumerate(lattice)}
    for (i, j), row in rows.items():
        for axis, (a, b) in enumerate(((1, 0), (0, 1))):
            ahead, back = lattice.get((i + a, j + b)), lattice.get((i - a, j - b))
            if ahead is None or back is None:
                continue
            angle = edges[row, axis]
            tangent = np.array([np.cos(angle), np.sin(angle)])
            normal = np.array([np.sin(angle), -np.cos(angle)])
            to, fro = np.subtract(ahead, lattice[i, j]), np.subtract(back, lattice[i, j])
            p, q = float(tangent @ to), float(tangent @ fro)
            if p * q >= 0:
                continue
            # Height of the chord over the corner is - bend p q / 2.
            height = (float(normal @ to) * -q + float(normal @ fro) * p) / (p - q)
            bends[row, axis] = -2 * height / (p * q)
            known[row, axis] = True
    for (i, j), row in rows.items():
        for axis, (a, b) in enumerate(((1, 0), (0, 1))):
            if known[row, axis]:
                continue
            for near in ((i + a, j + b), (i - a, j - b)):
                if near in rows and known[rows[near], axis]:
                    turned = np.cos(edges[row, axis] - edges[rows[near], axis])
                    bends[row, axis] = bends[rows[near], axis] * np.sign(turned)
    return bends


def _spacing(lattice: Lattice) -> NDArray[np.float64]:
    """(N,) distance to the nearest neighbour in the lattice, pixels."""
    found = []
    for (i, j), p in lattice.items():
        near = [
            np.hypot(p[0] - q[0], p[1] - q[1])
            for q in (lattice.get((i + a, j + b)) for a, b in ((1, 0), (-1, 0), (0, 1), (0, -1)))
            if q is not None
        ]
        found.append(min(near) if near else 10.0)
    return np.array(found)


def edge_width_px(image: Float, lattice: Lattice) -> float:
    """How wide the squares' edges are: contrast by steepest slope, upper quartile over the edges.

    An ideal edge blurred by a Gaussian of sigma has sigma * sqrt(2 pi). Motion blurs some edges
    and not others: the quartile sees it.
    """
    middles, normals = [], []
    for (i, j), p in lattice.items():
        for other in ((i + 1, j), (i, j + 1)):
            q = lattice.get(other)
            if q is not None:
                along = np.subtract(q, p)
                length = float(np.hypot(*along))
                middles.append((np.add(p, q)) / 2)
                normals.append(np.array([-along[1], along[0]]) / length * (0.4 * length))
    if not middles:
        return float("nan")
    centre, normal = np.array(middles), np.array(normals)
    steps = np.linspace(-1, 1, 33)
    x = (centre[:, :1] + normal[:, :1] * steps).astype(np.float32)
    y = (centre[:, 1:] + normal[:, 1:] * steps).astype(np.float32)
    profile = cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    profile = cv2.GaussianBlur(profile, (1, 1), 0).astype(np.float64)
    contrast = np.abs(profile[:, -6:].mean(1) - profile[:, :6].mean(1))
    pitch = np.linalg.norm(normal, axis=1) * (steps[1] - steps[0])
    # Slope over a chord of 4 samples: noise of single samples would look like sharpness.
    slope = np.abs(profile[:, 4:] - profile[:, :-4]).max(1) / (4 * pitch)
    usable = contrast > 0.3 * np.median(contrast)
    if not usable.any():
        return float("nan")
    return float(np.percentile(contrast[usable] / np.maximum(slope[usable], 1e-9), 75))
