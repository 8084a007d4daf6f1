"""Training losses of VideoFusion: equations 7 to 13 of the paper, and its released code's extras.

Tang et al., "VideoFusion", CVPR 2026, arXiv 2503.23359; numbered in the order in which the paper
brings them, with the frame difference as 11.

Videos are (B, T, C, H, W), RGB in [0, 1]; the infrared may have one channel or its grey value three
times. Targets are the CLEAN sources, also where the network's input is degraded. Every L1 norm is a
mean over batch, channels and pixels and a SUM over frames, so that no weight depends on the size
of the crop. Colour is split by BT.601, full range.

Losses are computed in float32, also under autocast.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from edge_sdk.errors import ConfigError
from quantize.videofusion import VideoFusionOutput

__all__ = [
    "LossValue",
    "LossWeights",
    "VideoFusionLoss",
    "chroma",
    "colour_loss",
    "frame_difference",
    "gradient_loss",
    "intensity_loss",
    "luma",
    "scene_fidelity_loss",
    "sobel",
    "source_intensity_loss",
    "ssim",
    "ssim_loss",
    "variational_loss",
]

LUMA_WEIGHTS = (0.299, 0.587, 0.114)
"""Red, green and blue in the luma of ITU-R BT.601."""

SSIM_RADIUS_PX = 5
SSIM_SIGMA_PX = 1.5
SSIM_C1 = 0.01**2
SSIM_C2 = 0.03**2


def luma(video: Tensor) -> Tensor:
    """BT.601 luma: (..., 3, H, W) RGB, or (..., 1, H, W) grey -> (..., 1, H, W) in [0, 1].

    Raises:
        ConfigError: the number of channels is neither 1 nor 3.
    """
    channels = video.shape[-3]
    if channels not in (1, 3):
        raise ConfigError(f"a picture must have 1 or 3 channels, got {channels}")
    if channels == 1:
        return video.float()
    red, green, blue = video.float().split(1, dim=-3)
    weight_red, weight_green, weight_blue = LUMA_WEIGHTS
    return weight_red * red + weight_green * green + weight_blue * blue


def chroma(video: Tensor) -> Tensor:
    """BT.601 full-range chroma: (..., 3, H, W) RGB -> (..., 2, H, W), Cb and Cr around 0.5.

    Raises:
        ConfigError: the video has not 3 channels.
    """
    if video.shape[-3] != 3:
        raise ConfigError(f"chroma needs 3 channels, got {video.shape[-3]}")
    red, _, blue = video.float().split(1, dim=-3)
    weight_red, _, weight_blue = LUMA_WEIGHTS
    grey = luma(video)
    # Scaled so that each difference, at most 1 - weight, spans one half.
    cb = (blue - grey) * (0.5 / (1 - weight_blue))
    cr = (red - grey) * (0.5 / (1 - weight_red))
    return torch.cat((cb, cr), dim=-3) + 0.5


def sobel(video: Tensor) -> tuple[Tensor, Tensor]:
    """Derivatives along x and y by the 3x3 Sobel operator, kernels 1 2 1 and -1 0 1.

    (..., H, W) -> two tensors of the same shape; the border is continued by its outermost pixels.
    Written with slices, since autocast would compute convolutions in bfloat16.
    """
    planes = video.float().reshape(-1, 1, *video.shape[-2:])
    padded = F.pad(planes, (1, 1, 1, 1), mode="replicate")
    down = padded[..., :-2, :] + 2 * padded[..., 1:-1, :] + padded[..., 2:, :]
    across = padded[..., :-2] + 2 * padded[..., 1:-1] + padded[..., 2:]
    along_x, along_y = (down[..., 2:] - down[..., :-2], across[..., 2:, :] - across[..., :-2, :])
    return along_x.view(video.shape), along_y.view(video.shape)


def intensity_loss(fused: Tensor, ir: Tensor, visible: Tensor) -> Tensor:
    """Equation 7: the luma of the fused video follows the brighter source.

    sum_t | Y_F - max(Y_vi, Y_ir) |_1
    """
    return _l1(luma(fused), torch.maximum(luma(visible), luma(ir)))


def gradient_loss(fused: Tensor, ir: Tensor, visible: Tensor) -> Tensor:
    """Equation 8: at each pixel the fused video has the stronger source's gradient magnitude.

    sum_t sum_{x, y} | |Sobel Y_F| - max(|Sobel Y_vi|, |Sobel Y_ir|) |_1
    """
    gradients = zip(sobel(luma(fused)), sobel(luma(visible)), sobel(luma(ir)), strict=True)
    along_x, along_y = (_l1(f.abs(), torch.maximum(v.abs(), i.abs())) for f, v, i in gradients)
    return along_x + along_y


def colour_loss(fused: Tensor, visible: Tensor) -> Tensor:
    """Equation 9: the fused video has the colours of the visible one.

    sum_t | CbCr(F) - CbCr(vi) |_1, the mean of both chroma channels.
    """
    return _l1(chroma(fused), chroma(visible))


def scene_fidelity_loss(restored: Tensor, clean: Tensor) -> Tensor:
    """Equation 10, for one of the two restorations: it equals the clean video, edges included.

    sum_t | hat - clean |_1 + sum_{x, y} | Sobel hat - Sobel clean |_1
    """
    (restored_x, restored_y), (clean_x, clean_y) = sobel(restored), sobel(clean)
    return _l1(restored, clean) + _l1(restored_x, clean_x) + _l1(restored_y, clean_y)


def frame_difference(video: Tensor) -> Tensor:
    """Equation 11: each frame minus the one before it, (B, T, ...) -> (B, T - 1, ...).

    Raises:
        ConfigError: fewer than 2 frames.
    """
    if video.shape[1] < 2:
        raise ConfigError(f"the change between frames needs 2 or more, got {video.shape[1]}")
    video = video.float()
    return video[:, 1:] - video[:, :-1]


def variational_loss(outputs: VideoFusionOutput, ir: Tensor, visible: Tensor) -> Tensor:
    """Equation 12: the three outputs change between frames as the clean sources do.

    sum_t |dF - d ir|_1 + |dF - d vi|_1 + |d hat_ir - d ir|_1 + |d hat_vi - d vi|_1
    """
    change_ir, change_visible = frame_difference(ir), frame_difference(visible)
    change_fused = frame_difference(outputs.fusion)
    return (
        _l1(change_fused, change_ir)
        + _l1(change_fused, change_visible)
        + _l1(frame_difference(outputs.ir), change_ir)
        + _l1(frame_difference(outputs.visible), change_visible)
    )


def ssim(first: Tensor, second: Tensor) -> Tensor:
    """Structural similarity of each channel of each picture (Wang et al., IEEE TIP 2004).

    Gaussian window of 11x11, sigma 1.5, for data in [0, 1]; averaged over the places where the
    window lies inside the picture.

    Args:
        first: (..., H, W), H and W at least 11.
        second: of the same shape.

    Returns:
        (...): at most 1, which means equal.

    Raises:
        ConfigError: the shapes differ or are too small.
    """
    window_px = 2 * SSIM_RADIUS_PX + 1
    if first.shape != second.shape or first.ndim < 2 or min(first.shape[-2:]) < window_px:
        raise ConfigError(
            f"SSIM needs two pictures of one shape, at least {window_px}x{window_px}, "
            f"got {tuple(first.shape)} and {tuple(second.shape)}"
        )
    a, b = first.float(), second.float()
    mean_a, mean_b = _gaussian_window(a), _gaussian_window(b)
    variance_a = _gaussian_window(a * a) - mean_a**2
    variance_b = _gaussian_window(b * b) - mean_b**2
    covariance = _gaussian_window(a * b) - mean_a * mean_b
    similarity = ((2 * mean_a * mean_b + SSIM_C1) * (2 * covariance + SSIM_C2)) / (
        (mean_a**2 + mean_b**2 + SSIM_C1) * (variance_a + variance_b + SSIM_C2)
    )
    return similarity.mean(dim=(-2, -1))


def ssim_loss(fused: Tensor, source: Tensor) -> Tensor:
    """Released code: sum_t 1 - SSIM(Y_F, Y_source), for one of the two sources."""
    return _over_frames(1 - ssim(luma(fused), luma(source)))


def source_intensity_loss(fused: Tensor, ir: Tensor, visible: Tensor) -> Tensor:
    """Released code: sum_t | Y_F - Y_vi |_1 + 0.8 | Y_F - Y_ir |_1."""
    grey = luma(fused)
    return _l1(grey, luma(visible)) + 0.8 * _l1(grey, luma(ir))


@dataclass(frozen=True)
class LossWeights:
    """Weight of each loss in the sum; the defaults are the paper's. 0 leaves a loss out.

    Raises:
        ConfigError: a weight is negative or not finite, or all are 0.
    """

    intensity: float = 15.0
    gradient: float = 1.0
    colour: float = 100.0
    scene_fidelity: float = 10.0
    variational: float = 100.0
    ssim: float = 0.0
    """Extra of the released code: of each of the two sources."""
    source_intensity: float = 0.0
    """Extra of the released code."""

    def __post_init__(self) -> None:
        weights = {field.name: getattr(self, field.name) for field in fields(self)}
        for name, weight in weights.items():
            if not (math.isfinite(weight) and weight >= 0):
                raise ConfigError(f"loss weight {name} must be finite and not negative: {weight}")
        if not any(weights.values()):
            raise ConfigError("every loss weight is 0: nothing would be trained")

    @classmethod
    def released(cls) -> LossWeights:
        """The paper's weights and the two extras of the released code."""
        return cls(ssim=1.0, source_intensity=1.0)


