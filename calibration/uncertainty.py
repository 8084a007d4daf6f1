"""How far a lens calibration can be trusted, over the picture.

After mrcal (Kogan, "mrcal: camera calibration toolkit", projection uncertainty): what matters is
not how exactly each parameter is known but how far a point's pixel would move if the calibration
were repeated with fresh noise. A turn of the whole camera does not count: a new calibration's own
coordinate frame would turn with it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .lens import Model, project_rays, rays

__all__ = ["projection_change_px", "projection_uncertainty_px"]

Array = NDArray[np.float64]


def projection_uncertainty_px(
    model: Model, parameters: Array, covariance: Array, size: tuple[int, int], columns: int = 24
) -> Array:
    """Standard deviation of where far points are seen, over the picture.

    Args:
        model, parameters: the lens.
        covariance: (n, n) of the parameters.
        size: (width, height) in pixels.
        columns: of the grid; its rows follow from the shape.

    Returns:
        (rows, columns) float64 pixels, of the worst direction; nan where the lens shows nothing.
    """
    pixels, rows = _grid(size, columns)
    directions, good = rays(model, parameters, pixels)
    result = np.full(len(pixels), np.nan)
    if good.any():
        points = np.column_stack([directions[good], np.ones(good.sum())])
        _, by_lens, by_turn = project_rays(model, parameters, points)
        effect = by_lens - by_turn @ np.linalg.lstsq(by_turn, by_lens, rcond=None)[0]
        effect = effect.reshape(-1, 2, len(parameters))
        spread = np.einsum("nik,kl,njl->nij", effect, covariance, effect)
        result[good] = np.sqrt(np.maximum(np.linalg.eigvalsh(spread)[:, 1], 0))
    return result.reshape(rows, columns)


def projection_change_px(
    model: Model, parameters: Array, other: Array, size: tuple[int, int], columns: int = 24
) -> Array:
    """How far pixels move between two calibrations of one lens, but for a turn of the camera.

    Args:
        model: of both.
        parameters, other: the lenses.
        size, columns: as above.

    Returns:
        (rows, columns) float64 pixels; nan where the first lens shows nothing.
    """
    pixels, rows = _grid(size, columns)
    directions, good = rays(model, parameters, pixels)
    result = np.full(len(pixels), np.nan)
    if good.any():
        points = np.column_stack([directions[good], np.ones(good.sum())])
        turn = np.zeros(3)
        for _ in range(5):
            turned = points @ _rotation(turn).T
            seen, _, by_turn = project_rays(model, other, turned)
            off = pixels[good] - seen
            turn = turn + np.linalg.lstsq(by_turn, off.ravel(), rcond=None)[0]
        result[good] = np.linalg.norm(off, axis=1)
    return result.reshape(rows, columns)


def _grid(size: tuple[int, int], columns: int) -> tuple[Array, int]:
    width, height = size
    rows = max(2, round(columns * height / width))
    u, v = np.meshgrid(np.linspace(0, width - 1, columns), np.linspace(0, height - 1, rows))
    return np.column_stack([u.ravel(), v.ravel()]), rows


def _rotation(turn: Array) -> Array:
    import cv2

    return np.asarray(cv2.Rodrigues(turn)[0])
