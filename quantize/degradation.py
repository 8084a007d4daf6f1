"""What makes clean recordings look like an uncooled core at work and a soft lens.

Fitted to the degraded frames of M3SVD (see ``tests/quantize/test_degradation.py``): the infrared
carries fixed, spatially white column stripes (sigma 7 to 12 grey levels, no row stripes), noise
that is white in space and time (sigma 9 to 14, independent of the level), and the tone of the raw
signal: the clean frames are tone-mapped with crushed blacks, the degraded ones are not. The visible
is blurred (kernel 15, sigma 0.9 to 2.1, constant in a sequence), 5 to 12 levels brighter, and has
been through a codec: what no blur of the clean frame explains (2 to 4 levels), and how much it
changes from frame to frame, is what JPEG of quality 15 to 60 leaves behind on the same frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["InfraredDegradation", "VisibleDegradation", "degrade_infrared", "degrade_visible"]

Clip = NDArray[np.float32]
BLUR_KERNEL = 15


@dataclass(frozen=True)
class InfraredDegradation:
    """Ranges that one sequence draws its values from; levels of 255.

    Attributes:
        stripe_sigma: column stripes, fixed in the sequence.
        noise_sigma: temporally white noise.
        black_level: where the black of the clean frame lies in the raw signal.
        toe: how many clean levels the crushed blacks span.
        contrast: factor on the whole.
    """

    stripe_sigma: tuple[float, float] = (5.0, 13.0)
    noise_sigma: tuple[float, float] = (6.0, 15.0)
    black_level: tuple[float, float] = (30.0, 65.0)
    toe: tuple[float, float] = (8.0, 15.0)
    contrast: tuple[float, float] = (0.9, 1.1)


@dataclass(frozen=True)
class VisibleDegradation:
    """Ranges that one sequence draws its values from; levels of 255, sigma in pixels.

    ``quality`` is of a JPEG codec, 0 to 100.
    """

    blur_sigma_px: tuple[float, float] = (0.9, 2.1)
    lift: tuple[float, float] = (4.0, 13.0)
    noise_sigma: tuple[float, float] = (0.0, 1.2)
    quality: tuple[float, float] = (25.0, 95.0)


def degrade_infrared(
    clean: Clip, generator: np.random.Generator, ranges: InfraredDegradation | None = None
) -> Clip:
    """Degrade a sequence (T, H, W) float32 in [0, 1]; same shape, quantised to 8 bit.

    Raw level of the clean level c: ``black (1 - exp(-c / toe)) + c (255 - black) / 255``, times the
    contrast; then stripes and noise.
    """
    ranges = ranges or InfraredDegradation()
    stripe, noise, black, toe, contrast = (
        generator.uniform(*bounds)
        for bounds in (
            ranges.stripe_sigma,
            ranges.noise_sigma,
            ranges.black_level,
            ranges.toe,
            ranges.contrast,
        )
    )
    levels = clean * 255.0
    raw = black * (1.0 - np.exp(levels * (-1.0 / toe))) + levels * ((255.0 - black) / 255.0)
    raw *= contrast
    raw += generator.standard_normal(clean.shape[2], dtype=np.float32) * stripe
    raw += generator.standard_normal(clean.shape, dtype=np.float32) * noise
    return _to_8_bit(raw)


def degrade_visible(
    clean: Clip, generator: np.random.Generator, ranges: VisibleDegradation | None = None
) -> Clip:
    """Degrade a sequence (T, H, W) or (T, H, W, 3) float32 in [0, 1]; same shape, 8 bit.

    A lens blurs and lifts each channel alike: in the degraded frames of M3SVD, fitted gain and lift
    of a channel lie within 4 % and 4 levels of those of the others.
    """
    ranges = ranges or VisibleDegradation()
    sigma, lift, noise, quality = (
        generator.uniform(*bounds)
        for bounds in (ranges.blur_sigma_px, ranges.lift, ranges.noise_sigma, ranges.quality)
    )
    soft = np.stack([cv2.GaussianBlur(frame, (BLUR_KERNEL, BLUR_KERNEL), sigma) for frame in clean])
    levels = soft * 255.0 + lift * (1.0 - soft)
    levels += generator.standard_normal(clean.shape, dtype=np.float32) * noise
    return np.stack([_through_codec(frame, round(quality)) for frame in _to_8_bit(levels)])


def _through_codec(frame: Clip, quality: int) -> Clip:
    """A frame, (H, W) or (H, W, 3) RGB in [0, 1], as JPEG of this quality gives it back."""
    settings = [cv2.IMWRITE_JPEG_QUALITY, quality]
    image = np.rint(frame * 255.0).astype(np.uint8)
    _, stored = cv2.imencode(".jpg", image[..., ::-1] if image.ndim == 3 else image, settings)
    shown = cv2.imdecode(stored, cv2.IMREAD_UNCHANGED)
    assert shown is not None
    return (shown[..., ::-1] if image.ndim == 3 else shown).astype(np.float32) / 255.0


def _to_8_bit(levels: NDArray[np.floating]) -> Clip:
    return (np.rint(np.clip(levels, 0.0, 255.0)) / 255.0).astype(np.float32)
