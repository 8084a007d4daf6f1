"""Golden files: does an implementation compute what another one computed?

A golden file is a safetensors file with ``params.<name>`` (the weights of a VideoFusion of any
width, under the published names), the inputs ``ir`` and ``visible`` (B, T, 3, H, W) in [0, 1], and
the expected outputs ``out.fusion``, ``out.ir`` and ``out.visible`` of the same shape::

    python -m quantize.golden FILE                    # check; exit code 0 match, 1 mismatch
    python -m quantize.golden --make FILE --width 4   # write one, with random weights

Exit code 2 stands for a file that cannot be used. The second line made
``tests/quantize/data/videofusion_golden_4.safetensors``.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from edge_sdk.errors import EdgeSdkError, ModelError
from quantize.videofusion import VideoFusion, VideoFusionConfig, build_videofusion
from quantize.videofusion.checkpoint import read_tensors, write_tensors

__all__ = ["TOLERANCE", "check_golden", "main", "make_golden"]

TOLERANCE = 1e-4
"""Greatest difference that counts as a match; outputs are in [0, 1]."""

PARAMETER_PREFIX = "params."
OUTPUT_PREFIX = "out."
OUTPUTS = ("fusion", "ir", "visible")


def check_golden(path: str | Path) -> dict[str, float]:
    """Run the network of a golden file on its inputs.

    Returns:
        For each output, ``fusion``, ``ir`` and ``visible``, the greatest absolute difference from
        the expected values; NaN if either holds a NaN.

    Raises:
        ModelError: the file cannot be read, lacks a tensor or holds one of the wrong shape.
        ConfigError: the inputs have a shape that the network cannot take.
    """
    tensors = read_tensors(path)
    try:
        return _compare(tensors)
    except EdgeSdkError as error:
        raise type(error)(f"{path}: {error}") from error


def make_golden(
    path: str | Path, width: int, *, seed: int = 0, shape: tuple[int, int, int, int] = (1, 3, 8, 12)
) -> None:
    """Write a golden file with what this implementation computes.

    Every parameter is random, so that each one matters to the outputs, and is stored as float16,
    to keep the file small; the outputs are those of exactly these rounded values.

    Args:
        path: file to write.
        width: channels at full resolution.
        seed: of the random numbers.
        shape: (B, T, H, W) of the inputs.

    Raises:
        ConfigError: ``width`` or ``shape`` cannot be.
        ModelError: the file cannot be written.
    """
    generator = torch.Generator().manual_seed(seed)
    model = VideoFusion(VideoFusionConfig(width)).eval()
    weights = {
        name: _random_parameter(name, value, generator).half()
        for name, value in model.state_dict().items()
    }
    model.load_state_dict(weights)
    batch, frames, height, columns = shape
    grey = torch.rand(batch, frames, 1, height, columns, generator=generator)
    ir = grey.repeat(1, 1, 3, 1, 1)
    visible = torch.rand(batch, frames, 3, height, columns, generator=generator)
    with torch.inference_mode():
        outputs = model(ir, visible)
    tensors = {PARAMETER_PREFIX + name: value for name, value in weights.items()}
    tensors |= {"ir": ir, "visible": visible}
    tensors |= {OUTPUT_PREFIX + name: getattr(outputs, name) for name in OUTPUTS}
    write_tensors(tensors, path)


def _compare(tensors: dict[str, Tensor]) -> dict[str, float]:
    for name in ("ir", "visible", *(OUTPUT_PREFIX + output for output in OUTPUTS)):
        if name not in tensors:
            raise ModelError(f"not a golden file: tensor {name} is missing")
    model = build_videofusion(
        {
            name.removeprefix(PARAMETER_PREFIX): value
            for name, value in tensors.items()
            if name.startswith(PARAMETER_PREFIX)
        }
    )
    with torch.inference_mode():
        found = model(tensors["ir"].float(), tensors["visible"].float())
    return {
        output: _difference(getattr(found, output), tensors[OUTPUT_PREFIX + output], output)
        for output in OUTPUTS
    }


def _random_parameter(name: str, like: Tensor, generator: torch.Generator) -> Tensor:
    """Random values of the size that keeps features near 1 and attention far from uniform."""
    noise = torch.randn(like.shape, generator=generator)
    if name.endswith("temperature"):
        return 1 + 2 * noise.abs()
    if like.ndim == 1:
        # Scale of a layer norm, around 1; everything else with one dimension is a bias.
        return (1 if name.endswith("weight") else 0) + 0.2 * noise
    return noise / math.sqrt(like[0].numel())


def _difference(found: Tensor, expected: Tensor, output: str) -> float:
    if found.shape != expected.shape:
        raise ModelError(
            f"not a golden file: tensor {OUTPUT_PREFIX}{output} must have the shape of the inputs, "
            f"{tuple(found.shape)}, found {tuple(expected.shape)}"
        )
    return float((found - expected.float()).abs().max())


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m quantize.golden",
        description="Check this implementation of VideoFusion against a golden file.",
        epilog="exit code: 0 match, 1 mismatch, 2 the file cannot be used",
    )
    parser.add_argument("file", type=Path, help="golden file (.safetensors)")
    parser.add_argument("--make", action="store_true", help="write the file instead of checking it")
    parser.add_argument("--width", type=int, default=4, help="with --make: base channels (4)")
    parser.add_argument("--seed", type=int, default=0, help="with --make: of the random weights")
    options = parser.parse_args(arguments)
    try:
        if options.make:
            make_golden(options.file, options.width, seed=options.seed)
            print(f"{options.file}: written, width {options.width}, seed {options.seed}")
            return 0
        differences = check_golden(options.file)
    except EdgeSdkError as error:
        print(error, file=sys.stderr)
        return 2
    for output, difference in differences.items():
        print(f"{output:8} greatest difference {difference:.2e}")
    # Written so that a NaN is a mismatch.
    matches = all(difference <= TOLERANCE for difference in differences.values())
    print(f"{'match' if matches else 'MISMATCH'} (tolerance {TOLERANCE:g})")
    return 0 if matches else 1


if __name__ == "__main__":
    sys.exit(main())
