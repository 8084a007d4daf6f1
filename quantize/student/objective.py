"""What the student is trained for."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from quantize.student.goals import goal_shortfall, still
from quantize.student.network import StudentOutput
from quantize.student.quality import (
    HotTargets,
    edge_transfer,
    gradients,
    ssim,
    textured,
    visual_information,
)

__all__ = ["StudentObjective"]

STRETCH = 1.5  # a picture of more contrast than its sources has larger steps, but none of its own


@dataclass(frozen=True)
class StudentObjective:
    """Weights of the terms; every term is a mean over pixels, in units of the range [0, 1].

    All but ``range`` are taken on the fused picture as it will be seen, clipped to that range.

    The first four are the paper's (equations in ``quantize.losses``), as means instead of sums;
    the others are the metrics' own definitions, see :mod:`quantize.student.quality`.

    Attributes:
        intensity: distance of the fused luma to the larger of both sources.
        gradient: distance of its absolute Sobel slopes to the larger of both sources'.
        fidelity: distance of both restorations, and of their slopes, to the clean sources.
        change: the variational term: frame-to-frame change against the sources' change.
        information: one minus the mean VIF.
        structure: one minus the mean SSIM.
        restoration: one minus the mean SSIM of both restorations to their clean sources.
        recovery: one minus their mean VIF.
        edges: one minus Qabf.
        contrast: shortfall of the hot targets' contrast.
        steady: change of the fused luma where both clean sources stand still.
        choice: distance of the fused luma to the nearer of both sources. A mix of half and half
            shares little information with either (MI).
        strength: shortfall of standard deviation and spatial frequency behind those of the larger
            of both sources, in relative terms.
        invented: coarse edges that neither source has, see :func:`_invented`.
        goals: relative shortfall behind every goal, see :mod:`quantize.student.goals`.
        range: distance outside [0, 1].

    Terms of weight zero are not computed, where that saves time.
    """

    intensity: float = 1.0
    gradient: float = 1.0
    fidelity: float = 3.0
    change: float = 6.0
    information: float = 2.0
    structure: float = 3.0
    restoration: float = 2.0
    recovery: float = 0.0
    edges: float = 2.0
    contrast: float = 0.15
    steady: float = 6.0
    choice: float = 1.0
    strength: float = 0.3
    invented: float = 0.0
    goals: float = 0.0
    range: float = 2.0

    def __call__(
        self,
        outputs: list[StudentOutput],
        clean_ir: Tensor,
        clean_visible: Tensor,
        judged: tuple[int, ...],
        harm: Tensor | None = None,
    ) -> tuple[Tensor, dict[str, float]]:
        """Total loss and its unweighted parts.

        ``clean_ir``, ``clean_visible`` are (T, B, 1, H, W); ``judged`` are the frames on which the
        (costly) metrics are taken; ``harm`` is (B,) the share of a clip's sources that are
        degraded, which ``goals`` wants to know; None stands for none.
        """
        unlimited = torch.stack([output.fused for output in outputs])
        fused = unlimited.clamp(0.0, 1.0)  # what will be seen of it
        ir = torch.stack([output.ir for output in outputs])
        visible = torch.stack([output.visible for output in outputs])
        flat = fused.flatten(0, 1), clean_ir.flatten(0, 1), clean_visible.flatten(0, 1)
        slope, slope_ir, slope_visible = (gradients(image) for image in flat)
        restored = torch.cat([ir.flatten(0, 1), visible.flatten(0, 1)])
        clean = torch.cat(flat[1:])
        larger = torch.maximum(flat[1], flat[2])
        parts = {
            "intensity": (flat[0] - larger).abs().mean(),
            "choice": torch.minimum((flat[0] - flat[1]).abs(), (flat[0] - flat[2]).abs()).mean(),
            "strength": _shortfall(flat[0], larger).mean(),
            "gradient": (slope.abs() - torch.maximum(slope_ir.abs(), slope_visible.abs()))
            .abs()
            .mean(),
            "fidelity": (restored - clean).abs().mean()
            + (gradients(restored) - torch.cat([slope_ir, slope_visible])).abs().mean(),
            "invented": _invented(*flat),
            "range": (unlimited - fused.detach()).abs().mean(),
        }
        if len(outputs) > 1:
            change, change_ir, change_visible = (
                x[1:] - x[:-1] for x in (fused, clean_ir, clean_visible)
            )
            parts["change"] = (
                (change - change_ir).abs().mean()
                + (change - change_visible).abs().mean()
                + 0.5 * (ir[1:] - ir[:-1] - change_ir).abs().mean()
                + 0.5 * (visible[1:] - visible[:-1] - change_visible).abs().mean()
            )
            calm = still(change_ir) * still(change_visible)
            parts["steady"] = (change.abs() * calm).sum() / (calm.sum() + 1.0)
        frames = list(judged)
        picture, source_ir, source_visible = (
            x[frames].flatten(0, 1) for x in (fused, clean_ir, clean_visible)
        )
        if self.information:
            sources = (source_ir, source_visible)
            parts["information"] = 1 - _information((picture, picture), sources)
        if self.structure:
            both = ssim(picture, source_ir) + ssim(picture, source_visible)
            parts["structure"] = 1 - 0.5 * both.mean()
        if self.edges:
            parts["edges"] = 1 - edge_transfer(picture, source_ir, source_visible).mean()
        parts["restoration"] = (
            1
            - 0.5
            * (
                ssim(ir[frames].flatten(0, 1), source_ir)
                + ssim(visible[frames].flatten(0, 1), source_visible)
            ).mean()
        )
        if self.recovery:
            restorations = (ir[frames].flatten(0, 1), visible[frames].flatten(0, 1))
            parts["recovery"] = 1 - _information(restorations, (source_ir, source_visible))
        if self.contrast:
            targets = HotTargets(source_ir)
            short = F.relu(1.0 - targets.contrast(picture)) * targets.there
            parts["contrast"] = short.sum() / (targets.there.sum() + 1.0)
        shown: dict[str, float] = {}
        if self.goals:
            harm = torch.zeros_like(clean_ir[0, :, 0, 0, 0]) if harm is None else harm
            parts["goals"], shown = goal_shortfall(fused, clean_ir, clean_visible, harm, frames)
        total = torch.stack([getattr(self, name) * value for name, value in parts.items()]).sum()
        return total, {name: float(value.detach()) for name, value in parts.items()} | shown


def _information(pictures: tuple[Tensor, Tensor], sources: tuple[Tensor, Tensor]) -> Tensor:
    """Mean VIF of each picture to its source, where the source is textured."""
    pairs = zip(pictures, sources, strict=True)
    each = [textured(source) * visual_information(picture, source) for picture, source in pairs]
    return 0.5 * (each[0] + each[1]).mean()


def _invented(fused: Tensor, ir: Tensor, visible: Tensor) -> Tensor:
    """Mean excess of the fused picture's coarse steps over ``STRETCH`` times the sources' larger.

    Steps between means of squares of 4, 8 and 16 pixels. A mix that wanders where both sources are
    smooth, a bright sky over a cold one say, draws bands and blobs that no metric sees.
    """
    excess = []
    for size in (4, 8, 16):
        means = [F.avg_pool2d(image, size) for image in (fused, ir, visible)]
        for axis in (2, 3):
            step, *of_sources = (mean.diff(dim=axis).abs() for mean in means)
            excess.append(F.relu(step - STRETCH * torch.maximum(*of_sources)).mean())
    return torch.stack(excess).mean()


def _shortfall(image: Tensor, reference: Tensor) -> Tensor:
    """How far the logarithms of standard deviation and spatial frequency fall short, (B,)."""

    def logarithms(x: Tensor) -> tuple[Tensor, Tensor]:
        rows, columns = x[:, :, 1:] - x[:, :, :-1], x[..., 1:] - x[..., :-1]
        frequency = (rows**2).mean((1, 2, 3)) + (columns**2).mean((1, 2, 3))
        variance = x.flatten(1).var(1)
        return 0.5 * torch.log(variance + 1e-4), 0.5 * torch.log(frequency + 1e-5)

    pairs = zip(logarithms(image), logarithms(reference), strict=True)
    spread, frequency = (F.relu(wanted - found) for found, wanted in pairs)
    return spread + frequency
