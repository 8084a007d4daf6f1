"""Multiply-accumulates (MACs) of a network, counted from the operations that torch really runs.

The counts are torch's own (:class:`torch.utils.flop_counter.FlopCounterMode`, which calls a MAC two
FLOPs), taken on the meta device, where shapes are computed and pictures are not: the network's full
size takes no memory and a second or two. Convolutions and matrix products are counted; norms,
activations, softmax, pooling and resizing are not, as is the custom.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from quantize.videofusion import VideoFusion, VideoFusionConfig

__all__ = ["MacCount", "count_macs", "parameter_count", "videofusion_macs"]


@dataclass(frozen=True)
class MacCount:
    """Multiply-accumulates, by kind of operation.

    Attributes:
        convolutions: of all convolutions.
        products: of all matrix products: attention maps, their application, linear layers.
    """

    convolutions: float
    products: float

    @property
    def total(self) -> float:
        """Convolutions and products."""
        return self.convolutions + self.products

    def __truediv__(self, count: int) -> MacCount:
        """The share of one of ``count`` frames."""
        return MacCount(self.convolutions / count, self.products / count)


def count_macs(model: nn.Module, *inputs: Tensor) -> MacCount:
    """MACs of ``model(*inputs)``, all frames together; neither is changed.

    Args:
        model: any module that runs on the meta device.
        inputs: tensors of the wanted shapes; their values do not matter.
    """
    model = copy.deepcopy(model).to("meta").eval()
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        model(*(x.to("meta") for x in inputs))
    flops = counter.get_flop_counts()["Global"]
    convolutions = sum(n for operation, n in flops.items() if "convolution" in str(operation))
    return MacCount(convolutions / 2, (counter.get_total_flops() - convolutions) / 2)


def parameter_count(model: nn.Module) -> int:
    """Numbers that the model learns."""
    return sum(p.numel() for p in model.parameters())


def videofusion_macs(
    height: int, width: int, *, frames: int = 2, config: VideoFusionConfig | None = None
) -> MacCount:
    """MACs a frame of VideoFusion at a size in pixels; 274.5e9 in all at 480 x 640.

    Raises:
        ConfigError: a size that the network cannot take.
    """
    with torch.device("meta"):
        model = VideoFusion(config)
        video = torch.empty(1, frames, 3, height, width)
    return count_macs(model, video, video) / frames
