"""What surfaces look like and how warm they are: colour and temperature from one texture.

Colour and temperature of a surface share the same noise and the same joints, with different
weights and signs: dark stone in the sun is warm, a mortar joint is dark and cool, glass shows the
cold sky. That is why the infrared picture is structurally related to the visible one without being
a copy of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_sdk.capture.simulation.light import Climate
from edge_sdk.capture.simulation.rand import fractal_tile, generator

__all__ = ["Array", "Mask", "Paint", "Patch", "Surface", "Textures", "sample", "srgb", "warmth"]

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Patch:
    """The visible points of one surface: coordinates on it, and metres per pixel there."""

    u: Array
    v: Array
    points: Array
    footprint: Array


@dataclass(frozen=True)
class Paint:
    """Colour and heat of a patch.

    Attributes:
        albedo: (N, 3) linear BGR reflectance, 0 to 1.
        celsius: (N,) apparent temperature.
        solid: (N,) bool, False where one looks through; None if it is solid everywhere.
        glow: (N, 3) linear BGR light that the surface emits; None if it emits none.
        normal: (N, 3) where the surface is not flat; None if it is.
        sunlit: (N,) share of the sun's light that arrives, 0 to 1; None for all of it.
    """

    albedo: Array
    celsius: Array
    solid: NDArray[np.bool_] | None = None
    glow: Array | None = None
    normal: Array | None = None
    sunlit: Array | None = None


@dataclass(frozen=True)
class Surface:
    """A flat rectangle in the scene: ``origin + u * right + v * rise``, painted by ``paint``."""

    origin: tuple[float, float, float]
    right: tuple[float, float, float]
    rise: tuple[float, float, float]
    size: tuple[float, float]
    normal: tuple[float, float, float]
    paint: Callable[[Patch], Paint]


class Textures:
    """Noise tiles that all materials of a scene are made of, sampled in metres."""

    _SIZE = 512

    def __init__(self, seed: int) -> None:
        self._fine = fractal_tile(self._SIZE, 0.7, generator(seed, 11))
        self._broad = fractal_tile(self._SIZE, 1.6, generator(seed, 12))

    def fine(self, u: Array, v: Array, metres: float, footprint: Array | None = None) -> Array:
        """Grain with features of about ``metres``; fades where a pixel covers more than that."""
        noise = self._sample(self._fine, u, v, metres * 64.0)
        if footprint is not None:
            noise = noise / (1.0 + (footprint / metres * 2.0) ** 2)
        return noise

    def broad(self, u: Array, v: Array, metres: float) -> Array:
        """Patches of about ``metres``."""
        return self._sample(self._broad, u, v, metres * 4.0)

    def cell(self, i: Array, j: Array, salt: int) -> Array:
        """A number in [0, 1) for each cell (i, j) of a grid."""
        word = (i.astype(np.int64) * 73856093) ^ (j.astype(np.int64) * 19349663) ^ (salt * 83492791)
        word = (word ^ (word >> 13)) * 1274126177 & 0xFFFFFFFF
        return ((word ^ (word >> 16)) & 0xFFFF).astype(np.float32) / np.float32(65536.0)

    def _sample(self, tile: Array, u: Array, v: Array, period_m: float) -> Array:
        scale = self._SIZE / period_m
        return sample(tile, np.mod(u * scale, self._SIZE), np.mod(v * scale, self._SIZE))


def sample(grid: Array, x: Array, y: Array, border: int = cv2.BORDER_WRAP) -> Array:
    """Bilinear values (N,) of ``grid`` at columns ``x`` (N,) and rows ``y`` (N,)."""
    # cv2.remap wants two dimensions, each below 32768.
    rows = max(1, -(-x.size // 16384))
    width = -(-x.size // rows)
    pad = rows * width - x.size
    map_x = np.pad(x, (0, pad)).reshape(rows, width).astype(np.float32)
    map_y = np.pad(y, (0, pad)).reshape(rows, width).astype(np.float32)
    out = cv2.remap(grid, map_x, map_y, cv2.INTER_LINEAR, borderMode=border)
    return np.asarray(out.reshape(-1)[: out.size - pad], np.float32)


def srgb(red: int, green: int, blue: int) -> Array:
    """Linear BGR reflectance of a colour given as it looks on a screen, 0 to 255."""
    return ((np.array([blue, green, red], np.float32) / 255.0) ** 2.2).astype(np.float32)


def warmth(climate: Climate, albedo: Array, share: float) -> Array:
    """Temperature that the sun gives a surface: the darker, the warmer."""
    luma = albedo @ np.array([0.11, 0.59, 0.30], np.float32)
    absorbed = 1.0 - np.sqrt(np.clip(luma, 0.0, 1.0))
    return (climate.air_c + climate.sun_k * share * absorbed).astype(np.float32)
