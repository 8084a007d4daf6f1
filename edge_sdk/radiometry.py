"""Temperatures of 16-bit infrared whose counts are linear in temperature."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["RadiometricImage", "Radiometry"]


@dataclass(frozen=True, slots=True)
class Radiometry:
    """Temperature in degrees Celsius = ``scale * counts + offset_c``.

    FLIR's temperature-linear mode has scale 0.01 or 0.04 K per count and offset -273.15.
    """

    scale: float
    offset_c: float


@dataclass(frozen=True, slots=True)
class RadiometricImage:
    """Counts that become temperatures when somebody asks.

    Attributes:
        counts: (H, W) uint16, in the fused grid.
        valid: (H, W) bool, pixels that hold infrared; None: all do.
        radiometry: the line from counts to temperature.
    """

    counts: NDArray[np.uint16]
    valid: NDArray[np.bool_] | None
    radiometry: Radiometry

    def celsius(self) -> NDArray[np.float32]:
        """(H, W) float32 degrees Celsius; NaN where there is no infrared."""
        line = self.radiometry
        celsius = self.counts.astype(np.float32)
        celsius *= np.float32(line.scale)
        celsius += np.float32(line.offset_c)
        if self.valid is not None:
            celsius[~self.valid] = np.nan
        return celsius
