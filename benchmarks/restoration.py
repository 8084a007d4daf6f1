"""How well both sources are restored: PSNR and SSIM of their lumas against the clean ones.

    python -m benchmarks.restoration --data D
    python -m benchmarks.restoration --data D --model FOLDER --json OUT.json

The degraded input itself and the classical restoration of ``benchmarks.baselines`` stand beside
the network of :mod:`edge_sdk.fusion`. PSNR is that of OpenCV (peak 255), SSIM that of the quality
table.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.baselines import ClassicalRestoration
from benchmarks.command import exit_code
from benchmarks.dataset import load_scenes
from benchmarks.metrics import ssim
from benchmarks.metrics.grey import grey
from benchmarks.sequences import Scene
from edge_sdk.errors import ConfigError
from edge_sdk.fusion import Fuser

__all__ = ["Restorer", "main", "restoration_scores"]

Picture = NDArray[np.uint8]
PERIOD_NS = 33_333_333
FIGURES = ("PSNR_ir", "SSIM_ir", "PSNR_vis", "SSIM_vis")


class Restorer(Protocol):
    """Restores both sources of a stream, frame by frame."""

    def reset(self) -> None:
        """Forget all earlier frames."""
        ...

    def restore(self, ir: Picture, visible: Picture) -> tuple[Picture, Picture]:
        """(H, W) and (H, W, 3) BGR, uint8, to the restored infrared and visible luma, (H, W)."""
        ...


class Untouched:
    """The input as it is."""

    def reset(self) -> None:
        """Nothing to forget."""

    def restore(self, ir: Picture, visible: Picture) -> tuple[Picture, Picture]:
        return ir, grey(visible)


class Classical:
    """What the classical baseline fuses."""

    def __init__(self) -> None:
        self._filters = ClassicalRestoration()

    def reset(self) -> None:
        self._filters.reset()

    def restore(self, ir: Picture, visible: Picture) -> tuple[Picture, Picture]:
        return self._filters.restore(ir, visible)


class Network:
    """The student, at 30 frames a second."""

    def __init__(self, model: str, precision: str) -> None:
        self._fuser = Fuser(model, precision=precision, restored=True)
        self._index = 0

    def reset(self) -> None:
        self._fuser.reset("start")
        self._index = 0

    def restore(self, ir: Picture, visible: Picture) -> tuple[Picture, Picture]:
        self._index += 1
        output = self._fuser.step(ir, visible, self._index * PERIOD_NS)
        assert output.restored_ir is not None and output.restored_visible is not None
        return output.restored_ir, output.restored_visible


def restoration_scores(scene: Scene, restorer: Restorer) -> list[dict[str, float]]:
    """Figures of every frame of one scene; PSNR in dB, infinite for an equal picture."""
    restorer.reset()
    scores = []
    for frame in scene.frames():
        found = restorer.restore(grey(frame["ir_input"]), frame["visible_input"])
        clean = grey(frame["ir"]), grey(frame["visible"])
        values: list[float] = []
        for picture, source in zip(found, clean, strict=True):
            values += [_psnr(picture, source), ssim(source, picture)]
        scores.append(dict(zip(FIGURES, values, strict=True)))
    return scores


def _psnr(picture: Picture, source: Picture) -> float:
    return float("inf") if np.array_equal(picture, source) else float(cv2.PSNR(picture, source))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.restoration", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="as for benchmarks.quality")
    parser.add_argument("--model", default="default", help="model name or folder")
    parser.add_argument("--precision", default="int8", choices=("int8", "fp32"))
    parser.add_argument("--json", type=Path, help="file to write the table to")
    options = parser.parse_args(arguments)
    return exit_code(lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    scenes = load_scenes(options.data, "degraded")
    if not scenes:
        raise ConfigError(f"'{options.data}' has no degraded scenes")
    restorers: dict[str, Restorer] = {
        "degraded input": Untouched(),
        "classical restoration": Classical(),
        f"edge-sdk {options.precision}": Network(options.model, options.precision),
    }
    console = Console(stderr=True)
    table: dict[str, dict[str, float]] = {}
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("restoration", total=len(scenes) * len(restorers))
        for name, restorer in restorers.items():
            frames: list[dict[str, float]] = []
            for scene in scenes:
                frames += restoration_scores(scene, restorer)
                progress.advance(task)
            table[name] = {key: float(np.mean([f[key] for f in frames])) for key in FIGURES}
    printed = Table("method", *FIGURES)
    for name, figures in table.items():
        printed.add_row(name, *(f"{figures[key]:.3f}" for key in FIGURES))
    Console().print(printed)
    if options.json is not None:
        try:
            options.json.write_text(json.dumps(table, indent=2) + "\n")
        except OSError as error:
            raise ConfigError(f"--json {options.json}: {error.strerror}") from None


if __name__ == "__main__":
    sys.exit(main())
