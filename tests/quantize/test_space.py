from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from quantize.student.network import sharpening_bands
from quantize.student.space import (
    FilterBank,
    SmoothBlocks,
    depth_to_space,
    gaussian_filter,
    space_to_depth,
    wiener_filter,
)


def test_layout_is_that_of_pixel_unshuffle():
    image = torch.rand(2, 1, 24, 32)
    assert torch.equal(space_to_depth(image), F.pixel_unshuffle(image, 4))
    assert torch.equal(depth_to_space(space_to_depth(image)), image)


def test_filter_bank_is_a_full_resolution_convolution():
    torch.manual_seed(1)
    filters = torch.randn(3, 2, 9, 9)
    images = torch.rand(1, 2, 48, 64)
    framed = F.pad(images, (4, 4, 4, 4), mode="replicate")
    blocks = torch.cat([space_to_depth(framed[:, k : k + 1]) for k in range(2)], 1)
    result = depth_to_space(torch.cat(FilterBank(filters)(blocks), 1))
    assert torch.allclose(result, F.conv2d(framed, filters), atol=1e-4)


def test_a_ramp_is_sharpened_no_more_at_its_border():
    """Repeated pixels go on at the border; repeated blocks would make a step of it."""
    image = torch.linspace(0.2, 0.8, 64).expand(1, 1, 64, 64).contiguous()
    pixels = space_to_depth(F.pad(image, (4, 4, 4, 4), mode="replicate"))
    blocks = F.pad(space_to_depth(image), (1, 1, 1, 1), mode="replicate")
    bank = FilterBank(sharpening_bands(1))
    (ours,), (repeated,) = bank(pixels), bank(blocks)
    assert ours.abs().max() < 0.03 < 0.1 < repeated.abs().max()


def test_gaussian_filter():
    kernel = gaussian_filter(1.3)
    assert kernel.sum() == pytest.approx(1.0, abs=1e-6)
    assert kernel[4, 5] / kernel[4, 4] == pytest.approx(np.exp(-0.5 / 1.3**2), rel=1e-4)
    assert gaussian_filter(0)[4, 4] == 1


def test_wiener_filter_undoes_its_blur():
    """Blurred texture comes back: more than half of the error of the blur is gone."""
    import cv2

    rng = np.random.default_rng(0)
    picture = cv2.GaussianBlur(rng.normal(0, 1, (128, 128)).astype(np.float32), (0, 0), 2.0)
    picture = 0.5 + 0.2 * picture / picture.std()
    for sigma in (1.0, 1.4, 1.9):
        soft = cv2.GaussianBlur(picture, (15, 15), sigma)
        sharp = cv2.filter2D(soft, -1, wiener_filter(sigma).numpy())
        inner = (slice(16, -16), slice(16, -16))
        errors = [np.abs(x - picture)[inner].mean() for x in (soft, sharp)]
        assert errors[1] < 0.5 * errors[0]


def test_values_of_blocks_are_interpolated_bilinearly():
    means = torch.rand(2, 1, 5, 7)
    expected = F.interpolate(means, scale_factor=4, mode="bilinear", align_corners=False)
    assert torch.allclose(depth_to_space(SmoothBlocks()(means)), expected, atol=1e-6)
