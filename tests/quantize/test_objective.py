from __future__ import annotations

import torch

from quantize.student.network import StudentOutput
from quantize.student.objective import StudentObjective
from quantize.student.quality import visual_information


def _parts(fused: torch.Tensor, ir: torch.Tensor, visible: torch.Tensor) -> dict[str, float]:
    """Parts of the loss of a clip of two equal frames, restored without a fault."""
    objective = StudentObjective(information=0.0, structure=0.0, edges=0.0, contrast=0.0)
    output = StudentOutput(fused, ir, visible)
    clean_ir, clean_visible = (torch.stack([x, x]) for x in (ir, visible))
    return objective([output, output], clean_ir, clean_visible, (0,))[1]


def _scene() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(4)
    ir, visible = 0.2 + 0.6 * torch.rand(2, 1, 1, 6, 6).repeat_interleave(16, 3).repeat_interleave(
        16, 4
    )
    return ir, visible


def test_a_stretched_mean_of_both_sources_invents_nothing():
    ir, visible = _scene()
    mean = 0.5 * (ir + visible)
    stretched = (mean - 0.4) * 1.5 + 0.4
    assert _parts(stretched, ir, visible)["invented"] < 1e-6
    banded = mean.clone()
    banded[:, :, 32:48] += 0.2
    flat = torch.full_like(ir, 0.5)
    assert _parts(banded - mean + flat, flat, flat)["invented"] > 0.01


def test_recovery_is_what_the_restorations_lack_of_their_sources():
    ir, visible = _scene()
    soft = torch.nn.functional.avg_pool2d(visible, 5, 1, 2)
    objective = StudentObjective(recovery=1.0)

    def recovery(restored: torch.Tensor) -> float:
        output = StudentOutput(visible, ir, restored)
        return objective([output], ir[None], visible[None], (0,))[1]["recovery"]

    assert abs(recovery(visible)) < 1e-3
    lacking = 1 - float(visual_information(soft, visible))
    assert abs(recovery(soft) - 0.5 * lacking) < 1e-3  # the infrared lacks nothing
    assert lacking > 0.1


def test_what_is_beyond_black_and_white_is_not_seen_and_costs():
    ir, visible = _scene()
    wild = (torch.maximum(ir, visible) - 0.5) * 4 + 0.5
    found = _parts(wild, ir, visible)
    seen = _parts(wild.clamp(0, 1), ir, visible)
    expected = float((wild - wild.clamp(0, 1)).abs().mean())
    assert seen["range"] == 0
    assert abs(found["range"] - expected) < 1e-6
    assert {k: v for k, v in found.items() if k != "range"} == {
        k: v for k, v in seen.items() if k != "range"
    }
