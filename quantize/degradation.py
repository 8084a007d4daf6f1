"""What makes clean recordings look like an uncooled core at work and a soft lens.

Fitted to the degraded frames of M3SVD (see ``tests/quantize/test_degradation.py``): the infrared
carries fixed, spatially white column stripes (sigma 7 to 12 grey levels, no row stripes), noise
that is white in space and time (sigma 9 to 14, independent of the level), and the tone of the raw
signal: the clean frames are tone-mapped with crushed blacks, the degraded ones are not. The visible
is blurred (kernel 15, sigma 0.9 to 2.1, constant in a sequence) and 5 to 12 levels brighter. What
no blur of the clean frame explains (a few levels) is blurred itself: at more than a third of a
cycle a pixel only the rounding to 8 bits is left. So the picture has been through a codec BEFORE
the blur, not after it, and JPEG of quality 15 to 60 there has the spectrum, and leaves what a
linear inverse can restore, of the real frames.
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
        mild: probability that stripes, noise and black level are each a random part of that, and
            in half of these sequences there are no stripes: a core whose stripes are corrected is
            still noisy, and not every raw signal is lifted.
    """

    stripe_sigma: tuple[float, float] = (5.0, 13.0)
    noise_sigma: tuple[float, float] = (6.0, 15.0)
    black_level: tuple[float, float] = (30.0, 65.0)
    toe: tuple[float, float] = (8.0, 15.0)
    contrast: tuple[float, float] = (0.9, 1.1)
    mild: float = 0.4


@dataclass(frozen=True)
class VisibleDegradation:
    """Ranges that one sequence draws its values from; levels of 255, sigma in pixels.

    Attributes:
        blur_sigma_px: of the Gaussian blur.
        lift: how much brighter dark pixels are.
        toe: how many levels it takes until the lift is there; black stays black.
        contrast: factor on the whole.
        noise_sigma: temporally white noise after the blur.
        quality: of a JPEG codec before the blur, 0 to 100.
        stored_quality: of a JPEG codec after it, as a camera that delivers MJPEG has.
        stored: probability of that codec.
    """

    blur_sigma_px: tuple[float, float] = (0.9, 2.1)
    lift: tuple[float, float] = (4.0, 14.0)
    toe: tuple[float, float] = (0.3, 8.0)
    contrast: tuple[float, float] = (0.96, 1.0)
    noise_sigma: tuple[float, float] = (0.0, 0.4)
    quality: tuple[float, float] = (15.0, 60.0)
    stored_quality: tuple[float, float] = (75.0, 98.0)
    stored: float = 0.1


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
    if generator.random() < ranges.mild:
        stripe, noise, black = np.multiply((stripe, noise, black), generator.random(3))
        stripe *= generator.random() < 0.5
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
    sigma, lift, toe, contrast, noise, quality, stored_quality = (
        generator.uniform(*bounds)
        for bounds in (
            ranges.blur_sigma_px,
            ranges.lift,
            ranges.toe,
            ranges.contrast,
            ranges.noise_sigma,
            ranges.quality,
            ranges.stored_quality,
        )
    )
    stored = generator.random() < ranges.stored
    seen = np.stack([_through_codec(frame, round(quality)) for frame in clean])
    soft = np.stack([cv2.GaussianBlur(frame, (BLUR_KERNEL, BLUR_KERNEL), sigma) for frame in seen])
    levels = soft * 255.0
    levels += lift * (1.0 - np.exp(levels * (-1.0 / toe))) * (1.0 - soft)
    levels *= contrast
    levels += generator.standard_normal(clean.shape, dtype=np.float32) * noise
    frames = _to_8_bit(levels)
    if stored:
        frames = np.stack([_through_codec(frame, round(stored_quality)) for frame in frames])
    return frames


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
