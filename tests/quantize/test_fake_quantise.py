from __future__ import annotations

import numpy as np
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from torch import nn

from quantize.int8 import calibrate, quantise
from quantize.student.fake_quantise import attach
from quantize.student.network import Student
from tests.quantize.small_student import SMALL


def _packed(conv: nn.Conv2d, features: np.ndarray) -> np.ndarray:
    """The same convolution as ``quantize.int8`` packs it, computed by ONNX's own reference."""
    weight, bias = (x.detach().numpy() for x in (conv.weight, conv.bias))
    node = helper.make_node("Conv", ["x", "w", "b"], ["y"], "conv", pads=[1, 1, 1, 1])
    graph = helper.make_graph(
        [node],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, features.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 16, 12, 16))],
        [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(bias, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)])

    def run(probe):
        session = ReferenceEvaluator(probe)
        names = [output.name for output in probe.graph.output]
        yield dict(zip(names, session.run(None, {"x": features}), strict=True)) | {"x": features}

    grid = calibrate(model, run, lambda node, weight: True, lambda node: True, percentile=100.0)
    return ReferenceEvaluator(quantise(model, grid)).run(None, {"x": features})[0]


def test_training_rounds_as_the_packed_model_does():
    torch.manual_seed(0)
    for low in (0.0, -1.0):
        conv = nn.Conv2d(8, 16, 3, padding=1)
        features = torch.empty(1, 8, 12, 16).uniform_(low, 2.0)
        exact = conv(features).detach()
        expected = torch.from_numpy(_packed(conv, features.numpy()))
        assert attach(nn.ModuleDict({"one": conv})) == 1
        found = conv(features).detach()
        assert torch.allclose(found, expected, atol=1e-4)
        assert (found - exact).abs().max() > 1e-3
        conv.eval()
        assert torch.equal(conv(features).detach(), exact)


def test_what_is_packed_in_float_is_not_rounded_and_gradients_pass():
    torch.manual_seed(1)
    student = Student(SMALL)
    names = list(student.state_dict())
    count = attach(student)
    rounded = [
        m for m in student.modules() if type(m.__dict__.get("forward")).__name__ == "_Rounded"
    ]
    assert len(rounded) == count and student.weights not in rounded
    assert list(student.state_dict()) == names
    ir, visible = torch.rand(2, 1, 1, 64, 64)
    output, _ = student(ir, visible, student.initial_state(1, 64, 64))
    output.fused.mean().backward()
    assert student.stem[0].weight.grad.abs().sum() > 0
