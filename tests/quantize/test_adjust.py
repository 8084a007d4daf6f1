"""What is set in a trained student afterwards, held against what its maps and averages then do."""

from __future__ import annotations

import pytest
import torch

from edge_sdk.errors import ConfigError
from quantize.config import TrainConfig
from quantize.package import _adjust
from quantize.student.adjust import adjust
from quantize.student.network import MAPS, Student
from tests.quantize.small_student import SMALL


def _student() -> Student:
    torch.manual_seed(7)
    student = Student(SMALL).eval()
    with torch.no_grad():
        student.weights.weight.normal_(0, 0.3)
        student.weights.bias.normal_(0, 0.3)
        student.tone[2].bias.normal_(0, 0.3)
    return student


@torch.no_grad()
def _maps(student: Student) -> torch.Tensor:
    """(10, 8, 8) the maps of any features."""
    features = torch.rand(1, SMALL.head, 8, 8, generator=torch.Generator().manual_seed(1))
    return student.weights(features)[0]


def test_nothing_is_changed_unasked():
    student, same = _student(), _student()
    adjust(same)
    assert all(
        torch.equal(a, b)
        for a, b in zip(student.state_dict().values(), same.state_dict().values(), strict=True)
    )


def test_strength_is_scaled_about_what_cancels_the_overall_strength():
    before, after = _student(), _student()
    adjust(after, sharpness=1.5)
    band = len(MAPS) + SMALL.visible_bands - 1
    overall = float(before.tone[2].bias.detach()[5 + SMALL.visible_bands - 1])
    was, now = _maps(before), _maps(after)
    torch.testing.assert_close(now[band] + overall, 1.5 * (was[band] + overall))
    others = [k for k in range(len(was)) if k != band]
    assert torch.equal(now[others], was[others])


def test_smoothing_is_scaled():
    before, after = _student(), _student()
    adjust(after, smoothing=1.25)
    was, now = _maps(before), _maps(after)
    first = len(MAPS) + SMALL.visible_bands
    torch.testing.assert_close(now[first:], 1.25 * was[first:])
    assert torch.equal(now[:first], was[:first]) and first < len(was)


@torch.no_grad()
def test_gates_open_less():
    """An average whose gate is nearly shut follows a sudden change less."""
    before, after = _student(), _student()
    adjust(after, ir_gate=-20.0, visible_gate=-20.0)
    was, now = _maps(before), _maps(after)
    torch.testing.assert_close(now[:2], was[:2] - 20.0)
    assert torch.equal(now[2:], was[2:])
    dark, bright = torch.full((1, 1, 64, 64), 0.2), torch.full((1, 1, 64, 64), 0.8)
    levels = []
    for student in (before, after):
        state = student.initial_state(1, 64, 64)
        for _ in range(30):
            _, state = student(dark, dark, state)
        _, state = student(bright, bright, state)
        levels.append((float(state.average.mean()), float(state.visible.mean())))
    assert levels[1][0] < levels[0][0] and levels[1][1] < levels[0][1]


@pytest.mark.parametrize(
    ("part", "knobs", "factors"),
    [
        ("calm", {"noisy_gate": 20.0, "noisy_bands": 0.3}, [20.0, 0.3, 0.3]),
        ("clear", {"clear_gate": 2.5}, [2.5]),
    ],
)
@torch.no_grad()
def test_what_a_source_does_as_a_whole_is_scaled(part, knobs, factors):
    before, after = _student(), _student()
    for student in (before, after):
        torch.manual_seed(8)
        last = student.get_submodule(part)[2]
        last.weight.normal_(0, 0.3)
        last.bias.normal_(0, 0.3)
    adjust(after, **knobs)
    was, now = before.get_submodule(part), after.get_submodule(part)
    pooled = torch.rand(1, was[0].in_channels, 1, 1)
    expected = torch.tensor(factors).view(1, -1, 1, 1) * was(pooled)
    torch.testing.assert_close(now(pooled), expected)
    assert torch.equal(_maps(before), _maps(after))


def test_a_number_that_nothing_reads_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"adjust: 'gate' is none of clear_gate, ir_gate"):
        _adjust(_student(), TrainConfig(data=tmp_path, adjust={"gate": -1.0}))
