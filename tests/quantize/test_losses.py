"""The losses, on examples small enough to be worked out by hand beside them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity
from torch import Tensor

from edge_sdk.errors import ConfigError
from quantize.losses import (
    LossWeights,
    VideoFusionLoss,
    chroma,
    colour_loss,
    frame_difference,
    gradient_loss,
    intensity_loss,
    luma,
    scene_fidelity_loss,
    sobel,
    source_intensity_loss,
    ssim,
    ssim_loss,
    variational_loss,
)
from quantize.videofusion import VideoFusionOutput

RED = torch.tensor([1.0, 0.0, 0.0]).view(1, 1, 3, 1, 1)
WHITE = torch.ones(1, 1, 3, 1, 1)

STEP_X = torch.tensor([[0.0, 0.0, 1.0]] * 3)
"""Its Sobel derivative along x: 4 x (0, 1, 1) in each row; along y: 0."""
STEP_Y = STEP_X.T / 2
"""Its Sobel derivative along x: 0; along y: rows of 0, 2, 2."""


def grey_video(*frames: Tensor) -> Tensor:
    """Frames (H, W) -> (1, T, 1, H, W)."""
    return torch.stack(frames)[None, :, None]


def pixel_video(*values: float) -> Tensor:
    """A video (1, T, 1, 1, 1) of one grey pixel."""
    return torch.tensor(values).view(1, -1, 1, 1, 1)


def random_videos(count: int, seed: int = 0, size_px: int = 16) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand(1, 2, 3, size_px, size_px, generator=generator) for _ in range(count)]


def test_luma_and_chroma_are_bt601_full_range() -> None:
    assert luma(WHITE).item() == pytest.approx(1.0)
    assert chroma(WHITE).flatten().tolist() == pytest.approx([0.5, 0.5])
    assert luma(RED).item() == pytest.approx(0.299)
    # Cb = 0.5 - 0.299 x 0.5 / 0.886, Cr = 0.5 + 0.701 x 0.5 / 0.701
    assert chroma(RED).flatten().tolist() == pytest.approx([0.331264, 1.0], abs=1e-6)


def test_a_picture_of_two_channels_has_no_luma() -> None:
    with pytest.raises(ConfigError, match="1 or 3 channels, got 2"):
        luma(torch.rand(1, 2, 4, 4))


def test_sobel_of_steps_with_the_border_continued() -> None:
    along_x, along_y = sobel(grey_video(STEP_X))
    assert along_x[0, 0, 0].tolist() == [[0, 4, 4]] * 3
    assert along_y.abs().max() == 0
    along_x, along_y = sobel(grey_video(STEP_Y))
    assert along_x.abs().max() == 0
    assert along_y[0, 0, 0].tolist() == [[0, 0, 0], [2, 2, 2], [2, 2, 2]]


def test_intensity_follows_the_brighter_source() -> None:
    ir, visible = torch.tensor([[0.1, 0.6]]), torch.tensor([[0.3, 0.4]])
    wrong, right = torch.tensor([[0.5, 0.2]]), torch.tensor([[0.3, 0.6]])
    loss = intensity_loss(
        grey_video(wrong, right, wrong),
        grey_video(ir, ir, ir),
        grey_video(visible, visible, visible),
    )
    # Of each wrong frame (|0.5 - 0.3| + |0.2 - 0.6|) / 2 = 0.3; frames are added.
    assert loss.item() == pytest.approx(0.6)


def test_gradient_follows_the_stronger_source_along_each_axis() -> None:
    ir, visible = grey_video(STEP_X), grey_video(STEP_Y)
    # x misses (0 + 4 + 4) / 3, y misses (0 + 2 + 2) / 3.
    flat = torch.zeros_like(ir)
    assert gradient_loss(flat, ir, visible).item() == pytest.approx(8 / 3 + 4 / 3)
    # A step of the opposite sign is as strong along x; y still misses.
    assert gradient_loss(1 - ir, ir, visible).item() == pytest.approx(4 / 3)
    twice = [torch.cat((v, v), dim=1) for v in (1 - ir, ir, visible)]
    assert gradient_loss(*twice).item() == pytest.approx(8 / 3)


def test_colour_follows_the_visible_video() -> None:
    # The mean of |0.331264 - 0.5| and |1 - 0.5|.
    assert colour_loss(RED, WHITE).item() == pytest.approx(0.334368, abs=1e-6)
    # Brightness is none of its business.
    assert colour_loss(WHITE * 0.25, WHITE).item() == pytest.approx(0.0, abs=1e-6)


def test_scene_fidelity_counts_pixels_and_signed_edges() -> None:
    clean = grey_video(STEP_X)
    assert scene_fidelity_loss(clean, clean).item() == 0
    # Pixels 1/3, edges along x (0 + 4 + 4) / 3.
    assert scene_fidelity_loss(torch.zeros_like(clean), clean).item() == pytest.approx(3.0)
    # Inverted: pixels 1, edges (0 + 8 + 8) / 3.
    assert scene_fidelity_loss(1 - clean, clean).item() == pytest.approx(1 + 16 / 3)


def test_frame_difference() -> None:
    difference = frame_difference(pixel_video(0.0, 0.5, 0.25))
    assert difference.flatten().tolist() == [0.5, -0.25]
    with pytest.raises(ConfigError, match="needs 2 or more, got 1"):
        frame_difference(pixel_video(0.5))


def test_variational_consistency_compares_changes_not_levels() -> None:
    outputs = VideoFusionOutput(
        fusion=pixel_video(0.0, 0.5, 0.5),
        ir=pixel_video(0.9, 0.9, 0.9),
        visible=pixel_video(0.1, 0.2, 0.5),
    )
    ir, visible = pixel_video(0.0, 0.2, 0.2), pixel_video(0.0, 0.1, 0.4)
    # Changes: F (.5, 0), ir (.2, 0), vi (.1, .3), hat ir (0, 0), hat vi (.1, .3):
    # F - ir .3 + 0, F - vi .4 + .3, hat ir - ir .2 + 0, hat vi - vi 0.
    assert variational_loss(outputs, ir, visible).item() == pytest.approx(1.2)


def test_source_intensity_weighs_the_infrared_less() -> None:
    loss = source_intensity_loss(
        pixel_video(0.5, 0.5), pixel_video(1.0, 0.5), pixel_video(0.2, 0.5)
    )
    assert loss.item() == pytest.approx(0.3 + 0.8 * 0.5)


def test_ssim_is_that_of_scikit_image() -> None:
    rng = np.random.default_rng(3)
    first = rng.random((20, 31), dtype=np.float32)
    first[5:12, 8:20] += 0.5
    first = np.clip(first / 1.5, 0, 1)
    second = np.clip(0.7 * first + 0.3 * rng.random(first.shape, dtype=np.float32) - 0.05, 0, 1)
    expected = structural_similarity(
        first, second, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    found = ssim(torch.from_numpy(first), torch.from_numpy(second))
    assert 0.1 < expected < 0.95
    assert found.item() == pytest.approx(expected, abs=1e-4)


def test_ssim_loss_is_nought_for_equal_videos_and_adds_frames() -> None:
    video, other = random_videos(2)
    assert ssim_loss(video, video).item() == pytest.approx(0.0, abs=1e-5)
    both = [1 - ssim(luma(video)[0, t, 0], luma(other)[0, t, 0]).item() for t in range(2)]
    assert ssim_loss(video, other).item() == pytest.approx(sum(both), abs=1e-5)


def test_ssim_needs_room_for_its_window() -> None:
    with pytest.raises(ConfigError, match="at least 11x11"):
        ssim(torch.rand(10, 40), torch.rand(10, 40))
    with pytest.raises(ConfigError, match="one shape"):
        ssim(torch.rand(12, 40), torch.rand(40, 12))


def test_the_sum_weighs_its_parts() -> None:
    fusion, restored_ir, restored_visible, ir, visible = random_videos(5)
    outputs = VideoFusionOutput(fusion, restored_ir, restored_visible)
    value = VideoFusionLoss(LossWeights.released())(outputs, ir, visible)
    expected = (
        15 * intensity_loss(fusion, ir, visible)
        + 1 * gradient_loss(fusion, ir, visible)
        + 100 * colour_loss(fusion, visible)
        + 10 * scene_fidelity_loss(restored_ir, ir)
        + 10 * scene_fidelity_loss(restored_visible, visible)
        + 100 * variational_loss(outputs, ir, visible)
        + 1 * ssim_loss(fusion, ir)
        + 1 * ssim_loss(fusion, visible)
        + 1 * source_intensity_loss(fusion, ir, visible)
    )
    assert value.total.item() == pytest.approx(expected.item(), rel=1e-5)
    assert value.parts["gradient"].item() == pytest.approx(
        gradient_loss(fusion, ir, visible).item()
    )


def test_the_papers_own_sum_has_no_extras_and_works_below_the_ssim_window() -> None:
    *outputs, ir, visible = random_videos(5, size_px=8)
    value = VideoFusionLoss()(VideoFusionOutput(*outputs), ir, visible)
    assert set(value.parts) == {"intensity", "gradient", "colour", "scene_fidelity", "variational"}


def test_every_output_is_trained_and_the_parts_are_for_logging_only() -> None:
    *outputs, ir, visible = random_videos(5)
    outputs = [video.requires_grad_() for video in outputs]
    value = VideoFusionLoss()(VideoFusionOutput(*outputs), ir, visible)
    value.total.backward()
    assert all(video.grad is not None and bool((video.grad != 0).any()) for video in outputs)
    assert not any(part.requires_grad for part in value.parts.values())


def test_autocast_does_not_blur_the_losses() -> None:
    *outputs, ir, visible = random_videos(5)
    loss = VideoFusionLoss(LossWeights.released())
    expected = loss(VideoFusionOutput(*outputs), ir, visible).total
    with torch.autocast("cpu", torch.bfloat16):
        found = loss(VideoFusionOutput(*outputs), ir, visible).total
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_a_weight_that_cannot_be_is_refused(weight: float) -> None:
    with pytest.raises(ConfigError, match="loss weight colour"):
        LossWeights(colour=weight)


def test_all_weights_nought_is_refused() -> None:
    with pytest.raises(ConfigError, match="nothing would be trained"):
        LossWeights(0, 0, 0, 0, 0)


def test_targets_of_another_shape_are_refused() -> None:
    *outputs, ir, visible = random_videos(5)
    with pytest.raises(ConfigError, match=r"clean infrared \(1, 1, 3, 16, 16\)"):
        VideoFusionLoss()(VideoFusionOutput(*outputs), ir[:, :1], visible)
