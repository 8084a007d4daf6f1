"""A jointed figure that walks: the pose of a person at a moment, as painted polygons."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edge_sdk.capture.simulation.mesh import Mesh, capsules
from edge_sdk.capture.simulation.people import Person

__all__ = ["STRIDE_M", "person_mesh"]

Floats = NDArray[np.float64]
Joint = tuple[float, float, float]

STRIDE_M = 1.42
"""Way of two steps of a person of 1.75 m; the gait's phase is the way divided by it."""

_SKIN, _CROWN, _TOP, _TROUSER, _SHOE, _BAG = range(6)
"""Rows of a person's palette."""
_SKIN_C = 33.0
_TRUNK = (
    (1.505, 0.045, 0.050),
    (1.475, 0.105, 0.070),
    (1.435, 0.165, 0.092),
    (1.38, 0.190, 0.112),
    (1.28, 0.182, 0.125),
    (1.10, 0.152, 0.118),
    (0.97, 0.162, 0.128),
    (0.87, 0.168, 0.130),
)
"""Slices of the trunk: height, half width and half depth, metres."""
_SKIRT = ((0.72, 0.180, 0.150), (0.58, 0.190, 0.165))
_TURN = np.arange(16) * math.pi / 8.0
_CIRCLE = np.stack([np.cos(_TURN), np.sin(_TURN)], axis=1)
_A_BAR, _A_BOARD, _AN_OVAL = range(3)


def person_mesh(
    who: Person, x: float, z: float, heading: float, phase: float, gait: float, air_c: float
) -> Mesh:
    """A person at (x, z) on the ground.

    Args:
        who: how the person looks.
        x, z: metres.
        heading: direction of walking in radians, 0 along +x, pi/2 along +z (away).
        phase: of the gait, radians.
        gait: 1 for walking, 0 for standing.
        air_c: temperature of the air, degrees Celsius.
    """
    return _Figure(who, x, z, heading, phase, gait, air_c).mesh()


