"""Meshes into pictures: smooth polygons, depth tests, shadows and halos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_sdk.capture.simulation.geometry import View
from edge_sdk.capture.simulation.mesh import Mesh

__all__ = ["Cutout", "add_halo", "paste", "rasterise", "shade_ground", "silhouette"]

_SHIFT = 4
_MAX_CELLS = 250_000
"""A cutout is drawn at three times its size, or at twice if that would exceed so many cells."""


@dataclass(frozen=True, eq=False)
class Cutout:
    """A mesh as a view sees it, cut out of an otherwise empty picture.

    Attributes:
        top, left: where in the picture the cutout belongs.
        colour: (h, w, C) float32, already multiplied by ``alpha``.
        alpha: (h, w) float32, share of each pixel that the mesh covers.
    """

    top: int
    left: int
    colour: NDArray[np.float32]
    alpha: NDArray[np.float32]

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the picture."""
        height, width = self.alpha.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)


def rasterise(
    mesh: Mesh, view: View, colours: NDArray[np.floating], cloth: NDArray[np.float32] | None
) -> Cutout | None:
    """Draw the polygons of a mesh in their order; None if the view does not see it.

    Args:
        mesh: what to draw.
        view: who looks.
        colours: (P, C) one value of C channels per polygon, C = 1 or 3.
        cloth: (h, w) float32 texture around 1 that multiplies 3-channel colours, and a hundredth of
            whose deviation is applied to counts; None for none.
    """
    pixels, depth = view.project(mesh.points)
    if depth.min() < 0.3:
        return None
    box = _box(pixels, view.size, margin=1)
    if box is None:
        return None
    left, top, width, height = box
    scale = 3 if width * height * 9 <= _MAX_CELLS else 2
    fine = ((pixels - (left, top) + 0.5) * scale - 0.5) * (1 << _SHIFT)
    corners = np.rint(fine).astype(np.int32)
    ends = mesh.starts.tolist()
    values = colours.tolist()

    channels = colours.shape[1]
    full = 255.0 if channels == 3 else 1.0
    kind = np.uint8 if channels == 3 else np.float32
    canvas: NDArray[Any] = np.zeros((height * scale, width * scale, channels + 1), kind)
    for first, last, value in zip(ends[:-1], ends[1:], values, strict=True):
        part = corners[first:last]
        value.append(full)
        cv2.fillConvexPoly(canvas, part, value, cv2.LINE_8, _SHIFT)
    small = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
    soft_m = mesh.soft_m if channels == 3 else mesh.heat_soft_m
    size = 2 * round(soft_m * view.matrix[0, 0] / float(depth.mean()) / 2.0) + 1
    if size >= 3:
        small = cv2.blur(small, (size, size), borderType=cv2.BORDER_REPLICATE)
    picture = small.astype(np.float32)
    alpha = picture[..., channels] * np.float32(1.0 / full)
    colour = picture[..., :channels]
    if cloth is not None and mesh.cloth > 0.0:
        _weave(mesh, cloth, colour, alpha)
    return Cutout(top, left, colour, alpha)


