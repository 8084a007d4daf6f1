"""How far a fused clip is from every goal at once, each in units of the goal itself.

A goal is a multiple of what the larger of both CLEAN sources scores on the same pixels, as in
``benchmarks.goals``. A goal that is met pulls no more, so that what is left of the network goes to
those that are not; a plain sum of metrics keeps paying for what is good enough already.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from quantize.student.quality import (
    HotTargets,
    edge_transfer,
    mutual_information,
    ssim,
    textured,
    visual_information,
)

__all__ = ["GOALS", "Goal", "goal_shortfall", "still"]


@dataclass(frozen=True)
class Goal:
    """A multiple of the baseline's score, and what being short of it by its whole costs.

    Attributes:
        clean, degraded: the multiple for clean and for degraded sources; a clip with one of each
            has their geometric mean. Degraded sources cannot give what clean ones do.
        weight: of the relative shortfall.
        least: below this a baseline's score is not divided by.
        at_most: True if smaller is better.
    """

    clean: float
    degraded: float
    weight: float = 1.0
    least: float = 0.05
    at_most: bool = False


GOALS = {
    "vif": Goal(1.18, 0.75, 6.0),
    "vif_ir": Goal(0.93, 1.0, 2.5),
    "vif_visible": Goal(0.80, 0.50, 0.6),
    "qabf": Goal(1.12, 0.76, 4.0, 0.1),
    "ssim": Goal(1.0, 0.93, 3.0, 0.1),  # of the plain mean of both sources, as its goal is
    "mi": Goal(0.74, 0.58, 1.0, 0.2),
    "spread": Goal(1.03, 0.96, 1.0, 8 / 255),
    "frequency": Goal(1.03, 0.90, 2.5, 4 / 255),
    "contrast": Goal(1.07, 0.94, 0.5, 0.5),
    "vc": Goal(0.98, 1.28, 8.0, 0.6 / 255, at_most=True),
    "flicker": Goal(1.05, 1.4, 0.8, 0.4 / 255, at_most=True),
}
"""The goals of ``benchmarks.goals`` with a margin. For degraded sources they stand
against the clean sources too: the multiples are the degraded goals over what the maximum of clean
sources scores, on the scenes that the goals come from. ``vif_visible`` is ours: without it, a
picture that is one source alone pays where the other has little to say."""


def goal_shortfall(
    fused: Tensor, ir: Tensor, visible: Tensor, harm: Tensor, judged: list[int]
) -> tuple[Tensor, dict[str, float]]:
    """Weighted sum of the relative shortfalls, a mean over clips and frames; and its parts.

    Args:
        fused, ir, visible: (T, B, 1, H, W) in [0, 1]; the sources are the clean ones.
        harm: (B,) share of the sources that are degraded: 0, 0.5 or 1.
        judged: frames of the clip that the costly figures are taken on.
    """
    picture, a, b = (x[judged].flatten(0, 1) for x in (fused, ir, visible))
    each = harm.repeat(len(judged))
    with torch.no_grad():
        larger = torch.maximum(a, b)
        targets = HotTargets(a)
        wanted = _figures(larger, a, b, targets)
        mean = 0.5 * (a + b)
        wanted["ssim"] = 0.5 * (ssim(mean, a) + ssim(mean, b))
        # Beside a bright sky, the larger of both may show a target with next to no contrast.
        wanted["contrast"] = wanted["contrast"].clamp(0.5, 1.0)
    found = _figures(picture, a, b, targets)
    there = {name: torch.ones_like(each) for name in found}
    there["vif_ir"] = textured(a)
    there["vif_visible"] = textured(b)
    there["vif"] = torch.minimum(there["vif_ir"], there["vif_visible"])
    there["contrast"] = targets.there
    parts = {
        name: _short(GOALS[name], found[name], wanted[name], each, there[name]) for name in found
    }
    if len(fused) > 1:
        moved, moved_ir, moved_visible = (x[1:] - x[:-1] for x in (fused, ir, visible))
        best = torch.maximum(ir, visible)
        moved_best = best[1:] - best[:-1]
        everywhere = torch.ones_like(harm)
        parts["vc"] = _short(
            GOALS["vc"],
            _variation(moved, moved_ir, moved_visible),
            _variation(moved_best, moved_ir, moved_visible),
            harm,
            everywhere,
        )
        calm = still(moved_ir) * still(moved_visible)
        parts["flicker"] = _short(
            GOALS["flicker"], _inside(moved, calm), _inside(moved_best, calm), harm, everywhere
        )
    total = torch.stack([GOALS[name].weight * value for name, value in parts.items()]).sum()
    return total, {f"short_{name}": float(value.detach()) for name, value in parts.items()}


def still(change: Tensor) -> Tensor:
    """1 where a clean source moves by at most 3 levels after a 5 x 5 box, (T, B, 1, H, W)."""
    box = F.avg_pool2d(change.flatten(0, 1).abs(), 5, 1, 2)
    return (box <= 3 / 255).float().view_as(change)


def _figures(
    picture: Tensor, ir: Tensor, visible: Tensor, targets: HotTargets
) -> dict[str, Tensor]:
    """What is judged frame by frame, (N,) each; larger is better in all of it."""
    of_ir, of_visible = visual_information(picture, ir), visual_information(picture, visible)
    rows, columns = picture.diff(dim=2), picture.diff(dim=3)
    frequency = (rows**2).mean((1, 2, 3)) + (columns**2).mean((1, 2, 3))
    return {
        "vif": 0.5 * (of_ir + of_visible),
        "vif_ir": of_ir,
        "vif_visible": of_visible,
        "qabf": edge_transfer(picture, ir, visible),
        "ssim": 0.5 * (ssim(picture, ir) + ssim(picture, visible)),
        "mi": mutual_information(picture, ir) + mutual_information(picture, visible),
        "spread": torch.sqrt(picture.flatten(1).var(1) + 1e-5),
        "frequency": torch.sqrt(frequency + 1e-6),
        "contrast": targets.contrast(picture),
    }


def _short(goal: Goal, found: Tensor, baseline: Tensor, harm: Tensor, there: Tensor) -> Tensor:
    multiple = goal.clean ** (1 - harm) * goal.degraded**harm
    needed = multiple * baseline.clamp(min=goal.least)
    ratio = found / needed
    short = F.relu(ratio - 1) if goal.at_most else F.relu(1 - ratio)
    return (short * there).mean()


def _variation(moved: Tensor, ir: Tensor, visible: Tensor) -> Tensor:
    """VideoFusion's equation 12 for every clip of the batch, (B,)."""
    return 0.5 * ((moved - ir).abs() + (moved - visible).abs()).mean((0, 2, 3, 4))


def _inside(moved: Tensor, calm: Tensor) -> Tensor:
    """Mean absolute change where both sources stand still, (B,); 0 where they nowhere do."""
    return (moved.abs() * calm).sum((0, 2, 3, 4)) / calm.sum((0, 2, 3, 4)).clamp(min=1)
