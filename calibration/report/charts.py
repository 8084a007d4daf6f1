"""Charts of a report: maps over the picture as PNG, bars and curves as SVG. No plotting library."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_sdk.errors import ConfigError
from edge_sdk.frames import Image

__all__ = ["bars", "coverage_map", "curve", "heat_map", "inline", "residual_map"]

Array = NDArray[np.float64]
_WIDTH = 480
_INK = (60, 60, 60)


def inline(picture: Image, alt: str, width: int | None = None) -> str:
    """An ``<img>`` with the picture inside, (H, W) or (H, W, 3) uint8."""
    ok, data = cv2.imencode(".png", picture)
    if not ok:
        raise ConfigError(f"a picture of shape {picture.shape} cannot be written as PNG")
    text = base64.b64encode(data.tobytes()).decode("ascii")
    style = "" if width is None else f' width="{width}"'
    return f'<img alt="{html.escape(alt)}"{style} src="data:image/png;base64,{text}">'


def _canvas(size: tuple[int, int]) -> tuple[Image, float]:
    """A white picture in the shape of the camera's, and its scale."""
    scale = _WIDTH / size[0]
    height = max(2, round(size[1] * scale))
    return np.full((height, _WIDTH, 3), 255, np.uint8), scale


def heat_map(values: Array, size: tuple[int, int]) -> Image:
    """Values over the picture, with their numbers; (H, W, 3) uint8.

    Args:
        values: (rows, columns); nan is grey.
        size: (width, height) of the camera's picture.
    """
    canvas, _ = _canvas(size)
    known = np.isfinite(values)
    if not known.any():
        return canvas
    low, high = 0.0, float(np.nanpercentile(values, 98))
    level = np.clip((np.nan_to_num(values, nan=low) - low) / max(high - low, 1e-9), 0, 1)
    small = (255 * level).astype(np.uint8)
    target = (canvas.shape[1], canvas.shape[0])
    big = cv2.resize(small, target, interpolation=cv2.INTER_LINEAR)
    canvas = cv2.applyColorMap(big, cv2.COLORMAP_VIRIDIS)
    mask = cv2.resize(known.astype(np.uint8), target, interpolation=cv2.INTER_NEAREST)
    canvas[mask == 0] = 190
    rows, columns = values.shape
    for row in np.linspace(0, rows - 1, 5).round().astype(int):
        for column in np.linspace(0, columns - 1, 6).round().astype(int):
            if not known[row, column]:
                continue
            text = f"{values[row, column]:.2g}"
            x = int(8 + (target[0] - 60) * column / max(columns - 1, 1))
            y = int(18 + (target[1] - 28) * row / max(rows - 1, 1))
            _write(canvas, text, (x, y), (255, 255, 255) if level[row, column] < 0.7 else (0, 0, 0))
    return canvas


def _write(canvas: Image, text: str, at: tuple[int, int], colour: tuple[int, int, int]) -> None:
    cv2.putText(canvas, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, 1, cv2.LINE_AA)


def residual_map(pixels: Array, residuals: Array, size: tuple[int, int]) -> tuple[Image, float]:
    """Residuals as lines where they arose; (H, W, 3) uint8, and how much they are enlarged."""
    canvas, scale = _canvas(size)
    typical = float(np.median(np.linalg.norm(residuals, axis=1))) + 1e-9
    factor = float(f"{10 / (typical * scale):.1g}")
    for p, r in zip(pixels * scale, residuals * scale * factor, strict=True):
        start = (round(16 * p[0]), round(16 * p[1]))
        end = (round(16 * (p[0] + r[0])), round(16 * (p[1] + r[1])))
        length = float(np.hypot(*r)) / (scale * factor)
        colour = (40, 40, 200) if length > 3 * typical else (150, 90, 30)
        cv2.line(canvas, start, end, colour, 1, cv2.LINE_AA, 4)
        cv2.circle(canvas, start, 16, _INK, -1, cv2.LINE_AA, 4)
    return canvas, factor


def coverage_map(counts: NDArray[np.int64], size: tuple[int, int]) -> Image:
    """Corners in each cell of the picture; empty cells are red; (H, W, 3) uint8."""
    canvas, _ = _canvas(size)
    height, width = canvas.shape[:2]
    rows, columns = counts.shape
    most = max(int(counts.max()), 1)
    for row in range(rows):
        for column in range(columns):
            x0, x1 = width * column // columns, width * (column + 1) // columns
            y0, y1 = height * row // rows, height * (row + 1) // rows
            count = int(counts[row, column])
            share = (count / most) ** 0.5
            green = (round(220 - 120 * share), round(235 - 30 * share), round(220 - 150 * share))
            canvas[y0:y1, x0:x1] = green if count else (150, 150, 245)
            cv2.rectangle(canvas, (x0, y0), (x1 - 1, y1 - 1), (255, 255, 255), 1)
            _write(canvas, str(count), (x0 + 6, y0 + 18), _INK)
    return canvas


def bars(values: Mapping[str, float], unit: str) -> str:
    """Horizontal bars with names and numbers, as SVG."""
    most = max([*values.values(), 1e-9])
    lines = []
    for row, (name, value) in enumerate(values.items()):
        y = 18 * row
        short = html.escape(name if len(name) <= 26 else "..." + name[-23:])
        lines.append(
            f'<text x="175" y="{y + 13}" text-anchor="end">{short}</text>'
            f'<rect x="182" y="{y + 3}" width="{260 * value / most:.1f}" height="12"/>'
            f'<text x="{188 + 260 * value / most:.1f}" y="{y + 13}">{value:.3f} {unit}</text>'
        )
    height = 18 * len(values) + 4
    return f'<svg class="bars" width="560" height="{height}">{"".join(lines)}</svg>'


def curve(x: Sequence[float], y: Sequence[float], x_name: str, y_name: str) -> str:
    """One line with axes, as SVG."""
    xs, ys = np.asarray(x, float), np.asarray(y, float)
    low, high = min(0.0, float(ys.min())), max(0.0, float(ys.max()))
    span = max(high - low, 1e-9)
    u = 60 + 400 * (xs - xs[0]) / max(float(xs[-1] - xs[0]), 1e-9)
    v = 210 - 190 * (ys - low) / span
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(u, v, strict=True))
    zero = 210 - 190 * (0 - low) / span
    return (
        '<svg class="curve" width="480" height="250">'
        f'<line x1="60" y1="{zero:.1f}" x2="460" y2="{zero:.1f}"/>'
        '<line x1="60" y1="20" x2="60" y2="210"/>'
        f'<polyline points="{points}"/>'
        f'<text x="54" y="26" text-anchor="end">{high:.2f}</text>'
        f'<text x="54" y="212" text-anchor="end">{low:.2f}</text>'
        f'<text x="460" y="228" text-anchor="end">{xs[-1]:.0f}</text>'
        f'<text x="260" y="244" text-anchor="middle">{html.escape(x_name)}</text>'
        f'<text x="66" y="14">{html.escape(y_name)}</text></svg>'
    )
