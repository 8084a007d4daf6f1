"""Moving things as painted polygons in space, drawn back to front."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Glow", "Mesh", "capsules"]

Floats = NDArray[np.float64]

_HALF = np.linspace(-math.pi / 2.0, math.pi / 2.0, 7)
_ARC = np.stack([np.cos(_HALF), np.sin(_HALF)], axis=1)


@dataclass(frozen=True)
class Glow:
    """A lamp that shines into the camera: where, how much of it, and its BGR colour, 0 to 1."""

    position: tuple[float, float, float]
    strength: float
    colour: tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Mesh:
    """One moving thing at one moment.

    Attributes:
        points: (N, 3) corners of all polygons, (x, up, z) in metres.
        starts: (P + 1,) int, polygon p is ``points[starts[p]:starts[p + 1]]``. In the picture a
            polygon crosses every row at most twice.
        albedo: (P, 3) linear BGR reflectance.
        shine: (P, 3) linear BGR light that the polygon emits.
        celsius: (P,) apparent temperature.
        normals: (P, 3) unit vectors.
        centre: (x, up, z) of the thing on the ground; its z is the depth that it is drawn at.
        soft_m: how far neighbouring patches of colour run into each other.
        heat_soft_m: the same for heat.
        cloth: True if it is textured with cloth.
        texture: picks the piece of cloth.
        outline: (K, 3) corners of the polygons whose shadow is the thing's shadow, and
        outline_starts: where each of them starts, as in ``starts``.
        glows: its lamps.
        warm_ground_k: how much it warms the ground below it.
        pool: (K, 3) the ground that its lamps light up; None if they are off.
    """

    points: Floats
    starts: NDArray[np.int64]
    albedo: Floats
    shine: Floats
    celsius: Floats
    normals: Floats
    centre: tuple[float, float, float]
    soft_m: float
    heat_soft_m: float
    cloth: bool
    texture: int
    outline: Floats
    outline_starts: NDArray[np.int64]
    glows: tuple[Glow, ...] = ()
    warm_ground_k: float = 0.0
    pool: Floats | None = None

    @property
    def middles(self) -> Floats:
        """(P, 3) mean of each polygon's corners."""
        sums = np.add.reduceat(self.points, self.starts[:-1], axis=0)
        return np.asarray(sums / np.diff(self.starts)[:, None])


def capsules(start: Floats, stop: Floats, start_r: Floats, stop_r: Floats) -> Floats:
    """Rounded bars (M, 14, 3) from ``start`` (M, 3) to ``stop`` (M, 3), facing the camera."""
    way = (stop - start)[:, :2]
    length = np.sqrt(way[:, :1] ** 2 + way[:, 1:] ** 2)
    along = np.where(length > 1e-6, way / np.maximum(length, 1e-6), (0.0, -1.0))
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    arc = along[:, None, :] * _ARC[None, :, :1] + across[:, None, :] * _ARC[None, :, 1:]
    out = np.empty((len(start), 14, 3))
    out[:, :7, :2] = stop[:, None, :2] + arc * stop_r[:, None, None]
    out[:, 7:, :2] = start[:, None, :2] - arc * start_r[:, None, None]
    out[:, :7, 2] = stop[:, None, 2]
    out[:, 7:, 2] = start[:, None, 2]
    return out
