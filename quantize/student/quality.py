"""Differentiable forms of the figures that judge a fusion: VIF, SSIM, Qabf, MI, target contrast.

The paper's intensity loss alone is minimised by the plain maximum of both lumas. What lies beyond
is learnt from the definitions of the metrics themselves. Every function takes a fused image and a
CLEAN source, (B, 1, H, W) in [0, 1], and gives one value for each image of the batch, (B,).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = [
    "HotTargets",
    "edge_transfer",
    "gradients",
    "mutual_information",
    "ssim",
    "textured",
    "visual_information",
]

EPSILON = 1e-8


@lru_cache(maxsize=16)
def _window(size: int, sigma: float) -> Tensor:
    line = torch.exp(-((torch.arange(size) - (size - 1) / 2) ** 2) / (2 * sigma**2))
    return line / line.sum()


class _Window(torch.autograd.Function):
    """Separable symmetric window, valid part; its gradient is the same window on a padded one.

    PyTorch's own gradient of such a convolution takes several times as long on a CPU.
    """

    @staticmethod
    def forward(ctx: Any, image: Tensor, line: Tensor) -> Tensor:
        ctx.save_for_backward(line)
        return _filter(image, line)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (line,) = ctx.saved_tensors
        margin = len(line) - 1
        return _filter(F.pad(gradients[0], (margin,) * 4), line), None


def _filter(image: Tensor, line: Tensor) -> Tensor:
    channels = image.shape[1]
    rows = F.conv2d(image, line.view(1, 1, -1, 1).expand(channels, 1, -1, 1), groups=channels)
    return F.conv2d(rows, line.view(1, 1, 1, -1).expand(channels, 1, 1, -1), groups=channels)


def _smooth(image: Tensor, size: int, sigma: float) -> Tensor:
    """Separable Gaussian window, valid part only."""
    smoothed: Tensor = _Window.apply(image, _window(size, sigma).to(image))
    return smoothed


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


def textured(source: Tensor) -> Tensor:
    """(B,) 0 to 1: a flat source carries no information to be kept, and its VIF is noise."""
    return (source.std((1, 2, 3)) * 255 / 6).clamp(max=1)


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
    across, down = image[..., 2:] - image[..., :-2], image[..., 2:, :] - image[..., :-2, :]
    across = across[..., :-2, :] + 2 * across[..., 1:-1, :] + across[..., 2:, :]
    down = down[..., :-2] + 2 * down[..., 1:-1] + down[..., 2:]
    return torch.cat([across, down], 1) / 4


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


class HotTargets:
    """Where the hot targets of an infrared picture are, and what surrounds them.

    Attributes:
        there: (B,) float, 1 where the picture has a target that stands out at all.
    """

    def __init__(self, ir: Tensor) -> None:
        values = ir.flatten(1)  # torch.quantile sorts them all, and takes much longer than kthvalue
        bound = values.kthvalue(1 + round(0.98 * (values.shape[1] - 1)), dim=1).values
        bound = bound.clamp(min=110 / 255).view(-1, 1, 1, 1)
        mask = (ir > bound).float()
        self._mask = mask = _dilate(1 - _dilate(1 - mask, 3), 3)
        self._ring = _dilate(mask, 15) - _dilate(mask, 5)
        inside, around = mask.sum((1, 2, 3)), self._ring.sum((1, 2, 3))
        self._sizes = inside + 1, around + 1
        self._reference = self._stands_out(ir)
        enough = (inside > 30) & (around > 30) & (self._reference > 0.05)
        self.there = enough.float()

    def _stands_out(self, image: Tensor) -> Tensor:
        inside, around = self._sizes
        hot = (image * self._mask).sum((1, 2, 3)) / inside
        return hot - (image * self._ring).sum((1, 2, 3)) / around

    def contrast(self, fused: Tensor) -> Tensor:
        """How much they stand out in ``fused``, as a share of how they do in the infrared, (B,)."""
        return self._stands_out(fused) / self._reference.clamp(min=0.05)


def _dilate(mask: Tensor, size: int) -> Tensor:
    """Dilation by a square, one axis after the other."""
    rows = F.max_pool2d(mask, (size, 1), 1, (size // 2, 0))
    return F.max_pool2d(rows, (1, size), 1, (0, size // 2))


def mutual_information(fused: Tensor, source: Tensor, bins: int = 64) -> Tensor:
    """MI(F, S) in bits from a joint histogram (Qu, Zhang, Yan 2002), (B,).

    A level of the fused picture is shared by the two bins that it lies between, so that the
    histogram, and the figure, follow it smoothly.
    """
    batch = len(fused)
    position = fused.flatten(1).clamp(0, 1) * (bins - 1)
    lower = position.detach().floor().clamp(max=bins - 2)
    upper_share = position - lower
    column = (source.flatten(1) * (bins - 1)).round()
    cell = (lower * bins + column).long()
    joint = position.new_zeros(batch, bins * bins)
    joint = joint.scatter_add(1, cell, 1 - upper_share).scatter_add(1, cell + bins, upper_share)
    share = joint.view(batch, bins, bins) / position.shape[1]

    def bits(p: Tensor) -> Tensor:
        return -(p * torch.log2(p + 1e-9)).flatten(1).sum(1)

    return bits(share.sum(2)) + bits(share.sum(1)) - bits(share)
