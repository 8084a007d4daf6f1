"""Distillation: what another student, as it was packed, makes of the same clips."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import Tensor

from edge_sdk.errors import ConfigError
from edge_sdk.fusion.model import load_model

__all__ = ["Example", "agreement"]

TARGETS = ("fused", "restored_ir", "restored_visible")


class Example:
    """A packed model (see ``quantize.package``) that shows a new student how it is done.

    Raises:
        ModelError: the folder is no model, or has no fp32 file.
        ConfigError: the model has no restored pictures, so that a student cannot follow it.
    """

    def __init__(self, folder: Path) -> None:
        model = load_model(folder)
        self._state = model.state
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(model.file("fp32")[1]), options)
        self._names = [output.name for output in self._session.get_outputs()]
        absent = [name for name in TARGETS if name not in self._names]
        if absent:
            raise ConfigError(f"distil_from {folder}: the model has no output {absent[0]!r}")

    def __call__(self, ir: Tensor, visible: Tensor) -> list[Tensor]:
        """Targets, (T, B, C, h, w) each, of clips (T, B, 1, H, W) in [0, 1] from a fresh state."""
        clips = [self._clip(ir[:, k], visible[:, k]) for k in range(ir.shape[1])]
        return [torch.from_numpy(np.stack(parts, 1)) for parts in zip(*clips, strict=True)]

    def _clip(self, ir: Tensor, visible: Tensor) -> list[np.ndarray]:
        height, width = ir.shape[-2:]
        memory = {
            f"state.{t.name}": np.zeros(t.resolve(height, width), np.float32) for t in self._state
        }
        found: list[list[np.ndarray]] = [[] for _ in TARGETS]
        for a, b in zip(_levels(ir), _levels(visible), strict=True):
            results = self._session.run(self._names, {"ir": a[None], "visible": b[None], **memory})
            outputs = dict(zip(self._names, results, strict=True))
            memory = {f"state.{t.name}": outputs[f"next.{t.name}"] for t in self._state}
            for values, name in zip(found, TARGETS, strict=True):
                value = outputs[name][0]
                values.append(value.astype(np.float32) / (255 if value.dtype == np.uint8 else 1))
        return [np.stack(values) for values in found]


def agreement(found: Sequence[Sequence[Tensor]], wanted: Sequence[Tensor]) -> Tensor:
    """Mean absolute distance of every target, added up; ``found`` is a list over frames."""
    parts = zip(*found, strict=True)
    return torch.stack(
        [(torch.stack(list(x)) - y).abs().mean() for x, y in zip(parts, wanted, strict=True)]
    ).sum()


def _levels(video: Tensor) -> np.ndarray:
    return np.rint(video.clamp(0, 1).cpu().numpy() * 255).astype(np.uint8)
