"""How two restored sources become one picture, in space and over time, in block layout."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["MAX_LAG", "mix_blocks", "move_between"]

GREY = 0.4  # what the contrast turns about: a usual mean
MAX_LAG = 4 / 255  # what is held back beyond it would be seen as a ghost


def mix_blocks(
    ir: Tensor,
    visible: Tensor,
    mix: Tensor,
    smooth: Callable[[Tensor], Tensor],
    contrast: Tensor | float = 0.0,
    brightness: Tensor | float = 0.0,
) -> Tensor:
    """Two-level pyramid fusion: blocks' means by one share, what is finer by two others.

    The pyramid is Burt and Adelson's (1983), one step of 4 instead of two of 2. ``ir``, ``visible``
    (B, 16, h, w) in block layout; ``mix`` (B, 3, h, w): share of the infrared's mean, gain of the
    infrared's detail, gain of the visible's. Weights are interpolated between blocks (``smooth``),
    so that no grid of blocks can show. ``contrast``, ``brightness`` (B, 1, 1, 1): by how much of
    itself what both sources' means have in common is stretched about ``GREY``, and what is added.
    """
    share, on_ir, on_visible = mix.split(1, 1)
    base_ir, base_visible = ir.mean(1, keepdim=True), visible.mean(1, keepdim=True)
    base = base_visible + share * (base_ir - base_visible)
    common = 0.5 * (base_ir + base_visible)
    base = base + contrast * (common - GREY) + brightness
    fine_ir, fine_visible = ir - smooth(base_ir), visible - smooth(base_visible)
    return smooth(base) + smooth(on_ir) * fine_ir + smooth(on_visible) * fine_visible


def move_between(wanted: Tensor, as_ir: Tensor, as_visible: Tensor, settle: Tensor) -> Tensor:
    """``wanted``, held between two pictures, but never further from it than ``MAX_LAG``.

    All of one shape, ``settle`` of any that goes with it: the part of the lag that is given up.
    ``as_ir`` and ``as_visible`` are the last fused picture, moved as one source and as the other
    has moved since. VideoFusion's variational loss (equation 12) is at its least for every picture
    between them. A change of the mix, of contrast or of sharpness that no source has comes slowly
    if it is small, and at once if it is large: without a bound, trails stayed where people had
    walked.
    """
    low, high = torch.minimum(as_ir, as_visible), torch.maximum(as_ir, as_visible)
    held = torch.minimum(torch.maximum(wanted, low), high)
    return wanted + torch.clamp((1.0 - settle) * (held - wanted), -MAX_LAG, MAX_LAG)
