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
    _Sheet(19.5, 26.0, (0.85, 0.30), 1.5, 1),
    _Sheet(9.6, 15.0, (0.70, 0.22), 1.25, 2),
    _Sheet(5.4, 10.0, (0.55, 0.16), 0.75, 3),
)


class Smoke:
    """The smoke of a scene; a pure function of view and time."""

    def __init__(self, seed: int) -> None:
        self._density = fractal_tile(_TILE, 1.75, generator(seed, 91))
        self._stir_x = fractal_tile(_TILE, 1.9, generator(seed, 92))
        self._stir_y = fractal_tile(_TILE, 1.9, generator(seed, 93))

    @property
    def depths_m(self) -> tuple[float, ...]:
        """Where the sheets stand, the farthest first."""
        return tuple(sheet.z for sheet in _SHEETS)

    def veil(self, picture: NDArray[np.uint8], view: View, sheet: int, time_s: float) -> None:
        """Draw one sheet over what is behind it. ``picture`` is (H, W, 3) uint8; changed."""
        density, shade = self._optical(view, _SHEETS[sheet], time_s)
        through = np.exp(-density)
        light = _COLOUR * ((1.0 - through) * shade)[..., None]
        size = (picture.shape[1], picture.shape[0])
        keep = cv2.resize(np.rint(255.0 * through).astype(np.uint8), size)
        glow = cv2.resize(np.rint(light).astype(np.uint8), size)
        cv2.multiply(picture, cv2.merge([keep, keep, keep]), picture, scale=1.0 / 255.0)
        cv2.add(picture, glow, picture)

    def warm(
        self, picture: NDArray[np.float32], view: View, smoke_counts: float, time_s: float
    ) -> None:
        """Draw all sheets as the infrared sees them. ``picture`` is (H, W) float32; changed."""
        density, _ = self._optical(view, _SHEETS[1], time_s)
        covered = 1.0 - np.exp(-2.5 * _IR_SHARE * density)
        size = (picture.shape[1], picture.shape[0])
        full = cv2.resize(covered.astype(np.float32), size)
        rest = cv2.subtract(smoke_counts, picture)
        cv2.accumulateProduct(full, rest, picture)

    def _optical(
        self, view: View, sheet: _Sheet, time_s: float
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Optical depth and shade, both coarse."""
        scale = _TILE / sheet.tile_m
        drift_x, drift_up = sheet.drift
        # Pixels of the coarse picture to (x, up) on the sheet.
        coarse = np.array(
            [
                [_COARSE, 0.0, (_COARSE - 1) / 2.0],
                [0.0, _COARSE, (_COARSE - 1) / 2.0],
                [0.0, 0.0, 1.0],
            ]
        )
        centre = np.asarray(view.centre)
        axes = view.rotation @ np.array(
            [
                [1.0, 0.0, -centre[0]],
                [0.0, -1.0, centre[1]],
                [0.0, 0.0, sheet.z - centre[2]],
            ]
        )
        to_sheet = np.linalg.inv(view.matrix @ axes) @ coarse
        width = -(-view.size[0] // _COARSE)
        height = -(-view.size[1] // _COARSE)

        def look(tile: NDArray[np.float32], zoom: float, speed: float) -> NDArray[Any]:
            k = scale * zoom
            moved = np.array(
                [
                    [k, 0.0, -k * speed * drift_x * time_s + 41.0 * sheet.salt],
                    [0.0, k, -k * speed * drift_up * time_s + 67.0 * sheet.salt],
                    [0.0, 0.0, 1.0],
                ]
            )
            return cv2.warpPerspective(
                tile,
                moved @ to_sheet,
                (width, height),
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_WRAP,
            )

        # Stirring: the place where density is looked up is itself displaced by slower noise.
        push_x = look(self._stir_x, 0.8, 0.55) * (0.075 * _TILE)
        push_y = look(self._stir_y, 0.8, 0.55) * (0.075 * _TILE)
        grid = to_sheet @ _grid(width, height)
        plane = (grid[:2] / grid[2]).reshape(2, height, width)
        map_x = scale * (plane[0] - drift_x * time_s) + push_x
        map_y = scale * (plane[1] - drift_up * time_s) + push_y
        billow = cv2.remap(
            self._density,
            np.mod(map_x, _TILE).astype(np.float32),
            np.mod(map_y, _TILE).astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_WRAP,
        )
        large = look(self._stir_x, 0.35, 1.4)
        # Thicker near the ground, in banks; never quite gone.
        low = np.clip(1.15 - 0.16 * plane[1], 0.2, 1.3)
        density = sheet.strength * low * np.clip(0.55 + 0.62 * billow + 0.75 * large, 0.06, None)
        shade = np.clip(0.90 + 0.07 * billow - 0.05 * push_y / (0.075 * _TILE), 0.6, 1.1)
        return density.astype(np.float32), shade.astype(np.float32)


def _grid(width: int, height: int) -> NDArray[np.float64]:
    x, y = np.meshgrid(np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64))
    return np.stack([x.ravel(), y.ravel(), np.ones(width * height)])
