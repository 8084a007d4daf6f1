"""Drifting smoke: sheets of turbulent density at several depths, dense to the eye, thin to heat.

Visible light is scattered by smoke particles of its own wavelength's size; the long-wave infrared,
with a wavelength about fifteen times longer, passes nearly unhindered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_sdk.capture.simulation.geometry import View
from edge_sdk.capture.simulation.rand import fractal_tile, generator
from edge_sdk.capture.simulation.scratch import Scratch

__all__ = ["Smoke"]

_COARSE = 4
"""Smoke is soft: it is computed at a quarter of the picture's width and height."""
_TILE = 256
_IR_SHARE = 0.05
"""Optical density in the infrared, relative to the visible."""
_COLOUR = np.array([206.0, 203.0, 196.0], np.float32)


@dataclass(frozen=True)
class _Sheet:
    """One sheet: depth, metres per tile, drift in metres per second (x, up), strength."""

    z: float
    tile_m: float
    drift: tuple[float, float]
    strength: float
    salt: int


_SHEETS = (
    _Sheet(19.5, 26.0, (0.85, 0.30), 1.2, 1),
    _Sheet(9.6, 15.0, (0.70, 0.22), 1.3, 2),
    _Sheet(5.4, 10.0, (0.55, 0.16), 1.35, 3),
)
_MIDDLE = 1


class Smoke:
    """The smoke of a scene; a pure function of view and time."""

    def __init__(self, seed: int) -> None:
        self._density = _doubled(fractal_tile(_TILE, 1.75, generator(seed, 91)))
        self._stir_x = _doubled(fractal_tile(_TILE, 1.9, generator(seed, 92)))
        self._planes: dict[tuple[int, int], tuple[NDArray[np.float32], NDArray[np.float32]]] = {}
        self._scratch = Scratch()
        self._stir_y = _doubled(fractal_tile(_TILE, 1.9, generator(seed, 93)))

    @property
    def depths_m(self) -> tuple[float, ...]:
        """Where the sheets stand, the farthest first."""
        return tuple(sheet.z for sheet in _SHEETS)

    def veil(self, picture: NDArray[np.uint8], view: View, sheet: int, time_s: float) -> None:
        """Draw one sheet over what is behind it. ``picture`` is (H, W, 3) uint8; changed."""
        density, shade = self._optical(view, sheet, time_s)
        through = np.exp(-density)
        light = _COLOUR * ((1.0 - through) * shade)[..., None]
        height, width = picture.shape[:2]
        keep = self._scratch.take("keep", (height, width), np.uint8)
        layer = self._scratch.take("layer", picture.shape, np.uint8)
        cv2.resize(np.rint(255.0 * through).astype(np.uint8), (width, height), keep)
        cv2.merge([keep, keep, keep], layer)
        cv2.multiply(picture, layer, picture, scale=1.0 / 255.0)
        cv2.resize(np.rint(light).astype(np.uint8), (width, height), layer)
        cv2.add(picture, layer, picture)

    def warm(
        self, picture: NDArray[np.float32], view: View, smoke_counts: float, time_s: float
    ) -> None:
        """Draw all sheets as the infrared sees them. ``picture`` is (H, W) float32; changed."""
        density, _ = self._optical(view, _MIDDLE, time_s)
        covered = 1.0 - np.exp(-2.5 * _IR_SHARE * density)
        height, width = picture.shape
        full = self._scratch.take("full", (height, width), np.float32)
        rest = self._scratch.take("rest", (height, width), np.float32)
        cv2.resize(covered.astype(np.float32), (width, height), full)
        np.subtract(np.float32(smoke_counts), picture, out=rest)
        cv2.accumulateProduct(full, rest, picture)

    def _optical(
        self, view: View, number: int, time_s: float
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Optical depth and shade, both coarse."""
        sheet = _SHEETS[number]

        def look(
            tile: NDArray[np.float32],
            at: int,
            zoom: float,
            speed: float,
            push: tuple[Any, Any] = (0.0, 0.0),
        ) -> NDArray[np.float32]:
            across, upward = self._plane(view, at)
            drift = np.array(_SHEETS[at].drift) * (_TILE / _SHEETS[at].tile_m)
            # Wrapped here, so that the coordinates stay in the middle for ever.
            moved = _SHEETS[at].salt * np.array([41.0, 67.0]) - zoom * speed * drift * time_s
            x0, y0 = np.mod(moved, _TILE) + _TILE / 2.0
            map_x = across * np.float32(zoom) + (np.float32(x0) + push[0])
            map_y = upward * np.float32(zoom) + (np.float32(y0) + push[1])
            return np.asarray(
                cv2.remap(tile, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
            )

        # Stirring: the place where density is looked up is itself displaced by slower noise.
        reach = np.float32(0.075 * _TILE)
        stir_x, stir_y = (
            look(self._stir_x, number, 0.8, 0.55),
            look(self._stir_y, number, 0.8, 0.55),
        )
        billow = look(self._density, number, 1.0, 1.0, (stir_x * reach, stir_y * reach))
        # All sheets belong to the same banks: through a gap one sees far.
        bank = look(self._stir_x, _MIDDLE, 0.6, 1.4)
        # Thicker near the ground; never quite gone.
        up_m = sheet.tile_m / _TILE * self._plane(view, number)[1]
        low = np.clip(1.15 - 0.16 * up_m, 0.2, 1.3)
        density = sheet.strength * low * np.maximum(0.62 + 0.42 * billow + 0.62 * bank, 0.10)
        shade = np.clip(0.88 + 0.09 * billow - 0.07 * stir_y, 0.55, 1.12)
        return density.astype(np.float32), shade.astype(np.float32)

    def _plane(self, view: View, number: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Tile coordinates (x, up) of the coarse picture's pixels on a sheet."""
        key = (id(view), number)
        if key not in self._planes:
            sheet = _SHEETS[number]
            columns = _coarse_pixels(view.size[0])
            rows = _coarse_pixels(view.size[1])
            rays = view.rays(columns, rows)
            away = (sheet.z - view.centre[2]) / rays[..., 2]
            scale = _TILE / sheet.tile_m
            across = scale * (view.centre[0] + rays[..., 0] * away)
            upward = scale * (view.centre[1] + rays[..., 1] * away)
            self._planes[key] = across.astype(np.float32), upward.astype(np.float32)
        return self._planes[key]


def _coarse_pixels(size: int) -> NDArray[np.float64]:
    """Picture coordinates of the middles of the coarse pixels."""
    return _COARSE * np.arange(-(-size // _COARSE), dtype=np.float64) + (_COARSE - 1) / 2.0


def _doubled(tile: NDArray[np.float32]) -> NDArray[np.float32]:
    """Two by two copies: a picture looked up in the middle seldom needs the slow wrapping."""
    return np.tile(tile, (2, 2))
