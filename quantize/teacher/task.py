"""How the teacher is built, trained for one step, and validated."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from edge_sdk.errors import ConfigError
from quantize.config import TrainConfig, check_names, parse
from quantize.data import Clip, Recordings
from quantize.losses import LossWeights, VideoFusionLoss
from quantize.teacher.validation import validate
from quantize.videofusion import VideoFusion, VideoFusionConfig

__all__ = ["TeacherOptions", "TeacherTask"]


class TeacherOptions(BaseModel):
    """``options`` of a training configuration whose network is the teacher.

    Attributes:
        width: base features; 32 is the published network, 16 has a quarter of its cost.
        heads: attention heads at the three resolutions.
        recompute: compute activations again in the backward pass rather than keep them: a third
            more time, a third of the memory.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    width: int = 32
    heads: tuple[int, int, int] = (2, 4, 8)
    recompute: bool = False


class TeacherTask:
    """The teacher's side of :mod:`quantize.train`.

    The whole clip is learnt, forwards and backwards in time, so there is no burn-in. The objective
    is :class:`quantize.losses.VideoFusionLoss` with the weights of the released code, of which
    ``config.objective`` may change any.

    Raises:
        ConfigError: an option or a weight is unknown or impossible.
    """

    def __init__(self, config: TrainConfig) -> None:
        self.config = config
        self.options = parse(TeacherOptions, config.options, "options of the teacher")
        self.size = VideoFusionConfig(self.options.width, self.options.heads)
        names = (field.name for field in dataclasses.fields(LossWeights))
        check_names(config.objective, names, "objective of the teacher")
        weights = dataclasses.replace(LossWeights.released(), **config.objective)
        self.objective = VideoFusionLoss(weights)
        self.clip_frames = config.frames
        if config.bf16 and config.frames == 2 and not torch.cuda.is_available():
            # oneDNN's bfloat16 Conv3d of 2 frames returns garbage as the gradient of its weights
            # (PyTorch 2.13; 3 frames or more are right).
            raise ConfigError(
                "frames: 2 cannot be learnt in bfloat16 on a CPU, PyTorch's gradients are wrong "
                "there; give 3 frames or more, or bf16: false"
            )

    def build(self) -> nn.Module:
        return VideoFusion(self.size, recompute=self.options.recompute)

    def loss(
        self, model: nn.Module, clips: list[Clip], rng: np.random.Generator, device: torch.device
    ) -> tuple[Tensor, dict[str, float]]:
        """Loss of a batch of colour clips, and its parts before they are weighted."""
        ir, clean_ir = (
            _grey_videos([getattr(clip, part) for clip in clips], device)
            for part in ("ir", "clean_ir")
        )
        visible, clean_visible = (
            _colour_videos([getattr(clip, part) for clip in clips], device)
            for part in ("visible", "clean_visible")
        )
        with torch.autocast(device.type, torch.bfloat16, enabled=self.config.bf16):
            outputs = model(ir, visible)
        value = self.objective(outputs, clean_ir, clean_visible)
        return value.total, {name: float(part) for name, part in value.parts.items()}

    def validate(
        self, model: nn.Module, recordings: Recordings, pictures: Path | None
    ) -> dict[str, float]:
        """See :func:`quantize.teacher.validation.validate`; on the GPU where there is one."""
        assert isinstance(model, VideoFusion)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        return validate(
            model.to(device), recordings, self.clip_frames, pictures, bf16=self.config.bf16
        )


def _grey_videos(parts: list[NDArray[np.float32]], device: torch.device) -> Tensor:
    """B times (T, H, W) -> (B, T, 3, H, W)."""
    grey = torch.from_numpy(np.stack(parts)).to(device)
    return grey[:, :, None].expand(-1, -1, 3, -1, -1)


def _colour_videos(parts: list[NDArray[np.float32]], device: torch.device) -> Tensor:
    """B times (T, H, W, 3) -> (B, T, 3, H, W)."""
    return torch.from_numpy(np.stack(parts)).to(device).movedim(-1, 2)
