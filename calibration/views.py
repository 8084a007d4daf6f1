"""A set of views judged: where it covers the picture, how the board was tilted, what to add."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Coverage", "coverage_of", "missing_regions", "tilts_deg"]

Array = NDArray[np.float64]
_COLUMNS, _ROWS = 8, 6


@dataclass(frozen=True)
class Coverage:
    """Where in the picture corners were seen.

    Attributes:
        counts: (6, 8) int, corners in each cell of the picture.
        share: of the cells with at least one corner, 0 to 1.
        radius_share: farthest corner from the middle, as a share of the way to a picture corner.
    """

    counts: NDArray[np.int64]
    share: float
    radius_share: float


def coverage_of(pixels: Sequence[Array], size: tuple[int, int]) -> Coverage:
    """Coverage by points of several views.

    Args:
        pixels: one (N, 2) array a view.
        size: (width, height) in pixels.
    """
    counts = np.zeros((_ROWS, _COLUMNS), np.int64)
    radius = 0.0
    width, height = size
    for points in pixels:
        column = np.clip((points[:, 0] + 0.5) / width * _COLUMNS, 0, _COLUMNS - 1).astype(int)
        row = np.clip((points[:, 1] + 0.5) / height * _ROWS, 0, _ROWS - 1).astype(int)
        np.add.at(counts, (row, column), 1)
        away = np.linalg.norm(points - [(width - 1) / 2, (height - 1) / 2], axis=1)
        radius = max(radius, float(away.max(initial=0.0)))
    return Coverage(counts, float((counts > 0).mean()), radius / (np.hypot(width, height) / 2))


def missing_regions(coverage: Coverage) -> list[str]:
    """Names of the parts of the picture without corners: ``top left``, ``right``, ..."""
    counts = coverage.counts
    thirds_y = (("top", slice(0, 2)), ("", slice(2, 4)), ("bottom", slice(4, 6)))
    thirds_x = (("left", slice(0, 3)), ("", slice(3, 5)), ("right", slice(5, 8)))
    missing = []
    for vertical, rows in thirds_y:
        for horizontal, columns in thirds_x:
            part = counts[rows, columns]
            if (part > 0).mean() < 0.34:
                missing.append(f"{vertical} {horizontal}".strip() or "middle")
    return missing


def tilts_deg(poses: Array) -> Array:
    """Angle between each board's normal and the camera's axis, degrees, 0 to 90.

    Args:
        poses: (K, 6) rotation vector and translation.
    """
    found = []
    for pose in poses:
        normal = cv2.Rodrigues(np.asarray(pose[:3], np.float64))[0][:, 2]
        found.append(np.degrees(np.arccos(np.clip(abs(normal[2]), 0, 1))))
    return np.array(found)
