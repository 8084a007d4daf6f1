"""Trees and hedges as painted boards: a heap of leaf clusters with their own normals."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import cv2
import numpy as np

from edge_sdk.capture.simulation.light import Climate
from edge_sdk.capture.simulation.materials import Array, Paint, Patch, Textures, sample, srgb
from edge_sdk.capture.simulation.rand import generator

__all__ = ["HedgePaint", "SkylinePaint", "TreePaint"]

_BARK = srgb(92, 76, 62)
_LEAVES = (srgb(66, 92, 40), srgb(84, 104, 48), srgb(56, 82, 44))


@dataclass(frozen=True)
class TreePaint:
    """Paints a deciduous tree onto a board ``width_m`` x ``height_m``.

    Attributes:
        textures: noise of the scene.
        climate: temperatures of the condition.
        seed: which tree; its clusters and twigs follow from it.
        width_m, height_m: size of the board; the crown fills its upper part.
    """

    textures: Textures
    climate: Climate
    seed: int
    width_m: float
    height_m: float
    _maps: dict[str, Array] = field(default_factory=dict, repr=False, compare=False)

    def __call__(self, patch: Patch) -> Paint:
        if not self._maps:
            self._maps.update(self._grow())
        crown = self._maps["crown"]
        rows, columns = crown.shape
        x = patch.u / self.width_m * columns - 0.5
        y = (1.0 - patch.v / self.height_m) * rows - 0.5
        sampled = {
            name: sample(grid, x, y, cv2.BORDER_CONSTANT) for name, grid in self._maps.items()
        }

        grain = self.textures.fine(patch.u + self.seed, patch.v, 0.07)
        leaf = sampled["crown"] + 0.10 * grain > 0.5
        wood = ~leaf & (sampled["wood"] > 0.5)
        hue = _LEAVES[self.seed % len(_LEAVES)]
        depth = np.clip(sampled["depth"], 0.0, 1.0)
        albedo = hue * ((0.35 + 0.8 * depth) * np.clip(1.0 + 0.30 * grain, 0.3, 1.9))[:, None]
        albedo[wood] = _BARK * (1.0 + 0.2 * grain[wood, None])
        normal = np.stack([sampled["nx"], sampled["ny"], -np.ones_like(x)], axis=1)
        normal[wood, 0] = sampled["wx"][wood] * 1.6
        normal[wood, 1] = 0.1
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        # Leaves keep the air's temperature; the inside of a crown is warmer than its skin at
        # night and cooler by day, and bark in the sun is warmer than leaves.
        inner = -1.8 if self.climate.sun_k > 1.5 else 1.6
        celsius = self.climate.air_c - 0.3 + inner * (1.0 - depth) + 0.5 * grain
        celsius[wood] = self.climate.air_c + 0.6 + 0.12 * self.climate.sun_k + 0.2 * grain[wood]
        return Paint(
            np.clip(albedo, 0.003, 1.0).astype(np.float32),
            celsius.astype(np.float32),
            solid=leaf | wood,
            normal=normal.astype(np.float32),
        )

    def _grow(self) -> dict[str, Array]:
        """Leaf clusters as spheres, front-most wins, on a grid of 64 cells per board width."""
        rng = generator(self.seed, 31)
        columns = 160
        metre = columns / self.width_m
        rows = round(self.height_m * metre)
        y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
        crown_r = 0.47 * columns
        middle = (columns / 2.0, crown_r + 0.02 * rows)
        near = np.full((rows, columns), -1e3, np.float32)
        nx = np.zeros_like(near)
        ny = np.zeros_like(near)
        for _ in range(110):
            radius = crown_r * rng.uniform(0.13, 0.27)
            angle = rng.uniform(0.0, 2.0 * math.pi)
            out = math.sqrt(rng.uniform(0.0, 1.0)) * (crown_r - radius)
            cx = middle[0] + out * math.cos(angle)
            cy = middle[1] + 0.88 * out * math.sin(angle)
            dx, dy = (x - cx) / radius, (y - cy) / radius
            inside = 1.0 - dx * dx - dy * dy
            bulge = crown_r * crown_r - (cx - middle[0]) ** 2 - (cy - middle[1]) ** 2
            front = math.sqrt(max(bulge, 0.0)) * 0.5 * rng.uniform(0.2, 1.0)
            surface = front + radius * np.sqrt(np.maximum(inside, 0.0))
            wins = (inside > 0.0) & (surface > near)
            near[wins] = surface[wins]
            # A cluster's own roundness and the crown's roundness share the normal.
            nx[wins] = (0.8 * dx + 0.5 * (cx - middle[0]) / crown_r)[wins]
            ny[wins] = (-0.8 * dy - 0.5 * (cy - middle[1]) / crown_r)[wins]
        filled = (near > -1e2).astype(np.float32)
        crown = np.asarray(cv2.GaussianBlur(filled, (0, 0), 1.6), np.float32)
        top = float(near.max())
        depth = np.where(near > -1e2, near / top, 0.0).astype(np.float32)

        wood = np.zeros((rows, columns), np.float32)
        slope = np.zeros_like(wood)
        base = columns / 2.0
        for row in range(int(middle[1]), rows):
            share = (row - middle[1]) / (rows - middle[1])
            half = metre * (0.09 + 0.06 * share**2 + 0.10 * max(0.0, share - 0.93) * 8.0)
            left, right = base - half, base + half
            span = slice(max(0, int(left)), min(columns, int(right) + 1))
            wood[row, span] = 1.0
            slope[row, span] = (np.arange(span.start, span.stop) - base) / half
        for side in (-1, 1, -1, 1):
            start = (int(base), int(middle[1] + rng.uniform(0.2, 0.5) * (rows - middle[1])))
            end = (
                int(base + side * crown_r * rng.uniform(0.4, 0.8)),
                int(middle[1] - crown_r * rng.uniform(0.0, 0.4)),
            )
            cv2.line(wood, start, end, 1.0, max(2, round(0.09 * metre)))
        return {"crown": crown, "depth": depth, "nx": nx, "ny": ny, "wood": wood, "wx": slope}


@dataclass(frozen=True)
class HedgePaint:
    """Paints the front of a clipped hedge with a ragged top edge."""

    textures: Textures
    climate: Climate
    height_m: float
    salt: int

    def __call__(self, patch: Patch) -> Paint:
        u, v = patch.u + 9.0 * self.salt, patch.v
        clump = self.textures.broad(u * 1.6, v * 1.6, 0.5)
        grain = self.textures.fine(u, v, 0.06, patch.footprint)
        top = self.height_m - 0.10 + 0.05 * clump + 0.03 * grain
        light = np.clip(0.75 + 0.35 * (v / self.height_m - 0.5) + 0.25 * clump, 0.25, 1.6)
        hue = _LEAVES[self.salt % len(_LEAVES)] * 0.9
        albedo = hue * (light * np.clip(1.0 + 0.3 * grain, 0.3, 1.9))[:, None]
        normal = np.stack([0.5 * grain, 0.35 + 0.3 * clump, -np.ones_like(u)], axis=1)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        celsius = self.climate.air_c - 0.6 + 0.9 * clump + 0.5 * grain
        return Paint(
            np.clip(albedo, 0.003, 1.0).astype(np.float32),
            celsius.astype(np.float32),
            solid=v < top,
            normal=normal.astype(np.float32),
        )


@dataclass(frozen=True)
class SkylinePaint:
    """Paints the far end of the side street: wooded hills and the outlines of towers."""

    textures: Textures
    climate: Climate
    lit: float
    lit_glow: float

    def __call__(self, patch: Patch) -> Paint:
        u, v = patch.u, patch.v
        zero = np.zeros_like(u)
        hill = (
            9.0
            + 3.0 * self.textures.broad(u, zero, 60.0)
            + 0.9 * self.textures.broad(u, zero + 3.0, 6.0)
        )
        hill += 0.6 * self.textures.broad(u, v, 2.0)
        cell = np.floor(u / 11.0)
        tall = self.textures.cell(cell, zero, 61)
        height = np.where(tall > 0.45, 8.0 + 16.0 * (tall - 0.3), 0.0)
        gap = np.abs(u - (cell + 0.5) * 11.0) < 3.0 + 2.0 * self.textures.cell(cell, zero, 62)
        tower = gap & (v < height) & (v >= hill)
        wood = v < hill
        albedo = np.empty((u.size, 3), np.float32)
        clump = self.textures.broad(u * 2.0, v * 2.0, 4.0)
        albedo[:] = srgb(74, 92, 58) * np.clip(1.0 + 0.35 * clump, 0.3, 2.0)[:, None]
        pane = tower & (np.mod(u, 1.6) < 0.9) & (np.mod(v, 3.0) < 1.5)
        albedo[tower] = srgb(168, 166, 164)
        albedo[pane] = srgb(96, 104, 112)
        celsius = self.climate.air_c - 1.5 + 0.4 * clump
        celsius[tower] = self.climate.air_c + 0.4
        celsius[pane] = self.climate.air_c + 0.2 * self.climate.indoor_k
        glow = None
        if self.lit > 0.0:
            glow = np.zeros_like(albedo)
            home = self.textures.cell(np.floor(u / 1.6), np.floor(v / 3.0), 63)
            on = pane & (home < self.lit)
            glow[on] = np.array([0.4, 0.7, 1.0], np.float32) * self.lit_glow * 0.6
        return Paint(albedo, celsius.astype(np.float32), solid=tower | wood, glow=glow)
