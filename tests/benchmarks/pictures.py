"""Small synthetic pictures and a second, slow implementation of two metrics."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.signal import convolve2d

Picture = NDArray[np.uint8]

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
"""Recordings beside the project; tests that need them are skipped where they are absent."""


def textured(seed: int, height: int = 60, width: int = 72) -> Picture:
    """Smooth random texture over the whole grey range, (height, width) uint8."""
    noise = np.random.default_rng(seed).normal(size=(height, width))
    smooth = cv2.GaussianBlur(noise, (0, 0), 1.5)
    span = smooth.max() - smooth.min()
    levels: Picture = np.rint((smooth - smooth.min()) / span * 255).astype(np.uint8)
    return levels


def coloured(seed: int, height: int = 60, width: int = 72) -> Picture:
    """Three textures as (height, width, 3) uint8 BGR, away from black and white."""
    channels = [textured(seed + offset, height, width) // 4 + 96 for offset in (0, 100, 200)]
    return np.dstack(channels).astype(np.uint8)


def blurred(picture: Picture, sigma_px: float) -> Picture:
    """The picture through a Gaussian."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma_px), np.uint8)


def slow_vif(source: Picture, fused: Picture) -> float:
    """Pixel-domain VIF, pixel by pixel where it decides, with full 2-D windows."""
    reference, distorted = source.astype(float), fused.astype(float)
    kept = available = 0.0
    for scale in range(1, 5):
        size = 2 ** (5 - scale) + 1
        axis = np.arange(size) - size // 2
        window = np.exp(-(axis[:, None] ** 2 + axis[None] ** 2) / (2 * (size / 5) ** 2))
        window /= window.sum()

        def blur(
            image: NDArray[np.float64], w: NDArray[np.float64] = window
        ) -> NDArray[np.float64]:
            return np.asarray(convolve2d(image, w, mode="valid"))

        if scale > 1:
            reference, distorted = blur(reference)[::2, ::2], blur(distorted)[::2, ::2]
        mu_r, mu_d = blur(reference), blur(distorted)
        rr, dd = blur(reference**2) - mu_r**2, blur(distorted**2) - mu_d**2
        rd = blur(reference * distorted) - mu_r * mu_d
        for vr, vd, cov in zip(*(x.ravel().tolist() for x in (rr, dd, rd)), strict=True):
            vr, vd = max(vr, 0.0), max(vd, 0.0)
            gain = cov / (vr + 1e-10)
            noise = vd - gain * cov
            if vr < 1e-10:
                gain, noise, vr = 0.0, vd, 0.0
            if vd < 1e-10:
                gain, noise = 0.0, 0.0
            if gain < 0:
                gain, noise = 0.0, vd
            noise = max(noise, 1e-10)
            kept += math.log10(1 + gain**2 * vr / (noise + 2.0))
            available += math.log10(1 + vr / 2.0)
    return kept / available


def slow_qabf(fused: Picture, ir: Picture, visible: Picture) -> float:
    """Qabf, pixel by pixel, on pictures mirrored at the border without repeating it."""

    def gradient(image: Picture) -> list[tuple[float, float]]:
        around = np.pad(image.astype(float), 1, mode="reflect")
        found = []
        for y in range(1, around.shape[0] - 1):
            for x in range(1, around.shape[1] - 1):
                part = around[y - 1 : y + 2, x - 1 : x + 2]
                sx = part[:, 2] @ [1, 2, 1] - part[:, 0] @ [1, 2, 1]
                sy = part[2] @ [1, 2, 1] - part[0] @ [1, 2, 1]
                angle = math.pi / 2 if sx == 0 else math.atan(sy / sx)
                found.append((math.sqrt(sx * sx + sy * sy), angle))
        return found

    # where across and down are both 0 the strength is 0 and the angle weighs nothing in the source;
    # in the fused picture the ratio of strengths is 0 there
    edges_f = gradient(fused)
    kept = total = 0.0
    for source in (ir, visible):
        for (g_s, a_s), (g_f, a_f) in zip(gradient(source), edges_f, strict=True):
            if g_s == 0:
                continue
            strength = g_f / g_s if g_s > g_f else g_s / g_f
            aligned = 1 - abs(a_s - a_f) / (math.pi / 2)
            q_strength = 0.9994 / (1 + math.exp(-15 * (strength - 0.5)))
            q_aligned = 0.9879 / (1 + math.exp(-22 * (aligned - 0.8)))
            kept += q_strength * q_aligned * g_s
            total += g_s
    return kept / total
