"""Structure maps: the orientation of edges, in which infrared and visible light agree.

A warm person before a cold wall and the same person in a dark coat have the same outline, with
another sign and another strength. So the gradient's direction is taken modulo 180 degrees (its
double angle), its strength is normalised by the strength around it, and the result is averaged over
blocks for the coarser levels, so that they keep the orientation of fine edges. The idea is that of
channel features of oriented gradients (CFOG: Ye et al., IEEE TGRS 2019); four times the angle
beside the double angle plays the part of narrower channels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .border import valid_area

__all__ = ["LEVELS", "CameraStructure", "highpass", "level_matrix", "rotated", "structure_map"]

Array = NDArray[np.float64]
Float = NDArray[np.float32]

LEVELS = (1, 2, 3)
"""Level n is the picture reduced by 2 ** n."""
_CONTRAST_SIGMA_PX = 12.0
_MAX_STRENGTH = 3.0
_SHARE_OF_MEDIAN = 0.25
_NOISE_LEVELS = 0.3


def structure_map(image: Float, mask: Float, sigma_px: float) -> Float:
    """Edge orientation, free of contrast and of its sign.

    With the gradient m (cos a, sin a) of the smoothed image and s = min(m / sqrt(<m^2> + e^2), 3),
    where <> is a mean over a square of 42 pixels and e the level below which there is only noise:
    s (cos 2a, sin 2a, cos 4a, sin 4a).

    Args:
        image: (H, W) float32, grey levels.
        mask: (H, W) float32, 0 where the image is not valid.
        sigma_px: of the Gaussian before the gradient.

    Returns:
        (H, W, 4) float32.
    """
    smooth = cv2.GaussianBlur(image, (0, 0), sigma_px)
    gx = cv2.Scharr(smooth, cv2.CV_32F, 1, 0) / 32
    gy = cv2.Scharr(smooth, cv2.CV_32F, 0, 1) / 32
    raw = cv2.magnitude(gx, gy)
    strength = raw * mask
    weight = np.maximum(_mean(mask, _CONTRAST_SIGMA_PX), 1e-3)
    around = np.maximum(_mean(strength * strength, _CONTRAST_SIGMA_PX), 0) / weight
    inside = around[mask > 0]
    typical = float(np.median(np.sqrt(inside))) if inside.size else 0.0
    noise = _SHARE_OF_MEDIAN * typical + _NOISE_LEVELS
    strength = np.minimum(strength / np.sqrt(around + noise**2), _MAX_STRENGTH)
    norm = 1 / np.maximum(raw, 1e-6)
    c, s = gx * norm, gy * norm
    c2, s2 = c * c - s * s, 2 * c * s
    c4, s4 = c2 * c2 - s2 * s2, 2 * c2 * s2
    return np.stack([strength * part for part in (c2, s2, c4, s4)], axis=-1)


def rotated(structure: NDArray[Any], angle: float) -> Float:
    """The structure of a picture that was turned by ``angle`` (radians, x towards y)."""
    c2, s2, c4, s4 = (f(n * angle) for n in (2, 4) for f in (np.cos, np.sin))
    a, b, c, d = np.moveaxis(structure, -1, 0)
    return np.stack(
        [a * c2 - b * s2, a * s2 + b * c2, c * c4 - d * s4, c * s4 + d * c4], axis=-1
    ).astype(np.float32)


def highpass(structure: NDArray[Any], mask: NDArray[Any], sigma_px: float) -> Float:
    """Structure less its mean around, 0 outside of the mask.

    Without it a wall of vertical lines would match every other wall of vertical lines.
    """
    weight = np.maximum(_mean(mask, sigma_px), 0.05)[..., None]
    mean = _mean(structure, sigma_px) / weight
    return np.asarray((structure - mean) * mask[..., None], np.float32)


def _mean(image: NDArray[Any], sigma_px: float) -> NDArray[Any]:
    """Mean over a square with this standard deviation; what lies outside of the image counts 0.

    A square costs the same at every size, a Gaussian of these sizes ten times as much.
    """
    side = 2 * round(sigma_px * math.sqrt(3)) + 1
    return cv2.blur(image, (side, side), borderType=cv2.BORDER_CONSTANT)


def level_matrix(level: int) -> Array:
    """(3, 3) float64, full-resolution pixels to pixels of a level (centre to centre)."""
    s = 0.5**level
    return np.array([[s, 0.0, (s - 1) / 2], [0.0, s, (s - 1) / 2], [0.0, 0.0, 1.0]])


def _halved(image: Float) -> Float:
    size = image.shape[1] // 2, image.shape[0] // 2
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.float32)


@dataclass(frozen=True)
class CameraStructure:
    """What one camera's pictures hold, on all levels.

    Attributes:
        size: (width, height) of the pictures, multiples of 8.
        maps: level -> for every picture (h, w, 4) float32.
        masks: level -> (h, w) float32, 1 where all pictures are valid, 0 elsewhere.
    """

    size: tuple[int, int]
    maps: dict[int, list[Float]]
    masks: dict[int, Float]

    @classmethod
    def of(cls, images: Sequence[Float], sigma_px: float, margin_px: int) -> CameraStructure:
        """From (H, W) float32 grey pictures of one camera, H and W multiples of 8."""
        area = valid_area(images, margin_px)
        masks: dict[int, Float] = {}
        maps: dict[int, list[Float]] = {level: [] for level in LEVELS}
        reduced = area
        for level in LEVELS:
            reduced = _halved(reduced)
            masks[level] = (reduced > 0.5).astype(np.float32)
        for image in images:
            reduced = structure_map(image, area, sigma_px)
            for level in LEVELS:
                reduced = _halved(reduced)
                maps[level].append(reduced)
        return cls((images[0].shape[1], images[0].shape[0]), maps, masks)

    @property
    def count(self) -> int:
        """Number of pictures."""
        return len(self.maps[LEVELS[0]])

    @property
    def coverage(self) -> float:
        """Share of the picture that is valid."""
        return float(self.masks[LEVELS[0]].mean())
