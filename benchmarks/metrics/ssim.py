"""SSIM: structural similarity."""

from __future__ import annotations

import numpy as np

from benchmarks.metrics.grey import Grey, filter_valid, gaussian_window, require_greys

__all__ = ["ssim"]

_WINDOW_PX = 11
_SIGMA_PX = 1.5
_LEVELS = 255.0


def ssim(source: Grey, fused: Grey) -> float:
    """Mean structural similarity of two grey images, -1 to 1.

    Wang, Bovik, Sheikh, Simoncelli, IEEE Transactions on Image Processing 13, 2004, equation 13:
    Gaussian window of 11 x 11 pixels, sigma 1.5, K1 = 0.01, K2 = 0.03, L = 255, averaged where the
    window lies inside the image.

    Raises:
        ConfigError: not two grey images of one size, at least 11 pixels on each side.
    """
    require_greys(smallest_side_px=_WINDOW_PX, source=source, fused=fused)
    x, y = source.astype(np.float64), fused.astype(np.float64)
    window = gaussian_window(_WINDOW_PX, _SIGMA_PX)
    c1, c2 = (0.01 * _LEVELS) ** 2, (0.03 * _LEVELS) ** 2
    mean_x, mean_y = filter_valid(x, window), filter_valid(y, window)
    var_x = filter_valid(x * x, window) - mean_x * mean_x
    var_y = filter_valid(y * y, window) - mean_y * mean_y
    covariance = filter_valid(x * y, window) - mean_x * mean_y
    similarity = ((2 * mean_x * mean_y + c1) * (2 * covariance + c2)) / (
        (mean_x * mean_x + mean_y * mean_y + c1) * (var_x + var_y + c2)
    )
    return float(similarity.mean())
