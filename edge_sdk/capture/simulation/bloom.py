"""Light that the lens spreads: halos of lamps and the glare of a low sun."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_sdk.capture.simulation.geometry import View
from edge_sdk.capture.simulation.light import Light

__all__ = ["halo_tile", "still_bloom"]


def halo_tile(size: int = 129) -> NDArray[np.float32]:
    """Halo of a small lamp, (size, size) float32: a saturated core, a glow, six faint rays."""
    axis = np.linspace(-1.0, 1.0, size, dtype=np.float32)
    x, y = np.meshgrid(axis, axis)
    radius = np.sqrt(x * x + y * y)
    angle = np.arctan2(y, x)
    fade = np.clip(1.0 - radius, 0.0, 1.0)
    glow = fade**2 * 0.09 / (radius + 0.06)
    core = 1.6 * np.exp(-((radius / 0.10) ** 2))
    rays = 0.5 * np.exp(-radius * 5.0) * np.abs(np.cos(3.0 * angle)) ** 40
    return np.asarray((glow + core + rays) * np.minimum(1.0, 6.0 * fade), np.float32)


def still_bloom(light: Light, view: View, condition: str) -> NDArray[np.uint8] | None:
    """Light of the still lamps and of the sun that the lens adds, (H, W, 3) uint8; None if none."""
    if condition == "night":
        return _lamps(light, view)
    if condition == "glare":
        return _sun(light, view)
    return None


def _lamps(light: Light, view: View) -> NDArray[np.uint8]:
    width, height = view.size
    total = np.zeros((height, width, 3), np.float32)
    tile = halo_tile()
    places, depth = view.project(np.array([lamp.position for lamp in light.lamps]))
    for lamp, place, away in zip(light.lamps, places, depth, strict=True):
        radius = view.matrix[0, 0] * 1.9 / away
        scale = tile.shape[0] / (2.0 * radius)
        matrix = np.array(
            [
                [scale, 0.0, (radius - place[0]) * scale],
                [0.0, scale, (radius - place[1]) * scale],
            ]
        )
        halo = cv2.warpAffine(
            tile, matrix, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        )
        total += halo[..., None] * np.asarray(lamp.rgb[::-1], np.float32) * 150.0
    return np.clip(total, 0, 255).astype(np.uint8)


def _sun(light: Light, view: View) -> NDArray[np.uint8]:
    width, height = view.size
    centre = np.asarray(view.centre)
    place, _ = view.project((centre + 1000.0 * np.asarray(light.to_sun))[None])
    x, y = np.meshgrid(np.arange(width) - place[0, 0], np.arange(height) - place[0, 1])
    radius = np.sqrt(x * x + y * y) / view.matrix[0, 0]
    angle = np.arctan2(y, x)
    disc = 4.0 * np.exp(-((radius / 0.022) ** 4))
    glow = 0.95 / (1.0 + (radius / 0.075) ** 1.7)
    star = 0.9 * np.exp(-radius / 0.16) * np.abs(np.cos(4.0 * angle + 0.4)) ** 60
    veil = 0.10 * np.exp(-radius / 0.55)
    total = (disc + glow + star + veil)[..., None]
    colour = np.array([0.62, 0.84, 1.0]) + np.clip(total - 0.6, 0.0, 0.4)
    return np.clip(255.0 * total * colour, 0, 255).astype(np.uint8)
