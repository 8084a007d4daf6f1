"""Quantisation-aware training: the rounding of ``quantize.int8`` while the student learns.

In training mode, and there alone, the convolutions that are packed as INT8 round what they read and
their weights to the grid, as Jacob et al. (CVPR 2018) do: gradients pass the rounding as if it were
not there. A mix that stands between a bright source and a dark one learns to be sure of itself.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from quantize.int8 import LEVELS, SAFE_LEVELS

__all__ = ["FLOAT_PARTS", "attach"]

FLOAT_PARTS = (
    *("stripes", "context", "tone", "calm", "clear"),
    *("evidence", "up2", "up1", "weights"),
)
"""Parts of the student whose convolutions are packed in float."""

MEMORY = 0.95
"""How much of a range's running estimate stays at every call."""


def attach(student: nn.Module) -> int:
    """Make the student learn under rounding; returns how many convolutions do.

    Parameters and their names stay as they are.
    """
    count = 0
    for name, module in student.named_modules():
        if isinstance(module, nn.Conv2d) and name.split(".")[0] not in FLOAT_PARTS:
            module.forward = _Rounded(module)  # type: ignore[method-assign, assignment]
            count += 1
    return count


class _Rounded:
    """The forward pass of one convolution, and the running range of what it reads."""

    def __init__(self, conv: nn.Conv2d) -> None:
        # In a list, since a module that refers to itself could be walked without end.
        self._conv = [conv]
        self._largest: float | None = None

    def __call__(self, features: Tensor) -> Tensor:
        (conv,) = self._conv
        weight = conv.weight
        if conv.training:
            with torch.no_grad():
                low, high = (float(value) for value in torch.aminmax(features))
            largest = max(high, -low, 1e-6)
            if self._largest is not None:
                largest = max(self._largest * MEMORY + largest * (1 - MEMORY), 1e-6)
            self._largest = largest
            least = -LEVELS if low < 0 else 0
            features = torch.fake_quantize_per_tensor_affine(
                features, largest / LEVELS, 0, least, LEVELS
            )
            levels = SAFE_LEVELS if low < 0 else LEVELS
            scales = weight.detach().abs().amax((1, 2, 3)).clamp(min=1e-8) / levels
            zeros = torch.zeros(len(weight), dtype=torch.int32, device=weight.device)
            weight = torch.fake_quantize_per_channel_affine(
                weight, scales, zeros, 0, -levels, levels
            )
        return nn.functional.conv2d(
            features, weight, conv.bias, conv.stride, conv.padding, conv.dilation, conv.groups
        )
