"""The ONNX files: as the network at every size, and both spellings of INT8 on one grid."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch

from quantize.int8 import calibrate, load_onnx, quantise
from quantize.student.export import export_onnx, state_shapes
from quantize.student.network import Student
from tests.quantize.small_student import SMALL, run_torch


@pytest.fixture(scope="module")
def student() -> Student:
    torch.manual_seed(0)
    return Student(SMALL).eval()


def _feeds(student: Student, height: int, width: int, frames: int):
    rng = np.random.default_rng(0)
    base = rng.integers(0, 256, (2, 1, 1, height, width))
    for _ in range(frames):
        noisy = np.clip(base + rng.integers(-9, 10, base.shape), 0, 255).astype(np.uint8)
        yield {"ir": noisy[0], "visible": noisy[1]}


def _run_onnx(model, student, height, width, frames, optimised=True):
    """``optimised=False`` computes all Q/DQ pairs in float: what the file means on any machine."""
    options = onnxruntime.SessionOptions()
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    names = [output.name for output in session.get_outputs()]
    zero = student.initial_state(1, height, width)
    state = {f"state.{n}": t.numpy() for n, t in zip(state_shapes(student), zero, strict=True)}
    for feeds in _feeds(student, height, width, frames):
        outputs = dict(zip(names, session.run(names, feeds | state), strict=True))
        state = {f"state.{n}": outputs[f"next.{n}"] for n in state_shapes(student)}
        yield {**feeds, **outputs}


@pytest.fixture(scope="module")
def exported(student, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "student.onnx"
    export_onnx(student, path)
    return load_onnx(path)


@pytest.mark.parametrize("size", [(128, 160), (64, 96), (96, 32)])
def test_one_onnx_file_serves_every_size_and_equals_torch(student, exported, size):
    outputs = list(_run_onnx(exported, student, *size, frames=5))
    ir, visible = (
        torch.from_numpy(np.stack([o[name] for o in outputs])) / 255.0 for name in ("ir", "visible")
    )
    expected = run_torch(student, ir, visible)
    for output, fused in zip(outputs, expected, strict=True):
        levels = torch.round(fused * 255).numpy()
        assert np.abs(output["fused"].astype(np.float32) - levels).max() <= 1


def _quantised(student, exported, signed):
    def run(probe):
        return _run_onnx(probe, student, 64, 96, 6)

    grid = calibrate(exported, run, lambda node, weight: weight.size >= 2000)
    assert grid.convolutions
    return quantise(exported, grid, signed_spelling=signed)


def test_both_int8_spellings_are_one_grid(student, exported):
    """Signed and unsigned Q/DQ give the same pictures, and both stay near fp32.

    The unsigned one also as ONNX Runtime really computes it: on a processor without VNNI sums of
    two products may saturate. (The signed one is for TensorRT; ONNX Runtime shifts it to unsigned
    and does saturate there.)
    """
    reference = [o["fused"] for o in _run_onnx(exported, student, 64, 96, 6)]
    results = {
        (signed, optimised): [
            outputs["fused"]
            for outputs in _run_onnx(
                _quantised(student, exported, signed), student, 64, 96, 6, optimised
            )
        ]
        for signed, optimised in ((False, False), (False, True), (True, False))
    }

    def psnr(a, b):
        error = np.mean([(x.astype(float) - y) ** 2 for x, y in zip(a, b, strict=True)])
        return 10 * np.log10(255**2 / max(error, 1e-9))

    meant = results[False, False]
    assert psnr(meant, results[True, False]) > 55
    assert psnr(meant, results[False, True]) > 55
    assert psnr(meant, reference) > 38


def test_int8_file_has_no_quantised_bias_and_one_pair_a_tensor(student, exported):
    model = _quantised(student, exported, signed=False)
    quantised = [node.input[0] for node in model.graph.node if node.op_type == "QuantizeLinear"]
    assert len(quantised) == len(set(quantised))
    biases = {n.input[2] for n in model.graph.node if n.op_type == "Conv" and len(n.input) > 2}
    kinds = {t.name: t.data_type for t in model.graph.initializer}
    assert biases and all(kinds[name] == 1 for name in biases)  # 1 is FLOAT
