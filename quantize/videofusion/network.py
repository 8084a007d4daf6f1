"""VideoFusion, the published video fusion and restoration network.

Tang et al., "VideoFusion: A Spatio-Temporal Collaborative Network for Multi-modal Video Fusion and
Restoration", CVPR 2026, arXiv 2503.23359. Parameter names and shapes are those of the published
checkpoint, so that :mod:`quantize.videofusion.checkpoint` can load it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from edge_sdk.errors import ConfigError
from quantize.videofusion.attention import widen
from quantize.videofusion.blocks import (
    CoAttentionStack,
    CrossModalAggregation,
    DifferentialReinforcement,
    Down,
    Head,
    ModalityGuidedFusion,
    ResidualStack,
    SelfAttentionStack,
    TemporalConv,
    Unmixing,
    Up,
)

__all__ = ["VideoFusion", "VideoFusionConfig", "VideoFusionOutput"]

BLOCKS = (2, 2, 4)
"""Attention blocks in a stack at full, half and quarter resolution."""

SIZE_MULTIPLE = 4
"""Two halvings: height and width must be multiples of this."""

Result = TypeVar("Result")


@dataclass(frozen=True)
class VideoFusionConfig:
    """Size of the network; the defaults are the published one.

    Attributes:
        width: channels at full resolution; twice as many at half, four times at a quarter.
        heads: attention heads at the three resolutions.

    Raises:
        ConfigError: ``width`` is not a positive even number or a number of heads does not divide
            its channels.
    """

    width: int = 32
    heads: tuple[int, int, int] = (2, 4, 8)

    def __post_init__(self) -> None:
        if self.width < 2 or self.width % 2:
            raise ConfigError(f"width must be a positive even number, got {self.width}")
        if len(self.heads) != 3 or any(
            heads < 1 or channels % heads
            for heads, channels in zip(self.heads, self.channels, strict=True)
        ):
            raise ConfigError(
                f"heads {self.heads} must be three numbers that divide the channels {self.channels}"
            )

    @property
    def channels(self) -> tuple[int, int, int]:
        """Channels at full, half and quarter resolution."""
        return self.width, self.width * 2, self.width * 4


class VideoFusionOutput(NamedTuple):
    """Three videos (B, T, 3, H, W) in [0, 1], of the dtype of the input."""

    fusion: Tensor
    """The fused video."""
    ir: Tensor
    """The restored infrared video."""
    visible: Tensor
    """The restored visible video."""


class VideoFusion(nn.Module):
    """Fuses and restores an infrared and a visible video.

    Frames are folded into the batch for everything but the 3-D convolutions and the co-attention.
    Feature maps are kept in channels-last memory without ``.to(memory_format=...)``, which refuses
    networks that have 2-D and 3-D convolutions.

    Args:
        config: size of the network.
        recompute: save memory in training: keep only the inputs of the parts for the backward pass
            and compute the rest again (activation checkpointing).
    """

    def __init__(self, config: VideoFusionConfig | None = None, *, recompute: bool = False) -> None:
        super().__init__()
        self.config = config or VideoFusionConfig()
        self.recompute = recompute
        c1, c2, c3 = self.config.channels
        h1, h2, h3 = self.config.heads
        n1, n2, n3 = BLOCKS

        self.conv3d_ir_1 = TemporalConv(3, c1)
        self.conv3d_vi_1 = TemporalConv(3, c1)
        self.fusion_1 = ModalityGuidedFusion(c1, h1)
        self.fusion_enhance_1 = SelfAttentionStack(c1, h1, n1)

        self.down_ir_1 = Down(c1)
        self.down_vi_1 = Down(c1)
        self.conv3d_ir_2 = TemporalConv(c2, c2)
        self.conv3d_vi_2 = TemporalConv(c2, c2)
        self.ir_conv_enhance_2 = ResidualStack(c2)
        self.vi_conv_enhance_2 = ResidualStack(c2)
        self.cross_modal_enhance_ir_2 = DifferentialReinforcement(c2, h2)
        self.cross_modal_enhance_vi_2 = DifferentialReinforcement(c2, h2)
        self.CMA_ir_2 = CrossModalAggregation(c2)
        self.CMA_vi_2 = CrossModalAggregation(c2)
        self.fusion_2 = ModalityGuidedFusion(c2, h2)
        self.fusion_enhance_2 = SelfAttentionStack(c2, h2, n2)

        self.down_ir_2 = Down(c2)
        self.down_vi_2 = Down(c2)
        self.conv3d_ir_3 = TemporalConv(c3, c3)
        self.conv3d_vi_3 = TemporalConv(c3, c3)
        self.ir_conv_enhance_3 = ResidualStack(c3)
        self.vi_conv_enhance_3 = ResidualStack(c3)
        self.cross_modal_enhance_ir_3 = DifferentialReinforcement(c3, h3)
        self.cross_modal_enhance_vi_3 = DifferentialReinforcement(c3, h3)
        self.CMA_ir_3 = CrossModalAggregation(c3)
        self.CMA_vi_3 = CrossModalAggregation(c3)
        self.fusion_3 = ModalityGuidedFusion(c3, h3)

        self.co_attention_3 = CoAttentionStack(c3, h3, n3)
        self.up2 = Up(c3)
        self.co_attention_2 = CoAttentionStack(c2, h2, n2)
        self.up1 = Up(c2)
        self.co_attention_1 = CoAttentionStack(c1, h1, n1)

        self.decomposition = Unmixing(c1)
        self.decoder_ir = Head(c1, h1, n1)
        self.decoder_vi = Head(c1, h1, n1)
        self.decoder_fusion = Head(c1, h1, n1)

    def forward(self, ir: Tensor, visible: Tensor) -> VideoFusionOutput:
        """Fuse a batch of videos.

        Args:
            ir: infrared (B, T, 3, H, W) in [0, 1], the grey value repeated three times; T at least
                2, H and W multiples of 4.
            visible: visible, of the same shape and range.

        Raises:
            ConfigError: a shape that the network cannot take.
        """
        _check_videos(ir, visible)
        frames = ir.shape[1]
        ir_1 = self._run(self.conv3d_ir_1, _fold(ir), frames)
        visible_1 = self._run(self.conv3d_vi_1, _fold(visible), frames)
        ir_2, visible_2 = self._encode(2, self.down_ir_1(ir_1), self.down_vi_1(visible_1), frames)
        ir_3, visible_3 = self._encode(3, self.down_ir_2(ir_2), self.down_vi_2(visible_2), frames)

        fused_1 = self._run(self.fusion_enhance_1, self._run(self.fusion_1, ir_1, visible_1))
        fused_2 = self._run(self.fusion_enhance_2, self._run(self.fusion_2, ir_2, visible_2))
        fused_3 = self._run(self.fusion_3, ir_3, visible_3)

        x = self._run(self.co_attention_3, fused_3, frames)
        x = self._run(self.co_attention_2, self.up2(x) + fused_2, frames)
        x = self._run(self.co_attention_1, self.up1(x) + fused_1, frames)

        unmixed_ir, unmixed_visible = self._run(self.decomposition, x)
        pictures = (
            self._run(self.decoder_fusion, x),
            self._run(self.decoder_ir, unmixed_ir),
            self._run(self.decoder_vi, unmixed_visible),
        )
        return VideoFusionOutput(
            *(((torch.tanh(widen(p)) + 1) / 2).to(ir.dtype).view(ir.shape) for p in pictures)
        )

    def _encode(
        self, scale: int, ir: Tensor, visible: Tensor, frames: int
    ) -> tuple[Tensor, Tensor]:
        """The encoder's parts of a scale (2 or 3): features of both modalities -> the same shape.

        Each modality is reinforced with the features that the other had before its own
        reinforcement.
        """

        def part(name: str, *args: Tensor | int) -> Tensor:
            return self._run(getattr(self, f"{name}_{scale}"), *args)

        ir = part("ir_conv_enhance", part("conv3d_ir", ir, frames))
        visible = part("vi_conv_enhance", part("conv3d_vi", visible, frames))
        reinforced_ir = part("cross_modal_enhance_ir", ir, visible)
        reinforced_visible = part("cross_modal_enhance_vi", visible, ir)
        return part("CMA_ir", reinforced_ir, ir), part("CMA_vi", reinforced_visible, visible)

    def _run(self, part: Callable[..., Result], *args: Tensor | int) -> Result:
        """``part(*args)``, computed a second time in the backward pass if ``recompute`` is set."""
        if self.recompute and torch.is_grad_enabled():
            result: Result = checkpoint(part, *args, use_reentrant=False)
            return result
        return part(*args)


def _fold(video: Tensor) -> Tensor:
    """(B, T, 3, H, W) -> (B * T, 3, H, W) in channels-last memory."""
    return video.flatten(0, 1).contiguous(memory_format=torch.channels_last)


def _check_videos(ir: Tensor, visible: Tensor) -> None:
    if ir.shape != visible.shape:
        raise ConfigError(
            "the infrared and the visible video must have one shape, "
            f"got {tuple(ir.shape)} and {tuple(visible.shape)}"
        )
    if ir.ndim != 5 or ir.shape[2] != 3:
        raise ConfigError(
            f"videos must be (batch, frames, 3, height, width), got {tuple(ir.shape)}"
        )
    if not ir.is_floating_point() or not visible.is_floating_point():
        raise ConfigError(
            f"videos must be floating point in [0, 1], got {ir.dtype} and {visible.dtype}"
        )
    frames, height, width = ir.shape[1], ir.shape[3], ir.shape[4]
    if frames < 2:
        raise ConfigError(
            f"a video needs 2 frames or more (each frame looks at its neighbours), got {frames}"
        )
    if min(height, width) < SIZE_MULTIPLE or height % SIZE_MULTIPLE or width % SIZE_MULTIPLE:
        raise ConfigError(
            f"height and width must be multiples of {SIZE_MULTIPLE}, got {height}x{width}: "
            "crop or pad the frames"
        )
