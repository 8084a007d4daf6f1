"""The drawing plan of a vehicle: its polygons in its own axes, in the order they are drawn."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge_sdk.capture.simulation.materials import srgb

__all__ = ["Drafter", "Look", "Plan", "Shape"]

Floats = NDArray[np.float64]
Profile = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Shape:
    """Side view of a body. (forward, up) in metres, from the rear to the front.

    ``deck`` runs along the top of the lower body, ``cabin`` round the windows and the roof; both
    are swept between the two flanks, the roof narrower than the body.
    """

    deck: Profile
    cabin: Profile
    windows: tuple[Profile, ...]
    doors: tuple[float, ...]
    axles: tuple[float, float]
    wheel_m: float
    half_m: float
    roof_half_m: float


_GLASS = srgb(40, 48, 56).astype(np.float64)
_TYRE = srgb(30, 30, 32).astype(np.float64)
_RIM = srgb(150, 152, 156).astype(np.float64)
_TRIM = srgb(44, 44, 46).astype(np.float64)
_LAMP = srgb(238, 236, 228).astype(np.float64)
_RED = srgb(170, 22, 22).astype(np.float64)
_PLATE = srgb(226, 226, 214).astype(np.float64)
_DARK = np.zeros(3)


@dataclass(frozen=True, eq=False)
class Look:
    """A vehicle's shape, its paint (3,) linear BGR, its heat, and whether its lamps are on."""

    shape: Shape
    paint: Floats
    heat: float
    lamps: bool


@dataclass(frozen=True, eq=False)
class Plan:
    """Polygons of a vehicle in (forward, up, left), metres, in drawing order.

    Attributes:
        points: (N, 3).
        starts: (P + 1,) polygon p is ``points[starts[p]:starts[p + 1]]``.
        middles: (P, 3) mean of each polygon's corners.
        normals: (P, 3) unit vectors.
        always: (P,) bool, True if a polygon is drawn even if it faces away.
        albedo, shine: (P, 3) linear BGR reflectance and own light.
        excess: (P,) kelvin above the air.
        spokes: (K,) indices of the points that turn with a wheel, and
        axles: (K, 2) forward and up of the axle that each of them turns about.
    """

    points: Floats
    starts: NDArray[np.int64]
    middles: Floats
    normals: Floats
    always: NDArray[np.bool_]
    albedo: Floats
    shine: Floats
    excess: Floats
    spokes: NDArray[np.int64]
    axles: Floats