class _Figure:
    """One pose of one person, built part by part from the back to the front.

    Joints are (forward, up, left) in metres of a person of 1.75 m; all of them become scene points
    in one go at the end.
    """

    def __init__(
        self,
        who: Person,
        x: float,
        z: float,
        heading: float,
        phase: float,
        gait: float,
        air_c: float,
    ) -> None:
        self.who = who
        self.size = who.height_m / 1.75
        self.place = (x, z)
        self.ahead = (math.cos(heading), math.sin(heading))
        self.phase = phase
        self.gait = gait
        self.air_c = air_c
        self.lean = 0.05 * gait
        legs = [self._leg(phase), self._leg(phase + math.pi)]
        # The lower foot carries the body: this gives the bob of a walk.
        self.lift = 0.045 - min(min(leg[2][1] - 0.04, leg[3][1]) for leg in legs)
        self.legs = [[(f, up + self.lift) for f, up in leg] for leg in legs]
        # Bars between two joints; boards and ovals: a joint and a shape in the picture's plane.
        self.bars: list[tuple[Joint, Joint, float, float]] = []
        self.boards: list[list[tuple[float, float, float, float, float]]] = []
        self.ovals: list[tuple[float, ...]] = []
        self.order: list[tuple[int, int]] = []
        self.hues: list[int] = []
        self.shades: list[float] = []
        self.celsius: list[float] = []
        self.casting: list[int] = []

    def mesh(self) -> Mesh:
        """Draw the person from the far arm to the near one."""
        # The left side (0) is the far one if it points away from the camera.
        far = 0 if self.ahead[0] > 0.0 else 1
        behind = self.ahead[1] > 0.25
        if self.who.bag and not behind:
            self._backpack()
        self._arm(far, 0.78)
        self._draw_leg(far, 0.78)
        self._draw_leg(1 - far, 1.0)
        self._torso()
        self._head()
        if self.who.bag and behind:
            self._backpack()
        self._arm(1 - far, 0.96)
        polygons = self._polygons()
        points = np.concatenate(polygons)
        starts = np.cumsum([0] + [len(polygon) for polygon in polygons])
        outline = [polygons[part] for part in self.casting]
        count = len(polygons)
        return Mesh(
            points=points,
            starts=starts,
            albedo=self.who.palette[self.hues] * np.array(self.shades)[:, None],
            shine=np.zeros((count, 3)),
            celsius=np.array(self.celsius),
            normals=np.tile((0.0, 0.3, -0.954), (count, 1)),
            centre=(self.place[0], 0.0, self.place[1]),
            soft_m=0.012,
            heat_soft_m=0.02,
            cloth=True,
            texture=self.who.texture,
            outline=np.concatenate(outline),
            outline_starts=np.cumsum([0] + [len(polygon) for polygon in outline]),
        )

    def _polygons(self) -> list[Floats]:
        """All parts as scene points, in drawing order."""
        bars = np.array([(*a, *b, ra, rb) for a, b, ra, rb in self.bars])
        start, stop = self._scene(bars[:, :3]), self._scene(bars[:, 3:6])
        girth = self.size * (0.5 + 0.5 * self.who.girth)
        start_r, stop_r = bars[:, 6] * girth, bars[:, 7] * girth
        outer = capsules(start, stop, start_r, stop_r)
        # The core of a limb is lighter and warmer, and lies on the side of the light.
        shift = np.zeros_like(start)
        shift[:, 0] = -0.22 * start_r
        shift[:, 1] = 0.10 * start_r
        inner = capsules(start + shift, stop + shift, 0.62 * start_r, 0.62 * stop_r)
        corners = np.array([corner for board in self.boards for corner in board])
        flat = self._scene(corners[:, :3])
        flat[:, :2] += self.size * corners[:, 3:]
        ends = np.cumsum([0] + [len(board) for board in self.boards]).tolist()
        discs = np.array(self.ovals)
        middles = self._scene(discs[:, :3])
        middles[:, :2] += self.size * discs[:, 3:5]
        rounds = np.repeat(middles[:, None, :], len(_CIRCLE), axis=1)
        rounds[:, :, :2] += self.size * discs[:, None, 5:] * _CIRCLE
        polygons: list[Floats] = []
        for kind, number in self.order:
            if kind == _A_BAR:
                polygons += [outer[number], inner[number]]
            elif kind == _AN_OVAL:
                polygons.append(rounds[number])
            else:
                polygons.append(flat[ends[number] : ends[number + 1]])
        return polygons

    def _scene(self, joints: Floats) -> Floats:
        """Scene points (N, 3) of joints (N, 3)."""
        f, left = self.size * joints[:, 0], self.size * joints[:, 2]
        ahead_x, ahead_z = self.ahead
        out = np.empty_like(joints)
        out[:, 0] = self.place[0] + f * ahead_x - left * ahead_z
        out[:, 1] = self.size * joints[:, 1]
        out[:, 2] = self.place[1] + f * ahead_z + left * ahead_x
        return out

    def _warm(self, share: float) -> float:
        """Apparent temperature of something that lets ``share`` of the body's heat through."""
        return self.air_c + share * (_SKIN_C - self.air_c)

    def _width(self, lateral: float, deep: float) -> float:
        """Half width in the picture of an ellipse of two half widths on the body."""
        return math.hypot(lateral * self.ahead[1], deep * self.ahead[0])

    def _bar(
        self, a: Joint, b: Joint, ra: float, rb: float, hue: int, celsius: float, shade: float
    ) -> None:
        self.order.append((_A_BAR, len(self.bars)))
        self.bars.append((a, b, ra, rb))
        self.casting.append(len(self.hues))
        self.hues += [hue, hue]
        self.shades += [0.66 * shade, 1.05 * shade]
        self.celsius += [celsius - 0.7, celsius + 0.4]

    def _board(
        self,
        corners: list[tuple[float, float, float, float, float]],
        hue: int,
        shade: float,
        celsius: float,
        casts: bool = False,
    ) -> None:
        self.order.append((_A_BOARD, len(self.boards)))
        self.boards.append(corners)
        self._paint(hue, shade, celsius, casts)

    def _paint(self, hue: int, shade: float, celsius: float, casts: bool) -> None:
        if casts:
            self.casting.append(len(self.hues))
        self.hues.append(hue)
        self.shades.append(shade)
        self.celsius.append(celsius)

    def _oval(
        self,
        joint: Joint,
        shift: tuple[float, float],
        half: tuple[float, float],
        hue: int,
        shade: float,
        celsius: float,
        casts: bool = False,
    ) -> None:
        self.order.append((_AN_OVAL, len(self.ovals)))
        self.ovals.append((*joint, *shift, *half))
        self._paint(hue, shade, celsius, casts)

    def _leg(self, phase: float) -> list[tuple[float, float]]:
        """Hip, knee, ankle and toe (forward, up): hip angle and knee flexion of a walk."""
        gait = self.gait
        hip = gait * 0.43 * math.sin(phase)
        bend = 0.06 + gait * (0.08 + 0.95 * max(0.0, math.cos(phase + 0.40)) ** 1.6)
        knee = (0.44 * math.sin(hip), 0.92 - 0.44 * math.cos(hip))
        shank = hip - bend
        ankle = (knee[0] + 0.40 * math.sin(shank), knee[1] - 0.40 * math.cos(shank))
        pitch = 0.9 * shank + 0.12 * gait * math.cos(phase)
        toe = (
            ankle[0] + 0.17 * math.cos(pitch) + 0.03 * math.sin(pitch),
            ankle[1] + 0.17 * math.sin(pitch) - 0.045 * math.cos(pitch),
        )
        return [(0.0, 0.92), knee, ankle, toe]

    def _draw_leg(self, which: int, shade: float) -> None:
        who = self.who
        side = (0.085 if which == 0 else -0.085) * who.girth
        hip, knee, ankle, toe = ((f, up, side) for f, up in self.legs[which])
        warm = self._warm(0.50 + 0.10 * who.dressed)
        heel = (ankle[0] - 0.055, ankle[1] - 0.035, side)
        self._bar(heel, toe, 0.046, 0.036, _SHOE, self._warm(0.36), shade)
        self._bar(knee, ankle, 0.066, 0.052, _TROUSER, warm - 0.3, shade)
        self._bar(hip, knee, 0.092, 0.066, _TROUSER, warm + 0.6, shade)

    def _arm(self, which: int, shade: float) -> None:
        who = self.who
        sign = 1.0 if which == 0 else -1.0
        swing = -0.46 * who.swing * self.gait * math.sin(self.phase + math.pi * which)
        bend = swing + 0.22 + 0.35 * self.gait * max(0.0, math.sin(swing) + 0.35)
        reach, drop = math.sin(bend), math.cos(bend)
        f, up, side = self.lean * 0.5, self.lift + 1.40, sign * 0.195 * who.girth
        shoulder = (f, up, side)
        f, up = f + 0.285 * math.sin(swing), up - 0.285 * math.cos(swing)
        elbow = (f, up, side + sign * 0.035)
        wrist = (f + 0.25 * reach, up - 0.25 * drop, side + sign * 0.025)
        hand = (f + 0.325 * reach, up - 0.325 * drop, side + sign * 0.025)
        sleeve = self._warm(0.40 + 0.08 * who.dressed)
        self._bar(wrist, hand, 0.036, 0.040, _SKIN, self._warm(0.86), shade)
        self._bar(elbow, wrist, 0.054, 0.043, _TOP, sleeve - 0.4, shade)
        self._bar(shoulder, elbow, 0.070, 0.054, _TOP, sleeve, shade)

    def _trunk(
        self,
        slices: tuple[tuple[float, float, float], ...],
        share: float,
        grow: float,
        shift: float,
    ) -> list[tuple[float, float, float, float, float]]:
        """Outline of a stack of ellipses (up, half width, half depth), seen from the camera."""
        left = []
        right = []
        for up, lateral, deep in slices:
            half = self._width(lateral * share + grow, deep * share + grow) * self.who.girth
            joint = (self.lean * (up - 0.9), up + self.lift, 0.0)
            left.append((*joint, (shift - 1.0) * half, 0.0))
            right.append((*joint, (shift + 1.0) * half, 0.0))
        return left + right[::-1]

    def _torso(self) -> None:
        who = self.who
        slices = _TRUNK + _SKIRT if who.coat else _TRUNK
        warm = self._warm(0.42 + 0.10 * who.dressed)
        lift = self.lift
        neck = self._warm(0.95)
        self._bar((0, 1.46 + lift, 0), (0.03, 1.56 + lift, 0), 0.058, 0.054, _SKIN, neck, 0.85)
        self._board(self._trunk(slices, 1.0, 0.012, 0.0), _TOP, 0.62, warm - 0.9, casts=True)
        self._board(self._trunk(slices[1:], 1.0, -0.022, -0.10), _TOP, 0.90, warm)
        self._board(self._trunk(slices[2:-1], 0.62, -0.012, -0.28), _TOP, 1.12, warm + 0.5)
        # The collar lets heat out.
        collar = (self.lean * 0.57, 1.47 + lift, 0.0)
        half = self._width(0.075, 0.068) * who.girth
        self._oval(collar, (0.0, 0.0), (half, 0.022), _TOP, 0.45, warm + 3.0)
        if self.ahead[1] < 0.3:
            zip_x = 0.9 * self.ahead[0] * self._width(0.0, 0.115) * who.girth
            top = (self.lean * 0.5, 1.42 + lift, 0.0)
            corners = [
                (*top, zip_x - 0.007, 0.0),
                (*top, zip_x + 0.007, 0.0),
                (*top, zip_x + 0.007, -0.52),
                (*top, zip_x - 0.007, -0.52),
            ]
            self._board(corners, _TOP, 0.35, warm + 1.2)

    def _head(self) -> None:
        who = self.who
        ahead, front = self.ahead[0], -self.ahead[1]
        joint = (0.045 + self.lean * 0.6, 1.635 + self.lift, 0.0)
        half = self._width(0.076, 0.094)
        crown_c = self._warm(0.45 if who.hat else 0.66)
        back = -0.012 * ahead
        self._oval(joint, (back, 0.012), (half * 1.06, 0.122), _CROWN, 1.0, crown_c, casts=True)
        if front > -0.55:
            skin_c = self._warm(0.98)
            face = 0.030 * ahead
            wide = half * (0.80 + 0.12 * max(0.0, front))
            self._oval(joint, (face, -0.020), (wide, 0.098), _SKIN, 0.78, skin_c - 1.0)
            lit = (wide * 0.74, 0.080)
            self._oval(joint, (face - 0.012, -0.016), lit, _SKIN, 1.05, skin_c)
            eyes = (face + 0.022 * ahead, 0.008)
            self._oval(joint, eyes, (wide * 0.62, 0.011), _SKIN, 0.42, skin_c + 0.8)
            nose = (face + wide * 0.85 * ahead, -0.022)
            self._oval(joint, nose, (0.016, 0.022), _SKIN, 0.95, skin_c - 3.0)
        top = 0.078 if who.hat else 0.085
        self._oval(joint, (0.004 * ahead, top), (half * 0.98, 0.052), _CROWN, 1.1, crown_c)

    def _backpack(self) -> None:
        joint = (-0.19, 1.21 + self.lift, 0.0)
        half = self._width(0.15, 0.085)
        for scale, shade, extra in ((1.0, 0.6, 0.0), (0.72, 1.0, 0.3)):
            w, h = half * scale, 0.24 * scale
            c = 0.35 * w
            shape = [(w, h - 2 * c), (w - c, h), (c - w, h), (-w, h - 2 * c)]
            shape += [(-w, c - h), (c - w, -h), (w - c, -h), (w, c - h)]
            corners = [(*joint, dx, dup) for dx, dup in shape]
            self._board(corners, _BAG, shade, self._warm(0.16) + extra, casts=True)
