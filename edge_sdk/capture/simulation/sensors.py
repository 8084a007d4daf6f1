"""What the sensors add to a perfect picture: blur, noise, stripes, drift.

A pattern of a few hundred thousand Gaussian numbers is drawn once; each frame looks at it from
another random place and with a random sign, which is white in time and costs next to nothing.
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_sdk.capture.simulation.rand import generator, mix, signed, unit
from edge_sdk.capture.simulation.scratch import Scratch

__all__ = ["InfraredSensor", "VisibleSensor"]

_SPARE = 128
"""The pattern is larger than the picture by this many rows and columns to choose a place from."""
_MAX_COUNTS = 16383
_DRIFT_S = 25.0


class InfraredSensor:
    """An uncooled microbolometer array with column amplifiers.

    Args:
        size: (width, height).
        seed: of the scene.
        noise_counts: sigma of the temporally white noise.
        stripe_counts: sigma of the column offsets.
        drift_counts: how far level and shading drift after a correction.
        blur_px: sigma of the lens.
    """

    def __init__(
        self,
        size: tuple[int, int],
        seed: int,
        noise_counts: float,
        stripe_counts: float,
        drift_counts: float,
        blur_px: float,
    ) -> None:
        self._size = size
        self._seed = seed
        self._stripe_counts = stripe_counts
        self._drift_counts = drift_counts
        self._blur_px = blur_px
        width, height = size
        pattern = generator(seed, 101).standard_normal(
            (height + _SPARE, width + _SPARE), dtype=np.float32
        )
        self._noise = pattern * np.float32(noise_counts)
        y, x = np.mgrid[-1.0 : 1.0 : height * 1j, -1.0 : 1.0 : width * 1j]
        shading = 0.5 * (x * x + y * y) - 0.33 + 0.25 * x
        self._shading = shading.astype(np.float32)

    def stripes(self, correction: int, since_ns: int) -> NDArray[np.float32]:
        """Column offsets (W,) in counts, ``since_ns`` after correction number ``correction``.

        Each correction leaves other offsets; between two of them they drift by a few per cent.
        """
        rng = generator(self._seed, 102, correction)
        fixed, moving = rng.standard_normal((2, self._size[0]))
        grown = 0.10 * (1.0 - math.exp(-since_ns / 1e9 / _DRIFT_S))
        return np.asarray(self._stripe_counts * (fixed + grown * moving), np.float32)

    def expose(
        self, scene: NDArray[np.float32], index: int, correction: int, since_ns: int
    ) -> NDArray[np.uint16]:
        """Raw image (H, W) uint16, 0 to 16383, of perfect counts (H, W) float32."""
        picture = _blur(scene, self._blur_px)
        grown = 1.0 - math.exp(-since_ns / 1e9 / _DRIFT_S)
        level = self._drift_counts * grown * signed(self._seed, 103, correction)
        tilt = self._drift_counts * grown * signed(self._seed, 104, correction)
        cv2.scaleAdd(self._shading, tilt, picture, picture)
        noise = _window(self._noise, self._size, self._seed, 105, index)
        sign = 1.0 if mix(self._seed, 106, index) & 1 else -1.0
        cv2.scaleAdd(noise, sign, picture, picture)
        picture += self.stripes(correction, since_ns) + np.float32(level + 0.5)
        np.clip(picture, 0, _MAX_COUNTS, out=picture)
        return picture.astype(np.uint16)


class VisibleSensor:
    """A colour CMOS sensor behind a lens.

    Args:
        size: (width, height).
        seed: of the scene.
        noise: sigma at mid-grey, grey levels.
        blur_px: sigma of the lens.
    """

    def __init__(self, size: tuple[int, int], seed: int, noise: float, blur_px: float) -> None:
        self._size = size
        self._seed = seed
        self._blur_px = blur_px
        self._scratch = Scratch()
        width, height = size
        shape = (height + _SPARE, width + _SPARE)
        rng = generator(seed, 111)
        luma = rng.standard_normal(shape, dtype=np.float32)[..., None]
        chroma = rng.standard_normal((*shape, 3), dtype=np.float32)
        # Colour is interpolated between the cells of the mosaic: its noise is blotchier.
        blotches = np.asarray(cv2.GaussianBlur(chroma, (0, 0), 0.8))
        pattern = 0.8 * luma + 0.6 * blotches / blotches.std()
        self._noise = np.rint(64.0 * pattern / pattern.std()).astype(np.int16)
        grey = np.arange(256)
        # Read noise, and shot noise that grows with the square root of the light.
        sigma = noise * np.sqrt(0.2 + 0.8 * grey / 128.0)
        self._sigma = np.rint(sigma * 32.0).astype(np.int16)

    def expose(self, scene: NDArray[np.uint8], index: int) -> NDArray[np.uint8]:
        """Image (H, W, 3) uint8 of a perfect picture (H, W, 3) uint8."""
        picture = _blur(scene, self._blur_px)
        grain = self._scratch.take("grain", picture.shape, np.int16)
        cv2.LUT(picture, self._sigma, grain)
        noise = _window(self._noise, self._size, self._seed, 112, index)
        sign = 1.0 if mix(self._seed, 113, index) & 1 else -1.0
        cv2.multiply(grain, noise, grain, scale=sign / (32.0 * 64.0))
        cv2.add(picture, grain, picture, dtype=cv2.CV_8U)
        return np.asarray(picture, np.uint8)


def _blur(picture: NDArray[Any], sigma: float) -> NDArray[Any]:
    if sigma < 0.1:
        return picture.copy()
    return cv2.GaussianBlur(picture, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)


def _window(
    pattern: NDArray[Any], size: tuple[int, int], seed: int, salt: int, index: int
) -> NDArray[Any]:
    """The pattern as frame ``index`` sees it."""
    left = int(unit(seed, salt, index, 1) * _SPARE)
    top = int(unit(seed, salt, index, 2) * _SPARE)
    return pattern[top : top + size[1], left : left + size[0]]
