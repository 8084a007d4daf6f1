"""VideoFusion weights: reading published and own files, checking them by name and shape, writing.

Two kinds of file are read: ``.safetensors``, and what ``torch.save`` writes (``.pth``), which is
loaded with ``weights_only=True`` so that nothing in it is executed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from edge_sdk.errors import ConfigError, ModelError
from quantize.videofusion.network import VideoFusion, VideoFusionConfig

__all__ = [
    "build_videofusion",
    "infer_config",
    "load_videofusion",
    "read_tensors",
    "read_weights",
    "save_weights",
    "write_tensors",
]

WEIGHT_KEYS = ("params_ema", "params")
"""Where training frameworks put the weights in a checkpoint; the averaged ones are preferred."""

DATA_PARALLEL_PREFIX = "module."


def load_videofusion(path: str | Path) -> VideoFusion:
    """Build the network that a file holds the weights of; its width is read from the tensors.

    Args:
        path: a ``.safetensors`` file, or a ``.pth`` file with a state dict, bare or under
            ``params_ema`` or ``params``.

    Returns:
        The network in evaluation mode, float32, on the CPU.

    Raises:
        ModelError: the file cannot be read, or a tensor is missing, unexpected or of another shape.
    """
    weights = read_weights(path)
    try:
        return build_videofusion(weights)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error


def build_videofusion(weights: Mapping[str, Tensor]) -> VideoFusion:
    """The network for these weights, in evaluation mode, float32, on the CPU.

    Raises:
        ModelError: a tensor is missing, unexpected, of another shape, not of floating-point type,
            or holds NaN or infinity.
    """
    model = VideoFusion(infer_config(weights))
    _check(model.state_dict(), weights)
    model.load_state_dict(weights)
    return model.eval()


def infer_config(weights: Mapping[str, Tensor]) -> VideoFusionConfig:
    """Width and heads from the shapes of a few tensors.

    Raises:
        ModelError: one of them is missing or has a shape that no VideoFusion has.
    """
    width = _leading_size(weights, "conv3d_ir_1.module.0.weight", dimensions=5)
    heads = tuple(
        _leading_size(weights, f"fusion_{scale}.cross_transformer.attn.temperature", dimensions=3)
        for scale in (1, 2, 3)
    )
    try:
        return VideoFusionConfig(width, (heads[0], heads[1], heads[2]))
    except ConfigError as error:
        raise ModelError(f"the weights are of no VideoFusion: {error}") from error


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """The state dict that a checkpoint holds, on the CPU.

    Raises:
        ModelError: the file is missing, damaged, or holds no state dict.
    """
    path = Path(path)
    if path.suffix == ".safetensors":
        return read_tensors(path)
    content = _read_pickle(path)
    for key in WEIGHT_KEYS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    if not isinstance(content, Mapping) or not content:
        raise ModelError(
            f"{path}: a state dict, bare or under {' or '.join(WEIGHT_KEYS)}, was expected, "
            f"found {_describe(content)}"
        )
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise ModelError(
                f"{path}: a state dict (tensors by name) was expected, bare or under "
                f"{' or '.join(WEIGHT_KEYS)}, found a {type(value).__name__} under {name!r}"
            )
    if all(name.startswith(DATA_PARALLEL_PREFIX) for name in content):
        return {name.removeprefix(DATA_PARALLEL_PREFIX): value for name, value in content.items()}
    return dict(content)


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """Every tensor of a safetensors file, by name, on the CPU.

    Raises:
        ModelError: the file is missing or damaged.
    """
    _require_file(path)
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path}: not a safetensors file, or damaged: {error}") from error


def save_weights(model: VideoFusion, path: str | Path) -> None:
    """Write the weights of ``model`` under their published names, as safetensors.

    Raises:
        ModelError: the file cannot be written.
    """
    write_tensors(model.state_dict(), path)


def write_tensors(tensors: Mapping[str, Tensor], path: str | Path) -> None:
    """Write a safetensors file.

    Raises:
        ModelError: the file cannot be written.
    """
    content = save({name: value.contiguous() for name, value in tensors.items()})
    try:
        Path(path).write_bytes(content)
    except OSError as error:
        raise ModelError(f"{path}: cannot write the file: {error.strerror}") from error


def _read_pickle(path: Path) -> object:
    _require_file(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    # A damaged file comes back as any of a dozen exceptions, and the advice in their texts is to
    # unpickle without the safe mode.
    except Exception as error:
        raise ModelError(
            f"{path}: damaged, or not a checkpoint of tensors alone ({type(error).__name__}); "
            "where it holds other objects too, save its state dict by itself"
        ) from error


def _require_file(path: str | Path) -> None:
    if not Path(path).is_file():
        found = "a folder" if Path(path).is_dir() else "nothing"
        raise ModelError(f"{path}: a file was expected, found {found}")


def _leading_size(weights: Mapping[str, Tensor], name: str, dimensions: int) -> int:
    if name not in weights:
        raise ModelError(f"the weights are of no VideoFusion: tensor {name} is missing")
    shape = tuple(weights[name].shape)
    if len(shape) != dimensions:
        raise ModelError(
            f"the weights are of no VideoFusion: tensor {name} must have {dimensions} dimensions, "
            f"found shape {shape}"
        )
    return shape[0]


def _check(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    """Raise a ModelError that names the first tensor, in the network's order, which is wrong."""
    missing = [name for name in expected if name not in found]
    misshapen = [n for n in expected if n in found and found[n].shape != expected[n].shape]
    unexpected = sorted(name for name in found if name not in expected)
    problems = []
    if missing:
        problems.append(f"{_count(missing)} missing, first {missing[0]}")
    if misshapen:
        name = misshapen[0]
        problems.append(
            f"{_count(misshapen)} of another shape, first {name}: "
            f"expected {tuple(expected[name].shape)}, found {tuple(found[name].shape)}"
        )
    if unexpected:
        problems.append(f"{_count(unexpected)} unexpected, first {unexpected[0]}")
    if problems:
        raise ModelError(f"the weights do not fit VideoFusion: {'; '.join(problems)}")
    for name in expected:
        if not found[name].is_floating_point():
            raise ModelError(f"tensor {name} must be floating point, found {found[name].dtype}")
        if not bool(torch.isfinite(found[name]).all()):
            raise ModelError(f"tensor {name} holds NaN or infinity")


def _count(names: list[str]) -> str:
    return f"{len(names)} tensor{'s' if len(names) > 1 else ''}"


def _describe(value: object) -> str:
    if isinstance(value, Mapping):
        return f"a dict with the keys {', '.join(map(repr, list(value)[:5])) or '(none)'}"
    return f"a {type(value).__name__}"
