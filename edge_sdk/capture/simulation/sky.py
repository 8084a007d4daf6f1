"""The sky, and the sun in it."""

from __future__ import annotations

import numpy as np

from edge_sdk.capture.simulation.layout import Place
from edge_sdk.capture.simulation.materials import Array

__all__ = ["FAR_M", "draw_sky"]

FAR_M = 1000.0
"""Depth that stands for the sky."""


def draw_sky(place: Place, rays: Array) -> tuple[Array, Array]:
    """Grey levels (H, W, 3) and temperatures in degrees Celsius (H, W) of the sky along ``rays``.

    Args:
        place: its light names the condition's colours.
        rays: (H, W, 3) directions with depth 1.
    """
    shape = rays.shape[:2]
    azimuth = rays[..., 0].reshape(-1)
    rise = np.clip(rays[..., 1], 0.0, 1.0).reshape(-1)
    # Clouds lie on a ceiling: they crowd towards the horizon.
    squeeze = 1.0 / (rise + 0.12)
    cloud = place.textures.broad(azimuth * squeeze, squeeze * 1.5, 1.2)
    wisp = place.textures.broad(azimuth * 3.0, rise * 9.0, 0.5)
    cover = 1.0 / (1.0 + np.exp(-(cloud * 2.2 + 0.7 * wisp - 0.3)))
    up = np.clip(rise / 0.45, 0.0, 1.0)[:, None]
    zenith, horizon, veil = (np.array(c, np.float32) for c in _COLOURS[place.condition])
    blue = horizon + (zenith - horizon) * np.sqrt(up)
    grey = blue + (veil - blue) * (cover[:, None] * _COVER[place.condition])
    climate = place.climate
    celsius = climate.air_c - 2.0 + (climate.sky_c - climate.air_c) * up[:, 0] ** 0.6
    celsius += (climate.air_c - celsius) * 0.45 * cover
    return (
        grey.reshape(*shape, 3).astype(np.float32),
        celsius.reshape(shape).astype(np.float32),
    )


_COLOURS = {
    "day": ((214, 160, 108), (236, 220, 202), (246, 244, 242)),
    "smoke": ((196, 192, 188), (214, 212, 210), (226, 226, 226)),
    "glare": ((150, 128, 118), (120, 190, 250), (150, 190, 235)),
    "night": ((26, 17, 13), (44, 34, 32), (48, 42, 42)),
}
"""BGR grey levels of the top, of the horizon, and of clouds."""

_COVER = {"day": 0.75, "smoke": 0.8, "glare": 0.6, "night": 0.7}
