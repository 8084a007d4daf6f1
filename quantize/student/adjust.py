"""A few numbers of a trained student, set afterwards for the whole of it.

How sharp degraded pictures become and how steady both temporal averages are pull against each
other, and training settles that frame by frame, on crops. On whole scenes more of both can be had:
a steadier average pays in change for what more sharpness costs. And what a noisy infrared or a
clear visible as a whole does to its average, training moves too little: an open gate hardly feels
it.
"""

from __future__ import annotations

import torch
from torch import nn

from quantize.student.network import MAPS, Student

__all__ = ["KNOBS", "adjust"]

KNOBS = (
    *("sharpness", "ir_gate", "visible_gate", "smoothing"),
    *("noisy_gate", "noisy_bands", "clear_gate"),
)
"""What :func:`adjust` can be told, and the names of ``adjust`` in a training's configuration."""


@torch.no_grad()
def adjust(
    student: Student,
    sharpness: float = 1.0,
    ir_gate: float = 0.0,
    visible_gate: float = 0.0,
    smoothing: float = 1.0,
    noisy_gate: float = 1.0,
    noisy_bands: float = 1.0,
    clear_gate: float = 1.0,
) -> None:
    """Change the student in place; the defaults change nothing. Twice is twice as far.

    Args:
        student: a trained one.
        sharpness: factor on the local strength of the visible's last band (the one that undoes the
            widest blur), counted from where it rests on sharp pictures: there it cancels the
            overall strength, so that sharp pictures stay what they are.
        ir_gate, visible_gate: added to the logits that open the temporal averages. Below 0 the
            averages are steadier, and later to follow what moves.
        smoothing: factor on the local strengths of the infrared's bands.
        noisy_gate, noisy_bands: factors on what the whole infrared, being noisy, adds to the gate
            of its average and to the gains of its smoothing bands.
        clear_gate: factor on what the whole visible, being clear or soft, adds to the gate of its
            own. ``visible_gate`` is not scaled by it.
    """
    overall = student.tone[2]
    assert isinstance(overall, nn.Conv2d) and overall.bias is not None
    maps = student.weights
    assert maps.bias is not None
    last = student.config.visible_bands - 1
    band = len(MAPS) + last
    rest = -overall.bias[5 + last]  # five coefficients of the tone curves stand first
    maps.weight[band] *= sharpness
    maps.bias[band] = sharpness * maps.bias[band] + (1.0 - sharpness) * rest
    maps.bias[MAPS.index("gate")] += ir_gate
    maps.bias[MAPS.index("visible_gate")] += visible_gate
    for values in (maps.weight, maps.bias):
        values[band + 1 :] *= smoothing
    calm = student.calm[2]
    assert isinstance(calm, nn.Conv2d) and calm.bias is not None
    for values in (calm.weight, calm.bias):
        values[:1] *= noisy_gate
        values[1:] *= noisy_bands
    clear = student.clear[2]
    assert isinstance(clear, nn.Conv2d) and clear.bias is not None
    for values in (clear.weight, clear.bias):
        values *= clear_gate
