"""Light and heat of the four conditions, and how a sensor turns light into grey levels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["COUNTS_AT_ZERO_C", "COUNTS_PER_KELVIN", "Climate", "Lamp", "Light", "counts", "tone"]

Floats = NDArray[np.floating]

COUNTS_PER_KELVIN = 100.0
COUNTS_AT_ZERO_C = 5500.0
"""Raw infrared scale: 7000 counts at 15 degrees Celsius, 100 counts per kelvin, 14 bits."""


def counts(celsius: Floats) -> Floats:
    """Raw infrared counts of a surface's apparent temperature in degrees Celsius."""
    return COUNTS_AT_ZERO_C + COUNTS_PER_KELVIN * celsius


@dataclass(frozen=True)
class Lamp:
    """A street lamp: ``power`` is its irradiance at one metre, ``rgb`` its colour."""

    position: tuple[float, float, float]
    power: float
    rgb: tuple[float, float, float]


@dataclass(frozen=True)
class Climate:
    """Temperatures of a condition, degrees Celsius.

    Attributes:
        air_c: of the air, and of whatever has no better reason.
        sun_k: how much the sun heats a dark surface above the air.
        sky_c: apparent temperature of the sky at the top of the picture.
        indoor_k: how much warmer than a wall a heated room's window appears.
    """

    air_c: float
    sun_k: float
    sky_c: float
    indoor_k: float


@dataclass(frozen=True)
class Light:
    """Illumination of one condition. Directions and positions are (x, up, z); colours are BGR.

    Attributes:
        sky: irradiance of the sky on an upward surface, linear.
        sun: irradiance of the sun on a surface that faces it, linear.
        to_sun: unit vector towards the sun.
        lamps: street lamps that are on.
        exposure: factor before the tone curve.
        cast: (x, z) that a point's shadow moves by per metre of its height.
        shadow: darkness of shadows, 0 to 1.
        penumbra_m: how soft shadows are.
        haze: (BGR 0 to 1, metres to one e-fold) of the air between camera and surface.
        headlights: True if vehicles have their lamps on.
        flare: how large their halos are.
        pool: how much they brighten the ground, as a negative darkness.
    """

    sky: tuple[float, float, float]
    sun: tuple[float, float, float]
    to_sun: tuple[float, float, float]
    lamps: tuple[Lamp, ...]
    exposure: float
    cast: tuple[float, float]
    shadow: float
    penumbra_m: float
    haze: tuple[tuple[float, float, float], float]
    headlights: bool
    flare: float
    pool: float

    def on(self, points: Floats, normals: Floats, sunlit: Floats | None = None) -> Floats:
        """Irradiance (N, 3) BGR on surfaces at ``points`` (N, 3) with ``normals`` (N, 3).

        ``sunlit`` (N,) is the share of the sun's light that arrives there; None for all of it.
        """
        upward = 0.62 + 0.38 * normals[:, 1]
        total = upward[:, None] * np.asarray(self.sky, points.dtype)
        facing = np.clip(normals @ np.asarray(self.to_sun, points.dtype), 0.0, None)
        if sunlit is not None:
            facing = facing * sunlit
        total = total + facing[:, None] * np.asarray(self.sun, points.dtype)
        for lamp in self.lamps:
            way = np.asarray(lamp.position, points.dtype) - points
            square = np.einsum("ij,ij->i", way, way) + 0.15
            inverse = 1.0 / np.sqrt(square)
            # Street lamps throw their light down: the cosine to the plumb line, squared, and
            # wrapped diffuse shading so that the far side of a round thing is not pitch black.
            down = np.clip(way[:, 1] * inverse, 0.0, 1.0)
            wrapped = np.clip(np.einsum("ij,ij->i", way, normals) * inverse * 0.7 + 0.3, 0.0, None)
            strength = lamp.power * down * down * wrapped / square
            total = total + strength[:, None] * np.asarray(lamp.rgb[::-1], points.dtype)
        return np.asarray(total)

    def grey(self, radiance: Floats, depth_m: Floats) -> Floats:
        """Grey levels (N, 3), 0 to 255 float, of linear radiance (N, 3) seen through the air."""
        colour, range_m = self.haze
        clear = np.exp(-depth_m / range_m)[:, None]
        return tone(radiance * self.exposure, clear, np.asarray(colour, radiance.dtype))


def tone(radiance: Floats, clear: Floats | float = 1.0, haze: Floats | float = 0.0) -> Floats:
    """Grey levels 0 to 255 of exposed radiance: a soft shoulder, haze, then a gamma of 2.2."""
    shown = 1.0 - np.exp(-radiance)
    shown = shown * clear + haze * (1.0 - clear)
    return np.asarray(255.0 * shown ** (1.0 / 2.2))
