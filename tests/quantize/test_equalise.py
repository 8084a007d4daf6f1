"""Equal ranges leave the student what it is, and what the stem reads within one grid."""

from __future__ import annotations

import onnx
import pytest
import torch
from onnx import numpy_helper

from edge_sdk.fusion.model import load_model
from quantize.student.equalise import equalise
from quantize.student.network import Student
from tests.quantize.small_student import SMALL


@pytest.fixture
def student() -> Student:
    torch.manual_seed(3)
    student = Student(SMALL).eval()
    with torch.no_grad():
        student.stem[0].weight[3] *= 60  # a loud channel, as training leaves some
        student.weights.weight.normal_(std=0.3)
    return student


def _clip() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(3, 1, 1, 64, 96, generator=generator), torch.rand(
        3, 1, 1, 64, 96, generator=generator
    )


@torch.no_grad()
def _run(student: Student, clip: tuple[torch.Tensor, torch.Tensor]) -> list[torch.Tensor]:
    state = student.initial_state(1, 64, 96)
    pictures = []
    for ir, visible in zip(*clip, strict=True):
        output, state = student(ir, visible, state)
        pictures.append(output.fused)
    return pictures


def test_the_pictures_stay_the_same_and_the_loudest_channel_is_quieter(student: Student) -> None:
    clip = _clip()
    ranges: list[torch.Tensor] = []
    student.head[0].register_forward_pre_hook(
        lambda _m, args: ranges.append(args[0].amax((0, 2, 3)))
    )
    before = _run(student, clip)
    was = torch.stack(ranges).amax(0)
    equalise(student, [clip])
    ranges.clear()
    after = _run(student, clip)
    now = torch.stack(ranges).amax(0)
    assert now.max() / now.median() < 0.5 * was.max() / was.median()
    for old, new in zip(before, after, strict=True):
        torch.testing.assert_close(new, old, atol=1e-3, rtol=0)


def test_a_silent_channel_is_left_alone(student: Student) -> None:
    with torch.no_grad():
        for conv in (student.stem[0], student.up1):
            conv.weight[2] = 0
            conv.bias[2] = -1
    clip = _clip()
    before = _run(student, clip)
    equalise(student, [clip])
    assert torch.isfinite(student.head[0].weight).all()
    assert student.stem[0].bias[2] == -1
    for old, new in zip(before, _run(student, clip), strict=True):
        torch.testing.assert_close(new, old, atol=1e-3, rtol=0)


@torch.no_grad()
def test_evidence_ends_at_one_as_the_sources_do(student: Student) -> None:
    student.evidence.weight *= 30
    found: list[float] = []
    student.stem[0].register_forward_pre_hook(
        lambda _m, args: found.append(float(args[0][:, 32:].max()))
    )
    _run(student, _clip())
    assert max(found) == 1


def test_the_shipped_stem_reads_the_sources_finer_than_three_levels() -> None:
    """With the loudest evidence on the same grid, a step was tens of the sources' 255 levels."""
    graph = onnx.load(load_model().folder / "int8.onnx").graph
    constants = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    weight = next(n.output[0] for n in graph.node if n.input[0] == "student.stem.0.weight.q")
    (conv,) = (n for n in graph.node if n.op_type == "Conv" and n.input[1] == weight)
    scale = constants[conv.input[0].removesuffix(".dequantised") + ".scale"]
    assert scale.item() * 255 < 3
