"""A narrow student for tests, and its pictures."""

from __future__ import annotations

import torch

from quantize.student.network import Student, StudentConfig

__all__ = ["SMALL", "run_torch"]

SMALL = StudentConfig(stem=16, head=16, middle=16, low=16, hidden=16)


def run_torch(student: Student, ir: torch.Tensor, visible: torch.Tensor) -> list[torch.Tensor]:
    """The fused pictures of a sequence, from a fresh state."""
    state = student.initial_state(1, *ir.shape[-2:])
    fused = []
    with torch.no_grad():
        for a, b in zip(ir, visible, strict=True):
            output, state = student(a, b, state)
            fused.append(output.fused)
    return fused
