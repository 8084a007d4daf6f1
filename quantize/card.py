"""What every model card says of where its weights come from."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path
from typing import Any

import torch

from quantize.config import TrainConfig
from quantize.data import Recordings, Scene

__all__ = ["hash_file", "last_scores", "training_record"]

MACHINE_BOUND = {
    "data",
    "data_sources",
    "validation",
    "cache",
    "output",
    "start_from",
    "distil_from",
}


def hash_file(path: Path) -> dict[str, Any]:
    """SHA-256 and size in bytes."""
    data = path.read_bytes()
    return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def last_scores(config: TrainConfig) -> dict[str, float]:
    """The last validation of the run; empty if there was none."""
    path = config.output / "validation.csv"
    if not path.exists():
        return {}
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    return {name: float(value) for name, value in rows[-1].items()} if rows else {}


def training_record(config: TrainConfig, command: str) -> dict[str, Any]:
    """Command, configuration with the seed, and the data with a SHA-256 for each scene.

    Raises:
        ConfigError: the data folder is not there.
    """
    scenes = Recordings(config.data, config.cache).scenes
    return {
        "command": command,
        "seed": config.seed,
        "config": config.model_dump(mode="json", exclude=MACHINE_BOUND),
        "started_from": hash_file(config.start_from) if config.start_from else None,
        "data": {scene.name: _hash_scene(scene) for scene in scenes},
        "data_sources": config.data_sources,
        "torch": torch.__version__,
    }


def _hash_scene(scene: Scene) -> str:
    digest = hashlib.sha256()
    for path in (*scene.ir, *(scene.visible or ())):
        digest.update(path.read_bytes())
    return digest.hexdigest()
