"""The ground of the scene: a paved square, a road with markings, a far pavement, a side street."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge_sdk.capture.simulation.light import Climate
from edge_sdk.capture.simulation.materials import Array, Mask, Paint, Patch, Textures, srgb, warmth

__all__ = ["ROAD_FAR_M", "ROAD_NEAR_M", "WALK_FAR_M", "GroundPaint", "Shade"]

ROAD_NEAR_M = 10.8
ROAD_FAR_M = 18.6
WALK_FAR_M = 23.0
_KERB_M = 0.24
_SIDE_HALF_M = 3.3
_SIDE_WALK_M = 1.9

_PAVING = srgb(158, 152, 143)
_ASPHALT = srgb(84, 84, 88)
_KERB = srgb(178, 176, 170)
_MARKING = srgb(228, 228, 222)
_GRASS = srgb(84, 110, 52)


@dataclass(frozen=True)
class Shade:
    """Something that stands on the ground and casts a shadow there.

    Attributes:
        x, z: its foot, metres.
        stem_m: height of a post or a trunk.
        stem_half_m: half its width.
        crown_m: radius of a crown; 0 for none. Its middle is at the top of the stem.
    """

    x: float
    z: float
    stem_m: float
    stem_half_m: float
    crown_m: float = 0.0


@dataclass(frozen=True)
class GroundPaint:
    """Paints the ground plane, in the scene's own x and z.

    Attributes:
        textures: noise of the scene.
        climate: temperatures of the condition.
        street_x_m: middle of the side street.
        crossing_x_m: middle of the zebra crossing.
        cast: (x, z) that a shadow moves by per metre of height.
        shades: what casts shadows.
    """

    textures: Textures
    climate: Climate
    street_x_m: float
    crossing_x_m: float
    cast: tuple[float, float]
    shades: tuple[Shade, ...]

    def __call__(self, patch: Patch) -> Paint:
        x, z, pixel = patch.points[:, 0], patch.points[:, 2], patch.footprint
        patch = Patch(x, z, patch.points, pixel)
        grain = self.textures.fine(x, z, 0.05, pixel)
        stain = self.textures.broad(x, z, 3.0)
        worn = self.textures.broad(x + 7.0, z * 1.7, 1.1)
        side = np.abs(x - self.street_x_m)

        street = (z > ROAD_FAR_M) & (side < _SIDE_HALF_M)
        road = ((z > ROAD_NEAR_M) & (z < ROAD_FAR_M)) | street
        walk = (z >= ROAD_FAR_M) & (z < WALK_FAR_M) | (side < _SIDE_HALF_M + _SIDE_WALK_M)
        walk &= ~road & (z >= ROAD_FAR_M)
        square = z <= ROAD_NEAR_M
        grass = ~(road | walk | square)

        albedo = np.zeros((x.size, 3), np.float32)
        celsius = np.zeros(x.size, np.float32)

        paved = square | walk
        albedo[paved], celsius[paved] = self._paving(patch, paved, grain, stain)
        shade = 1.0 + 0.10 * grain + 0.10 * stain + 0.06 * worn
        albedo[road] = _ASPHALT * shade[road, None]
        celsius[road] = (
            warmth(self.climate, albedo[road], 1.05)
            + 0.8 * stain[road]
            + 0.35 * grain[road]
            + 0.6 * worn[road]
            + 1.0
        )
        # Tyres polish, darken and warm two tracks in each lane.
        track = np.abs(np.abs(z - 14.7) - 1.95) - 0.75
        rut = np.exp(-((track / 0.28) ** 2)) * (road & ~street)
        albedo *= (1.0 - 0.16 * rut)[:, None]
        celsius += 1.2 * rut

        lawn = 1.0 + 0.28 * grain + 0.16 * worn
        albedo[grass] = (_GRASS * np.clip(lawn, 0.3, 2.0)[:, None])[grass]
        celsius[grass] = (self.climate.air_c - 2.2 + 0.9 * worn + 0.8 * grain)[grass]

        self._kerbs(patch, side, street, albedo, celsius)
        self._markings(patch, road & ~street, worn, albedo, celsius)
        sunlit = self._sunlit(x, z, grain)
        celsius -= 0.4 * self.climate.sun_k * (1.0 - sunlit)
        return Paint(np.clip(albedo, 0.005, 1.0), celsius, sunlit=sunlit)

    def _sunlit(self, x: Array, z: Array, grain: Array) -> Array:
        """Share of the sun's light that reaches the ground."""
        cast_x, cast_z = self.cast
        length = float(np.hypot(cast_x, cast_z))
        sunlit = np.ones(x.size, np.float32)
        leaves = self.textures.broad(x * 1.3, z * 1.3, 0.8)
        for shade in self.shades:
            # Metres along and across the direction of the shadow.
            dx, dz = x - shade.x, z - shade.z
            along = (dx * cast_x + dz * cast_z) / length
            across = (dx * cast_z - dz * cast_x) / length
            edge = 0.02 + 0.015 * np.abs(along)
            stem = np.clip((shade.stem_half_m - np.abs(across)) / edge + 0.5, 0.0, 1.0)
            dark = stem * ((along > 0.0) & (along < shade.stem_m * length))
            if shade.crown_m > 0.0:
                reach = shade.crown_m * np.hypot(1.0, length)
                ring = np.hypot((along - shade.stem_m * length) / reach, across / shade.crown_m)
                edge = (1.0 - ring) * shade.crown_m + 0.12 * leaves + 0.05 * grain
                crown = np.clip(edge / 0.18, 0.0, 1.0) * np.clip(1.0 - 0.2 * leaves, 0.55, 1.0)
                dark = np.maximum(dark, crown)
            sunlit *= 1.0 - dark.astype(np.float32)
        return sunlit

    def _paving(self, patch: Patch, on: Mask, grain: Array, stain: Array) -> tuple[Array, Array]:
        x, z, pixel = patch.u[on], patch.v[on], patch.footprint[on]
        slab = 0.62
        row = np.floor(z / slab)
        shifted = x / slab + 0.5 * np.mod(row, 2.0)
        column = np.floor(shifted)
        tint = self.textures.cell(column, row, 3) - 0.5
        across = (np.abs(shifted - column - 0.5) - 0.5) * slab
        along = (np.abs(z / slab - row - 0.5) - 0.5) * slab
        joint = np.clip(1.0 - np.minimum(-across, -along) / 0.014, 0.0, 1.0)
        joint /= 1.0 + (pixel / 0.05) ** 2
        shade = 1.0 + 0.22 * tint + 0.09 * grain[on] + 0.12 * stain[on]
        albedo = _PAVING * (shade * (1.0 - 0.5 * joint))[:, None]
        celsius = warmth(self.climate, albedo, 0.8)
        celsius += 0.9 * tint - 1.2 * joint + 0.9 * stain[on] + 0.25 * grain[on]
        return albedo, celsius

    def _kerbs(
        self, patch: Patch, side: Array, street: Mask, albedo: Array, celsius: Array
    ) -> None:
        z = patch.v
        across = np.abs(z - ROAD_NEAR_M) < _KERB_M / 2.0
        across |= (np.abs(z - ROAD_FAR_M - 0.1) < _KERB_M / 2.0) & (side > _SIDE_HALF_M)
        along = (np.abs(side - _SIDE_HALF_M) < _KERB_M / 2.0) & (z > ROAD_FAR_M)
        kerb = across | along
        albedo[kerb] = _KERB * (1.0 + 0.08 * self.textures.fine(patch.u, z, 0.08)[kerb, None])
        celsius[kerb] = self.climate.air_c + 0.55 * self.climate.sun_k * 0.5
        gutter = (z > ROAD_NEAR_M + 0.12) & (z < ROAD_NEAR_M + 0.42)
        gutter |= (z > ROAD_FAR_M - 0.42) & (z < ROAD_FAR_M - 0.02) & ~street
        albedo[gutter] *= 0.72
        celsius[gutter] -= 1.2

    def _markings(
        self, patch: Patch, road: Mask, worn: Array, albedo: Array, celsius: Array
    ) -> None:
        x, z = patch.u, patch.v
        zebra = np.abs(x - self.crossing_x_m) < 1.9
        zebra &= (z > ROAD_NEAR_M + 0.7) & (z < ROAD_FAR_M - 0.7)
        bars = zebra & (np.mod(z - ROAD_NEAR_M, 1.0) < 0.5)
        clear = np.abs(x - self.crossing_x_m) > 2.6
        middle = (np.abs(z - 14.7) < 0.09) & (np.mod(x + 50.0, 3.6) < 2.0) & clear
        edges = (np.abs(z - 11.5) < 0.07) | (np.abs(z - 17.9) < 0.07)
        edges &= clear & (np.abs(x - self.street_x_m) > _SIDE_HALF_M)
        paint = road & (bars | middle | edges) & (worn < 1.4)
        albedo[paint] = _MARKING * np.clip(0.92 - 0.16 * worn[paint], 0.4, 1.0)[:, None]
        celsius[paint] -= 2.2
