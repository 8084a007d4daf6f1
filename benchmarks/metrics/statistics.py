"""SD and SF: contrast and sharpness of a picture, without reference to its sources."""

from __future__ import annotations

import numpy as np

from benchmarks.metrics.grey import Grey, require_greys

__all__ = ["spatial_frequency", "standard_deviation"]


def standard_deviation(fused: Grey) -> float:
    """SD: standard deviation of the grey levels (divided by N), 0 to 127.5."""
    require_greys(fused=fused)
    return float(fused.std(dtype=np.float64))


def spatial_frequency(fused: Grey) -> float:
    """SF: sqrt(mean dx^2 + mean dy^2) of forward differences, grey levels a pixel, 0 to 361.

    Eskicioglu and Fisher, "Image quality measures and their performance", IEEE Transactions on
    Communications 43, 1995; each mean is over the differences that lie inside the picture.
    """
    require_greys(smallest_side_px=2, fused=fused)
    levels = fused.astype(np.int32)
    columns = np.square(np.diff(levels, axis=1)).mean()
    rows = np.square(np.diff(levels, axis=0)).mean()
    return float(np.sqrt(columns + rows))
