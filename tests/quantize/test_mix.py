from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from quantize.student.mix import MAX_LAG, mix_blocks, move_between
from quantize.student.space import SmoothBlocks, depth_to_space, space_to_depth


def test_mix_of_blocks_is_a_pyramid_fusion():
    """Against the same on whole pictures: area means, bilinear interpolation, detail apart."""
    torch.manual_seed(8)
    ir, visible, share, on_ir, on_visible = (torch.rand(1, 1, 32, 48) for _ in range(5))
    low = [F.avg_pool2d(x, 4) for x in (ir, visible, share, on_ir, on_visible)]
    mix = torch.cat(low[2:], 1)
    contrast, brightness = torch.tensor(0.3).view(1, 1, 1, 1), torch.tensor(-0.1).view(1, 1, 1, 1)
    blocks = space_to_depth(ir), space_to_depth(visible)
    found = mix_blocks(*blocks, mix, SmoothBlocks(), contrast, brightness)

    def grow(x):
        return F.interpolate(x, scale_factor=4, mode="bilinear", align_corners=False)

    base = grow(low[2] * low[0] + (1 - low[2]) * low[1])
    fine = grow(low[3]) * (ir - grow(low[0])) + grow(low[4]) * (visible - grow(low[1]))
    stretched = base + 0.3 * (0.5 * grow(low[0] + low[1]) - 0.4) - 0.1
    assert torch.allclose(depth_to_space(found), stretched + fine, atol=1e-5)


@pytest.mark.parametrize("settle", [0.0, 0.3, 1.0])
def test_move_between(settle):
    """Pixel by pixel, with numpy's clip."""
    torch.manual_seed(7)
    last, ir, visible, moved_ir, moved_visible, wanted = torch.rand(6, 1, 1, 40, 50)
    of_ir, of_visible = moved_ir - ir, moved_visible - visible
    settled = torch.full((1, 1, 1, 1), settle)
    found = move_between(wanted, last + of_ir, last + of_visible, settled)
    bounds = np.sort(np.stack([of_ir.numpy(), of_visible.numpy()]), 0)
    held = last.numpy() + np.clip((wanted - last).numpy(), *bounds)
    lag = np.clip((1 - settle) * (held - wanted.numpy()), -MAX_LAG, MAX_LAG)
    np.testing.assert_allclose(found.numpy(), wanted.numpy() + lag, atol=1e-6)


def test_what_is_near_moves_between_its_sources():
    """The variational loss is at its least, for whatever is wanted within ``MAX_LAG`` of it."""
    torch.manual_seed(7)
    last, ir, visible, moved_ir, moved_visible = 0.2 + 0.6 * torch.rand(5, 1, 1, 40, 50)
    of_ir, of_visible = moved_ir - ir, moved_visible - visible
    as_ir, as_visible = last + of_ir, last + of_visible
    wanted = torch.lerp(as_ir, as_visible, torch.rand(1, 1, 40, 50))
    wanted = wanted + MAX_LAG * (2 * torch.rand(1, 1, 40, 50) - 1)
    found = move_between(wanted, as_ir, as_visible, torch.zeros(1, 1, 1, 1))
    variation = ((found - last - of_ir).abs() + (found - last - of_visible).abs()).mean() / 2
    least = (of_ir - of_visible).abs().mean() / 2
    assert float(variation) == pytest.approx(float(least), rel=1e-5)
