from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from quantize.student.measures import GREY_WIDTH
from quantize.student.mix import MAX_LAG
from quantize.student.network import (
    GREY_LEVELS,
    IDLE_SHARPENING,
    IDLE_SMOOTHING,
    MAPS,
    MIN_VISIBLE_GAIN,
    SETTLE,
    SPREADS,
    Student,
)
from quantize.student.space import depth_to_space
from tests.quantize.small_student import SMALL, run_torch


@pytest.fixture(scope="module")
def student() -> Student:
    torch.manual_seed(0)
    return Student(SMALL).eval()


def test_causal(student):
    """Frames up to t do not depend on anything after t."""
    torch.manual_seed(2)
    ir, visible = torch.rand(6, 1, 1, 64, 96), torch.rand(6, 1, 1, 64, 96)
    first = run_torch(student, ir, visible)
    ir[4:], visible[4:] = torch.rand(2, 1, 1, 64, 96), torch.rand(2, 1, 1, 64, 96)
    second = run_torch(student, ir, visible)
    assert all(torch.equal(a, b) for a, b in zip(first[:4], second[:4], strict=True))
    assert not torch.equal(first[4], second[4])


def test_first_frame_ignores_what_the_state_holds(student):
    """Age zero means: the running average starts with the frame of now, whatever it held."""
    ir, visible = torch.rand(1, 1, 64, 96), torch.rand(1, 1, 64, 96)
    zero = student.initial_state(1, 64, 96)
    held = ("average", "gain", "above_ir", "above_visible")
    dirty = zero._replace(**{name: torch.rand_like(getattr(zero, name)) for name in held})
    with torch.no_grad():
        clean, _ = student(ir, visible, zero)
        other, _ = student(ir, visible, dirty)
    assert torch.allclose(clean.fused, other.fused, atol=1e-6)


def _set_weights(student: Student, part: str, logit: float) -> None:
    """Let one of the maps that the head predicts be ``logit`` everywhere."""
    with torch.no_grad():
        student.weights.weight[MAPS.index(part)].zero_()
        student.weights.bias[MAPS.index(part)] = logit


def _plain_student(gate: float, mix: float, mix_gate: float, visible_gate: float = 40.0) -> Student:
    """No stripes, no bands, no tone: only the averages and the mix are left."""
    torch.manual_seed(3)
    student = Student(SMALL).eval()
    with torch.no_grad():
        student.weights.weight.zero_()
        student.weights.bias.zero_()
    logits = {"gate": gate, "choice": mix, "mix_gate": mix_gate, "visible_gate": visible_gate}
    for part, logit in logits.items():
        _set_weights(student, part, logit)
    student.stripes.judge[4].bias.data[4:] = -40.0  # accept nothing as a stripe
    return student


def test_what_stands_still_is_averaged_over_all_frames():
    """With the gate shut, the restored infrared is the plain mean of the frames so far."""
    student = _plain_student(gate=-40.0, mix=0.0, mix_gate=0.0)
    torch.manual_seed(4)
    ir = 0.3 + 0.4 * torch.rand(10, 1, 1, 64, 96)
    visible = torch.rand(1, 1, 64, 96)
    state = student.initial_state(1, 64, 96)
    with torch.no_grad():
        for t in range(len(ir)):
            output, state = student(ir[t], visible, state)
            assert torch.allclose(output.ir, ir[: t + 1].mean(0), atol=1e-5)


def _assert_mean_and_band(student: Student, band: int, share: float) -> None:
    """Shown: the mean of the frames so far and a share of its band. Kept: that mean."""
    weights = student.ir_bank.weights.detach()[band][None]
    torch.manual_seed(9)
    ir, visible = 0.3 + 0.4 * torch.rand(6, 1, 1, 64, 96), torch.rand(1, 1, 64, 96)
    state = student.initial_state(1, 64, 96)
    inner = (..., slice(8, -8), slice(8, -8))
    with torch.no_grad():
        for t in range(len(ir)):
            output, state = student(ir[t], visible, state)
            mean = ir[: t + 1].mean(0)
            assert torch.allclose(depth_to_space(state.average), mean, atol=1e-5)
            expected = mean + share * F.conv2d(mean, weights, padding=4)
            assert torch.allclose(output.ir[inner], expected[inner], atol=1e-5)


def test_what_is_shown_is_smoothed_and_what_is_kept_is_not():
    """No smoothing adds up from frame to frame."""
    student = _plain_student(gate=-40.0, mix=0.0, mix_gate=0.0)
    with torch.no_grad():
        student.weights.bias[-1] = 0.6
    _assert_mean_and_band(student, band=-1, share=0.6 - IDLE_SMOOTHING)


