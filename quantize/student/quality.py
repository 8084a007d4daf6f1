"""Differentiable forms of the figures that judge a fusion: VIF, SSIM, Qabf, target contrast.

The paper's intensity loss alone is minimised by the plain maximum of both lumas. What lies beyond
is learnt from the definitions of the metrics themselves. Every function takes a fused image and a
CLEAN source, (B, 1, H, W) in [0, 1], and gives one value for each image of the batch, (B,).
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["edge_transfer", "gradients", "ssim", "target_contrast", "visual_information"]

EPSILON = 1e-8


@lru_cache(maxsize=16)
def _window(size: int, sigma: float) -> Tensor:
    line = torch.exp(-((torch.arange(size) - (size - 1) / 2) ** 2) / (2 * sigma**2))
    return line / line.sum()


def _smooth(image: Tensor, size: int, sigma: float) -> Tensor:
    """Separable Gaussian window, valid part only."""
    line = _window(size, sigma).to(image)
    channels = image.shape[1]
    rows = F.conv2d(image, line.view(1, 1, size, 1).expand(channels, 1, -1, 1), groups=channels)
    return F.conv2d(rows, line.view(1, 1, 1, size).expand(channels, 1, 1, -1), groups=channels)


def _moments(a: Tensor, b: Tensor, size: int, sigma: float) -> tuple[Tensor, ...]:
    """Local means, variances and covariance of two images."""
    stack = torch.cat([a, b, a * a, b * b, a * b], 1)
    mean_a, mean_b, aa, bb, ab = _smooth(stack, size, sigma).split(1, 1)
    return mean_a, mean_b, aa - mean_a**2, bb - mean_b**2, ab - mean_a * mean_b


def visual_information(fused: Tensor, source: Tensor, scales: int = 4) -> Tensor:
    """Pixel-domain visual information fidelity (Sheikh and Bovik, TIP 2006), windows 17/9/5/3."""
    noise = 2.0
    source, fused = source * 255.0, fused * 255.0
    kept = torch.zeros(len(fused), device=fused.device)
    total = torch.zeros_like(kept)
    for scale in range(scales):
        size = 2 ** (4 - scale) + 1
        sigma = size / 5.0
        if scale > 0:
            source = _smooth(source, size, sigma)[:, :, ::2, ::2]
            fused = _smooth(fused, size, sigma)[:, :, ::2, ::2]
        _, _, var_s, var_f, cov = _moments(source, fused, size, sigma)
        var_s, var_f = var_s.clamp(min=0), var_f.clamp(min=0)
        gain = (cov / (var_s + 1e-3)).clamp(min=0)
        rest = (var_f - gain * cov).clamp(min=0)
        kept = kept + torch.log2(1 + gain**2 * var_s / (rest + noise)).sum((1, 2, 3))
        total = total + torch.log2(1 + var_s / noise).sum((1, 2, 3))
    return kept / (total + 1.0)


def ssim(fused: Tensor, source: Tensor) -> Tensor:
    """Structural similarity (Wang et al., TIP 2004), 11 x 11 window, sigma 1.5."""
    mean_a, mean_b, var_a, var_b, cov = _moments(fused, source, 11, 1.5)
    c1, c2 = 0.01**2, 0.03**2
    index = ((2 * mean_a * mean_b + c1) * (2 * cov + c2)) / (
        (mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)
    )
    return index.mean((1, 2, 3))


def gradients(image: Tensor) -> Tensor:
    """Sobel derivatives (B, 2, H - 2, W - 2), x then y, divided by 4: slope per pixel times 2."""
    kernel = image.new_tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]) / 4
    return F.conv2d(image, torch.stack([kernel, kernel.t()])[:, None])


def edge_transfer(fused: Tensor, ir: Tensor, visible: Tensor) -> Tensor:
    """Qabf of Xydeas and Petrovic (2000), with the angle taken from the gradients' cosine."""
    slope_f = gradients(fused)
    size_f = torch.sqrt((slope_f**2).sum(1) + EPSILON)
    kept = torch.zeros(len(fused), device=fused.device)
    total = torch.full_like(kept, EPSILON)
    for source in (ir, visible):
        slope = gradients(source)
        size = torch.sqrt((slope**2).sum(1) + EPSILON)
        strength = torch.minimum(size, size_f) / torch.maximum(size, size_f)
        cosine = (slope * slope_f).sum(1).abs() / (size * size_f)
        angle = 1 - torch.acos(cosine.clamp(max=0.995)) * (2 / math.pi)
        quality = torch.sigmoid(15 * (strength - 0.5)) * torch.sigmoid(22 * (angle - 0.8))
        kept = kept + (quality * size).sum((1, 2))
        total = total + size.sum((1, 2))
    return kept / total


def target_contrast(fused: Tensor, ir: Tensor) -> tuple[Tensor, Tensor]:
    """How much hot targets stand out from their ring, as a share of how they do in the infrared.

    Returns the ratio (B,), and whether the image has a target at all (B,) float.
    """
    flat = ir.flatten(1)
    bound = torch.quantile(flat, 0.98, dim=1).clamp(min=110 / 255).view(-1, 1, 1, 1)
    mask = (ir > bound).float()
    mask = F.max_pool2d(-F.max_pool2d(-mask, 3, 1, 1), 3, 1, 1)
    ring = F.max_pool2d(mask, 15, 1, 7) - F.max_pool2d(mask, 5, 1, 2)
    inside, around = mask.sum((1, 2, 3)), ring.sum((1, 2, 3))

    def contrast(image: Tensor) -> Tensor:
        hot = (image * mask).sum((1, 2, 3)) / (inside + 1)
        return hot - (image * ring).sum((1, 2, 3)) / (around + 1)

    there = ((inside > 30) & (around > 30)).float()
    reference = contrast(ir)
    there = there * (reference > 0.05).float()
    return contrast(fused) / reference.clamp(min=0.05), there
