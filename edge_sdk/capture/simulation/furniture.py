"""Street furniture: lamp posts, bollards, benches, planters. Small things at known depths."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge_sdk.capture.simulation.light import Climate
from edge_sdk.capture.simulation.materials import Array, Paint, Patch, Textures, srgb, warmth

__all__ = ["LAMP_HEIGHT_M", "BoxPaint", "PostPaint"]

LAMP_HEIGHT_M = 4.3
_STEEL = srgb(70, 76, 80)
_GLOBE = srgb(230, 228, 220)


@dataclass(frozen=True)
class PostPaint:
    """Paints a round post onto a board; ``u`` = ``middle_m`` is its axis.

    Attributes:
        climate: temperatures of the condition.
        middle_m: where on the board the axis is.
        radius_m, height_m: of the post.
        globe_m: radius of the lamp on top; 0 for a bollard.
        glow: light of the globe, linear; 0 if it is off.
        bands: True for a bollard's pale rings.
    """

    climate: Climate
    middle_m: float
    radius_m: float
    height_m: float
    globe_m: float = 0.0
    glow: float = 0.0
    bands: bool = False

    def __call__(self, patch: Patch) -> Paint:
        x = patch.u - self.middle_m
        v = patch.v
        radius = self.radius_m * np.where(v < 0.5, 1.6, np.where(v < 0.62, 1.3, 1.0))
        post = (np.abs(x) < radius) & (v < self.height_m)
        across = np.clip(x / radius, -1.0, 1.0)
        albedo = np.broadcast_to(_STEEL, (x.size, 3)).copy()
        if self.bands:
            pale = (np.abs(v - self.height_m + 0.14) < 0.05) | (np.abs(v - 0.5) < 0.04)
            albedo[pale] = _GLOBE
        celsius = warmth(self.climate, albedo, 0.9) - 0.5 + 0.5 * across
        normal = np.stack([across, np.zeros_like(x), -np.sqrt(1.0 - across**2) - 1e-3], axis=1)
        solid = post
        glow = None
        if self.globe_m > 0.0:
            y = v - self.height_m
            ring = (x * x + y * y) / self.globe_m**2
            globe = ring < 1.0
            cap = (np.abs(x) < self.globe_m * 0.8) & (np.abs(y - self.globe_m) < 0.05)
            solid = post | globe | cap
            albedo[globe] = _GLOBE
            height = np.sqrt(np.clip(1.0 - ring, 0.0, 1.0))
            normal[globe] = np.stack([x / self.globe_m, y / self.globe_m, -height - 1e-3], axis=1)[
                globe
            ]
            celsius[globe] += 3.0 if self.glow > 0.0 else -0.6
            if self.glow > 0.0:
                glow = np.zeros_like(albedo)
                glow[globe] = np.array([0.62, 0.85, 1.0], np.float32) * self.glow
        return Paint(
            albedo,
            celsius.astype(np.float32),
            solid=solid,
            glow=glow,
            normal=normal.astype(np.float32),
        )


@dataclass(frozen=True)
class BoxPaint:
    """Paints one side of a plain object: boards of a bench, concrete of a planter.

    Attributes:
        textures: noise of the scene.
        climate: temperatures of the condition.
        hue: linear BGR.
        plank_m: height of a plank; 0 for a plain side.
    """

    textures: Textures
    climate: Climate
    hue: Array
    plank_m: float = 0.0

    def __call__(self, patch: Patch) -> Paint:
        grain = self.textures.fine(patch.u, patch.v * 4.0, 0.06, patch.footprint)
        shade = 1.0 + 0.12 * grain
        solid = None
        if self.plank_m > 0.0:
            solid = np.mod(patch.v, self.plank_m) < self.plank_m * 0.8
        albedo = self.hue * shade[:, None]
        celsius = warmth(self.climate, albedo, 0.8) + 0.2 * grain
        return Paint(np.clip(albedo, 0.004, 1.0), celsius.astype(np.float32), solid=solid)
