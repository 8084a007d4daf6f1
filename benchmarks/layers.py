"""Where the time of the fusion step goes: layer by layer, as OpenVINO measures it.

    python -m benchmarks.layers
    python -m benchmarks.layers --precision fp32 --threads 1 --json OUT.json

Times are means over runs with OpenVINO's profiling switched on, which costs a little itself. The
luma split and join around the network (``edge_sdk.fusion``) are not part of it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.command import exit_code
from edge_sdk.errors import ConfigError, DependencyError
from edge_sdk.fusion import load_model
from edge_sdk.fusion.engines.openvino import compile_onnx, probe
from edge_sdk.fusion.model import Model

__all__ = ["LayerTime", "main", "profile", "summary"]

WARM_UP = 10
IMAGES = ("ir", "visible")
RESTORED = ("restored_ir", "restored_visible")


@dataclass(frozen=True)
class LayerTime:
    """One layer of the compiled graph.

    Attributes:
        name: of the layer.
        kind: of operation, ``"Convolution"`` for instance.
        precision: what it computes in, ``"int8"``, ``"float"`` or ``"other"``.
        ms: mean time of a run.
    """

    name: str
    kind: str
    precision: str
    ms: float


def profile(
    model: Model,
    precision: str = "int8",
    size: tuple[int, int] = (640, 480),
    threads: int | None = 2,
    runs: int = 50,
) -> list[LayerTime]:
    """Mean time of every layer that is run, on noise; ``size`` is (width, height).

    Raises:
        DependencyError: OpenVINO is not installed.
        EngineError: OpenVINO cannot compile the model.
        ModelError: the model has no file of that precision.
    """
    available = probe()
    if not available.available:
        raise DependencyError(f"layers are timed by OpenVINO: {available.reason}")
    width, height = (-(-side // model.multiple_px) * model.multiple_px for side in size)
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(IMAGES, (1, 1, height, width))
    shapes |= {f"state.{state.name}": state.resolve(height, width) for state in model.state}
    request = compile_onnx(
        model.file(precision)[1], shapes, threads, RESTORED, profiling=True
    ).create_infer_request()
    rng = np.random.default_rng(0)
    inputs: dict[str, Any] = {
        name: rng.integers(0, 256, shape).astype(np.uint8)
        if name in IMAGES
        else rng.random(shape, np.float32) / 2
        for name, shape in shapes.items()
    }
    times: dict[tuple[str, str, str], float] = {}
    for run in range(WARM_UP + runs):
        request.infer(inputs, share_inputs=True)
        if run < WARM_UP:
            continue
        for layer in request.profiling_info:
            ms = layer.real_time.total_seconds() * 1e3 / runs
            if ms > 0:
                key = (layer.node_name, layer.node_type, _precision(layer.exec_type))
                times[key] = times.get(key, 0.0) + ms
    layers = [LayerTime(*key, ms) for key, ms in times.items()]
    return sorted(layers, key=lambda layer: -layer.ms)


def _precision(kernel: str) -> str:
    """From the name of OpenVINO's kernel, ``"brgconv_avx512_I8"`` for instance."""
    last = kernel.lower().rsplit("_", 1)[-1]
    return {"i8": "int8", "u8": "int8", "f32": "float"}.get(last, "other")


def summary(layers: Sequence[LayerTime]) -> dict[str, float]:
    """Milliseconds by kind, convolutions by precision, the longest first."""
    kinds: dict[str, float] = {}
    for layer in layers:
        kind = layer.kind
        if kind == "Convolution":
            kind = f"{kind} {layer.precision}"
        kinds[kind] = kinds.get(kind, 0.0) + layer.ms
    return dict(sorted(kinds.items(), key=lambda item: -item[1]))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.layers", description=__doc__)
    parser.add_argument("--model", default="default", help="model name or folder")
    parser.add_argument("--precision", default="int8", choices=("int8", "fp32"))
    parser.add_argument("--size", default="640x480", help="WIDTHxHEIGHT (default: 640x480)")
    parser.add_argument("--threads", type=int, default=2, help="(default: 2)")
    parser.add_argument("--runs", type=int, default=50, help="(default: 50)")
    parser.add_argument("--longest", type=int, default=10, help="layers to print (default: 10)")
    parser.add_argument("--json", type=Path, help="file to write all layers to")
    options = parser.parse_args(arguments)
    return exit_code(lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    for name in ("threads", "runs"):
        if getattr(options, name) < 1:
            raise ConfigError(f"--{name} must be at least 1, found {getattr(options, name)}")
    layers = profile(
        load_model(options.model),
        options.precision,
        _size(options.size),
        options.threads,
        options.runs,
    )
    kinds = summary(layers)
    total = sum(kinds.values())
    _print("kind", kinds, total)
    _print("longest layers", {layer.name: layer.ms for layer in layers[: options.longest]}, total)
    print(f"all layers: {total:.2f} ms")
    if options.json is not None:
        try:
            options.json.write_text(
                json.dumps([layer.__dict__ for layer in layers], indent=2) + "\n"
            )
        except OSError as error:
            raise ConfigError(f"--json {options.json}: {error.strerror}") from None


def _size(text: str) -> tuple[int, int]:
    try:
        width, height = (int(part) for part in text.split("x"))
    except ValueError:
        width = height = 0
    if min(width, height) < 1:
        raise ConfigError(f"--size must be WIDTHxHEIGHT, as 640x480, found {text!r}")
    return width, height


def _print(title: str, values: Mapping[str, float], total: float) -> None:
    table = Table(title, "ms", "share")
    for name, ms in values.items():
        table.add_row(name, f"{ms:.2f}", f"{100 * ms / total:.0f} %")
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
