"""Pictures made ready for a detector: 8 bit, flat, without stripes, larger, more contrast.

A thermal board fails detectors for known reasons: its contrast is a few grey levels on a slope of
tens (it cools from the rim, the lens shines), fixed columns are brighter than others, squares are a
few pixels wide, and bright means warm, which may be the black squares.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_sdk.errors import ConfigError
from edge_sdk.frames import Image

__all__ = ["flat_field", "grey", "preparations", "to_8_bit", "without_stripes"]

Float = NDArray[Any]  # (H, W) float32


def grey(image: Image) -> Float:
    """(H, W) float32 brightness of an (H, W) or (H, W, 3) BGR picture of 8 or 16 bit."""
    if image.ndim == 3 and image.shape[2] in (3, 4):
        code = cv2.COLOR_BGR2GRAY if image.shape[2] == 3 else cv2.COLOR_BGRA2GRAY
        image = cv2.cvtColor(image, code)
    elif image.ndim == 3 and image.shape[2] == 1:
        image = image[..., 0]
    if image.ndim != 2 or min(image.shape) < 16:
        raise ConfigError(f"a picture must be (H, W) or (H, W, 3), found shape {image.shape}")
    return np.ascontiguousarray(image, dtype=np.float32)


def to_8_bit(image: Float) -> NDArray[np.uint8]:
    """Stretched so that all but 0.5 % of the pixels at each end keep their differences."""
    low, high = np.percentile(image, (0.5, 99.5))
    if high - low < 1e-6:
        return np.zeros(image.shape, np.uint8)
    return np.clip((image - low) * (255.0 / (high - low)), 0, 255).astype(np.uint8)


def flat_field(image: Float, share: float = 0.12) -> Float:
    """Without slow brightness and slow contrast.

    Args:
        image: (H, W) float32.
        share: what is slow: the Gaussian's sigma as a share of the picture's shorter side.

    Returns:
        (H, W) float32, (image - local mean) / local standard deviation, times 40.
    """
    sigma = share * min(image.shape)
    step = max(1, int(sigma / 6))
    size = (max(8, image.shape[1] // step), max(8, image.shape[0] // step))

    def slow(picture: Float) -> Float:
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        small = cv2.GaussianBlur(small, (0, 0), sigma / step)
        return cv2.resize(small, image.shape[::-1], interpolation=cv2.INTER_LINEAR)

    detail = image - slow(image)
    spread = np.sqrt(np.maximum(slow(detail * detail), 0))
    floor = 0.25 * float(np.median(spread)) + 1e-6
    return np.clip(40 * detail / (spread + floor), -160, 160).astype(np.float32)


def without_stripes(image: Float) -> Float:
    """Without what whole columns have in common against their neighbours (fixed-pattern noise)."""
    detail = image - cv2.GaussianBlur(image, (0, 0), 3.0)
    return image - np.median(detail, axis=0, keepdims=True).astype(np.float32)


def preparations(image: Float) -> Iterator[tuple[str, float, Float]]:
    """Pictures to look for a target in, the least changed first.

    Args:
        image: (H, W) float32.

    Yields:
        what was done ("" for nothing), the enlargement, and the picture.
    """
    yield "", 1.0, image
    flat = flat_field(without_stripes(image))
    yield "flat field", 1.0, flat
    contrast = cv2.createCLAHE(clipLimit=4.0, tileGridSize=(8, 8)).apply(to_8_bit(flat))
    yield "flat field and local contrast", 1.0, contrast.astype(np.float32)
    if max(image.shape) <= 1100:
        smooth = cv2.GaussianBlur(flat, (0, 0), 0.8)
        large = cv2.resize(smooth, None, fx=2.0, fy=2.0, interpolation=cv2.INTER_CUBIC)
        yield "flat field, enlarged", 2.0, large
