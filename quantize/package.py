"""Weights made into a model folder: ``python -m quantize.package --weights FILE --output FOLDER``.

Exports ONNX in fp32, calibrates and writes INT8, copies the weights, and writes the model card
``model.json`` with hashes, sizes, the training's configuration and its scores.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from edge_sdk.errors import ConfigError, EdgeSdkError
from edge_sdk.fusion.model import FORMAT, VERSION, StateTensor
from quantize.card import hash_file, last_scores, training_record
from quantize.config import TrainConfig, check_names, load_train_config
from quantize.data import ClipSampler, Recordings
from quantize.int8 import calibrate, load_onnx, quantise
from quantize.macs import count_macs, parameter_count
from quantize.student.adjust import KNOBS, adjust
from quantize.student.equalise import equalise
from quantize.student.export import Deployed, export_onnx, state_shapes
from quantize.student.fake_quantise import FLOAT_PARTS
from quantize.student.network import MULTIPLE_PX, Student, StudentConfig
from quantize.student.weights import load_student, read_float
from quantize.train import widened

__all__ = ["main", "package"]

CALIBRATION_CLIPS = 32
EQUALISING_CLIPS = 24
CALIBRATION_SIZE = 256
PERCENTILE = 99.9
"""Of the absolute values of a tensor: its range. What is larger is cut off."""
FRAMES_PERCENTILE = 90.0
"""Of that over the frames. With the largest, more clips mean a coarser grid, and degraded video
flickers where fp32 does not."""
SMALL = 4000  # weights; smaller convolutions stay in float, they cost nothing


def package(
    weights: Path,
    config: TrainConfig,
    output: Path,
    name: str,
    command: str,
    notes: str = "",
    halfway: bool = False,
) -> None:
    """Write the model folder; ``notes`` go into the card.

    ``halfway`` takes the mean of the weights and of those that the run started from. Both ends of a
    short run lie in one valley; between them the network can be better than at either.

    Raises:
        ModelError: the weights are of another network.
        ConfigError: ``halfway``, and the run started from nothing; ``adjust`` of the configuration
            names what there is not.
        ConfigError, SourceError: the calibration data cannot be read.
    """
    student = load_student(weights, config.options, Student)
    if halfway:
        _go_halfway_back(student, config)
    _adjust(student, config)
    equalise(student, _clips(config))
    output.mkdir(parents=True, exist_ok=True)
    fp32, int8 = output / "fp32.onnx", output / "int8.onnx"
    export_onnx(student, fp32)
    model = load_onnx(fp32)
    shapes = [StateTensor(key, tuple(shape)) for key, shape in state_shapes(student).items()]
    grid = calibrate(
        model,
        lambda probe: _feed(probe, shapes, config),
        _is_worth_it,
        _touches_the_picture,
        PERCENTILE,
        FRAMES_PERCENTILE,
    )
    onnx.save(quantise(model, grid), str(int8))
    kept = {key: value.half() for key, value in student.state_dict().items()}
    save_file(kept, output / "weights.safetensors")
    card = {
        "format": FORMAT,
        "version": VERSION,
        "name": name,
        "licence": "Apache-2.0",
        "kind": "student",
        "options": dict(config.options),
        "parameters": parameter_count(student),
        "macs_640x480": _macs(student),
        "multiple_px": MULTIPLE_PX,
        "state": state_shapes(student),
        "files": {"fp32": _entry(fp32), "int8": _entry(int8)},
        "weights": _entry(output / "weights.safetensors"),
        "training": training_record(config, command),
        "notes": notes,
        "scores": last_scores(config),
    }
    (output / "model.json").write_text(json.dumps(card, indent=2) + "\n")


def _go_halfway_back(student: Student, config: TrainConfig) -> None:
    if config.start_from is None:
        raise ConfigError("--halfway needs start_from in the configuration, found none")
    start = widened(Student(StudentConfig(**config.options)), read_float(config.start_from))
    with torch.no_grad():
        for key, value in student.state_dict().items():
            value.lerp_(start[key], 0.5)


def _adjust(student: Student, config: TrainConfig) -> None:
    check_names(config.adjust, KNOBS, "adjust")
    adjust(student, **config.adjust)


def _is_worth_it(node: onnx.NodeProto, weight: NDArray[np.float32]) -> bool:
    """Convolutions that carry the cost: not the layout change, the stripes, or pooled vectors.

    The visible's bands stay float too: they take the picture itself, 8 bits of which the grid's 127
    levels would halve, and cost next to nothing. So do the weights of the blocks: where one source
    is bright and the other dark, a step of the mix is seen. And the way up from 1/16, which spreads
    over blocks of 16 pixels what it rounds, and is cheap. And the evidence, small as well: it reads
    differences of a few levels, on the grid of the largest, and degraded video flickered.
    """
    names = node.name + "".join(node.input)
    if any(f"student.{part}" in names for part in (*FLOAT_PARTS, "visible_bank")):
        return False
    return weight.size >= SMALL


def _touches_the_picture(node: onnx.NodeProto) -> bool:
    """Bands are added to the picture: steps of theirs would be seen."""
    return any("bank" in name for name in node.input)


def _clips(config: TrainConfig) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Clips of the TRAINING data, (8, 1, 1, size, size) each."""
    recordings = Recordings(config.data, config.cache)
    sampler = ClipSampler(recordings, CALIBRATION_SIZE, 8, seed=config.seed + 2)
    for _ in range(EQUALISING_CLIPS):
        clip = sampler.draw()
        ir, visible = (torch.from_numpy(x)[:, None, None] for x in (clip.ir, clip.visible))
        yield ir, visible