def test_what_is_noisy_as_a_whole_shuts_the_gate_and_smooths():
    student = _plain_student(gate=40.0, mix=0.0, mix_gate=0.0)
    last = student.calm[2]
    assert (last.weight == 0).all() and (last.bias == 0).all()  # nothing at first
    with torch.no_grad():
        last.bias.copy_(torch.tensor([-80.0, 0.5, 0.0]))
    _assert_mean_and_band(student, band=0, share=0.5 - IDLE_SMOOTHING)


@pytest.mark.parametrize("sign", [-1, 1])
def test_weak_strengths_change_nothing(sign):
    """Neither source, however the trunk is in two minds about them."""
    student = _plain_student(gate=40.0, mix=0.0, mix_gate=0.0)
    bands = student.config.visible_bands
    with torch.no_grad():
        student.weights.bias[len(MAPS) : len(MAPS) + bands] = sign * 0.99 * IDLE_SHARPENING
        student.weights.bias[len(MAPS) + bands :] = sign * 0.99 * IDLE_SMOOTHING
    torch.manual_seed(9)
    ir, visible = torch.rand(2, 1, 1, 64, 96)
    with torch.no_grad():
        output, _ = student(ir, visible, student.initial_state(1, 64, 96))
    assert torch.allclose(output.ir, ir, atol=1e-6)
    assert torch.allclose(output.visible, visible, atol=1e-6)


def test_the_visible_is_averaged_too_down_to_a_floor():
    """The mean of the frames so far, then a gain that stays at the floor."""
    student = _plain_student(gate=0.0, mix=0.0, mix_gate=0.0, visible_gate=-40.0)
    torch.manual_seed(7)
    visible, ir = 0.3 + 0.4 * torch.rand(14, 1, 1, 64, 96), torch.rand(1, 1, 64, 96)
    state = student.initial_state(1, 64, 96)
    expected = visible[0]
    with torch.no_grad():
        for t in range(len(visible)):
            output, state = student(ir, visible[t], state)
            gain = max(1 / (t + 1), MIN_VISIBLE_GAIN)
            expected = expected + gain * (visible[t] - expected)
            assert torch.allclose(output.visible, expected, atol=1e-5)


def test_what_is_clear_as_a_whole_opens_the_gate_of_the_visible():
    student = _plain_student(gate=0.0, mix=0.0, mix_gate=0.0, visible_gate=-40.0)
    last = student.clear[2]
    assert (last.weight == 0).all() and (last.bias == 0).all()  # nothing at first
    with torch.no_grad():
        last.bias.fill_(80.0)
    torch.manual_seed(7)
    visible, ir = torch.rand(4, 1, 1, 64, 96), torch.rand(1, 1, 64, 96)
    state = student.initial_state(1, 64, 96)
    with torch.no_grad():
        for frame in visible:
            output, state = student(ir, frame, state)
            assert torch.allclose(output.visible, frame, atol=1e-5)


def test_an_open_gate_follows_at_once():
    student = _plain_student(gate=40.0, mix=0.0, mix_gate=0.0)
    torch.manual_seed(5)
    ir, visible = 0.3 + 0.4 * torch.rand(4, 1, 1, 64, 96), torch.rand(1, 1, 64, 96)
    state = student.initial_state(1, 64, 96)
    with torch.no_grad():
        for frame in ir:
            output, state = student(frame, visible, state)
            assert torch.allclose(output.ir, frame, atol=1e-5)


def test_a_mix_that_stands_still_moves_as_its_sources_do():
    """The change of the fused picture lies between the changes of both sources, pixel by pixel."""
    student = _plain_student(gate=40.0, mix=0.7, mix_gate=-40.0)
    torch.manual_seed(6)
    ir, visible = (0.2 + 0.6 * torch.rand(5, 1, 1, 64, 96) for _ in range(2))
    fused = torch.stack(run_torch(student, ir, visible))
    change, of_ir, of_visible = (x[1:] - x[:-1] for x in (fused, ir, visible))
    assert (change >= torch.minimum(of_ir, of_visible) - 1e-5).all()
    assert (change <= torch.maximum(of_ir, of_visible) + 1e-5).all()


