"""INT8 by explicit quantise-dequantise (Q/DQ) nodes: one grid, two spellings.

The grid: weights symmetric per output channel, ``w = scale_c q``, q in -127..127; activations one
scale a tensor, ``x = scale q`` with ``scale = range / 127``. A convolution that reads a signed
tensor has weights in -63..63: x86 processors without VNNI add two products of an unsigned and a
signed byte in 16 bits, and 2 x 255 x 127 does not fit, silently. TensorRT wants it spelt as signed
int8 with zero point 0. ONNX Runtime and OpenVINO on x86 are fast only with uint8 activations: there
a tensor behind a ReLU has zero point 0, a signed one 128. Both are the same numbers within the
range. Beyond it, where one value in a thousand lies (``PERCENTILE`` in ``quantize.package``),
signed bytes are cut off at once, unsigned ones behind a ReLU at twice the range. Only a sum with
such an outlier in it can leave the 16 bits, and it is cut off there (``vpmaddubsw`` saturates).

A result is quantised behind its activation function, or behind the concatenation that a
convolution reads; biases stay float (TensorRT rejects quantised ones).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edge_sdk.errors import ModelError

__all__ = ["LEVELS", "SAFE_LEVELS", "Grid", "calibrate", "quantise"]

Array = NDArray[np.float32]
Feeds = Iterable[dict[str, NDArray[np.generic]]]
PASS_THROUGH = ("Relu", "Clip")
LEVELS = 127
SAFE_LEVELS = 63


@dataclass(frozen=True)
class Grid:
    """Where a model is quantised: tensor name -> (largest absolute value, is it signed)."""

    tensors: dict[str, tuple[float, bool]]
    convolutions: tuple[str, ...]


@dataclass(frozen=True)
class _Place:
    """A convolution, the tensor that it reads and the one that stands for its result."""

    node: onnx.NodeProto
    source: str
    result: str


def calibrate(
    model: onnx.ModelProto,
    run: Callable[[onnx.ModelProto], Iterator[dict[str, Array]]],
    choose: Callable[[onnx.NodeProto, Array], bool],
    keep_result: Callable[[onnx.NodeProto], bool] = lambda node: False,
    percentile: float = 99.995,
    frames_percentile: float = 100.0,
) -> Grid:
    """Measure the range of every tensor that is to be quantised.

    Args:
        model: fp32 ONNX model.
        run: runs a model that has these tensors as further outputs over the calibration data, and
            yields every frame's outputs.
        choose: says of a convolution and its weights whether it is quantised.
        keep_result: says of a quantised convolution whether its result stays float.
        percentile: of the absolute values of a frame that counts as its range. What lies outside is
            clipped.
        frames_percentile: of the frames' ranges that is taken. The largest (100) grows with every
            frame that is looked at, and one odd frame coarsens the grid of all others.
    """
    places = _places(model, choose)
    kept = {p.result for p in places if keep_result(p.node)} - {p.source for p in places}
    names = sorted(({p.source for p in places} | {p.result for p in places}) - kept)
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    known = {output.name for output in model.graph.output}
    inputs = {value.name for value in model.graph.input}
    for name in names:
        if name not in known and name not in inputs:
            probe.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    ranges: dict[str, list[float]] = {name: [] for name in names}
    signed: dict[str, bool] = dict.fromkeys(names, False)
    for outputs in run(probe):
        for name in names:
            values = np.abs(outputs[name])
            ranges[name].append(float(np.percentile(values, percentile)))
            signed[name] = signed[name] or bool((outputs[name] < 0).any())
    if not all(ranges.values()):
        raise ModelError("calibration: no frames were given")
    tensors = {
        name: (max(float(np.percentile(found, frames_percentile)), 1e-6), signed[name])
        for name, found in ranges.items()
    }
    return Grid(tensors, tuple(p.node.name for p in places))


def quantise(model: onnx.ModelProto, grid: Grid, signed_spelling: bool = False) -> onnx.ModelProto:
    """The model with Q/DQ nodes on ``grid``; uint8 activations unless ``signed_spelling``."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    nodes = list(graph.node)
    del graph.node[:]
    initializers = {tensor.name: tensor for tensor in graph.initializer}
    chosen = set(grid.convolutions)
    signed_sources = {n.name: grid.tensors[n.input[0]][1] for n in nodes if n.name in chosen}
    outputs = {value.name for value in graph.output}
    producers = {name for node in nodes for name in node.output}
    dequantised: dict[str, str] = {}

    def add(name: str, values: NDArray[np.generic]) -> str:
        graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def insert(name: str) -> list[onnx.NodeProto]:
        largest, is_signed = grid.tensors[name]
        kind = np.int8 if signed_spelling else np.uint8
        zero = kind(0 if signed_spelling or not is_signed else 128)
        scale = add(f"{name}.scale", np.float32(largest / LEVELS).reshape(()))
        zero_name = add(f"{name}.zero", np.array(zero))
        dequantised[name] = f"{name}.dequantised"
        return [
            helper.make_node(
                "QuantizeLinear", [name, scale, zero_name], [f"{name}.q"], f"{name}.quantise"
            ),
            helper.make_node(
                "DequantizeLinear",
                [f"{name}.q", scale, zero_name],
                [dequantised[name]],
                f"{name}.dequantise",
            ),
        ]

    for name in grid.tensors:
        if name not in producers:  # an input of the graph
            graph.node.extend(insert(name))
    for node in nodes:
        for index, name in enumerate(node.input):
            if name in dequantised:
                node.input[index] = dequantised[name]
        if node.name in chosen:
            weight = node.input[1]
            levels = SAFE_LEVELS if signed_sources[node.name] else LEVELS
            values, scales = _quantised_weight(numpy_helper.to_array(initializers[weight]), levels)
            if f"{weight}.q" not in {t.name for t in graph.initializer}:
                add(f"{weight}.q", values)
                add(f"{weight}.scale", scales)
                add(f"{weight}.zero", np.zeros(len(scales), np.int8))
            graph.node.append(
                helper.make_node(
                    "DequantizeLinear",
                    [f"{weight}.q", f"{weight}.scale", f"{weight}.zero"],
                    [f"{node.name}.weight"],
                    f"{node.name}.weight.dequantise",
                    axis=0,
                )
            )
            node.input[1] = f"{node.name}.weight"
        graph.node.append(node)
        for name in node.output:
            if name in grid.tensors:
                graph.node.extend(insert(name))
    used = {name for node in graph.node for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    assert outputs == {value.name for value in graph.output}
    onnx.checker.check_model(result)
    return result


def _quantised_weight(weight: Array, count: int) -> tuple[NDArray[np.int8], Array]:
    """(out, in, kh, kw) float32 to int8 in -count..count and one scale for every output channel."""
    largest = np.abs(weight).reshape(len(weight), -1).max(1)
    scales = (np.maximum(largest, 1e-8) / count).astype(np.float32)
    levels = np.rint(weight / scales.reshape(-1, *[1] * (weight.ndim - 1)))
    return np.clip(levels, -count, count).astype(np.int8), scales


def _places(
    model: onnx.ModelProto, choose: Callable[[onnx.NodeProto, Array], bool]
) -> list[_Place]:
    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    places = []
    for node in graph.node:
        if node.op_type != "Conv" or node.input[1] not in weights:
            continue
        if not choose(node, numpy_helper.to_array(weights[node.input[1]])):
            continue
        result = node.output[0]
        while len(readers.get(result, [])) == 1 and readers[result][0].op_type in PASS_THROUGH:
            result = readers[result][0].output[0]
        places.append(_Place(node, node.input[0], result))
    if not places:
        raise ModelError("quantisation: the model has no convolution to quantise")
    return places


def load_onnx(path: Path) -> onnx.ModelProto:
    """Read an ONNX file.

    Raises:
        ModelError: it is missing or no ONNX file.
    """
    try:
        return onnx.load(str(path))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read as ONNX ({error})") from None
    except Exception as error:  # protobuf's own DecodeError is not part of its public API
        raise ModelError(f"{path}: is no ONNX file ({type(error).__name__})") from None