def _feed(
    model: onnx.ModelProto, state: list[StateTensor], config: TrainConfig
) -> Iterator[dict[str, NDArray[np.float32]]]:
    """Run the model over clips of the TRAINING data, with its state, as it will be used."""
    session = onnxruntime.InferenceSession(model.SerializeToString())
    names = [output.name for output in session.get_outputs()]
    recordings = Recordings(config.data, config.cache)
    sampler = ClipSampler(recordings, CALIBRATION_SIZE, 8, seed=config.seed + 1)
    size = CALIBRATION_SIZE
    for _ in range(CALIBRATION_CLIPS):
        clip = sampler.draw()
        memory = {f"state.{t.name}": np.zeros(t.resolve(size, size), np.float32) for t in state}
        for ir, visible in zip(clip.ir, clip.visible, strict=True):
            feeds = {
                "ir": np.rint(ir * 255).astype(np.uint8)[None, None],
                "visible": np.rint(visible * 255).astype(np.uint8)[None, None],
                **memory,
            }
            outputs = dict(zip(names, session.run(names, feeds), strict=True))
            memory = {f"state.{t.name}": outputs[f"next.{t.name}"] for t in state}
            yield outputs


def _macs(student: Student) -> int:
    height, width = 480, 640
    image = torch.zeros(1, 1, height, width)
    state = student.initial_state(1, height, width)
    return round(count_macs(Deployed(student), image, image, *state).total)


def _entry(path: Path) -> dict[str, Any]:
    return {"path": path.name, **hash_file(path)}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m quantize.package", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="of the training run")
    parser.add_argument("--weights", type=Path, help="default: weights.safetensors of the run")
    parser.add_argument("--output", type=Path, required=True, help="model folder to write")
    parser.add_argument("--name", default="student", help="name in the model card")
    parser.add_argument(
        "--halfway", action="store_true", help="the mean of these weights and of those started from"
    )
    parser.add_argument("--notes", default="", help="what the configuration does not tell")
    options = parser.parse_args(arguments)
    try:
        config = load_train_config(options.config)
        weights = options.weights or config.output / "weights.safetensors"
        command = f"python -m quantize.train --config {options.config}"
        package(
            weights,
            config,
            options.output,
            options.name,
            command,
            options.notes,
            options.halfway,
        )
    except EdgeSdkError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"wrote {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
