"""Shapes of network that were compared before one became the student.

One frame in, one picture out, no state: what differs is only where detail comes from, and at what
resolution the trunk works. Trained and timed by ``python -m quantize.shapes``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from quantize.student.mix import mix_blocks
from quantize.student.network import sharpening_bands
from quantize.student.space import BLOCK, FilterBank, SmoothBlocks, depth_to_space, space_to_depth

__all__ = ["SHAPES", "BlockWeights", "Paint", "PixelWeights", "Trunk"]

BANDS = 2
LAYERS = 3


class Trunk(nn.Module):
    """U-shaped, three resolutions; (B, inputs, h, w) to (B, widths[0], h, w)."""

    def __init__(self, inputs: int, widths: tuple[int, int, int]) -> None:
        super().__init__()
        high, middle, low = widths
        self.stem = nn.Conv2d(inputs, high, 3, padding=1)
        self.down1 = nn.Conv2d(high, middle, 3, stride=2, padding=1)
        self.mid = nn.Conv2d(middle, middle, 3, padding=1)
        self.down2 = nn.Conv2d(middle, low, 3, stride=2, padding=1)
        self.low = nn.ModuleList(nn.Conv2d(low, low, 3, padding=1) for _ in range(LAYERS - 1))
        self.up2 = nn.Conv2d(low, 4 * middle, 1)
        self.up1 = nn.Conv2d(middle, 4 * high, 1)
        self.head = nn.Conv2d(high, high, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        high = F.relu(self.stem(features))
        middle = F.relu(self.mid(F.relu(self.down1(high))))
        low = F.relu(self.down2(middle))
        for conv in self.low:
            low = F.relu(conv(low))
        middle = F.relu(middle + F.pixel_shuffle(self.up2(low), 2))
        high = F.relu(high + F.pixel_shuffle(self.up1(middle), 2))
        return F.relu(self.head(high))


class Paint(nn.Module):
    """The trunk paints the picture: a convolution and a pixel shuffle."""

    def __init__(self, block: int, widths: tuple[int, int, int]) -> None:
        super().__init__()
        self.block = block
        self.trunk = Trunk(2 * block**2, widths)
        self.paint = nn.Conv2d(widths[0], block**2, 1)

    def forward(self, ir: Tensor, visible: Tensor) -> Tensor:
        blocks = [space_to_depth(image, self.block) for image in (ir, visible)]
        return F.pixel_shuffle(self.paint(self.trunk(torch.cat(blocks, 1))), self.block)


class PixelWeights(nn.Module):
    """The trunk gives every pixel the share of the infrared and the strength of two filters."""

    def __init__(self, widths: tuple[int, int, int]) -> None:
        super().__init__()
        self.trunk = Trunk(2 * BLOCK**2, widths)
        self.bank = FilterBank(sharpening_bands(BANDS))
        self.weights = _small(nn.Conv2d(widths[0], (1 + BANDS) * BLOCK**2, 1))

    def forward(self, ir: Tensor, visible: Tensor) -> Tensor:
        framed = space_to_depth(F.pad(visible, (BLOCK,) * 4, mode="replicate"))
        ir, visible = space_to_depth(ir), space_to_depth(visible)
        weights = self.weights(self.trunk(torch.cat([ir, visible], 1)))
        share, *strengths = weights.split(BLOCK**2, 1)
        for band, strength in zip(self.bank(framed), strengths, strict=True):
            visible = visible + band * strength
        return depth_to_space(visible + torch.sigmoid(share) * (ir - visible))


class BlockWeights(nn.Module):
    """One value a block instead: shares of the blocks' means and of both sources' detail."""

    def __init__(self, widths: tuple[int, int, int]) -> None:
        super().__init__()
        self.trunk = Trunk(2 * BLOCK**2, widths)
        self.bank = FilterBank(sharpening_bands(BANDS))
        self.weights = _small(nn.Conv2d(widths[0], 3 + BANDS, 1))
        self.smooth = SmoothBlocks()

    def forward(self, ir: Tensor, visible: Tensor) -> Tensor:
        framed = space_to_depth(F.pad(visible, (BLOCK,) * 4, mode="replicate"))
        ir, visible = space_to_depth(ir), space_to_depth(visible)
        weights = self.weights(self.trunk(torch.cat([ir, visible], 1)))
        choice, on_ir, on_visible, *strengths = weights.split(1, 1)
        for band, strength in zip(self.bank(framed), strengths, strict=True):
            visible = visible + band * strength
        share = torch.sigmoid(choice)
        mix = torch.cat([share, share + on_ir, 1.0 - share + on_visible], 1)
        return depth_to_space(mix_blocks(ir, visible, mix, self.smooth))


class Shape(NamedTuple):
    """A candidate: what the table calls it, and how it is made."""

    title: str
    build: Callable[[], nn.Module]


SHAPES = {
    "paint4": Shape("1/4 trunk paints", lambda: Paint(4, (32, 48, 96))),
    "paint2": Shape("1/2 trunk paints", lambda: Paint(2, (16, 32, 48))),
    "pixels4": Shape("1/4 trunk, weights of a pixel", lambda: PixelWeights((32, 48, 96))),
    "blocks4": Shape("1/4 trunk, weights of a block", lambda: BlockWeights((32, 48, 96))),
}


def _small(conv: nn.Conv2d) -> nn.Conv2d:
    """All weights equal at first, nearly: half of each source, no filter."""
    nn.init.normal_(conv.weight, std=0.01)
    assert conv.bias is not None
    nn.init.zeros_(conv.bias)
    return conv
