"""Which shape of network? ``python -m quantize.shapes --data TRAIN --validation VAL --output DIR``.

Trains every shape of :mod:`quantize.student.shapes` on the same clips for the same number of steps,
scores it on the validation scenes that have degraded frames (and was trained on none of them),
exports it in fp32 and INT8, and times all of them in one run, taking turns. Writes
``shapes.json`` and prints a table.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from tqdm import tqdm

from edge_sdk.errors import EdgeSdkError
from quantize.data import ClipSampler, Recordings
from quantize.int8 import calibrate, load_onnx, quantise
from quantize.macs import count_macs
from quantize.student.network import StudentOutput
from quantize.student.objective import StudentObjective
from quantize.student.quality import edge_transfer, ssim, visual_information
from quantize.student.shapes import SHAPES
from quantize.student.space import FilterBank
from quantize.student.task import read_frames

__all__ = ["main"]

BATCH = 4
FRAMES = 2
SIZE = 128
LEARNING_RATE = 2e-3
ROUNDS = 60
HEIGHT, WIDTH = 480, 640
OBJECTIVE = StudentObjective(
    intensity=0.3, gradient=0.5, change=20.0, steady=20.0, structure=14.0, information=3.0,
    edges=5.0, choice=3.0, fidelity=0.0, restoration=0.0,
)  # fmt: skip


def train(model: nn.Module, recordings: Recordings, steps: int, label: str) -> None:
    """Adam on a cosine; the clips depend on the step alone, so that every shape sees the same."""
    sampler = ClipSampler(recordings, SIZE, FRAMES, seed=5)
    optimiser = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, steps, pct_start=0.05)
    for _ in tqdm(range(steps), desc=label, mininterval=2):
        clips = [sampler.draw() for _ in range(BATCH)]
        ir, visible, clean_ir, clean_visible = (
            torch.from_numpy(np.stack([getattr(clip, part) for clip in clips], 1)[:, :, None])
            for part in ("ir", "visible", "clean_ir", "clean_visible")
        )
        outputs = [StudentOutput(model(a, b), a, b) for a, b in zip(ir, visible, strict=True)]
        loss, _ = OBJECTIVE(outputs, clean_ir, clean_visible, tuple(range(FRAMES)))
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()


@torch.no_grad()
def score(model: nn.Module, recordings: Recordings) -> dict[str, float]:
    """VIF, SSIM, Qabf and spatial frequency against the clean sources, clean and degraded input."""
    values: dict[str, list[float]] = {}
    for scene in recordings.paired:
        folder = scene.ir[0].parent.parent
        if not (folder / "ir_degraded").is_dir():
            continue
        clean_ir, clean_visible = read_frames(folder / "ir"), read_frames(folder / "visible")
        for kind, suffix in (("clean", ""), ("degraded", "_degraded")):
            pairs = (read_frames(folder / f"{part}{suffix}") for part in ("ir", "visible"))
            for ir, visible, a, b in zip(*pairs, clean_ir, clean_visible, strict=True):
                fused = model(ir, visible).clamp(0, 1)
                found = {
                    "vif": 0.5 * (visual_information(fused, a) + visual_information(fused, b)),
                    "ssim": 0.5 * (ssim(fused, a) + ssim(fused, b)),
                    "qabf": edge_transfer(fused, a, b),
                    "sf": 255 * _spatial_frequency(fused),
                }
                for name, value in found.items():
                    values.setdefault(f"{kind}_{name}", []).append(float(value))
    return {name: float(np.mean(each)) for name, each in values.items()}


def _spatial_frequency(image: Tensor) -> Tensor:
    rows, columns = image[..., 1:, :] - image[..., :-1, :], image[..., 1:] - image[..., :-1]
    return torch.sqrt((rows**2).mean() + (columns**2).mean())


class _Deployed(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, ir: Tensor, visible: Tensor) -> Tensor:
        fused = self.model(ir / 255.0, visible / 255.0).clamp(0.0, 1.0)
        return torch.round(fused * 255.0).to(torch.uint8)


def export(model: nn.Module, recordings: Recordings, folder: Path, name: str) -> dict[str, Path]:
    """fp32 and INT8 ONNX files at 640 x 480; pictures and what is added to them stay float."""
    for module in model.modules():
        if isinstance(module, FilterBank):
            module.freeze()
    files = {precision: folder / f"{name}.{precision}.onnx" for precision in ("fp32", "int8")}
    images = tuple(torch.zeros(1, 1, HEIGHT, WIDTH, dtype=torch.uint8) for _ in range(2))
    program = torch.onnx.export(
        _Deployed(model).eval(), images, dynamo=True, opset_version=18, verbose=False,
        input_names=["ir", "visible"], output_names=["fused"],
    )  # fmt: skip
    assert program is not None
    onnx.save(program.model_proto, str(files["fp32"]))
    fp32 = load_onnx(files["fp32"])

    def feed(probe: onnx.ModelProto) -> Iterator[dict[str, NDArray[np.float32]]]:
        session = onnxruntime.InferenceSession(probe.SerializeToString())
        names = [output.name for output in session.get_outputs()]
        sampler = ClipSampler(recordings, HEIGHT, 2, seed=6)
        for _ in range(4):
            clip = sampler.draw()
            for a, b in zip(clip.ir, clip.visible, strict=True):
                wide = ((0, 0), (0, WIDTH - HEIGHT))
                pair = (np.pad(np.rint(x * 255).astype(np.uint8), wide, "reflect") for x in (a, b))
                ir, visible = (x[None, None] for x in pair)
                feeds = {"ir": ir, "visible": visible}
                yield dict(zip(names, session.run(names, feeds), strict=True))

    def is_large(node: onnx.NodeProto, weight: NDArray[np.float32]) -> bool:
        return weight.size >= 4000 and not any("bank" in name for name in node.input)

    grid = calibrate(fp32, feed, is_large, lambda node: any("weights" in n for n in node.input))
    onnx.save(quantise(fp32, grid), str(files["int8"]))
    return files


def latencies(files: dict[str, Path], threads: int) -> dict[str, float]:
    """Median milliseconds of every file in OpenVINO; they take turns, so that noise is shared."""
    import openvino

    core = openvino.Core()
    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1}
    rng = np.random.default_rng(0)
    runs: dict[str, Callable[[], object]] = {}
    for name, path in files.items():
        request = core.compile_model(str(path), "CPU", settings).create_infer_request()
        feed = [rng.integers(0, 256, (1, 1, HEIGHT, WIDTH), dtype=np.uint8) for _ in range(2)]
        runs[name] = lambda request=request, feed=feed: request.infer(feed)  # type: ignore[misc]
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for _ in tqdm(range(ROUNDS), desc="timing", mininterval=2):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            taken[name].append(1e3 * (time.perf_counter() - start))
    return {name: float(np.median(values[5:])) for name, values in taken.items()}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m quantize.shapes", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="training recordings")
    parser.add_argument("--validation", type=Path, required=True, help="validation recordings")
    parser.add_argument("--output", type=Path, default=Path("runs/shapes"))
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"), help="decoded frames")
    parser.add_argument("--steps", type=int, default=500, help="of each shape; kept weights of a "
                        "run of as many steps are used again")  # fmt: skip
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    try:
        training = Recordings(options.data, options.cache)
        validation = Recordings(options.validation, options.cache)
    except EdgeSdkError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    options.output.mkdir(parents=True, exist_ok=True)
    table: dict[str, dict[str, float]] = {}
    files: dict[str, Path] = {}
    for name, shape in SHAPES.items():
        torch.manual_seed(0)
        model = shape.build()
        kept = options.output / f"{name}.{options.steps}.safetensors"
        if kept.exists():
            model.load_state_dict(load_file(kept))
        else:
            train(model, training, options.steps, shape.title)
            save_file(model.state_dict(), kept)
        model.eval()
        image = torch.zeros(1, 1, HEIGHT, WIDTH)
        table[name] = {"gmac": count_macs(model, image, image).total / 1e9}
        table[name] |= score(model, validation)
        exported = export(model, training, options.output, name)
        files |= {f"{name} {precision}": path for precision, path in exported.items()}
    for key, value in latencies(files, options.threads).items():
        name, precision = key.split()
        table[name][f"{precision}_ms"] = value
    (options.output / "shapes.json").write_text(json.dumps(table, indent=2) + "\n")
    print(_markdown(table))
    return 0


def _markdown(table: dict[str, dict[str, float]]) -> str:
    columns = list(next(iter(table.values())))
    lines = ["| shape | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for name, row in table.items():
        cells = (f"{row[column]:.3f}" if "_ms" not in column else f"{row[column]:.1f}"
                 for column in columns)  # fmt: skip
        lines.append(f"| {SHAPES[name].title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
