"""VIF: visual information fidelity, in the pixel domain."""

from __future__ import annotations

import numpy as np

from benchmarks.metrics.grey import (
    SMALLEST_SIDE_PX,
    Grey,
    filter_valid,
    gaussian_window,
    require_greys,
)

__all__ = ["vif"]

_WINDOWS_PX = (17, 9, 5, 3)
_NEURAL_NOISE_VARIANCE = 2.0
_FLAT = 1e-10


def vif(source: Grey, fused: Grey) -> float:
    """How much of the information in ``source`` a viewer still gets from ``fused``.

    Sheikh and Bovik, "Image information and visual quality", IEEE Transactions on Image Processing
    15, 2006, in its pixel-domain, multi-scale form: four scales, Gaussian windows of 17, 9, 5 and 3
    pixels with sigma = size / 5, variance of the neural noise 2. The source is the reference.

    Returns:
        0 (nothing) to 1 (all; above 1 if ``fused`` shows it with more contrast); ``nan`` if the
        source is flat and has no information.

    Raises:
        ConfigError: not two grey images of one size, at least 41 pixels on each side.
    """
    require_greys(smallest_side_px=SMALLEST_SIDE_PX, source=source, fused=fused)
    reference, distorted = source.astype(np.float64), fused.astype(np.float64)
    kept = available = 0.0
    for scale, size_px in enumerate(_WINDOWS_PX):
        window = gaussian_window(size_px, size_px / 5)
        if scale > 0:
            reference = np.ascontiguousarray(filter_valid(reference, window)[::2, ::2])
            distorted = np.ascontiguousarray(filter_valid(distorted, window)[::2, ::2])
        mean_r, mean_d = filter_valid(reference, window), filter_valid(distorted, window)
        var_r = np.maximum(filter_valid(reference * reference, window) - mean_r * mean_r, 0)
        var_d = np.maximum(filter_valid(distorted * distorted, window) - mean_d * mean_d, 0)
        covariance = filter_valid(reference * distorted, window) - mean_r * mean_d

        # the channel model: distorted = gain * reference + noise
        gain = covariance / (var_r + _FLAT)
        noise = var_d - gain * covariance
        flat = var_r < _FLAT
        gain[flat], noise[flat], var_r[flat] = 0, var_d[flat], 0
        flat = var_d < _FLAT
        gain[flat], noise[flat] = 0, 0
        inverted = gain < 0
        gain[inverted], noise[inverted] = 0, var_d[inverted]
        noise = np.maximum(noise, _FLAT)

        kept += np.log10(1 + gain * gain * var_r / (noise + _NEURAL_NOISE_VARIANCE)).sum()
        available += np.log10(1 + var_r / _NEURAL_NOISE_VARIANCE).sum()
    return float(kept / available) if available > 0 else float("nan")
