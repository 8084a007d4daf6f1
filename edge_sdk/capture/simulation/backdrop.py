"""The still part of a picture, drawn once per camera by casting a ray through every pixel."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_sdk.capture.simulation.geometry import View
from edge_sdk.capture.simulation.layout import Place
from edge_sdk.capture.simulation.light import counts
from edge_sdk.capture.simulation.materials import Array, Patch, Surface
from edge_sdk.capture.simulation.sky import FAR_M, draw_sky

__all__ = ["Backdrop", "cast"]

_SUPER = 2
"""Rays per pixel in each direction; their mean is the pixel."""


@dataclass(frozen=True, eq=False)
class Backdrop:
    """What a view sees of everything that stands still.

    Attributes:
        visible: (H, W, 3) uint8 BGR; None if only the infrared was asked for.
        infrared: (H, W) float32 counts; None if only the visible was asked for.
        depth: (H, W) float32 metres along the optical axis; ``FAR_M`` for the sky.
        occluder: (H, W) float32, the same, but infinite on the ground: what stands on the ground
            is not hidden by it.
        ground: (H, W) uint8, 255 where the ground is seen, 0 elsewhere.
    """

    visible: NDArray[np.uint8] | None
    infrared: Array | None
    depth: Array
    occluder: Array
    ground: NDArray[np.uint8]


def cast(place: Place, view: View, *, visible: bool, infrared: bool) -> Backdrop:
    """Draw ``place`` as ``view`` sees it."""
    width, height = view.size
    grey = np.empty((height, width, 3), np.uint8) if visible else None
    heat = np.empty((height, width), np.float32) if infrared else None
    depth = np.empty((height, width), np.float32)
    ground = np.empty((height, width), np.uint8)
    columns = _fine(0, width)
    # Bands of rows keep the working set small, whatever the size of the picture.
    for top in range(0, height, 64):
        bottom = min(height, top + 64)
        band = _Band(place, view, columns, _fine(top, bottom))
        for number, surface in enumerate(place.surfaces):
            band.add(surface, number)
        rows = slice(top, bottom)
        size = (width, bottom - top)
        if grey is not None:
            shown = cv2.resize(np.clip(band.grey, 0, 255), size, interpolation=cv2.INTER_AREA)
            grey[rows] = np.rint(shown).astype(np.uint8)
        if heat is not None:
            heat[rows] = cv2.resize(band.heat, size, interpolation=cv2.INTER_AREA)
        depth[rows] = band.depth[_SUPER // 2 :: _SUPER, _SUPER // 2 :: _SUPER]
        floor = (band.number == 0).astype(np.uint8) * np.uint8(255)
        ground[rows] = cv2.resize(floor, size, interpolation=cv2.INTER_AREA)
    occluder = np.where(ground > 127, np.float32(np.inf), depth)
    return Backdrop(grey, heat, depth, occluder, ground)


def _fine(start: int, stop: int) -> NDArray[np.float64]:
    """Pixel coordinates of the rays of pixels ``start`` to ``stop``."""
    count = (stop - start) * _SUPER
    return start - 0.5 + (np.arange(count) + 0.5) / _SUPER


class _Band:
    """A few rows of the picture while the surfaces are added, in any order."""

    def __init__(
        self,
        place: Place,
        view: View,
        columns: NDArray[np.float64],
        rows: NDArray[np.float64],
    ) -> None:
        self._place = place
        self._view = view
        self._columns = columns
        self._rows = rows
        self._rays = view.rays(columns, rows).astype(np.float32)
        self.depth = np.full(self._rays.shape[:2], FAR_M, np.float32)
        self.number = np.full(self._rays.shape[:2], -1, np.int16)
        self.grey, celsius = draw_sky(place, self._rays)
        self.heat = counts(celsius).astype(np.float32)

    def add(self, surface: Surface, number: int) -> None:
        window = self._window(surface)
        if window is None:
            return
        rays = self._rays[window]
        normal = np.asarray(surface.normal, np.float32)
        origin = np.asarray(surface.origin, np.float32)
        centre = np.asarray(self._view.centre, np.float32)
        facing = rays @ normal
        with np.errstate(divide="ignore", invalid="ignore"):
            away = np.float32((origin - centre) @ normal) / facing
        hit = (facing < -1e-6) & (away > 0.05) & (away < self.depth[window])
        if not hit.any():
            return
        distance = away[hit]
        points = centre + rays[hit] * distance[:, None]
        local = points - origin
        u = local @ np.asarray(surface.right, np.float32)
        v = local @ np.asarray(surface.rise, np.float32)
        inside = (u >= 0) & (u < surface.size[0]) & (v >= 0) & (v < surface.size[1])
        if not inside.any():
            return
        hit[hit] = inside
        distance, points = distance[inside], points[inside]
        footprint = distance / np.float32(self._view.matrix[0, 0])
        patch = Patch(u[inside], v[inside], points, footprint)
        paint = surface.paint(patch)
        solid = np.ones(distance.size, bool) if paint.solid is None else paint.solid
        hit[hit] = solid
        normals = np.broadcast_to(normal, points.shape) if paint.normal is None else paint.normal
        light = self._place.light
        radiance = paint.albedo * light.on(points, normals, paint.sunlit).astype(np.float32)
        if paint.glow is not None:
            radiance = radiance + paint.glow
        self.grey[window][hit] = light.grey(radiance, distance)[solid]
        self.heat[window][hit] = counts(paint.celsius)[solid]
        self.depth[window][hit] = distance[solid]
        self.number[window][hit] = number

    def _window(self, surface: Surface) -> tuple[slice, slice] | None:
        """Rows and columns of the band that the surface can reach."""
        origin = np.asarray(surface.origin, np.float64)
        right = np.asarray(surface.right) * surface.size[0]
        rise = np.asarray(surface.rise) * surface.size[1]
        corners = np.stack([origin, origin + right, origin + rise, origin + right + rise])
        pixels, depth = self._view.project(corners)
        if depth.min() < 0.2:
            return slice(0, len(self._rows)), slice(0, len(self._columns))
        low, high = pixels.min(axis=0) - 1.0, pixels.max(axis=0) + 1.0
        left, stop = np.searchsorted(self._columns, (low[0], high[0]))
        top, end = np.searchsorted(self._rows, (low[1], high[1]))
        if left == stop or top == end:
            return None
        return slice(int(top), int(end)), slice(int(left), int(stop))
