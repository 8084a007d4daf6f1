"""The teacher's folder: fp16 weights and ``model.json``, which says where they come from.

``model.json`` has ``format``, ``version``, ``name``, ``licence``, ``kind`` ("teacher"), ``options``
of the network, ``frames`` of the clips that it was trained on, ``parameters``, ``macs_640x480`` a
frame, ``weights`` (path, SHA-256, bytes), ``training`` (command, configuration with the seed, data
with a SHA-256 for each scene, the data's sources and terms) and ``scores`` of the last validation.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from edge_sdk.errors import ModelError
from quantize.card import hash_file, last_scores, training_record
from quantize.config import TrainConfig
from quantize.macs import parameter_count, videofusion_macs
from quantize.videofusion import VideoFusion, load_videofusion
from quantize.videofusion.checkpoint import write_tensors

__all__ = ["CARD", "FORMAT", "VERSION", "WEIGHTS", "load_teacher", "write_teacher"]

CARD = "model.json"
WEIGHTS = "weights.safetensors"
FORMAT = "edge_sdk.teacher"
"""Not the format of the models that a robot loads: the teacher is for the workshop."""
VERSION = 1


def write_teacher(
    model: VideoFusion, config: TrainConfig, output: Path, *, name: str, command: str
) -> None:
    """Write the folder, with weights rounded to fp16.

    Args:
        model: the trained network.
        config: what it was trained with; its data must still be there, to be named by hash.
        output: folder to write; made if it is not there.
        name: of the model.
        command: the command line that trained it.

    Raises:
        ModelError: a weight is beyond the range of fp16, the weights that the training started
            from are gone, or a file cannot be written.
        ConfigError: the data folder is not there.
    """
    weights = {parameter: value.half().cpu() for parameter, value in model.state_dict().items()}
    for parameter, value in weights.items():
        if not bool(torch.isfinite(value).all()):
            raise ModelError(f"weights: {parameter} holds a value that fp16 cannot hold")
    if config.start_from and not config.start_from.is_file():
        raise ModelError(
            f"start_from {config.start_from}: no such file; the model card names it by its hash"
        )
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ModelError(f"{output}: cannot make the folder: {error.strerror}") from None
    write_tensors(weights, output / WEIGHTS)
    size = model.config
    card = {
        "format": FORMAT,
        "version": VERSION,
        "name": name,
        "licence": "Apache-2.0",
        "kind": "teacher",
        "options": {"width": size.width, "heads": list(size.heads)},
        "frames": config.frames,
        "parameters": parameter_count(model),
        "macs_640x480": round(videofusion_macs(480, 640, config=size).total),
        "weights": {"path": WEIGHTS, **hash_file(output / WEIGHTS)},
        "training": training_record(config, command),
        "scores": last_scores(config),
    }
    (output / CARD).write_text(json.dumps(card, indent=2) + "\n")


def load_teacher(folder: str | Path) -> tuple[VideoFusion, dict[str, Any]]:
    """The packed teacher, in evaluation mode, float32, on the CPU; and its card.

    Raises:
        ModelError: the folder, its card or its weights are missing, damaged or of another kind.
    """
    folder = Path(folder)
    card = _read_card(folder)
    try:
        path, expected = folder / card["weights"]["path"], card["weights"]["sha256"]
        frames, width = int(card["frames"]), int(card["options"]["width"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"model card {folder / CARD}: {type(error).__name__} at {error}; the card is "
            "incomplete or was edited by hand"
        ) from None
    if frames < 2:
        raise ModelError(f"model card {folder / CARD}: frames must be 2 or more, found {frames}")
    if not path.is_file():
        raise ModelError(f"teacher {folder}: {path.name} is missing; pack it again")
    found = hash_file(path)["sha256"]
    if found != expected:
        raise ModelError(
            f"teacher {folder}: {path.name} is damaged: SHA-256 {expected[:12]}... was expected, "
            f"found {found[:12]}...; copy it again"
        )
    model = load_videofusion(path)
    if model.config.width != width:
        raise ModelError(
            f"model card {folder / CARD}: width {width}, but the weights have {model.config.width}"
        )
    return model, card


def _read_card(folder: Path) -> dict[str, Any]:
    path = folder / CARD
    try:
        card = json.loads(path.read_text())
    except OSError as error:
        raise ModelError(
            f"teacher {folder}: cannot read {CARD} ({error.strerror}); give the folder that "
            "python -m quantize.teacher.package wrote"
        ) from None
    except ValueError as error:
        raise ModelError(f"model card {path}: not valid JSON ({error})") from None
    if not isinstance(card, dict) or card.get("format") != FORMAT or card.get("kind") != "teacher":
        raise ModelError(f"model card {path}: format must be {FORMAT!r} and kind 'teacher'")
    if card.get("version") != VERSION:
        raise ModelError(
            f"model card {path}: version must be {VERSION}, found {card.get('version')!r}"
        )
    return card
