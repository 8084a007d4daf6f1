"""What fusion has to beat: seven ways that need no network.

Each is a :class:`benchmarks.methods.Method`: causal, with ``reset()`` and ``step()``. Luma is
fused, chroma comes from the visible frame, as in the networks that they stand beside.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics import grey

__all__ = [
    "Average",
    "ClassicalRestoration",
    "HotPixels",
    "Infrared",
    "LaplacianPyramid",
    "MaxLuma",
    "Visible",
]

Picture = NDArray[np.uint8]
Levels = NDArray[Any]
"""Grey levels in (H, W) float32, 0 to 255 and a little beyond until they are clipped."""


def _with_luma(visible_bgr_u8: Picture, luma: Levels) -> Picture:
    """The visible frame with its luma replaced, clipped to 0..255.

    A shift of B, G and R by the same amount moves luma and leaves both colour differences of
    BT.601 as they are, without the rounding of a trip through 8-bit YCbCr.
    """
    shift = np.rint(luma).astype(np.int16) - grey(visible_bgr_u8)
    fused: Picture = np.clip(visible_bgr_u8 + shift[..., None], 0, 255).astype(np.uint8)
    return fused


class _Memoryless:
    """A method to which every frame is the first."""

    def reset(self) -> None:
        """Nothing to forget."""


class Visible(_Memoryless):
    """The visible frame unchanged."""

    def step(self, ir_u8: Picture, visible_bgr_u8: Picture) -> Picture:
        """Return a copy of ``visible_bgr_u8``, (H, W, 3) uint8."""
        return visible_bgr_u8.copy()


class Infrared(_Memoryless):
    """The infrared frame unchanged, in grey."""

    def step(self, ir_u8: Picture, visible_bgr_u8: Picture) -> Picture:
        """Return ``ir_u8``, (H, W) uint8, as (H, W, 3) uint8."""
        return np.repeat(ir_u8[..., None], 3, axis=2)


class _LumaRule(_Memoryless, ABC):
    """A rule for the luma of one frame."""

    def step(self, ir_u8: Picture, visible_bgr_u8: Picture) -> Picture:
        """Fuse ``ir_u8`` (H, W) uint8 and ``visible_bgr_u8`` (H, W, 3) into (H, W, 3) uint8 BGR."""
        luma = self._luma(ir_u8.astype(np.float32), grey(visible_bgr_u8).astype(np.float32))
        return _with_luma(visible_bgr_u8, luma)

    @abstractmethod
    def _luma(self, ir: Levels, visible: Levels) -> Levels:
        """Fused luma, (H, W) float32, from the two sources in grey levels."""


class Average(_LumaRule):
    """Mean of infrared and visible luma."""

    def _luma(self, ir: Levels, visible: Levels) -> Levels:
        return (ir + visible) / 2


class MaxLuma(_LumaRule):
    """The brighter of infrared and visible luma."""

    def _luma(self, ir: Levels, visible: Levels) -> Levels:
        return np.maximum(ir, visible)


class LaplacianPyramid(_LumaRule):
    """Laplacian pyramid of five levels: the stronger detail, the mean of the coarsest level.

    Burt and Adelson, "The Laplacian pyramid as a compact image code", IEEE Transactions on
    Communications 31, 1983.
    """

    LEVELS = 5

    def _luma(self, ir: Levels, visible: Levels) -> Levels:
        details = []
        for _ in range(self.LEVELS):
            ir_detail, ir = self._split(ir)
            visible_detail, visible = self._split(visible)
            stronger = np.abs(ir_detail) > np.abs(visible_detail)
            details.append(np.where(stronger, ir_detail, visible_detail))
        fused: Levels = (ir + visible) / 2
        for detail in reversed(details):
            fused = cv2.pyrUp(fused, dstsize=detail.shape[::-1]) + detail
        return fused

    @staticmethod
    def _split(image: Levels) -> tuple[Levels, Levels]:
        coarse = cv2.pyrDown(image)
        return image - cv2.pyrUp(coarse, dstsize=image.shape[::-1]), coarse


class HotPixels(_LumaRule):
    """The visible frame with the hot pixels of the infrared pasted on it.

    The infrared covers the visible with an opacity that rises from 0 at grey level 100 to 1 at 200.
    """

    COLD_LEVEL = 100.0
    HOT_LEVEL = 200.0

    def _luma(self, ir: Levels, visible: Levels) -> Levels:
        opacity = np.clip((ir - self.COLD_LEVEL) / (self.HOT_LEVEL - self.COLD_LEVEL), 0, 1)
        return visible + opacity * (ir - visible)


class ClassicalRestoration:
    """A few lines of classical, causal filtering of both sources, then the brighter luma.

    Infrared: column stripes are the running mean, over the frames since the reset, of the column
    medians of (infrared - horizontal box blur), and are subtracted; then a recursive average whose
    gain opens from 0.15 to 1 where the smoothed difference to it rises from 2.5 to 8.5 grey levels;
    a bilateral filter; and a shift that brings the 20th percentile to level 20. Visible: an unsharp
    mask (amount 1.5 at sigma 1.5), and 6 levels darker.
    """

    STRIPE_BOX_PX = 31
    STILL_GAIN = 0.15
    MOTION_SIGMA_PX = 2.0
    MOTION_LEVELS = (2.5, 8.5)
    BILATERAL = (7, 14.0, 3.0)
    """Diameter in pixels, sigma in grey levels, sigma in pixels."""
    BLACK_PERCENTILE = 20.0
    BLACK_LEVEL = 20.0
    UNSHARP_AMOUNT = 1.5
    UNSHARP_SIGMA_PX = 1.5
    VISIBLE_DARKER = 6.0

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the stripes and the recursive average."""
        self._frames = 0
        self._stripes: Levels | None = None
        self._average: Levels | None = None

    def step(self, ir_u8: Picture, visible_bgr_u8: Picture) -> Picture:
        """Fuse ``ir_u8`` (H, W) uint8 and ``visible_bgr_u8`` (H, W, 3) into (H, W, 3) uint8 BGR.

        All frames between two resets have one size.
        """
        restored, visible = self._restore(ir_u8, visible_bgr_u8)
        return _with_luma(visible_bgr_u8, np.clip(np.maximum(restored, visible), 0, 255))

    def restore(self, ir_u8: Picture, visible_bgr_u8: Picture) -> tuple[Picture, Picture]:
        """What :meth:`step` fuses: restored infrared and visible luma, (H, W) uint8 each."""
        infrared, visible = (
            np.rint(np.clip(levels, 0, 255)).astype(np.uint8)
            for levels in self._restore(ir_u8, visible_bgr_u8)
        )
        return infrared, visible

    def _restore(self, ir_u8: Picture, visible_bgr_u8: Picture) -> tuple[Levels, Levels]:
        restored = self._denoise(self._destripe(ir_u8.astype(np.float32)))
        restored = restored + (self.BLACK_LEVEL - np.percentile(restored, self.BLACK_PERCENTILE))
        return restored, self._sharpen(grey(visible_bgr_u8).astype(np.float32))

    def _destripe(self, ir: Levels) -> Levels:
        columns = np.median(ir - cv2.blur(ir, (self.STRIPE_BOX_PX, 1)), axis=0)
        self._frames += 1
        if self._stripes is None:
            self._stripes = columns
        else:
            self._stripes = self._stripes + (columns - self._stripes) / self._frames
        return ir - self._stripes

    def _denoise(self, ir: Levels) -> Levels:
        if self._average is None:
            self._average = ir
        else:
            difference = ir - self._average
            sigma = self.MOTION_SIGMA_PX
            motion = np.abs(cv2.GaussianBlur(difference, (0, 0), sigma))
            low, high = self.MOTION_LEVELS
            opened = np.clip((motion - low) / (high - low), 0, 1)
            gain = self.STILL_GAIN + (1 - self.STILL_GAIN) * opened
            self._average = self._average + gain * difference
        return cv2.bilateralFilter(self._average, *self.BILATERAL)

    def _sharpen(self, visible: Levels) -> Levels:
        blurred = cv2.GaussianBlur(visible, (0, 0), self.UNSHARP_SIGMA_PX)
        return visible + self.UNSHARP_AMOUNT * (visible - blurred) - self.VISIBLE_DARKER
