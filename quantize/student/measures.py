"""What whole pictures tell: energies, levels and their distribution, in block layout."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["GREY_WIDTH", "brighter", "energy", "level_and_spread"]

GREY_WIDTH = 0.05
QUIET = 0.002  # half a grey level


def energy(blocks: Tensor) -> Tensor:
    """Mean absolute value on a logarithmic scale, about -2 to 2; (B, C, h, w) to (B, 1, 1, 1)."""
    return torch.log(blocks.abs().mean((1, 2, 3), keepdim=True) + QUIET) + 4.0


def level_and_spread(grey: Tensor) -> Tensor:
    """Mean, and log of the standard deviation, about -2 to 2; (B, 1, h, w) to (B, 2, 1, 1)."""
    mean = grey.mean((2, 3), keepdim=True)
    variance = ((grey - mean) ** 2).mean((2, 3), keepdim=True)
    return torch.cat([mean, 0.5 * torch.log(variance + QUIET**2) + 3.0], 1)


def brighter(grey: Tensor, levels: Tensor) -> Tensor:
    """Share of the blocks above every level, softly; (B, 1, h, w) to (B, levels, 1, 1)."""
    return torch.clamp((grey - levels) / GREY_WIDTH + 0.5, 0.0, 1.0).mean((2, 3), keepdim=True)
