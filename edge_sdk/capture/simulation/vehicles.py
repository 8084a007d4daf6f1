"""Cars and vans: a body swept across its width, glass, turning wheels, lamps, and warm parts."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_sdk.capture.simulation.materials import srgb
from edge_sdk.capture.simulation.mesh import Glow, Mesh
from edge_sdk.capture.simulation.rand import mix, unit
from edge_sdk.capture.simulation.vehicle_plan import Drafter, Look, Plan, Shape

__all__ = ["Vehicle", "make_vehicle"]

Floats = NDArray[np.float64]

_PAINTS = (
    (186, 30, 34),
    (34, 62, 122),
    (206, 208, 210),
    (58, 62, 66),
    (236, 236, 234),
    (122, 130, 136),
    (28, 84, 74),
    (202, 150, 44),
)
_HATCH = Shape(
    deck=((-1.98, 0.34), (-2.02, 0.62), (-1.94, 0.94), (0.92, 0.98), (1.62, 0.86), (1.96, 0.66)),
    cabin=((-1.90, 0.93), (-1.52, 1.40), (-1.05, 1.49), (-0.15, 1.48), (0.98, 0.96)),
    windows=(
        ((-1.60, 0.99), (-1.38, 1.36), (-0.95, 1.42), (-0.62, 1.42), (-0.62, 0.99)),
        ((-0.54, 0.99), (-0.54, 1.42), (-0.16, 1.41), (0.72, 1.00)),
    ),
    doors=(-0.58, 0.52),
    axles=(-1.28, 1.26),
    wheel_m=0.32,
    half_m=0.87,
    roof_half_m=0.64,
)
_SEDAN = Shape(
    deck=((-2.26, 0.36), (-2.30, 0.66), (-2.20, 0.98), (0.86, 0.97), (1.76, 0.83), (2.22, 0.64)),
    cabin=((-1.78, 0.97), (-1.10, 1.38), (-0.62, 1.45), (-0.05, 1.44), (1.02, 0.95)),
    windows=(
        ((-1.42, 1.00), (-0.98, 1.34), (-0.60, 1.39), (-0.42, 1.39), (-0.42, 1.00)),
        ((-0.34, 1.00), (-0.34, 1.39), (-0.04, 1.38), (0.76, 1.00)),
    ),
    doors=(-1.20, -0.38, 0.66),
    axles=(-1.38, 1.40),
    wheel_m=0.33,
    half_m=0.90,
    roof_half_m=0.66,
)
_VAN = Shape(
    deck=((-2.44, 0.36), (-2.46, 0.70), (-2.44, 1.10), (1.30, 1.10), (2.02, 0.98), (2.36, 0.70)),
    cabin=((-2.44, 1.09), (-2.38, 1.96), (-2.10, 2.02), (0.72, 2.00), (1.52, 1.08)),
    windows=(((0.06, 1.14), (0.06, 1.78), (0.66, 1.78), (1.18, 1.14)),),
    doors=(-0.62, 0.0, 1.12),
    axles=(-1.56, 1.52),
    wheel_m=0.34,
    half_m=0.95,
    roof_half_m=0.84,
)
_SHAPES = (_HATCH, _SEDAN, _VAN, _HATCH, _SEDAN)


@dataclass(frozen=True)
class Vehicle:
    """How one vehicle looks, and how hot it has run (1 is usual)."""

    shape: Shape
    paint: tuple[float, float, float]
    heat: float

    @property
    def length_m(self) -> float:
        """From bumper to bumper."""
        return self.shape.deck[-1][0] - self.shape.deck[1][0]

    def mesh(
        self,
        x: float,
        z: float,
        heading: float,
        travelled_m: float,
        viewer: tuple[float, float, float],
        air_c: float,
        headlights: bool,
    ) -> Mesh:
        """The vehicle at (x, z) on the ground.

        Args:
            x, z: metres.
            heading: radians, 0 along +x, pi/2 along +z (away).
            travelled_m: turns the wheels.
            viewer: (x, up, z) that decides which sides are drawn.
            air_c: temperature of the air, degrees Celsius.
            headlights: True if the lamps are on.
        """
        ahead, aside = math.cos(heading), math.sin(heading)
        # From (forward, up, left) to (x, up, z).
        turn = np.array([[ahead, 0.0, -aside], [0.0, 1.0, 0.0], [aside, 0.0, ahead]])
        eye = (np.asarray(viewer) - (x, 0.0, z)) @ turn
        plan = _plan(self, bool(eye[2] > 0.0), bool(eye[0] > 0.0), headlights)
        local = plan.points.copy()
        _spin(local, plan, travelled_m / self.shape.wheel_m)
        facing = np.einsum("ij,ij->i", eye - plan.middles, plan.normals) > 0.0
        keep = facing | plan.always
        lengths = np.diff(plan.starts)
        boxes = _boxes(self.shape)
        place = np.array([x, 0.0, z])
        return Mesh(
            points=local[np.repeat(keep, lengths)] @ turn.T + place,
            starts=np.concatenate([[0], np.cumsum(lengths[keep])]),
            albedo=plan.albedo[keep],
            shine=plan.shine[keep],
            celsius=air_c + plan.excess[keep],
            normals=plan.normals[keep] @ turn.T,
            centre=(x, 0.0, z),
            soft_m=0.012,
            heat_soft_m=0.09,
            cloth=False,
            texture=0,
            outline=boxes @ turn.T + place,
            outline_starts=np.arange(0, len(boxes) + 1, 4),
            glows=self._glows(eye, turn, place) if headlights else (),
            warm_ground_k=2.6 * self.heat,
            pool=_POOL @ turn.T + place if headlights else None,
        )

    def _glows(self, eye: Floats, turn: Floats, place: Floats) -> tuple[Glow, ...]:
        glows: list[Glow] = []
        half = 0.78 * self.shape.half_m
        for sign, colour in ((1.0, (0.86, 0.95, 1.0)), (-1.0, (0.05, 0.06, 0.7))):
            forward = self.shape.deck[-1][0] if sign > 0 else self.shape.deck[1][0]
            for flank in (-half, half):
                spot = np.array([forward + sign * 0.03, 0.60 if sign > 0 else 0.72, flank])
                way = eye - spot
                facing = sign * float(way[0]) / float(np.linalg.norm(way))
                if facing < -0.05:
                    continue
                narrow = 0.06 + 0.94 * max(0.0, facing) ** 3
                strength = narrow if sign > 0 else 0.35 * (0.4 + 0.6 * facing)
                x, up, z = (float(c) for c in turn @ spot + place)
                glows.append(Glow((x, up, z), strength, colour))
        return tuple(glows)


def make_vehicle(seed: int, number: int) -> Vehicle:
    """Vehicle ``number`` of a scene."""
    shape = _SHAPES[mix(seed, number, 51) % len(_SHAPES)]
    blue, green, red = srgb(*_PAINTS[mix(seed, number, 52) % len(_PAINTS)]).tolist()
    return Vehicle(shape, (blue, green, red), 0.7 + 0.5 * unit(seed, number, 53))


def _spin(local: Floats, plan: Plan, angle: float) -> None:
    """Turn the spokes about their axles; a wheel that rolls ahead turns clockwise from its left."""
    cosine, sine = math.cos(-angle), math.sin(-angle)
    rim = local[plan.spokes]
    forward, up = rim[:, 0] - plan.axles[:, 0], rim[:, 1] - plan.axles[:, 1]
    local[plan.spokes, 0] = plan.axles[:, 0] + cosine * forward - sine * up
    local[plan.spokes, 1] = plan.axles[:, 1] + sine * forward + cosine * up


_POOL = np.array([(2.0, 0.0, -0.8), (8.5, 0.0, -2.2), (8.5, 0.0, 2.2), (2.0, 0.0, 0.8)])
"""The ground that the headlights light up, in the vehicle's axes."""