@dataclass
class Drafter:
    """Draws up the plan for one side (+1: the vehicle's left) and one end (ahead or behind)."""

    look: Look
    side: float
    ahead: bool
    _polygons: list[Floats] = field(default_factory=list)
    _normals: list[Floats] = field(default_factory=list)
    _always: list[bool] = field(default_factory=list)
    _albedo: list[Floats] = field(default_factory=list)
    _shine: list[Floats] = field(default_factory=list)
    _excess: list[float] = field(default_factory=list)
    _turning: list[tuple[int, int, float]] = field(default_factory=list)
    _count: int = 0

    def plan(self) -> Plan:
        """The whole vehicle, from the parts that face away to those that face the viewer."""
        shape = self.look.shape
        self._underside()
        for axle in shape.axles:
            self._far_wheel(axle)
        self._sweep(shape.deck, shape.half_m, shape.half_m, cabin=False)
        self._end(1.0)
        self._end(-1.0)
        self._flank()
        self._sweep(shape.cabin, shape.half_m - 0.05, shape.roof_half_m, cabin=True)
        self._windows()
        for axle in shape.axles:
            self._wheel(axle)
        lengths = [len(polygon) for polygon in self._polygons]
        spokes = [np.arange(first, last) for first, last, _ in self._turning]
        axles = [
            np.full((last - first, 2), (axle, shape.wheel_m)) for first, last, axle in self._turning
        ]
        return Plan(
            points=np.concatenate(self._polygons),
            starts=np.concatenate([[0], np.cumsum(lengths)]),
            middles=np.stack([polygon.mean(axis=0) for polygon in self._polygons]),
            normals=np.stack(self._normals),
            always=np.asarray(self._always),
            albedo=np.stack(self._albedo),
            shine=np.stack(self._shine),
            excess=np.asarray(self._excess),
            spokes=np.concatenate(spokes),
            axles=np.concatenate(axles),
        )

    def _add(
        self,
        polygon: ArrayLike,
        hue: Floats,
        excess: float,
        normal: tuple[float, float, float],
        shine: Floats = _DARK,
        always: bool = False,
    ) -> None:
        corners = np.asarray(polygon, np.float64)
        unit = np.asarray(normal, np.float64)
        self._polygons.append(corners)
        self._count += len(corners)
        self._normals.append(unit / np.linalg.norm(unit))
        self._always.append(always)
        self._albedo.append(hue)
        self._shine.append(shine)
        self._excess.append(excess)

    def _warm(self, forward: float, up: float) -> float:
        """Kelvin above the air: the bonnet over the engine and the low parts are warm."""
        front = self.look.shape.deck[-1][0]
        engine = math.exp(-(((forward - front + 0.75) / 0.75) ** 2))
        low = math.exp(-(((up - 0.25) / 0.28) ** 2))
        return 1.0 + self.look.heat * (11.0 * engine + 5.0 * low)

    def _underside(self) -> None:
        shape = self.look.shape
        rear, front = shape.deck[0][0] + 0.25, shape.deck[-1][0] - 0.25
        for left in (-0.8 * shape.half_m, 0.8 * shape.half_m):
            polygon = [
                (rear, 0.16, left),
                (rear, 0.5, left),
                (front, 0.5, left),
                (front, 0.16, left),
            ]
            self._add(polygon, _TYRE * 0.5, 9.0 * self.look.heat, (0, -1, 0), always=True)

    def _sweep(self, outline: Profile, low_half: float, high_half: float, *, cabin: bool) -> None:
        """The strips between the two flanks, those nearer to the viewer last."""
        lowest = min(up for _, up in outline)
        highest = max(up for _, up in outline)

        def half(up: float) -> float:
            share = (up - lowest) / (highest - lowest) if cabin else 0.0
            return low_half + (high_half - low_half) * share

        pairs = list(itertools.pairwise(outline))
        order = range(len(pairs)) if self.ahead else reversed(range(len(pairs)))
        for number in order:
            (f0, u0), (f1, u1) = pairs[number]
            normal = (u0 - u1, f1 - f0, 0.0)
            strip = np.array(
                [(f0, u0, -half(u0)), (f0, u0, half(u0)), (f1, u1, half(u1)), (f1, u1, -half(u1))]
            )
            warm = self._warm((f0 + f1) / 2.0, (u0 + u1) / 2.0)
            if not (cabin and number in (0, len(pairs) - 1)):
                self._add(strip, self.look.paint, warm, normal)
                continue
            self._add(strip, self.look.paint * 0.8, warm, normal)
            pane = strip.mean(axis=0) + (strip - strip.mean(axis=0)) * 0.86
            self._add(pane, _GLASS * 1.3, 1.0, normal)
            # The lower half of a sloping pane looks into the dark cabin.
            fold = 0.5 * (pane[0] + pane[3]), 0.5 * (pane[1] + pane[2])
            upper = [pane[0], pane[1], fold[1], fold[0]]
            if number == 0:
                upper = [fold[0], fold[1], pane[2], pane[3]]
            self._add(np.stack(upper), _GLASS * 0.7, 2.2, normal)

    def _end(self, sign: float) -> None:
        """Bumper, grille, lamps and plate of the front (+1) or the rear (-1)."""
        shape = self.look.shape
        paint = self.look.paint
        top = shape.deck[-1][1] if sign > 0 else shape.deck[2][1]
        self._board(sign, 0.24, top, -1.0, 1.0, paint, 0.35)
        self._board(sign, 0.22, 0.42, -0.97, 0.97, _TRIM, 0.25)
        if sign > 0:
            self._board(sign, 0.44, 0.58, -0.5, 0.5, _TRIM * 0.6, 0.45, extra=8.0)
        self._board(sign, 0.44, 0.55, -0.28, 0.28, _PLATE, 0.45)
        low, high = (0.52, 0.66) if sign > 0 else (0.62, 0.80)
        hue = _LAMP if sign > 0 else _RED
        shine = np.full(3, 6.0) if sign > 0 else np.array([0.024, 0.036, 0.66])
        if not self.look.lamps:
            shine = _DARK
        for flank in (-0.785, 0.785):
            inner, outer = flank - 0.165, flank + 0.165
            self._board(sign, low, high, inner, outer, hue, 0.6, shine, extra=2.0)

    def _board(
        self,
        sign: float,
        low: float,
        high: float,
        left: float,
        right: float,
        hue: Floats,
        at_up: float,
        shine: Floats = _DARK,
        extra: float = 0.0,
    ) -> None:
        shape = self.look.shape
        forward = (shape.deck[-1][0] if sign > 0 else shape.deck[1][0]) + sign * 0.015
        a, b = left * shape.half_m, right * shape.half_m
        polygon = [(forward, low, a), (forward, high, a), (forward, high, b), (forward, low, b)]
        excess = self._warm(forward, at_up) + extra * self.look.heat
        self._add(polygon, hue, excess, (sign, 0.0, 0.0), shine)

    def _flank(self) -> None:
        """The side that we see: body colour in bands, doors, handles, sill."""
        shape = self.look.shape
        paint = self.look.paint
        out = self.side * (shape.half_m + 0.005)
        deck = shape.deck
        bottom = 0.24
        rear, front = deck[0][0], deck[-1][0]
        cuts = np.linspace(rear + 0.02, front - 0.02, 8)
        tops = np.interp(cuts, [f for f, _ in deck[1:]], [u for _, u in deck[1:]])
        # From the sill, which mirrors the road, to the shoulder, which mirrors the sky.
        for low, high, tilt, shade in (
            (0.0, 0.3, -0.5, 0.62),
            (0.3, 0.72, 0.05, 0.86),
            (0.72, 1, 0.45, 1.08),
        ):
            for cut in range(len(cuts) - 1):
                f0, f1 = float(cuts[cut]), float(cuts[cut + 1])
                h0, h1 = float(tops[cut]) - bottom, float(tops[cut + 1]) - bottom
                polygon = [
                    (f0, bottom + h0 * low, out),
                    (f0, bottom + h0 * high, out),
                    (f1, bottom + h1 * high, out),
                    (f1, bottom + h1 * low, out),
                ]
                excess = self._warm((f0 + f1) / 2.0, bottom + h0 * (low + high) / 2.0)
                self._add(polygon, paint * shade, excess, (0.0, tilt, self.side))
        self._stripe(rear + 0.1, front - 0.1, 0.19, 0.27, _TRIM)
        for door in shape.doors:
            self._stripe(door - 0.008, door + 0.008, 0.34, 0.95, paint * 0.35)
            self._stripe(door - 0.30, door - 0.12, 0.80, 0.835, paint * 0.55)
        lamp, red = np.full(3, 2.0), np.array([0.02, 0.03, 0.5])
        if not self.look.lamps:
            lamp = red = _DARK
        self._stripe(front - 0.34, front - 0.10, 0.60, 0.70, _LAMP, lamp)
        self._stripe(rear, rear + 0.16, 0.66, 0.82, _RED, red)

    def _stripe(
        self,
        rear: float,
        front: float,
        low: float,
        high: float,
        hue: Floats,
        shine: Floats = _DARK,
    ) -> None:
        out = self.side * (self.look.shape.half_m + 0.006)
        polygon = [(rear, low, out), (rear, high, out), (front, high, out), (front, low, out)]
        excess = self._warm((rear + front) / 2.0, (low + high) / 2.0)
        self._add(polygon, hue, excess, (0.0, 0.1, self.side), shine)

    def _windows(self) -> None:
        """Pillars and side windows of the flank that we see."""
        shape = self.look.shape
        low = min(up for _, up in shape.cabin)
        high = max(up for _, up in shape.cabin)

        def at(forward: float, up: float, gap: float) -> tuple[float, float, float]:
            share = (up - low) / (high - low)
            half = shape.half_m - 0.05 + (shape.roof_half_m - shape.half_m + 0.05) * share
            return (forward, up, self.side * (half + gap))

        normal = (0.0, 0.35, self.side)
        self._add([at(f, u, 0.0) for f, u in shape.cabin], self.look.paint * 0.92, 2.0, normal)
        for window in shape.windows:
            top = max(u for _, u in window)
            base = min(u for _, u in window)
            self._add([at(f, u, 0.006) for f, u in window], _GLASS * 0.9, 2.4, normal)
            # The upper part of the glass mirrors the sky, which is pale to the eye and cold.
            fold = base + 0.55 * (top - base)
            glint = [at(f, fold + 0.45 * (u - base), 0.008) for f, u in window]
            self._add(glint, _GLASS * 3.0, 0.6, normal)

    def _disc(self, axle: float, size: float, out: float) -> list[tuple[float, float, float]]:
        radius = self.look.shape.wheel_m
        angles = [2.0 * math.pi * step / 20.0 for step in range(20)]
        return [
            (axle + radius * size * math.cos(a), radius + radius * size * math.sin(a), out)
            for a in angles
        ]

    def _far_wheel(self, axle: float) -> None:
        out = -self.side * (self.look.shape.half_m - 0.02)
        heat = 10.0 * self.look.heat
        self._add(self._disc(axle, 1.0, out), _TYRE, heat, (0.0, 0.1, -self.side), always=True)

    def _wheel(self, axle: float) -> None:
        radius = self.look.shape.wheel_m
        heat = self.look.heat
        out = self.side * (self.look.shape.half_m + 0.012)
        normal = (0.0, 0.1, self.side)
        # The arch, the tyre, the rim with its warm brake, the hub.
        rings = (
            (1.17, _TYRE * 0.35, 6.0),
            (1.0, _TYRE, 10.0),
            (0.68, _RIM * 0.4, 17.0),
            (0.30, _TYRE * 0.8, 30.0),
        )
        for size, hue, excess in rings:
            self._add(self._disc(axle, size, out), hue, excess * heat, normal)
        for spoke in range(5):
            a = spoke * 2.0 * math.pi / 5.0
            tips = ((0.10, a - 0.9), (0.64, a - 0.16), (0.64, a + 0.16), (0.10, a + 0.9))
            polygon = [
                (axle + radius * r * math.cos(b), radius + radius * r * math.sin(b), out)
                for r, b in tips
            ]
            self._turning.append((self._count, self._count + len(polygon), axle))
            self._add(polygon, _RIM, 15.0 * heat, normal)
