"""MACs: against the published figures, a count over the layers, and by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from quantize.macs import count_macs, videofusion_macs
from quantize.videofusion import VideoFusion


def test_macs_of_the_full_size_are_the_published_ones() -> None:
    count = videofusion_macs(480, 640)
    assert count.total / 1e9 == pytest.approx(274.5, abs=0.05)
    assert count.convolutions / 1e9 == pytest.approx(267.6, abs=0.05)
    longer = videofusion_macs(480, 640, frames=5)
    assert longer.total == pytest.approx(count.total)


def test_macs_agree_with_a_count_over_the_layers() -> None:
    with torch.device("meta"):
        model = VideoFusion()
        video = torch.empty(1, 2, 3, 32, 48)
    counted = 0

    def add(layer: nn.Module, _: object, output: Tensor) -> None:
        nonlocal counted
        assert isinstance(layer, nn.Conv2d | nn.Conv3d)
        counted += output.numel() * layer.weight[0].numel()

    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Conv3d):
            layer.register_forward_hook(add)
    model(video, video)
    assert videofusion_macs(32, 48).convolutions == counted / 2


def test_macs_of_layers_worked_out_by_hand() -> None:
    model = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1, groups=2), nn.Flatten(2), nn.Linear(20, 7))
    count = count_macs(model, torch.rand(1, 2, 4, 5))
    # Each of 4 x 20 outputs takes 9 products; each of 4 x 7 takes 20.
    assert (count.convolutions, count.products, count.total) == (720, 560, 1280)
