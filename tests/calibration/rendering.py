"""Pictures of boards by ray tracing: own lens models, no OpenCV geometry, for tests as truth.

Every pixel is split into ``oversampling`` squared rays; each is undistorted by Newton's method,
cut with the board's plane and looked up in the pattern. Blur and noise follow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Pattern = Callable[[Array, Array], Array]


@dataclass(frozen=True)
class Lens:
    """A camera: intrinsics and distortion as in edge_sdk's calibration file."""

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    distortion: tuple[float, ...]
    model: str = "pinhole"

    @property
    def matrix(self) -> Array:
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1.0]])

    def distort(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Normalised undistorted to normalised distorted coordinates."""
        if self.model == "fisheye":
            k1, k2, k3, k4 = self.distortion
            r = np.hypot(x, y)
            a = np.arctan(r)
            f = np.where(
                r > 1e-9,
                a * (1 + k1 * a**2 + k2 * a**4 + k3 * a**6 + k4 * a**8) / np.where(r > 1e-9, r, 1),
                1,
            )
            return x * f, y * f
        k1, k2, p1, p2, k3 = self.distortion
        r2 = x * x + y * y
        f = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
        return (
            x * f + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
            y * f + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
        )

    def rays(self, u: Array, v: Array) -> tuple[Array, Array]:
        """Normalised undistorted coordinates (x/z, y/z) of pixels, by Newton's method."""
        xd, yd = (u - self.cx) / self.fx, (v - self.cy) / self.fy
        x, y = xd.copy(), yd.copy()
        if self.model == "fisheye":
            rd = np.hypot(xd, yd)
            k1, k2, k3, k4 = self.distortion
            a = rd.copy()
            for _ in range(20):
                g = a * (1 + k1 * a**2 + k2 * a**4 + k3 * a**6 + k4 * a**8) - rd
                d = 1 + 3 * k1 * a**2 + 5 * k2 * a**4 + 7 * k3 * a**6 + 9 * k4 * a**8
                a = a - g / d
            f = np.where(rd > 1e-9, np.tan(a) / np.where(rd > 1e-9, rd, 1), 1)
            return xd * f, yd * f
        h = 1e-6
        for _ in range(12):
            px, py = self.distort(x, y)
            ax, ay = self.distort(x + h, y)
            bx, by = self.distort(x, y + h)
            a11, a21, a12, a22 = (ax - px) / h, (ay - py) / h, (bx - px) / h, (by - py) / h
            det = a11 * a22 - a12 * a21
            ex, ey = xd - px, yd - py
            x = x + (a22 * ex - a12 * ey) / det
            y = y + (a11 * ey - a21 * ex) / det
        return x, y

    def project(self, points: Array) -> Array:
        """(N, 3) points before the camera to (N, 2) pixels."""
        x, y = self.distort(points[:, 0] / points[:, 2], points[:, 1] / points[:, 2])
        return np.column_stack([x * self.fx + self.cx, y * self.fy + self.cy])


def rotation(*degrees: float) -> Array:
    """Rz Ry Rx of angles about x, y, z in degrees."""
    a, b, c = np.radians(degrees)
    rx = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    ry = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    rz = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return rz @ ry @ rx


def checkerboard(columns: int, rows: int, square: float, hole: tuple | None = None) -> Pattern:
    """0 dark, 1 bright, 0.5 the margin, nan beyond; inner corners at (i, j) * square.

    ``hole`` (i0, j0, i1, j1) in squares is a bright area without squares, as of a coded board.
    """

    def look_up(x: Array, y: Array) -> Array:
        i, j = np.floor(x / square).astype(int), np.floor(y / square).astype(int)
        value = ((i + j) % 2).astype(np.float32)
        inside = (i >= -1) & (i < columns) & (j >= -1) & (j < rows)
        if hole is not None:
            value[(i >= hole[0]) & (i < hole[2]) & (j >= hole[1]) & (j < hole[3])] = 1.0
        margin = (
            (x > -1.6 * square)
            & (x < (columns + 0.6) * square)
            & (y > -1.6 * square)
            & (y < (rows + 0.6) * square)
        )
        return np.where(inside, value, np.where(margin, 1.0, np.nan))

    return look_up


def circles(columns: int, rows: int, spacing: float, asymmetric: bool = True) -> Pattern:
    """Dark dots on a bright board; OpenCV's asymmetric order: ((2 i + j % 2), j) * spacing."""
    radius = spacing * (0.45 if asymmetric else 0.28)

    def look_up(x: Array, y: Array) -> Array:
        value = np.ones_like(x)
        width = (2 * columns if asymmetric else columns) * spacing
        for j in range(rows):
            for i in range(columns):
                cx = (2 * i + j % 2) * spacing if asymmetric else i * spacing
                value[np.hypot(x - cx, y - j * spacing) < radius] = 0.0
        margin = (x > -1.5 * spacing) & (x < width + spacing)
        margin &= (y > -1.5 * spacing) & (y < (rows + 0.5) * spacing)
        return np.where(margin, value, np.nan)

    return look_up


def texture(picture: NDArray[np.uint8], width: float) -> Pattern:
    """A picture of a board, ``width`` metres wide, its top left corner at the origin."""
    scale = picture.shape[1] / width

    def look_up(x: Array, y: Array) -> Array:
        i, j = np.floor(x * scale).astype(int), np.floor(y * scale).astype(int)
        inside = (i >= 0) & (j >= 0) & (i < picture.shape[1]) & (j < picture.shape[0])
        value = picture[np.clip(j, 0, picture.shape[0] - 1), np.clip(i, 0, picture.shape[1] - 1)]
        return np.where(inside, value / 255.0, np.nan)

    return look_up


@dataclass(frozen=True)
class Look:
    """How a camera sees the board: contrast in grey levels of 8 bit, blur and noise."""

    dark: float = 40.0
    bright: float = 210.0
    background: float = 120.0
    slope: float = 0.0  # of the background and the board, grey levels over the picture's width
    blur_px: float = 0.6
    noise: float = 1.5
    inverted: bool = False


VISIBLE = Look()
THERMAL = Look(dark=96, bright=132, background=70, slope=25, blur_px=1.1, noise=3.0, inverted=True)


def render(
    lens: Lens,
    pattern: Pattern,
    pose: tuple[Array, Array],
    look: Look = VISIBLE,
    seed: int = 0,
    oversampling: int = 3,
) -> NDArray[np.uint8]:
    """(height, width) uint8 picture of a board at ``pose`` (R, t): X_camera = R X_board + t."""
    n = oversampling
    u = (np.arange(lens.width * n) + 0.5) / n - 0.5
    v = (np.arange(lens.height * n) + 0.5) / n - 0.5
    x, y = _rays(lens, n, u, v)
    r, t = pose[0].astype(np.float32), pose[1].astype(np.float32)
    # The board's plane z = 0: solve R^-1 (s ray - t) for s with third coordinate 0.
    normal = r[:, 2]
    s = (normal @ t) / (normal[0] * x + normal[1] * y + normal[2])
    px, py, pz = s * x - t[0], s * y - t[1], s - t[2]
    bx = r[0, 0] * px + r[1, 0] * py + r[2, 0] * pz
    by = r[0, 1] * px + r[1, 1] * py + r[2, 1] * pz
    value = pattern(bx, by)
    value = np.where(s > 0, value, np.nan)
    if look.inverted:
        value = 1 - value
    grey = np.where(
        np.isnan(value), look.background, look.dark + (look.bright - look.dark) * value
    ) + look.slope * (u[None, :] / lens.width - 0.5)
    grey = cv2.resize(grey, (lens.width, lens.height), interpolation=cv2.INTER_AREA)
    grey = cv2.GaussianBlur(grey, (0, 0), look.blur_px)
    noise = np.random.default_rng(seed).normal(0, look.noise, grey.shape)
    return np.clip(np.rint(grey + noise), 0, 255).astype(np.uint8)


_cache: dict[tuple[Lens, int], tuple[NDArray[np.float32], NDArray[np.float32]]] = {}


def _rays(
    lens: Lens, n: int, u: Array, v: Array
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    if (lens, n) not in _cache:
        _cache.clear()
        uu, vv = np.meshgrid(u, v)
        x, y = lens.rays(uu, vv)
        _cache[lens, n] = x.astype(np.float32), y.astype(np.float32)
    return _cache[lens, n]


def poses(
    count: int,
    lens: Lens,
    centre: tuple[float, float],
    fill: tuple[float, float] = (0.5, 0.9),
    tilt_deg: float = 35.0,
    seed: int = 0,
    width: float = 0.4,
) -> list[tuple[Array, Array]]:
    """Different views of a board ``width`` metres wide with its middle at ``centre`` (metres)."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        distance = lens.fx * width / (lens.width * rng.uniform(*fill))
        angles = rng.uniform(-tilt_deg, tilt_deg, 2)
        r = rotation(angles[0], angles[1], rng.uniform(-15, 15))
        free_x = max(0.5 - 0.5 * lens.fx * width / (distance * lens.width), 0.22)
        free_y = max(0.5 - 0.4 * lens.fy * width / (distance * lens.height), 0.24)
        u = lens.cx + rng.uniform(-free_x, free_x) * lens.width
        v = lens.cy + rng.uniform(-free_y, free_y) * lens.height
        ray = np.array([*(np.ravel(lens.rays(np.array([u]), np.array([v])))), 1.0])
        t = ray * distance - r @ np.array([*centre, 0.0])
        found.append((r, t))
    return found
