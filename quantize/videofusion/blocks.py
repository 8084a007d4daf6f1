"""The parts that VideoFusion is put together from; see :mod:`quantize.videofusion.network`.

Feature maps are (N, C, H, W) in channels-last memory; N counts the frames of all videos of a batch.
Attribute names such as ``CMA_ir_2.ChannelAttention`` are those of the published checkpoint.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from quantize.videofusion.attention import (
    ChannelAttention,
    ChannelNorm,
    CoAttention,
    CrossAttention,
    SelfAttention,
    SpatialAttention,
    depthwise,
    pointwise,
)

__all__ = [
    "CoAttentionStack",
    "CrossModalAggregation",
    "DifferentialReinforcement",
    "Down",
    "Head",
    "ModalityGuidedFusion",
    "ResidualStack",
    "SelfAttentionStack",
    "TemporalConv",
    "Unmixing",
    "Up",
]

RESIDUAL_BLOCKS = 4


class TemporalConv(nn.Module):
    """Two 3x3x3 convolutions over time and space with a leaky ReLU between them."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.module = nn.Sequential(
            nn.Conv3d(inputs, outputs, 3, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv3d(outputs, outputs, 3, padding=1),
        )

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """(videos * frames, C, H, W) -> (videos * frames, outputs, H, W)."""
        # With channels-last frames, both changes of layout are views.
        volume = x.unflatten(0, (-1, frames)).transpose(1, 2)
        volume = volume.contiguous(memory_format=torch.channels_last_3d)
        y: Tensor = self.module(volume)
        return y.transpose(1, 2).flatten(0, 1).contiguous(memory_format=torch.channels_last)


class Down(nn.Module):
    """Half the size, twice the channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels // 2, 3, padding=1, bias=False), nn.PixelUnshuffle(2)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, 2 C, H / 2, W / 2)."""
        y: Tensor = self.body(x)
        return y.contiguous(memory_format=torch.channels_last)


class Up(nn.Module):
    """Twice the size, half the channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.body = nn.Sequential(
            nn.Conv2d(channels, half, 3, padding=1, bias=False),
            nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True),
            nn.Conv2d(half, half, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C / 2, 2 H, 2 W)."""
        y: Tensor = self.body(x)
        return y


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and the identity, without normalisation."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        return x + self.conv2(F.leaky_relu(self.conv1(x), 0.1))


