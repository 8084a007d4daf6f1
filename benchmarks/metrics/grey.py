"""The grey image that every metric is computed on, and the two filters that several share."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_sdk.errors import ConfigError

__all__ = ["SMALLEST_SIDE_PX", "Grey", "filter_valid", "gaussian_window", "grey", "require_greys"]

Grey = NDArray[np.uint8]

SMALLEST_SIDE_PX = 41
"""Below this the coarsest of the four scales of VIF has no pixel left."""

_BGR_WEIGHTS = np.array([0.114, 0.587, 0.299])


def grey(image: NDArray[Any]) -> Grey:
    """Grey level rint(0.299 R + 0.587 G + 0.114 B), 0 to 255 (ITU-R BT.601 luma, full range).

    Args:
        image: (H, W, 3) uint8 BGR, or (H, W) uint8, which is returned as it is.

    Returns:
        (H, W) uint8.

    Raises:
        ConfigError: another shape or dtype.
    """
    if image.dtype == np.uint8 and image.ndim == 2:
        return image
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ConfigError(
            "a grey level needs an image of (H, W, 3) uint8 BGR or (H, W) uint8, found "
            f"{image.shape} {image.dtype}; convert it to 8 bit first"
        )
    levels: Grey = np.rint(image @ _BGR_WEIGHTS).astype(np.uint8)
    return levels


def require_greys(smallest_side_px: int = 1, **images: NDArray[Any]) -> None:
    """Check that all images are (H, W) uint8, of one size and large enough.

    Raises:
        ConfigError: naming the image that is not.
    """
    first_name, first = next(iter(images.items()))
    for name, image in images.items():
        if image.ndim != 2 or image.dtype != np.uint8:
            raise ConfigError(
                f"'{name}' must be a grey image of (H, W) uint8, found {image.shape} "
                f"{image.dtype}; see benchmarks.metrics.grey"
            )
        if image.shape != first.shape:
            raise ConfigError(
                f"'{name}' and '{first_name}' must have one size, found {image.shape} and "
                f"{first.shape}; align them first"
            )
    if min(first.shape) < smallest_side_px:
        raise ConfigError(
            f"'{first_name}' is {first.shape[1]}x{first.shape[0]} pixels, this metric needs at "
            f"least {smallest_side_px} on each side"
        )


def gaussian_window(size_px: int, sigma_px: float) -> NDArray[np.float64]:
    """One axis of a square Gaussian window, (size_px,) float64, sum 1."""
    offset = np.arange(size_px) - (size_px - 1) / 2
    window = np.exp(-(offset**2) / (2 * sigma_px**2))
    normalised: NDArray[np.float64] = window / window.sum()
    return normalised


def filter_valid(image: NDArray[np.float64], window: NDArray[np.float64]) -> NDArray[np.float64]:
    """Separable filter, kept where the window lies wholly inside the image.

    Args:
        image: (H, W) float64.
        window: (n,) float64, n odd.

    Returns:
        (H - n + 1, W - n + 1) float64.
    """
    margin = len(window) // 2
    height, width = image.shape
    filtered = cv2.sepFilter2D(image, cv2.CV_64F, window, window)
    inside = filtered[margin : height - margin, margin : width - margin]
    return np.asarray(inside, np.float64)
