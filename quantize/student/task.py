"""How the student is built, trained for one step, and validated."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from edge_sdk.errors import SourceError
from quantize.config import TrainConfig
from quantize.data import Clip, Recordings
from quantize.student.distil import Example, agreement
from quantize.student.fake_quantise import attach
from quantize.student.network import MULTIPLE_PX, Student, StudentConfig, StudentOutput
from quantize.student.objective import StudentObjective
from quantize.student.quality import HotTargets, edge_transfer, ssim, visual_information

__all__ = ["StudentTask", "read_frames"]


class StudentTask:
    """The student's side of :mod:`quantize.train`."""

    def __init__(self, config: TrainConfig) -> None:
        self.config = config
        self.objective = StudentObjective(**config.objective)
        self.clip_frames = config.burn_in + config.frames
        self._example = None if config.distil_from is None else Example(config.distil_from)

    def build(self) -> nn.Module:
        student = Student(StudentConfig(**self.config.options))
        if self.config.int8_rounding:
            attach(student)
        return student

    def loss(
        self, model: nn.Module, clips: list[Clip], rng: np.random.Generator, device: torch.device
    ) -> tuple[Tensor, dict[str, float]]:
        """Loss of a batch: some frames without gradients fill the state, the rest are learnt."""
        ir, visible, clean_ir, clean_visible = (
            torch.from_numpy(np.stack([getattr(c, part) for c in clips], 1)[:, :, None]).to(device)
            for part in ("ir", "visible", "clean_ir", "clean_visible")
        )
        assert isinstance(model, Student)
        start = int(rng.integers(self.config.burn_in + 1)) if rng.random() < 0.6 else 0
        stop = start + self.config.frames
        _, batch, _, height, width = ir.shape
        state = model.initial_state(batch, height, width, device)
        bf16 = torch.autocast(device.type, torch.bfloat16, enabled=self.config.bf16)
        with bf16, torch.no_grad():
            for t in range(start):
                _, state = model(ir[t], visible[t], state)
        outputs = []
        with bf16:
            for t in range(start, stop):
                output, state = model(ir[t], visible[t], state)
                outputs.append(StudentOutput(*(image.float() for image in output)))
        count = min(self.config.judged, self.config.frames)
        judged = sorted(rng.choice(self.config.frames, size=count, replace=False).tolist())
        total, parts = self.objective(
            outputs,
            clean_ir[start:stop],
            clean_visible[start:stop],
            tuple(judged),
            _harm((ir, clean_ir), (visible, clean_visible)),
        )
        if self._example is not None:
            wanted = [
                video[start:].to(device) for video in self._example(ir[:stop], visible[:stop])
            ]
            distance = agreement(outputs, wanted)
            parts["example"] = float(distance.detach())
            total = total + self.config.distil_weight * distance
        return total, parts

    def validate(
        self, model: nn.Module, recordings: Recordings, pictures: Path | None
    ) -> dict[str, float]:
        """Figures on the scenes that have real degraded frames, clean and degraded.

        They use the differentiable definitions, and serve to compare checkpoints; the figures to
        publish come from ``benchmarks.quality``.
        """
        assert isinstance(model, Student)
        scores: dict[str, list[float]] = {}
        model.eval()
        for scene in recordings.paired:
            if not scene.name.startswith("frames/"):
                continue
            folder = scene.ir[0].parent.parent
            clean_ir, clean_visible = read_frames(folder / "ir"), read_frames(folder / "visible")
            for kind, suffix in (("clean", ""), ("degraded", "_degraded")):
                if not (folder / f"ir{suffix}").is_dir():
                    continue
                ir, visible = (
                    read_frames(folder / f"ir{suffix}"),
                    read_frames(folder / f"visible{suffix}"),
                )
                outputs = self._run(model, ir, visible)
                first = 2 if len(outputs) > 4 else 0
                for t in range(first, len(outputs)):
                    fused, a, b = outputs[t].fused, clean_ir[t], clean_visible[t]
                    values = {
                        "vif": 0.5 * (visual_information(fused, a) + visual_information(fused, b)),
                        "ssim": 0.5 * (ssim(fused, a) + ssim(fused, b)),
                        "qabf": edge_transfer(fused, a, b),
                        "tc": HotTargets(a).contrast(fused),
                        "ssim_ir": ssim(outputs[t].ir, a),
                        "ssim_vis": ssim(outputs[t].visible, b),
                    }
                    if t > 0:
                        change = fused - outputs[t - 1].fused
                        values["vc"] = (
                            (change - (a - clean_ir[t - 1])).abs().mean()
                            + (change - (b - clean_visible[t - 1])).abs().mean()
                        ) * 127.5
                    for name, value in values.items():
                        scores.setdefault(f"{kind}_{name}", []).append(float(value))
                if pictures is not None:
                    t = len(outputs) - 1
                    row = [ir[t], visible[t], outputs[t].fused, outputs[t].ir, outputs[t].visible]
                    strip = np.hstack([image[0, 0].numpy() for image in row])
                    pictures.mkdir(parents=True, exist_ok=True)
                    name = f"{scene.name.replace('/', '_')}_{kind}.png"
                    cv2.imwrite(str(pictures / name), np.rint(strip * 255).astype(np.uint8))
        model.train()
        return {name: float(np.mean(values)) for name, values in scores.items()}

    @staticmethod
    @torch.no_grad()
    def _run(model: Student, ir: Tensor, visible: Tensor) -> list[StudentOutput]:
        height, width = (size // MULTIPLE_PX * MULTIPLE_PX for size in ir.shape[-2:])
        assert (height, width) == ir.shape[-2:], "validation scenes have multiples of 32"
        state = model.initial_state(1, height, width)
        outputs = []
        for a, b in zip(ir, visible, strict=True):
            output, state = model(a, b, state)
            outputs.append(output)
        return outputs


def _harm(*sources: tuple[Tensor, Tensor]) -> Tensor:
    """(B,) which share of the sources (input and clean, (T, B, 1, H, W) each) is degraded."""
    changed = [(found != clean).flatten(2).any(2).any(0) for found, clean in sources]
    return torch.stack(changed).float().mean(0)


def read_frames(folder: Path) -> Tensor:
    """(T, 1, 1, H, W) float32 in [0, 1]."""
    images = []
    for path in sorted(folder.iterdir()):
        image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if image is None:
            raise SourceError(f"{path}: cannot be decoded as an image")
        images.append(image)
    return torch.from_numpy(np.stack(images)[:, None, None].astype(np.float32) / 255.0)
