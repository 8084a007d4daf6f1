"""Who is where at which time: people and vehicles on their ways, as a function of time alone."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

from edge_sdk.capture.simulation.figure import STRIDE_M, person_mesh
from edge_sdk.capture.simulation.mesh import Mesh
from edge_sdk.capture.simulation.people import Person, make_person
from edge_sdk.capture.simulation.rand import signed, unit
from edge_sdk.capture.simulation.vehicles import Vehicle, make_vehicle

__all__ = ["MAX_PEOPLE", "MAX_VEHICLES", "Actor", "Traffic"]

MAX_PEOPLE = 100
MAX_VEHICLES = 6

_NEAR_LANE_M = 12.75
_FAR_LANE_M = 16.65
_ROUND_S = 10.0
"""Vehicles come round in this time, so that no two ever meet in one place."""
_DRIVE_M_S = 5.2
_TURN_M = 3.85
_TURN_FROM_M = 100.0


@dataclass(frozen=True)
class Actor:
    """One person or vehicle at one moment.

    Attributes:
        number: identity; a person who left and another who comes later have different ones.
        label: ``"person"`` or ``"car"``.
        x, z: place on the ground, metres.
        heading: radians, 0 along +x, pi/2 along +z.
        speed_m_s: along the heading.
        way_m: way since it appeared.
        looks: how it is drawn.
    """

    number: int
    label: str
    x: float
    z: float
    heading: float
    speed_m_s: float
    way_m: float
    looks: Person | Vehicle

    def mesh(self, viewer: tuple[float, float, float], air_c: float, headlights: bool) -> Mesh:
        """The actor as polygons; see :class:`Mesh`."""
        if isinstance(self.looks, Vehicle):
            return self.looks.mesh(
                self.x, self.z, self.heading, self.way_m, viewer, air_c, headlights
            )
        stride = STRIDE_M * self.looks.height_m / 1.75
        phase = 2.0 * math.pi * self.way_m / stride
        gait = 1.0 if self.speed_m_s > 0.0 else 0.0
        return person_mesh(self.looks, self.x, self.z, self.heading, phase, gait, air_c)


class Traffic:
    """All ways of a scene.

    Args:
        seed: of the scene.
        people, vehicles: how many of each are on their way at a time.
        reach: half the width of the widest view per metre of depth; ways begin and end outside.
        street_x_m: middle of the side street.
        planter_side: +1 or -1, the side of the square that has the planter.
    """

    def __init__(
        self,
        seed: int,
        people: int,
        vehicles: int,
        reach: float,
        street_x_m: float,
        planter_side: float,
    ) -> None:
        self._seed = seed
        self._people = people
        self._vehicles = vehicles
        self._reach = reach
        self._street_x_m = street_x_m
        self._side = planter_side

    def at(self, time_s: float) -> list[Actor]:
        """Everybody at ``time_s``, the farthest first."""
        actors = [self._person(slot, time_s) for slot in range(self._people)]
        for slot in range(self._vehicles):
            vehicle = self._vehicle(slot, time_s)
            if vehicle is not None:
                actors.append(vehicle)
        return sorted(actors, key=lambda actor: (-actor.z, actor.number))

    def _number(self, lap: int, slot: int) -> int:
        return 1 + lap * (self._people + self._vehicles) + slot

    def _person(self, slot: int, time_s: float) -> Actor:
        seed = self._seed
        if slot % 6 == 4:
            return self._waiting(slot, time_s)
        z_start, z_stop, direction = self._lane(slot)
        start = -direction * (self._reach * z_start + 1.3)
        stop = direction * (self._reach * z_stop + 1.3)
        length = math.hypot(stop - start, z_stop - z_start)
        speed = 1.12 + 0.38 * unit(seed, 71, slot)
        period = length / speed + 1.5 * unit(seed, 72, slot)
        # In view at time 0, spread over the width of the picture.
        since = time_s + (0.25 + 0.5 * unit(seed, 73, slot)) * length / speed
        lap = math.floor(since / period)
        way = min((since - lap * period) * speed, length)
        share = way / length
        number = self._number(lap, slot)
        return Actor(
            number=number,
            label="person",
            x=start + share * (stop - start),
            z=z_start + share * (z_stop - z_start),
            heading=math.atan2(z_stop - z_start, stop - start),
            speed_m_s=speed,
            way_m=way + STRIDE_M * unit(seed, 74, number),
            looks=_person(seed, number),
        )

    def _lane(self, slot: int) -> tuple[float, float, float]:
        """Depths of the two ends of a way, and +1 if it leads to the right."""
        wobble = signed(self._seed, 75, slot)
        direction = 1.0 if unit(self._seed, 76, slot) < 0.5 else -1.0
        kind = slot % 6
        if kind == 0:
            return 6.5 + 0.35 * wobble, 6.5 + 0.35 * wobble, direction
        if kind == 1:
            return 20.6 + 0.8 * wobble, 20.6 + 0.8 * wobble, direction
        if kind == 2:
            return 8.82 + 0.12 * wobble, 8.82 + 0.12 * wobble, -direction
        if kind == 3:
            # Slantwise over the square, past the front of the planter.
            return 8.9, 5.0 + 0.3 * wobble, self._side
        return 21.4 + 0.6 * wobble, 20.0 + 0.6 * wobble, -direction

    def _waiting(self, slot: int, time_s: float) -> Actor:
        """Somebody who stands still and looks about."""
        seed = self._seed
        number = self._number(0, slot)
        x = self._side * 1.3 - 0.9 * (slot // 6) + 0.3 * signed(seed, 77, slot)
        turn = 0.35 * math.sin(0.5 * time_s + 6.0 * unit(seed, 78, slot))
        return Actor(
            number=number,
            label="person",
            x=x,
            z=9.75,
            heading=-math.pi / 2.0 + turn + 0.5 * signed(seed, 79, slot),
            speed_m_s=0.0,
            way_m=0.0,
            looks=_person(seed, number),
        )

    def _vehicle(self, slot: int, time_s: float) -> Actor | None:
        seed = self._seed
        kind = slot % 3
        later = 5.0 * (slot // 3)
        start_up = 0.8 * unit(seed, 81)
        period = 2.0 * _ROUND_S if kind == 2 else _ROUND_S
        # At time 0 a car enters from the left, another crosses, a third comes down the street.
        since = time_s + (1.1, 3.6, 9.4)[kind] + start_up + later
        lap = math.floor(since / period)
        way = (since - lap * period) * _DRIVE_M_S
        number = self._number(lap, self._people + slot)
        looks = _vehicle(seed, number)
        if kind < 2:
            z = _NEAR_LANE_M if kind == 0 else _FAR_LANE_M
            direction = 1.0 if kind == 0 else -1.0
            edge = self._reach * z + 3.6
            x = direction * (way - edge)
            if way > 2.0 * edge:
                return None
            heading = 0.0 if kind == 0 else math.pi
        else:
            x, z, heading = self._turning(way)
            if x < -self._reach * z - 3.6:
                return None
        return Actor(
            number=number,
            label="car",
            x=x,
            z=z,
            heading=heading,
            speed_m_s=_DRIVE_M_S,
            way_m=way,
            looks=looks,
        )

    def _turning(self, way: float) -> tuple[float, float, float]:
        """Down the side street towards the camera, then to the left of the picture."""
        x = self._street_x_m - 1.65
        corner = _FAR_LANE_M + _TURN_M
        straight = _TURN_FROM_M - corner
        arc = _TURN_M * math.pi / 2.0
        if way < straight:
            return x, _TURN_FROM_M - way, -math.pi / 2.0
        if way < straight + arc:
            angle = (way - straight) / _TURN_M
            return (
                x - _TURN_M * (1.0 - math.cos(angle)),
                corner - _TURN_M * math.sin(angle),
                -math.pi / 2.0 - angle,
            )
        return x - _TURN_M - (way - straight - arc), _FAR_LANE_M, math.pi


@functools.lru_cache(maxsize=128)
def _person(seed: int, number: int) -> Person:
    return make_person(seed, number)


@functools.lru_cache(maxsize=32)
def _vehicle(seed: int, number: int) -> Vehicle:
    return make_vehicle(seed, number)
