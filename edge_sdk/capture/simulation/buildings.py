"""House fronts: plaster, brick and office walls with windows, shops and heat bridges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge_sdk.capture.simulation.light import Climate
from edge_sdk.capture.simulation.materials import Array, Paint, Patch, Textures, srgb, warmth

__all__ = ["FacadePaint", "RoofPaint"]

_WALLS = (
    srgb(203, 184, 150),
    srgb(150, 84, 64),
    srgb(186, 186, 180),
    srgb(214, 205, 188),
    srgb(170, 128, 96),
    srgb(150, 158, 160),
    srgb(196, 164, 134),
)
_SIGNS = (
    srgb(30, 92, 120),
    srgb(150, 34, 30),
    srgb(26, 100, 60),
    srgb(190, 130, 30),
    srgb(70, 44, 90),
)
_FRAME = srgb(225, 224, 220)
_GLASS = srgb(44, 52, 60)
_GROUND_FLOOR_M = 3.7
_STOREY_M = 3.0


@dataclass(frozen=True)
class FacadePaint:
    """Paints one house front; ``u`` runs along it and ``v`` up from the ground, in metres.

    Attributes:
        textures: noise of the scene.
        climate: temperatures of the condition.
        number: which house this is; picks its colours, its windows and who is at home.
        height_m: of the wall.
        lit: share of the windows that are lit; 0 by day.
        lit_glow: how bright a lit window is, linear.
    """

    textures: Textures
    climate: Climate
    number: int
    height_m: float
    lit: float
    lit_glow: float

    def __call__(self, patch: Patch) -> Paint:
        u, v = patch.u, patch.v
        pick = self.number * 3 + 1
        wall = _WALLS[pick % len(_WALLS)]
        grain = self.textures.fine(u + 31.0 * self.number, v, 0.06, patch.footprint)
        stain = self.textures.broad(u + 17.0 * self.number, v * 0.6, 2.6)
        streak = self.textures.broad(u * 3.0 + 5.0 * self.number, v * 0.25, 1.5)
        shade = 1.0 + 0.07 * grain + 0.09 * stain + 0.05 * streak
        albedo = wall * shade[:, None]
        if pick % len(_WALLS) in (1, 4):
            albedo *= self._bricks(patch)[:, None]
        celsius = warmth(self.climate, albedo, 0.7) + 0.8 * stain + 0.4 * streak + 0.2 * grain
        # Floor slabs leak heat and, on a plaster front, are marked by a string course.
        over = np.mod(v - _GROUND_FLOOR_M, _STOREY_M)
        slab = (over < 0.22) & (v > _GROUND_FLOOR_M - 0.1)
        celsius += np.where(slab, 0.35 * self.climate.indoor_k, 0.0)
        if pick % 3 != 1:
            albedo[slab] *= 1.15
        foot = v < 0.5
        albedo[foot] *= 0.6
        celsius[foot] -= 0.4
        cornice = v > self.height_m - 0.35
        albedo[cornice] = _FRAME * 0.8
        celsius[cornice] -= 1.0
        glow = np.zeros_like(albedo)
        self._windows(patch, albedo, celsius, glow)
        self._shops(patch, albedo, celsius, glow)
        return Paint(np.clip(albedo, 0.004, 1.0), celsius, glow=glow if self.lit > 0.0 else None)

    def _bricks(self, patch: Patch) -> Array:
        row = np.floor(patch.v / 0.12)
        column = np.floor(patch.u / 0.28 + 0.5 * np.mod(row, 2.0))
        tint = 1.0 + 0.28 * (self.textures.cell(column, row, 5) - 0.5)
        joint = np.mod(patch.v, 0.12) < 0.02
        contrast = 1.0 / (1.0 + (patch.footprint / 0.05) ** 2)
        return np.asarray(1.0 + (tint * np.where(joint, 1.25, 1.0) - 1.0) * contrast, np.float32)

    def _windows(self, patch: Patch, albedo: Array, celsius: Array, glow: Array) -> None:
        bay = 2.2 + 0.5 * float(self.textures.cell(np.array([self.number]), np.array([1]), 7)[0])
        width = 1.15 + (0.7 if self.number % 3 == 2 else 0.0)
        height = 1.55
        column = np.floor(patch.u / bay)
        storey = np.floor((patch.v - _GROUND_FLOOR_M) / _STOREY_M)
        x = patch.u - (column + 0.5) * bay
        y = patch.v - _GROUND_FLOOR_M - storey * _STOREY_M - 1.65
        whole = (storey + 1.0) * _STOREY_M + _GROUND_FLOOR_M < self.height_m + 0.35
        here = (storey >= 0.0) & whole
        inside = here & (np.abs(x) < width / 2.0) & (np.abs(y) < height / 2.0)
        rim = (np.abs(x) > width / 2.0 - 0.07) | (np.abs(y) > height / 2.0 - 0.07)
        bars = (np.abs(x) < 0.035) | (np.abs(y - 0.25) < 0.03)
        sill = here & (np.abs(x) < width / 2.0 + 0.12) & (np.abs(y + height / 2.0 + 0.07) < 0.07)
        reveal = here & (np.abs(x) < width / 2.0 + 0.02) & (np.abs(y - height / 2.0) < 0.09)

        who = self.textures.cell(column, storey, self.number * 13 + 1)
        drawn = self.textures.cell(column, storey, self.number * 13 + 2)
        home = self.textures.cell(column, storey, self.number * 13 + 3)
        frame = inside & (rim | bars)
        pane = inside & ~(rim | bars)
        # Glass mirrors the sky: brighter towards the top; drawn curtains are pale.
        mirror = 0.5 + 0.9 * np.clip(y / height + 0.5, 0.0, 1.0) + 0.7 * (who - 0.4)
        albedo[pane] = _GLASS * mirror[pane, None]
        curtain = (
            pane
            & ((y > height * (0.5 - drawn * 0.9)) | (np.abs(x) > width * 0.36))
            & (drawn > 0.35)
        )
        albedo[curtain] = _FRAME * 0.45
        albedo[frame] = _FRAME * 0.75
        albedo[sill] = _FRAME * 0.7
        albedo[reveal & ~inside] *= 0.5

        warm = self.climate.indoor_k * (0.15 + 0.85 * home)
        mirrored = 0.30 * (self.climate.sky_c - self.climate.air_c)
        celsius[pane] = (self.climate.air_c + warm + mirrored)[pane]
        celsius[frame] = (self.climate.air_c + 0.5 * warm)[frame]
        heater = here & (np.abs(x) < width * 0.45) & (np.abs(y + height / 2.0 + 0.5) < 0.3)
        celsius[heater & ~sill] += (0.3 * self.climate.indoor_k * home)[heater & ~sill]
        lit = pane & (who < self.lit)
        lamp = np.array([0.42, 0.72, 1.0], np.float32)
        level = (0.4 + 0.6 * home) * np.where(curtain, 0.6, 1.0) * (0.75 + 0.25 * y / height)
        glow[lit] = lamp * (self.lit_glow * level)[lit, None]

    def _shops(self, patch: Patch, albedo: Array, celsius: Array, glow: Array) -> None:
        if self.number % 2:
            return
        bay = 3.4
        column = np.floor(patch.u / bay)
        x = patch.u - (column + 0.5) * bay
        v = patch.v
        sign = (np.abs(x) < bay / 2.0 - 0.15) & (v > 2.75) & (v < 3.4)
        hue = _SIGNS[(self.number // 2) % len(_SIGNS)]
        albedo[sign] = hue
        celsius[sign] += 0.6
        word = np.floor(x / 0.22)
        letter = self.textures.cell(word, column, 40 + self.number)
        stroke = np.abs(np.mod(x, 0.22) - 0.11) < 0.075
        text = sign & (np.abs(v - 3.07) < 0.16) & (np.abs(x) < 1.05) & stroke & (letter > 0.2)
        text &= ~((np.abs(v - 3.07) < 0.07) & (letter > 0.6))
        albedo[text] = _FRAME
        pane = (np.abs(x) < bay / 2.0 - 0.3) & (v > 0.55) & (v < 2.6)
        door = (x > 0.45) & (x < 1.35) & (v < 2.5)
        pane |= door & (v > 0.12)
        rim = pane & ((np.abs(np.abs(x) - bay / 2.0 + 0.3) < 0.06) | (v > 2.52) | (v < 0.6))
        rim |= door & ((np.abs(x - 0.45) < 0.05) | (np.abs(x - 1.35) < 0.05))
        display = self.textures.broad(patch.u * 1.5 + self.number, v * 1.5, 0.7)
        albedo[pane] = _GLASS * (0.9 + 0.35 * np.clip(display, -1.5, 2.0))[pane, None]
        albedo[rim] = hue * 0.7
        celsius[pane] = (self.climate.air_c + 0.8 * self.climate.indoor_k + 0.3 * display)[pane]
        celsius[rim] = self.climate.air_c + 0.2 * self.climate.indoor_k
        if (
            self.lit > 0.0
            and self.textures.cell(np.array([self.number]), np.array([2]), 9)[0] < 0.7
        ):
            lamp = np.array([0.62, 0.86, 1.0], np.float32)
            inside = pane & ~rim
            level = np.clip(0.75 + 0.3 * display, 0.15, 1.6) * (0.55 + 0.2 * v)
            glow[inside] = lamp * (0.8 * self.lit_glow * level)[inside, None]
            glow[sign] = albedo[sign] * self.lit_glow * 1.2


@dataclass(frozen=True)
class RoofPaint:
    """Paints a pitched roof of clay tiles; ``u`` along the eaves, ``v`` up the slope."""

    textures: Textures
    climate: Climate
    number: int

    def __call__(self, patch: Patch) -> Paint:
        hue = (srgb(128, 70, 52), srgb(92, 88, 90), srgb(140, 92, 66))[self.number % 3]
        row = np.floor(patch.v / 0.3)
        course = np.mod(patch.v, 0.3) / 0.3
        tint = self.textures.cell(np.floor(patch.u / 0.25), row, 21) - 0.5
        stain = self.textures.broad(patch.u, patch.v, 3.0)
        fade = 1.0 / (1.0 + (patch.footprint / 0.12) ** 2)
        shade = 1.0 + fade * (0.25 * tint + 0.3 * (course - 0.5)) + 0.12 * stain
        albedo = hue * shade[:, None]
        celsius = warmth(self.climate, albedo, 0.9) + 0.4 * stain - 1.5
        return Paint(np.clip(albedo, 0.004, 1.0), celsius.astype(np.float32))