def test_a_new_mix_is_settled_slowly_where_nothing_moves():
    """From one source to the other: what is far at once, the rest by the same part every frame."""
    student = _plain_student(gate=40.0, mix=-40.0, mix_gate=40.0)
    torch.manual_seed(6)
    visible = 0.2 + 0.6 * torch.rand(1, 1, 64, 96)
    step = 0.1 * torch.rand(1, 1, 64, 96) - 0.05
    ir = visible + step
    state = student.initial_state(1, 64, 96)
    with torch.no_grad():
        output, state = student(ir, visible, state)
        assert torch.allclose(output.fused, visible, atol=1e-5)
        _set_weights(student, "choice", 40.0)
        for count in range(1, 60):
            output, state = student(ir, visible, state)
            if count == 1:
                lag = ((1 - SETTLE) * -step).clamp(-MAX_LAG, MAX_LAG)
            assert torch.allclose(output.fused, ir + lag, atol=1e-4)
            lag = (1 - SETTLE) * lag
    assert (step.abs() > MAX_LAG).any() and (step.abs() < MAX_LAG).any()


def test_what_arrives_is_seen_at_once():
    """A mix that changes together with its sources waits for nothing: a warm body walks in."""
    student = _plain_student(gate=40.0, mix=-40.0, mix_gate=40.0)
    ir, visible = torch.full((1, 1, 64, 96), 0.3), torch.full((1, 1, 64, 96), 0.5)
    state = student.initial_state(1, 64, 96)
    with torch.no_grad():
        _, state = student(ir, visible, state)
        _set_weights(student, "choice", 40.0)
        output, state = student(ir + 0.5, visible - 0.1, state)
        assert torch.allclose(output.fused, ir + 0.5, atol=1e-5)
        _set_weights(student, "choice", -40.0)
        output, _ = student(ir, visible, state)
        assert torch.allclose(output.fused, visible, atol=1e-5)


def test_the_mix_learns_where_nothing_moves():
    student = _plain_student(gate=40.0, mix=0.5, mix_gate=40.0).train()
    torch.manual_seed(6)
    ir, visible = torch.rand(2, 1, 1, 64, 96)
    state = student.initial_state(1, 64, 96)
    for _ in range(2):
        output, state = student(ir, visible, state.detach())
    output.fused.sum().backward()
    choice = student.weights.bias.grad[MAPS.index("choice")]
    share = torch.sigmoid(torch.tensor(0.5))
    assert choice == pytest.approx(float((share * (1 - share) * (ir - visible)).sum()), rel=1e-3)


def test_the_tone_is_told_how_grey_levels_are_distributed():
    student = _plain_student(gate=40.0, mix=0.0, mix_gate=0.0)
    ir, visible = torch.full((1, 1, 64, 96), 0.1), torch.full((1, 1, 64, 96), 0.3)
    ir[..., :32] = 0.7  # a third of the picture
    visible[..., :16, :] = 0.9  # a quarter
    told: list[torch.Tensor] = []
    student.tone[0].register_forward_pre_hook(lambda _m, args: told.append(args[0].flatten()))
    with torch.no_grad():
        student(ir, visible, student.initial_state(1, 64, 96))
    levels = np.array(GREY_LEVELS)
    far = [np.abs(levels - value) > GREY_WIDTH / 2 for value in (0.1, 0.7, 0.3, 0.9)]
    told_of = told[0][-2 * len(levels) - SPREADS : -SPREADS]
    shares = told_of.numpy().reshape(2, -1)
    for found, (low, high, share), clear in (
        (shares[0], (0.1, 0.7, 1 / 3), far[0] & far[1]),
        (shares[1], (0.3, 0.9, 1 / 4), far[2] & far[3]),
    ):
        expected = np.where(levels < low, 1.0, np.where(levels < high, share, 0.0))
        np.testing.assert_allclose(found[clear], expected[clear], atol=1e-6)
    level, spread, level_before, spread_before = told[0][-SPREADS:].tolist()
    larger = np.maximum(ir.numpy(), visible.numpy())
    assert level == pytest.approx(larger.mean(), abs=1e-5)
    assert spread == pytest.approx(np.log(larger.std()) + 3, abs=1e-3)
    # Nothing is mixed at first.
    assert level_before == pytest.approx(float(visible.mean()), abs=1e-5)
    assert spread_before == pytest.approx(np.log(visible.numpy().std()) + 3, abs=1e-3)


def test_the_tone_learns_from_the_restoration_alone():
    torch.manual_seed(8)
    student = Student(SMALL).train()
    ir, visible = torch.rand(2, 1, 1, 64, 96)
    output, _ = student(ir, visible, student.initial_state(1, 64, 96))
    curve = student.tone[2].bias  # five of the tone, how soft the visible is, two of the fused
    (by_fused,) = torch.autograd.grad(output.fused.square().sum(), curve, retain_graph=True)
    by_sources = output.ir.square().sum() + output.visible.square().sum()
    (by_restored,) = torch.autograd.grad(by_sources, curve)
    assert (by_fused[:5] == 0).all() and (by_fused[5:] != 0).all()
    assert (by_restored[:-2] != 0).all() and (by_restored[-2:] == 0).all()
