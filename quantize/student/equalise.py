"""Equal ranges for channels that share one INT8 grid (Nagel et al., ICCV 2019, section 4.1).

A ReLU passes a positive factor through, so that a channel may be made smaller where it is written
and larger where it is read: the network stays what it is, but one loud channel no longer decides
the step that its quiet neighbours are rounded to. (What the stem reads needs no such thing: sources
and evidence end at one.)
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from quantize.student.network import Student

__all__ = ["equalise"]

QUIET = 1e-3
"""A channel that never exceeds this is left as it is."""


@torch.no_grad()
def equalise(student: Student, clips: Iterable[tuple[Tensor, Tensor]]) -> None:
    """Rescale the student's stem channels in place; its function stays the same.

    Args:
        student: in evaluation mode.
        clips: infrared and visible, (T, 1, 1, H, W) each in [0, 1], of TRAINING scenes: what the
            ranges are measured on.
    """
    stem, head, down, up = student.stem[0], student.head[0], student.down1[0], student.up1
    ranges = _Ranges({"stem": stem}, {"head": head})
    for ir, visible in clips:
        state = student.initial_state(1, *ir.shape[-2:])
        for now_ir, now_visible in zip(ir, visible, strict=True):
            _, state = student(now_ir, now_visible, state)
    ranges.stop()
    fine = torch.maximum(ranges.of["stem"], ranges.of["head"])
    loud = fine > QUIET
    middle = fine[loud].log().mean().exp()
    # Half of the way: what the features lose in range, the weights that read them gain.
    _scale([stem, up], [head, down], torch.where(loud, fine / middle, 1.0).sqrt())


def _scale(writers: list[nn.Module], readers: list[nn.Module], factor: Tensor) -> None:
    """Divide what ``writers`` give by ``factor``, multiply what ``readers`` take."""
    for conv in writers:
        assert isinstance(conv, nn.Conv2d) and conv.bias is not None
        conv.weight /= factor.view(-1, 1, 1, 1)
        conv.bias /= factor
    for conv in readers:
        assert isinstance(conv, nn.Conv2d)
        conv.weight *= factor.view(1, -1, 1, 1)


class _Ranges:
    """The largest positive value of every channel that modules give, or take."""

    def __init__(self, given: dict[str, nn.Module], taken: dict[str, nn.Module]) -> None:
        self.of: dict[str, Tensor] = {}
        self._hooks = [
            module.register_forward_hook(lambda _m, _i, out, name=name: self._note(name, out))
            for name, module in given.items()
        ] + [
            module.register_forward_pre_hook(lambda _m, args, name=name: self._note(name, args[0]))
            for name, module in taken.items()
        ]

    def _note(self, name: str, features: Tensor) -> None:
        largest = features.amax((0, 2, 3)).clamp(min=0)
        self.of[name] = torch.maximum(self.of.get(name, largest), largest)

    def stop(self) -> None:
        for hook in self._hooks:
            hook.remove()
