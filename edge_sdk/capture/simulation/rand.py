"""Repeatable randomness: every number is a function of a seed and of what it is for."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["fractal_tile", "generator", "mix", "signed", "unit"]

_MASK = (1 << 64) - 1


def mix(*values: int) -> int:
    """Hash of whole numbers, 0 to 2**64 - 1.

    The finaliser of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
    generators", OOPSLA 2014), chained over ``values``.
    """
    state = 0
    for value in values:
        state = (state + (value & _MASK) + 0x9E3779B97F4A7C15) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        state ^= state >> 31
    return state


def unit(*values: int) -> float:
    """Uniform number in [0, 1) that belongs to ``values``."""
    return (mix(*values) >> 11) / float(1 << 53)


def signed(*values: int) -> float:
    """Uniform number in [-1, 1) that belongs to ``values``."""
    return 2.0 * unit(*values) - 1.0


def generator(*values: int) -> np.random.Generator:
    """A NumPy generator whose stream belongs to ``values``."""
    return np.random.default_rng(mix(*values))


def fractal_tile(size: int, beta: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Noise whose amplitude falls with frequency as ``f ** -beta``; wraps around at its edges.

    Returns:
        (size, size) float32, mean 0, standard deviation 1.
    """
    spectrum = np.fft.rfft2(rng.standard_normal((size, size)))
    fy = np.fft.fftfreq(size)[:, None]
    fx = np.fft.rfftfreq(size)[None, :]
    radius = np.sqrt(fx * fx + fy * fy)
    radius[0, 0] = math.inf
    tile = np.fft.irfft2(spectrum * radius**-beta, s=(size, size))
    tile -= tile.mean()
    tile /= tile.std()
    return tile.astype(np.float32)
