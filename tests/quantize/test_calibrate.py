"""Ranges of tensors, on a model whose every tensor is known: y = 2 x."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_sdk.errors import ModelError
from quantize.int8 import calibrate


@pytest.fixture(scope="module")
def doubling() -> onnx.ModelProto:
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 10, 100])
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 10, 100])
    weight = numpy_helper.from_array(np.full((1, 1, 1, 1), 2.0, np.float32), "w")
    node = helper.make_node("Conv", ["x", "w"], ["y"], "double")
    return helper.make_model(helper.make_graph([node], "doubling", [image], [result], [weight]))


def _frames(largest: list[float]) -> Iterator[dict[str, np.ndarray]]:
    """One frame for each value: an even ramp from 0 up to it."""
    for value in largest:
        x = np.linspace(0.0, value, 1000, dtype=np.float32).reshape(1, 1, 10, 100)
        yield {"x": x, "y": 2 * x}


def _range(model: onnx.ModelProto, largest: list[float], *percentiles: float) -> float:
    grid = calibrate(
        model, lambda probe: _frames(largest), lambda *_: True, lambda _: False, *percentiles
    )
    assert grid.tensors["y"][0] == pytest.approx(2 * grid.tensors["x"][0], rel=1e-5)
    assert not grid.tensors["x"][1]
    return grid.tensors["x"][0]


def test_the_range_is_a_percentile_of_pixels_and_one_of_frames(doubling):
    frames = [1.0] * 19 + [50.0]
    assert _range(doubling, frames, 100.0, 100.0) == pytest.approx(50.0)
    assert _range(doubling, frames, 100.0, 90.0) == pytest.approx(1.0)
    assert _range(doubling, frames, 80.0, 90.0) == pytest.approx(0.8, abs=1e-3)
    evenly = [float(k) for k in range(11)]
    assert _range(doubling, evenly, 100.0, 90.0) == pytest.approx(9.0)


def test_more_of_the_same_frames_do_not_widen_the_range(doubling):
    rng = np.random.default_rng(0)
    few, many = (rng.exponential(1.0, count).tolist() for count in (200, 4000))
    ratio = [_range(doubling, many, 100.0, p) / _range(doubling, few, 100.0, p) for p in (90, 100)]
    assert abs(ratio[0] - 1) < 0.15 < ratio[1] - 1


def test_without_frames_there_is_no_range(doubling):
    with pytest.raises(ModelError, match="no frames"):
        _range(doubling, [])