class ResidualStack(nn.Module):
    """Four residual blocks."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        stack = nn.Sequential(*(ResidualBlock(channels) for _ in range(RESIDUAL_BLOCKS)))
        # One level deeper than it need be: the published names say ``blocks.0.<n>``.
        self.blocks = nn.Sequential(stack)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        y: Tensor = self.blocks(x)
        return y


class FeedForward(nn.Module):
    """Gated feed-forward of Restormer with an expansion of 1: GELU of one half gates the other."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.project_in = pointwise(channels, channels * 2)
        self.dwconv = depthwise(channels * 2)
        self.project_out = pointwise(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        gate, passed = self.dwconv(self.project_in(x)).chunk(2, dim=1)
        y: Tensor = self.project_out(F.gelu(gate) * passed)
        return y


class _PreNormBlock(nn.Module):
    """Layer norm and attention, then layer norm and feed-forward, each added to its input."""

    def __init__(self, channels: int, attention: nn.Module) -> None:
        super().__init__()
        self.norm1 = ChannelNorm(channels)
        self.attn = attention
        self.norm2 = ChannelNorm(channels)
        self.ffn = FeedForward(channels)

    def _feed_forward(self, x: Tensor) -> Tensor:
        return x + self.ffn(self.norm2(x))


class SelfAttentionBlock(_PreNormBlock):
    """Attention of a feature map to itself, then feed-forward."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__(channels, SelfAttention(channels, heads))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        return self._feed_forward(x + self.attn(self.norm1(x)))


class CrossAttentionBlock(_PreNormBlock):
    """Attention to another feature map, then feed-forward; one norm serves query and context."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__(channels, CrossAttention(channels, heads))

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """``x`` and ``context`` (N, C, H, W) -> the same shape."""
        return self._feed_forward(x + self.attn(self.norm1(x), self.norm1(context)))


class CoAttentionBlock(_PreNormBlock):
    """Attention to the neighbouring frames, then feed-forward."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__(channels, CoAttention(channels, heads))

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """(videos * frames, C, H, W) -> the same shape."""
        return self._feed_forward(x + self.attn(self.norm1(x), frames))


class SelfAttentionStack(nn.Module):
    """Self-attention blocks, one after the other."""

    def __init__(self, channels: int, heads: int, blocks: int) -> None:
        super().__init__()
        self.transformer = nn.Sequential(
            *(SelfAttentionBlock(channels, heads) for _ in range(blocks))
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        y: Tensor = self.transformer(x)
        return y


class CoAttentionLayer(nn.Module):
    """One co-attention block under its published name."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.co_transformer = CoAttentionBlock(channels, heads)

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """(videos * frames, C, H, W) -> the same shape."""
        y: Tensor = self.co_transformer(x, frames)
        return y


class CoAttentionStack(nn.Module):
    """Co-attention blocks: with each, a frame sees one frame further to both sides."""

    def __init__(self, channels: int, heads: int, blocks: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(CoAttentionLayer(channels, heads) for _ in range(blocks))

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """(videos * frames, C, H, W) -> the same shape."""
        for layer in self.layers:
            x = layer(x, frames)
        return x


class DifferentialReinforcement(nn.Module):
    """One modality's features reinforced with what the other has and it has not."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.cross_transformer = CrossAttentionBlock(channels, heads)

    def forward(self, own: Tensor, other: Tensor) -> Tensor:
        """Features (N, C, H, W) of this modality and of the other -> the same shape."""
        y: Tensor = self.cross_transformer(own, other - own)
        return y


class CrossModalAggregation(nn.Module):
    """Weighs the reinforced features against the original ones, with two scalars for each frame."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = pointwise(channels * 2, 2)
        self.ChannelAttention = ChannelAttention(channels)
        self.SpatialAttention = SpatialAttention()

    def forward(self, reinforced: Tensor, own: Tensor) -> Tensor:
        """Two feature maps (N, C, H, W) -> their sum under the weights."""
        gates = torch.sigmoid(self.conv(torch.cat((reinforced, own), dim=1)))
        scalars = gates.mean(dim=(2, 3), keepdim=True)
        attended: Tensor = self.SpatialAttention(self.ChannelAttention(reinforced * scalars[:, :1]))
        return attended + own * scalars[:, 1:]


class ModalityGuidedFusion(nn.Module):
    """The sum of both modalities, guided by each of them in turn through the same weights."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.cross_transformer = CrossAttentionBlock(channels, heads)

    def forward(self, ir: Tensor, visible: Tensor) -> Tensor:
        """Features (N, C, H, W) of both modalities -> the same shape."""
        query = ir + visible
        y: Tensor = self.cross_transformer(query, ir) + self.cross_transformer(query, visible)
        return y


class Unmixing(nn.Module):
    """Splits the fused features into those of the infrared and those of the visible video."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channel_attention_ir = ChannelAttention(channels)
        self.channel_attention_vi = ChannelAttention(channels)
        self.spatial_attention_ir = SpatialAttention()
        self.spatial_attention_vi = SpatialAttention()

    def forward(self, fused: Tensor) -> tuple[Tensor, Tensor]:
        """(N, C, H, W) -> infrared and visible features of the same shape."""
        ir = self.spatial_attention_ir(self.channel_attention_ir(fused))
        visible = self.spatial_attention_vi(self.channel_attention_vi(fused))
        return ir, visible


class Head(nn.Module):
    """Self-attention blocks, then the step from features to a picture (before its tanh)."""

    def __init__(self, channels: int, heads: int, blocks: int) -> None:
        super().__init__()
        self.decoder = nn.Sequential(*(SelfAttentionBlock(channels, heads) for _ in range(blocks)))
        self.conv = nn.Sequential(
            nn.Conv2d(channels, channels // 2, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(channels // 2, 3, 3, padding=1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, 3, H, W)."""
        y: Tensor = self.conv(self.decoder(x))
        return y
