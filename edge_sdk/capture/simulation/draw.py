"""Meshes into pictures: smooth polygons, depth tests, shadows and halos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_sdk.capture.simulation.geometry import View
from edge_sdk.capture.simulation.mesh import Mesh
from edge_sdk.capture.simulation.scratch import Scratch

__all__ = ["Cutout", "Fabric", "add_halo", "paste", "rasterise", "shade_ground", "silhouette"]

_SHIFT = 4
_SCRATCH = Scratch()
_FINE_PX = 10_000
"""A cutout is drawn at four times its size, or at twice if it has more pixels than this."""


class Fabric:
    """Wrinkles of cloth, the same ones in the light and in the heat.

    Args:
        folds: (S, S) float32 noise, mean 0, standard deviation 1.
    """

    def __init__(self, folds: NDArray[np.float32]) -> None:
        light = np.clip(np.rint(128.0 * (1.0 + 0.13 * folds)), 0, 255).astype(np.uint8)
        self._light = cv2.merge([light, light, light])
        # Counts: where cloth stands off the body it is cooler.
        self._heat = folds * np.float32(55.0)

    def weave(self, cutout: Cutout, piece: int) -> None:
        """Texture a cutout with piece number ``piece`` of the cloth, as large as the cutout."""
        height, width = cutout.alpha.shape
        tile: NDArray[Any] = self._light if cutout.colour.ndim == 3 else self._heat
        half = tile.shape[0] // 2
        top, left = (piece * 37) % half, (piece * 53) % half
        wide = max(8, min(half, half * width // height))
        part = tile[top : top + half, left : left + wide]
        folds = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA)
        if cutout.colour.ndim == 3:
            cv2.multiply(cutout.colour, folds, cutout.colour, scale=1.0 / 128.0)
        else:
            cv2.accumulateProduct(folds, cutout.alpha, cutout.colour)


@dataclass(frozen=True, eq=False)
class Cutout:
    """A mesh as a view sees it, cut out of an otherwise empty picture.

    Attributes:
        top, left: where in the picture the cutout belongs.
        colour: (h, w, 3) uint8 or (h, w) float32 counts, already multiplied by the share of each
            pixel that the mesh covers.
        alpha: (h, w) that share: uint8, 255 for all of it; or float32, 1 for all of it.
    """

    top: int
    left: int
    colour: NDArray[Any]
    alpha: NDArray[Any]

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the picture."""
        height, width = self.alpha.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)


def rasterise(
    mesh: Mesh, view: View, colours: NDArray[np.floating], fabric: Fabric
) -> Cutout | None:
    """Draw the polygons of a mesh in their order; None if the view does not see it.

    Args:
        mesh: what to draw.
        view: who looks.
        colours: (P, 3) grey levels 0 to 255 or (P, 1) counts, one row per polygon.
        fabric: what clothes are made of.
    """
    pixels, depth = view.project(mesh.points)
    if depth.min() < 0.3:
        return None
    box = _box(pixels, view.size, margin=1)
    if box is None:
        return None
    left, top, width, height = box
    scale = 4 if width * height <= _FINE_PX else 2
    fine = ((pixels - (left, top) + 0.5) * scale - 0.5) * (1 << _SHIFT)
    corners = np.rint(fine).astype(np.int32)
    ends = mesh.starts.tolist()
    values = colours.tolist()

    channels = colours.shape[1]
    full, kind = (255.0, np.uint8) if channels == 3 else (65535.0, np.uint16)
    # Four channels, used or not, and halving: these are the cases that OpenCV has fast code for.
    canvas = _SCRATCH.take("canvas", (height * scale, width * scale, 4), kind)
    canvas.fill(0)
    for first, last, value in zip(ends[:-1], ends[1:], values, strict=True):
        value.append(full)
        cv2.fillConvexPoly(canvas, corners[first:last], value, cv2.LINE_8, _SHIFT)
    small = canvas
    while scale > 1:
        scale //= 2
        small = cv2.resize(small, (width * scale, height * scale), interpolation=cv2.INTER_AREA)
    soft_m = mesh.soft_m if channels == 3 else mesh.heat_soft_m
    size = 2 * round(soft_m * view.matrix[0, 0] / float(depth.mean()) / 2.0) + 1
    if size >= 3:
        small = cv2.blur(small, (size, size), borderType=cv2.BORDER_REPLICATE)
    if channels == 3:
        alpha = cv2.extractChannel(small, 3)
        cutout = Cutout(top, left, cv2.cvtColor(small, cv2.COLOR_BGRA2BGR), alpha)
    else:
        share = small[..., 1] * np.float32(1.0 / full)
        cutout = Cutout(top, left, small[..., 0].astype(np.float32), share)
    if mesh.cloth:
        fabric.weave(cutout, mesh.texture)
    return cutout


def paste(picture: NDArray[Any], depth: NDArray[np.float32], cutout: Cutout, at_m: float) -> None:
    """Blend a cutout that stands at depth ``at_m`` into a picture, behind what is nearer.

    Args:
        picture: (H, W, 3) uint8 or (H, W) float32; changed.
        depth: (H, W) float32 depths of the still things that can hide it.
        cutout: what to blend in.
        at_m: its depth in metres.
    """
    seen = depth[cutout.window] > at_m
    there = picture[cutout.window]
    colour, alpha = cutout.colour, cutout.alpha
    if not seen.all():
        alpha = alpha * seen
        colour = colour * (seen[..., None] if colour.ndim == 3 else seen)
    if there.ndim == 3:
        keep = cv2.bitwise_not(alpha)
        cv2.multiply(there, cv2.merge([keep, keep, keep]), there, scale=1.0 / 255.0)
        cv2.add(there, colour, there)
    else:
        there *= 1.0 - alpha
        there += colour


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