@functools.lru_cache(maxsize=8)
def _boxes(shape: Shape) -> Floats:
    """Faces (4 corners each) of two boxes, body and cabin, whose shadow is the vehicle's."""
    deck, cabin = shape.deck, shape.cabin
    faces: list[tuple[float, float, float]] = []
    for rear, front, low, high, half in (
        (deck[1][0], deck[-1][0], 0.05, deck[2][1], shape.half_m),
        (cabin[1][0], cabin[-2][0], deck[2][1], cabin[2][1], shape.roof_half_m),
    ):
        ring = [(rear, -half), (front, -half), (front, half), (rear, half)]
        faces += [(f, low, s) for f, s in ring] + [(f, high, s) for f, s in ring]
        for (f0, s0), (f1, s1) in zip(ring, ring[1:] + ring[:1], strict=True):
            faces += [(f0, low, s0), (f0, high, s0), (f1, high, s1), (f1, low, s1)]
    return np.asarray(faces)


@functools.lru_cache(maxsize=32)
def _plan(vehicle: Vehicle, left: bool, ahead: bool, lamps: bool) -> Plan:
    """The drawing plan of a vehicle seen from its left or right, from ahead or from behind."""
    look = Look(vehicle.shape, np.asarray(vehicle.paint), vehicle.heat, lamps)
    return Drafter(look, 1.0 if left else -1.0, ahead).plan()