class LossValue(NamedTuple):
    """What a training step needs and what a log wants."""

    total: Tensor
    """Weighted sum, a scalar to call ``backward`` on."""
    parts: dict[str, Tensor]
    """Each loss with a weight, before it is weighted; scalars without gradient."""


class VideoFusionLoss:
    """Equation 13: the weighted sum of the losses."""

    def __init__(self, weights: LossWeights | None = None) -> None:
        self.weights = weights or LossWeights()

    def __call__(self, outputs: VideoFusionOutput, ir: Tensor, visible: Tensor) -> LossValue:
        """Rate three output videos against the clean sources.

        Args:
            outputs: what the network made, each (B, T, 3, H, W) in [0, 1].
            ir: clean infrared video of the same shape.
            visible: clean visible video of the same shape.

        Raises:
            ConfigError: the shapes differ, are too small for SSIM where it has a weight, or hold
            fewer than 2 frames where the variational loss has one.
        """
        for name, video in (*outputs._asdict().items(), ("clean infrared", ir)):
            if video.shape != visible.shape or video.ndim != 5:
                raise ConfigError(
                    f"all videos must be (B, T, 3, H, W) of one shape, got {name} "
                    f"{tuple(video.shape)} and clean visible {tuple(visible.shape)}"
                )
        fused = outputs.fusion
        losses = {
            "intensity": lambda: intensity_loss(fused, ir, visible),
            "gradient": lambda: gradient_loss(fused, ir, visible),
            "colour": lambda: colour_loss(fused, visible),
            "scene_fidelity": lambda: (
                scene_fidelity_loss(outputs.ir, ir) + scene_fidelity_loss(outputs.visible, visible)
            ),
            "variational": lambda: variational_loss(outputs, ir, visible),
            "ssim": lambda: ssim_loss(fused, ir) + ssim_loss(fused, visible),
            "source_intensity": lambda: source_intensity_loss(fused, ir, visible),
        }
        total = torch.zeros((), device=fused.device)
        parts = {}
        for name, loss in losses.items():
            weight = getattr(self.weights, name)
            if weight:
                value = loss()
                total = total + weight * value
                parts[name] = value.detach()
        return LossValue(total, parts)


def _l1(first: Tensor, second: Tensor) -> Tensor:
    return _over_frames((first.float() - second.float()).abs())


def _over_frames(values: Tensor) -> Tensor:
    """Mean over everything but the frames (B, T, ...), sum over those."""
    return values.mean() * values.shape[1]


def _gaussian_window(x: Tensor) -> Tensor:
    """Gaussian mean around each pixel (..., H, W) -> (..., H - 10, W - 10)."""
    offsets = torch.arange(-SSIM_RADIUS_PX, SSIM_RADIUS_PX + 1, device=x.device)
    kernel = torch.exp(-(offsets**2) / (2 * SSIM_SIGMA_PX**2))
    kernel = kernel / kernel.sum()
    # In bfloat16, a variance as the difference of two means would be all rounding error.
    with torch.autocast(x.device.type, enabled=False):
        planes = x.reshape(-1, 1, *x.shape[-2:])
        smooth = F.conv2d(F.conv2d(planes, kernel.view(1, 1, -1, 1)), kernel.view(1, 1, 1, -1))
    return smooth.view(*x.shape[:-2], *smooth.shape[-2:])
