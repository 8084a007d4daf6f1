from __future__ import annotations

import pytest
import torch

from edge_sdk.errors import ConfigError, ModelError
from edge_sdk.fusion import Fuser
from edge_sdk.fusion.model import DEFAULT_MODEL
from quantize.student import distil
from quantize.student.distil import Example, agreement


def test_an_example_is_what_the_packed_model_computes():
    """Clip by clip from a fresh state, as the product itself runs the model."""
    torch.manual_seed(0)
    base = torch.randint(20, 236, (2, 1, 2, 1, 64, 96))
    ir, visible = (base + torch.randint(-9, 10, (2, 3, 2, 1, 64, 96))) / 255.0
    fused, restored_ir, _ = Example(DEFAULT_MODEL)(ir, visible)
    assert fused.shape == (3, 2, 1, 64, 96)
    for clip in range(2):
        fuser = Fuser(precision="fp32", engine="onnxruntime", threads=1, restored=True)
        for t in range(3):
            grey = (visible[t, clip, 0] * 255).round().byte().numpy()
            levels = (ir[t, clip, 0] * 255).round().byte().numpy()
            output = fuser.step(levels, grey[..., None].repeat(3, 2), t * 33_000_000)
            found = torch.from_numpy(output.restored_ir) / 255.0
            assert (found - restored_ir[t, clip, 0]).abs().max() <= 1 / 255 + 1e-6


def test_agreement_by_hand():
    found = [(torch.zeros(2), torch.ones(2)), (torch.ones(2), torch.ones(2))]
    wanted = [torch.zeros(2, 2), torch.tensor([[1.0, 1.0], [1.0, 3.0]])]
    assert agreement(found, wanted) == pytest.approx(0.5 + 0.5)


def test_what_cannot_be_followed(tmp_path, monkeypatch):
    with pytest.raises(ModelError, match="no such folder"):
        Example(tmp_path / "nothing")
    monkeypatch.setattr(distil, "TARGETS", ("fused", "next.opinion"))
    with pytest.raises(
        ConfigError, match=r"distil_from .*: the model has no output 'next.opinion'"
    ):
        Example(DEFAULT_MODEL)