def _weave(
    mesh: Mesh,
    cloth: NDArray[np.float32],
    colour: NDArray[np.float32],
    alpha: NDArray[np.float32],
) -> None:
    """Wrinkles: a piece of texture that belongs to the mesh, as large as its cutout."""
    rows, columns = cloth.shape
    top = (mesh.texture * 37) % (rows // 2)
    left = (mesh.texture * 53) % (columns // 2)
    tall = rows // 2
    wide = max(8, min(columns // 2, tall * alpha.shape[1] // alpha.shape[0]))
    piece = cloth[top : top + tall, left : left + wide]
    folds = cv2.resize(piece, (alpha.shape[1], alpha.shape[0]), interpolation=cv2.INTER_AREA)
    if colour.shape[2] == 3:
        colour *= (1.0 + (0.26 * mesh.cloth) * folds)[..., None]
    else:
        # The same folds, in kelvin: where cloth stands off the body it is cooler.
        colour[..., 0] += (110.0 * mesh.cloth) * folds * alpha


def paste(picture: NDArray[Any], depth: NDArray[np.float32], cutout: Cutout, at_m: float) -> None:
    """Blend a cutout that stands at depth ``at_m`` into a picture, behind what is nearer.

    Args:
        picture: (H, W, 3) uint8 or (H, W) float32; changed.
        depth: (H, W) float32 depths of the still things that can hide it.
        cutout: what to blend in.
        at_m: its depth in metres.
    """
    window = cutout.window
    seen = (depth[window] > at_m).astype(np.float32)
    there = picture[window]
    keep = 1.0 - cutout.alpha * seen
    if there.ndim == 3:
        mixed = there * keep[..., None]
        mixed += cutout.colour * seen[..., None]
        np.minimum(mixed, 255.0, out=mixed)
        there[...] = mixed
    else:
        there *= keep
        there += cutout.colour[..., 0] * seen


def silhouette(mesh: Mesh, view: View, window: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """Pixels of ``window`` (left, top, width, height) that the mesh covers, 1 or 0.

    The window may reach beyond the view's canvas.
    """
    pixels, _ = view.project(mesh.points)
    left, top, width, height = window
    mask = np.zeros((height, width), np.uint8)
    corners = np.rint((pixels - (left, top)) * (1 << _SHIFT)).astype(np.int32)
    for polygon in range(len(mesh.starts) - 1):
        part = corners[mesh.starts[polygon] : mesh.starts[polygon + 1]]
        cv2.fillConvexPoly(mask, part, 1, cv2.LINE_8, _SHIFT)
    return mask


def shade_ground(
    picture: NDArray[Any],
    ground: NDArray[np.uint8],
    view: View,
    footprint: NDArray[np.float64],
    starts: NDArray[np.int64],
    blur_m: float,
    amount: float,
) -> None:
    """Darken (or warm) the ground under polygons that lie on it.

    Args:
        picture: (H, W, 3) uint8, multiplied by ``1 - amount`` (a negative amount brightens, up
            to fourfold); or (H, W) float32, to which ``amount`` is added. Changed.
        ground: (H, W) uint8, 255 where the ground is seen.
        view: who looks.
        footprint: (N, 3) corners on the ground, polygon p being ``starts[p]:starts[p + 1]``.
        starts: (P + 1,) see above.
        blur_m: softness of the edge.
        amount: see ``picture``.
    """
    pixels, depth = view.project(footprint)
    if depth.min() < 0.5:
        return
    blur = blur_m * view.matrix[0, 0] / float(depth.mean())
    box = _box(pixels, view.size, margin=2 + int(2.0 * blur))
    if box is None:
        return
    left, top, width, height = box
    mask: NDArray[Any] = np.zeros((height, width), np.uint8)
    corners = np.rint((pixels - (left, top)) * (1 << _SHIFT)).astype(np.int32)
    for polygon in range(len(starts) - 1):
        part = corners[starts[polygon] : starts[polygon + 1]]
        cv2.fillConvexPoly(mask, part, 255, cv2.LINE_8, _SHIFT)
    size = 2 * int(blur) + 3
    mask = cv2.blur(cv2.blur(mask, (size, size // 2 | 1)), (size, size // 2 | 1))
    window = slice(top, top + height), slice(left, left + width)
    weight = cv2.multiply(mask, ground[window], scale=1.0 / 255.0)
    there = picture[window]
    if there.ndim == 3:
        keep = cv2.LUT(weight, _keep_table(amount))
        there[...] = cv2.multiply(there, cv2.merge([keep, keep, keep]), scale=1.0 / 64.0)
    else:
        there += weight * np.float32(amount / 255.0)


def _keep_table(amount: float) -> NDArray[np.uint8]:
    levels = 64.0 * (1.0 - amount * np.arange(256) / 255.0)
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)


def add_halo(
    picture: NDArray[np.uint8],
    tile: NDArray[np.float32],
    centre: tuple[float, float],
    radius: float,
    colour: tuple[float, float, float],
) -> None:
    """Add light around a lamp: ``tile`` (S, S) of ``radius`` pixels, times BGR ``colour``."""
    height, width = picture.shape[:2]
    left, top = max(0, int(centre[0] - radius)), max(0, int(centre[1] - radius))
    right = min(width, int(centre[0] + radius) + 1)
    bottom = min(height, int(centre[1] + radius) + 1)
    if left >= right or top >= bottom:
        return
    scale = tile.shape[0] / (2.0 * radius)
    matrix = np.array(
        [
            [scale, 0.0, (left - centre[0] + radius) * scale],
            [0.0, scale, (top - centre[1] + radius) * scale],
        ]
    )
    light = cv2.warpAffine(
        tile, matrix, (right - left, bottom - top), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    )
    layers = [cv2.convertScaleAbs(light, alpha=255.0 * channel) for channel in colour]
    there = picture[top:bottom, left:right]
    there[...] = cv2.add(there, cv2.merge(layers))


def _box(
    pixels: NDArray[np.float64], size: tuple[int, int], margin: int
) -> tuple[int, int, int, int] | None:
    """(left, top, width, height) of the points, cut to the canvas; None if nothing is left."""
    low = np.floor(pixels.min(axis=0)).astype(int) - margin
    high = np.ceil(pixels.max(axis=0)).astype(int) + margin + 1
    left, top = max(0, int(low[0])), max(0, int(low[1]))
    right, bottom = min(size[0], int(high[0])), min(size[1], int(high[1]))
    if left >= right or top >= bottom:
        return None
    return left, top, right - left, bottom - top
