from __future__ import annotations

import pytest
import torch

from quantize.student.shapes import SHAPES


@pytest.mark.parametrize("name", list(SHAPES))
def test_every_shape_gives_a_picture_and_learns(name):
    """A picture of the sources' size, and every parameter has a gradient after one step."""
    torch.manual_seed(0)
    model = SHAPES[name].build()
    ir, visible = torch.rand(2, 2, 1, 64, 96)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(2):
        fused = model(ir, visible)
        assert fused.shape == ir.shape
        optimiser.zero_grad()
        (fused - torch.maximum(ir, visible)).abs().mean().backward()
        optimiser.step()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


@pytest.mark.parametrize("name", ["pixels4", "blocks4"])
def test_weights_without_a_choice_are_the_mean_of_both_sources(name):
    model = SHAPES[name].build()
    for parameter in model.weights.parameters():
        torch.nn.init.zeros_(parameter)
    ir, visible = torch.rand(2, 1, 1, 64, 96)
    assert torch.allclose(model(ir, visible), (ir + visible) / 2, atol=1e-5)
