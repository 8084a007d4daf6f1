"""The place: what stands where, and the weather and light of each condition."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edge_sdk.capture.simulation.buildings import FacadePaint, RoofPaint
from edge_sdk.capture.simulation.furniture import LAMP_HEIGHT_M, BoxPaint, PostPaint
from edge_sdk.capture.simulation.ground import ROAD_NEAR_M, GroundPaint, Shade
from edge_sdk.capture.simulation.light import Climate, Lamp, Light
from edge_sdk.capture.simulation.materials import Surface, Textures, srgb
from edge_sdk.capture.simulation.plants import HedgePaint, SkylinePaint, TreePaint
from edge_sdk.capture.simulation.rand import signed, unit

__all__ = ["CAMERA_HEIGHT_M", "Place", "build_place"]

CAMERA_HEIGHT_M = 2.1
_FRONT_M = 30.0
_STREET_END_M = 96.0
_STREET_HALF_M = 5.4

_CLIMATE = {
    "day": Climate(air_c=13.0, sun_k=6.0, sky_c=1.0, indoor_k=2.5),
    "smoke": Climate(air_c=12.0, sun_k=3.0, sky_c=5.0, indoor_k=3.0),
    "glare": Climate(air_c=14.0, sun_k=5.0, sky_c=3.0, indoor_k=2.5),
    "night": Climate(air_c=6.0, sun_k=1.2, sky_c=-5.0, indoor_k=5.0),
}


@dataclass(frozen=True)
class Place:
    """Everything that stands still, and the light on it."""

    condition: str
    surfaces: tuple[Surface, ...]
    light: Light
    climate: Climate
    textures: Textures
    street_x_m: float
    side: float


def build_place(seed: int, condition: str) -> Place:
    """The place of ``seed``; the condition changes the light and the heat, never the geometry."""
    textures = Textures(seed)
    climate = _CLIMATE[condition]
    night = condition == "night"
    side = 1.0 if unit(seed, 21) < 0.5 else -1.0
    street = side * (3.2 + 1.2 * unit(seed, 22))
    lit, glow = (0.34, 1.1) if night else (0.0, 0.0)

    crossing = -side * (2.0 + unit(seed, 23))
    globes = _globes(street, side)
    trees = _trees(seed, street, side)
    lamps = tuple(
        Lamp((x, LAMP_HEIGHT_M, z - 0.05), 13.0, (1.0, 0.80, 0.52)) for x, z in globes if night
    )
    light = _light(condition, street, lamps)
    shades = [Shade(x, z, LAMP_HEIGHT_M, 0.06) for x, z in globes]
    shades += [Shade(x, z, h - 0.5 * w, 0.13, 0.46 * w) for x, z, w, h in trees]
    ground = GroundPaint(textures, climate, street, crossing, light.cast, tuple(shades))
    surfaces = [
        Surface((-90.0, 0.0, 0.5), (1, 0, 0), (0, 0, 1), (180.0, 160.0), (0, 1, 0), ground),
        Surface(
            (-110.0, 0.0, 158.0),
            (1, 0, 0),
            (0, 1, 0),
            (220.0, 40.0),
            (0, 0, -1),
            SkylinePaint(textures, climate, lit * 0.6, glow),
        ),
    ]
    for direction in (-1.0, 1.0):
        surfaces += _houses(seed, textures, climate, street, direction, lit, glow)
    for x, z in globes:
        surfaces.append(_post(climate, x, z, 0.055, LAMP_HEIGHT_M, 0.24, 3.2 if night else 0.0))
    for index in range(9):
        x = -9.5 + 2.4 * index
        if abs(x - crossing) > 1.6:
            surfaces.append(_post(climate, x, ROAD_NEAR_M - 0.55, 0.065, 0.92, 0.0, 0.0))
    surfaces += _greens(seed, textures, climate, street, side, trees)
    surfaces += _bench(textures, climate, side * 3.1, 9.3)
    return Place(condition, tuple(surfaces), light, climate, textures, street, side)


def _globes(street: float, side: float) -> list[tuple[float, float]]:
    """Feet (x, z) of the lamp posts."""
    return [
        (street - side * 7.6, 9.9),
        (-side * 0.2, 20.3),
        (street + side * 6.6, 20.6),
        (street - side * 16.0, 20.3),
        (street - 4.6, 44.0),
        (street + 4.6, 62.0),
        # Behind the cameras; its light is seen, the lamp is not.
        (-side * 2.5, 1.6),
    ]


def _trees(seed: int, street: float, side: float) -> list[tuple[float, float, float, float]]:
    """Foot (x, z), width and height of the trees."""
    spots = [
        (-side * 6.4, 10.1, 3.4, 5.2),
        (street - side * 8.6, 24.5, 4.6, 6.6),
        (street - side * 14.2, 25.5, 5.0, 7.2),
        (street + side * 9.0, 24.0, 4.4, 6.2),
        (street - 4.2, 52.0, 4.0, 6.0),
        (street + 4.3, 72.0, 4.0, 6.0),
    ]
    return [
        (x + 0.8 * signed(seed, 41, index), z, width, height)
        for index, (x, z, width, height) in enumerate(spots)
    ]


def _light(condition: str, street_x_m: float, lamps: tuple[Lamp, ...]) -> Light:
    if condition == "day":
        return Light(
            sky=(0.62, 0.53, 0.46),
            sun=(1.25, 1.42, 1.55),
            to_sun=_unit(-0.50, 0.62, -0.60),
            lamps=(),
            exposure=1.25,
            cast=(0.80, 0.97),
            shadow=0.62,
            penumbra_m=0.02,
            haze=((0.86, 0.80, 0.74), 420.0),
            headlights=False,
            flare=1.0,
            pool=0.0,
        )
    if condition == "smoke":
        return Light(
            sky=(0.95, 0.92, 0.88),
            sun=(0.18, 0.18, 0.18),
            to_sun=_unit(-0.4, 0.8, -0.45),
            lamps=(),
            exposure=1.1,
            cast=(0.15, 0.1),
            shadow=0.35,
            penumbra_m=0.14,
            haze=((0.62, 0.62, 0.61), 150.0),
            headlights=False,
            flare=1.0,
            pool=0.0,
        )
    if condition == "glare":
        return Light(
            sky=(0.34, 0.36, 0.42),
            sun=(0.75, 1.15, 1.6),
            to_sun=_unit((street_x_m - 0.4) / 30.0, 0.20, 1.0),
            lamps=(),
            exposure=0.8,
            cast=(-street_x_m / 30.0 * 2.2, -2.2),
            shadow=0.55,
            penumbra_m=0.03,
            haze=((0.42, 0.62, 0.86), 170.0),
            headlights=True,
            flare=2.6,
            pool=-0.4,
        )
    return Light(
        sky=(0.020, 0.0155, 0.0125),
        sun=(0.0, 0.0, 0.0),
        to_sun=(0.0, 1.0, 0.0),
        lamps=lamps,
        exposure=1.5,
        cast=(0.0, 0.05),
        shadow=0.5,
        penumbra_m=0.12,
        haze=((0.015, 0.012, 0.010), 400.0),
        headlights=True,
        flare=1.9,
        pool=-2.6,
    )


def _unit(x: float, up: float, z: float) -> tuple[float, float, float]:
    length = math.sqrt(x * x + up * up + z * z)
    return (x / length, up / length, z / length)


def _houses(
    seed: int,
    textures: Textures,
    climate: Climate,
    street: float,
    direction: float,
    lit: float,
    glow: float,
) -> list[Surface]:
    """Fronts along the far pavement and, round the corner, along the side street."""
    out: list[Surface] = []
    salt = 100 if direction > 0 else 200
    corner = street + direction * _STREET_HALF_M
    edge = corner
    for index in range(3):
        number = int(unit(seed, salt, index, 1) * 97.0)
        width = 8.0 + 4.0 * unit(seed, salt, index, 2)
        storeys = 1 + int(2.2 * unit(seed, salt, index, 3))
        height = 3.7 + 3.0 * storeys + 0.5
        front = _FRONT_M + (0.0 if index == 0 else 2.5 * unit(seed, salt, index, 4))
        left = edge if direction > 0 else edge - width
        wall = FacadePaint(textures, climate, number, height, lit, glow)
        out.append(
            Surface((left, 0, front), (1, 0, 0), (0, 1, 0), (width, height), (0, 0, -1), wall)
        )
        if index:
            # The gap that a set-back leaves at the neighbour's corner.
            out.append(_flank(textures, climate, edge, front, height, direction, number))
        pitch = _unit(0.0, 0.75, 1.0)
        out.append(
            Surface(
                (left - 0.25, height - 0.05, front - 0.3),
                (1, 0, 0),
                pitch,
                (width + 0.5, 5.0),
                _unit(0.0, 1.0, -0.75),
                RoofPaint(textures, climate, number),
            )
        )
        edge += direction * width
    along = _FRONT_M
    first = int(unit(seed, salt, 0, 1) * 97.0)
    for index in range(5):
        length = 10.0 + 5.0 * unit(seed, salt, index, 5)
        number = first if index == 0 else int(unit(seed, salt, index, 6) * 97.0)
        storeys = 1 + int(2.2 * unit(seed, salt, index, 3 if index == 0 else 7))
        height = 3.7 + 3.0 * storeys + 0.5
        wall = FacadePaint(textures, climate, number, height, lit, glow)
        out.append(
            Surface(
                (corner, 0, along), (0, 0, 1), (0, 1, 0), (length, height), (-direction, 0, 0), wall
            )
        )
        along += length
        if along > _STREET_END_M:
            break
    return out


def _flank(
    textures: Textures,
    climate: Climate,
    x: float,
    z: float,
    height: float,
    direction: float,
    number: int,
) -> Surface:
    wall = BoxPaint(textures, climate, srgb(150, 140, 128))
    return Surface((x, 0, z - 3.0), (0, 0, 1), (0, 1, 0), (3.0, height), (direction, 0, 0), wall)


def _post(
    climate: Climate, x: float, z: float, radius: float, height: float, globe: float, glow: float
) -> Surface:
    half = max(2.0 * radius, globe + 0.05)
    paint = PostPaint(climate, half, radius, height, globe, glow, bands=globe == 0.0)
    board = (2.0 * half, height + globe + 0.1)
    return Surface((x - half, 0, z), (1, 0, 0), (0, 1, 0), board, (0, 0, -1), paint)


def _greens(
    seed: int,
    textures: Textures,
    climate: Climate,
    street: float,
    side: float,
    trees: list[tuple[float, float, float, float]],
) -> list[Surface]:
    out: list[Surface] = []
    for index, (x, z, width, height) in enumerate(trees):
        tree = TreePaint(textures, climate, int(1000 * unit(seed, 42, index)), width, height)
        board = (width, height)
        out.append(Surface((x - width / 2, 0, z), (1, 0, 0), (0, 1, 0), board, (0, 0, -1), tree))
    for index, direction in enumerate((-1.0, 1.0)):
        start = street + direction * (_STREET_HALF_M + 0.6)
        left = start if direction > 0 else start - 16.0
        hedge = HedgePaint(textures, climate, 1.15, index + seed % 5)
        out.append(Surface((left, 0, 26.6), (1, 0, 0), (0, 1, 0), (16.0, 1.4), (0, 0, -1), hedge))
    x = side * 4.9
    concrete = BoxPaint(textures, climate, srgb(166, 160, 152))
    out.append(Surface((x - 1.3, 0, 7.4), (1, 0, 0), (0, 1, 0), (2.6, 0.5), (0, 0, -1), concrete))
    flank = x - side * 1.3
    out.append(Surface((flank, 0, 7.4), (0, 0, 1), (0, 1, 0), (1.0, 0.5), (-side, 0, 0), concrete))
    bush = HedgePaint(textures, climate, 0.85, 2 + seed % 5)
    out.append(Surface((x - 1.25, 0.45, 7.6), (1, 0, 0), (0, 1, 0), (2.5, 0.95), (0, 0, -1), bush))
    return out


def _bench(textures: Textures, climate: Climate, x: float, z: float) -> list[Surface]:
    wood = BoxPaint(textures, climate, srgb(146, 98, 58), plank_m=0.12)
    steel = BoxPaint(textures, climate, srgb(60, 62, 64))
    out = [
        Surface((x - 0.8, 0.50, z + 0.4), (1, 0, 0), (0, 1, 0), (1.6, 0.36), (0, 0, -1), wood),
        Surface((x - 0.8, 0.45, z), (1, 0, 0), (0, 0, 1), (1.6, 0.42), (0, 1, 0), wood),
        Surface((x - 0.8, 0.40, z), (1, 0, 0), (0, 1, 0), (1.6, 0.05), (0, 0, -1), wood),
    ]
    for offset in (-0.7, 0.62):
        for depth in (0.02, 0.40):
            spot = (x + offset, 0.0, z + depth)
            out.append(Surface(spot, (1, 0, 0), (0, 1, 0), (0.08, 0.44), (0, 0, -1), steel))
    return out
