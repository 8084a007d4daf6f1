"""The attentions of VideoFusion and the layer norm in front of them.

Three are transposed attentions (Zamir et al., "Restormer", CVPR 2022, section 3.1): the map relates
channels to channels, so its size is (C / heads) squared whatever the size of the image. Two are the
gates of Woo et al., "CBAM", ECCV 2018.

Feature maps are (N, C, H, W) in channels-last memory; N counts the frames of all videos of a batch.
Norms, cosines and softmax are computed in float32 even under bfloat16 autocast.
Attribute names such as ``q_dwconv`` are those of the published checkpoint.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = [
    "ChannelAttention",
    "ChannelNorm",
    "CoAttention",
    "CrossAttention",
    "SelfAttention",
    "SpatialAttention",
    "widen",
]

CHANNEL_REDUCTION = 16
"""Channel attention squeezes its C channels to C / 16."""


def widen(x: Tensor) -> Tensor:
    """``x`` in float32, or as it is where it is finer than that."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


class ChannelNorm(nn.Module):
    """Layer norm over the channels of each pixel, with bias, eps 1e-5."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.LayerNorm(channels, eps=1e-5)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape and dtype."""
        normed = F.layer_norm(
            widen(x.permute(0, 2, 3, 1)),
            self.body.normalized_shape,
            widen(self.body.weight),
            widen(self.body.bias),
            self.body.eps,
        )
        return normed.permute(0, 3, 1, 2).to(x.dtype)


def pointwise(inputs: int, outputs: int) -> nn.Conv2d:
    """1x1 convolution without bias."""
    return nn.Conv2d(inputs, outputs, 1, bias=False)


def depthwise(channels: int) -> nn.Conv2d:
    """Depth-wise 3x3 convolution without bias."""
    return nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)


def channel_map(query: Tensor, key: Tensor, temperature: Tensor) -> Tensor:
    """Softmax over the cosines between each query channel and each key channel of the same head.

    Args:
        query: (N, C, H, W).
        key: (N, C, H, W).
        temperature: (heads, 1, 1), multiplies the cosines.

    Returns:
        (N, heads, C / heads, C / heads), float32; each row sums to 1.
    """
    heads = temperature.shape[0]
    q, k = _split_heads(query, heads), _split_heads(key, heads)
    # Dividing the small map by the norms equals normalising q and k, without two more passes over
    # every pixel.
    products = widen(q @ k.transpose(-2, -1))
    cosines = products / (_length(q) * _length(k).transpose(-2, -1))
    return torch.softmax(cosines * widen(temperature), dim=-1)


def apply_map(channel_map: Tensor, value: Tensor) -> Tensor:
    """Mix the channels of ``value`` (N, C, H, W) by a map (N, heads, C / heads, C / heads)."""
    v = _split_heads(value, channel_map.shape[1])
    mixed = (channel_map.to(v.dtype) @ v).reshape(value.shape)
    return mixed.contiguous(memory_format=torch.channels_last)


def _split_heads(x: Tensor, heads: int) -> Tensor:
    """(N, C, H, W) -> (N, heads, C / heads, H * W), a view where the memory allows it."""
    return x.flatten(2).unflatten(1, (heads, -1))


def _length(x: Tensor) -> Tensor:
    """Euclidean length along the pixels, kept from zero: (..., 1), at least float32."""
    dtype = torch.promote_types(x.dtype, torch.float32)
    return torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=dtype).clamp_min(1e-12)


def _neighbours(x: Tensor, frames: int) -> tuple[Tensor, Tensor]:
    """For each frame of each video, the one before and the one after it, as the class says.

    Joined as (videos, frames, H, W, C), so that the result is in channels-last memory again.
    """
    videos = x.permute(0, 2, 3, 1).unflatten(0, (-1, frames))
    previous = torch.cat((videos[:, :1], videos[:, :-1]), dim=1)
    following = torch.cat((videos[:, 1:], videos[:, -1:]), dim=1)
    return previous.flatten(0, 1).permute(0, 3, 1, 2), following.flatten(0, 1).permute(0, 3, 1, 2)


class SelfAttention(nn.Module):
    """Transposed attention of a feature map to itself."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.qkv = pointwise(channels, channels * 3)
        self.qkv_dwconv = depthwise(channels * 3)
        self.project_out = pointwise(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        query, key, value = self.qkv_dwconv(self.qkv(x)).chunk(3, dim=1)
        mixed = apply_map(channel_map(query, key, self.temperature), value)
        projected: Tensor = self.project_out(mixed)
        return projected


class CrossAttention(nn.Module):
    """Transposed attention of one feature map to another."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        # Never applied: the published checkpoint carries its weights all the same.
        self.norm = ChannelNorm(channels)
        self.q = pointwise(channels, channels)
        self.kv = pointwise(channels, channels * 2)
        self.q_dwconv = depthwise(channels)
        self.kv_dwconv = depthwise(channels * 2)
        self.project_out = pointwise(channels, channels)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """Queries from ``x``, keys and values from ``context``, each (N, C, H, W)."""
        query = self.q_dwconv(self.q(x))
        key, value = self.kv_dwconv(self.kv(context)).chunk(2, dim=1)
        mixed = apply_map(channel_map(query, key, self.temperature), value)
        projected: Tensor = self.project_out(mixed)
        return projected


class CoAttention(nn.Module):
    """Bi-temporal co-attention: each frame attends to the one before and the one after it.

    A channel relation counts where both neighbours agree on it: the two maps are multiplied, then
    normalised again. The first frame is its own predecessor, the last its own successor.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.q = pointwise(channels, channels)
        self.kv_prev = pointwise(channels, channels * 2)
        self.kv_next = pointwise(channels, channels * 2)
        self.q_dwconv = depthwise(channels)
        self.kv_dwconv_prev = depthwise(channels * 2)
        self.kv_dwconv_next = depthwise(channels * 2)
        self.project_out = pointwise(channels, channels)

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """(N, C, H, W), where N is a number of videos times ``frames`` -> the same shape."""
        previous, following = _neighbours(x, frames)
        query = self.q_dwconv(self.q(x))
        key_prev, value_prev = self.kv_dwconv_prev(self.kv_prev(previous)).chunk(2, dim=1)
        key_next, value_next = self.kv_dwconv_next(self.kv_next(following)).chunk(2, dim=1)
        map_prev = channel_map(query, key_prev, self.temperature)
        map_next = channel_map(query, key_next, self.temperature)
        agreed = torch.softmax(map_prev * map_next, dim=-1)
        mixed = apply_map(agreed, value_prev) + apply_map(agreed, value_next)
        projected: Tensor = self.project_out(mixed)
        return projected


class ChannelAttention(nn.Module):
    """Gate of each channel, from its average and its maximum over the image (CBAM)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(1, channels // CHANNEL_REDUCTION)
        self.fc1 = pointwise(channels, hidden)
        self.fc2 = pointwise(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> ``x`` times its gates in (0, 1)."""
        pooled = (x.mean(dim=(2, 3), keepdim=True), x.amax(dim=(2, 3), keepdim=True))
        average, maximum = (self.fc2(F.leaky_relu(self.fc1(p), 0.2)) for p in pooled)
        return x * torch.sigmoid(average + maximum)


class SpatialAttention(nn.Module):
    """Gate of each pixel, from the average and the maximum over its channels (CBAM)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(2, 1, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> ``x`` times its gates in (0, 1)."""
        summary = torch.cat((x.mean(dim=1, keepdim=True), x.amax(dim=1, keepdim=True)), dim=1)
        return x * torch.sigmoid(self.conv1(summary))
