from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch
import torch.nn.functional as F

from quantize.int8 import calibrate, load_onnx, quantise
from quantize.student.export import export_onnx, state_shapes
from quantize.student.network import (
    GREY_LEVELS,
    GREY_WIDTH,
    IDLE_SHARPENING,
    IDLE_SMOOTHING,
    MAPS,
    MAX_LAG,
    MIN_VISIBLE_GAIN,
    SETTLE,
    SPREADS,
    Student,
    StudentConfig,
    mix_blocks,
    move_between,
    sharpening_bands,
)
from quantize.student.space import (
    FilterBank,
    SmoothBlocks,
    depth_to_space,
    gaussian_filter,
    space_to_depth,
    wiener_filter,
)

SMALL = StudentConfig(stem=16, head=16, middle=16, low=16, hidden=16)


@pytest.fixture(scope="module")
def student() -> Student:
    torch.manual_seed(0)
    return Student(SMALL).eval()


def test_layout_is_that_of_pixel_unshuffle():
    image = torch.rand(2, 1, 24, 32)
    assert torch.equal(space_to_depth(image), F.pixel_unshuffle(image, 4))
    assert torch.equal(depth_to_space(space_to_depth(image)), image)


def test_filter_bank_is_a_full_resolution_convolution():
    torch.manual_seed(1)
    filters = torch.randn(3, 2, 9, 9)
    images = torch.rand(1, 2, 48, 64)
    framed = F.pad(images, (4, 4, 4, 4), mode="replicate")
    blocks = torch.cat([space_to_depth(framed[:, k : k + 1]) for k in range(2)], 1)
    result = depth_to_space(torch.cat(FilterBank(filters)(blocks), 1))
    assert torch.allclose(result, F.conv2d(framed, filters), atol=1e-4)


def test_a_ramp_is_sharpened_no_more_at_its_border():
    """Repeated pixels go on at the border; repeated blocks would make a step of it."""
    image = torch.linspace(0.2, 0.8, 64).expand(1, 1, 64, 64).contiguous()
    pixels = space_to_depth(F.pad(image, (4, 4, 4, 4), mode="replicate"))
    blocks = F.pad(space_to_depth(image), (1, 1, 1, 1), mode="replicate")
    bank = FilterBank(sharpening_bands(1))
    (ours,), (repeated,) = bank(pixels), bank(blocks)
    assert ours.abs().max() < 0.03 < 0.1 < repeated.abs().max()


def test_gaussian_filter():
    kernel = gaussian_filter(1.3)
    assert kernel.sum() == pytest.approx(1.0, abs=1e-6)
    assert kernel[4, 5] / kernel[4, 4] == pytest.approx(np.exp(-0.5 / 1.3**2), rel=1e-4)
    assert gaussian_filter(0)[4, 4] == 1


def _run_torch(student: Student, ir: torch.Tensor, visible: torch.Tensor) -> list[torch.Tensor]:
    state = student.initial_state(1, *ir.shape[-2:])
    fused = []
    with torch.no_grad():
        for a, b in zip(ir, visible, strict=True):
            output, state = student(a, b, state)
            fused.append(output.fused)
    return fused


def test_causal(student):
    """Frames up to t do not depend on anything after t."""
    torch.manual_seed(2)
    ir, visible = torch.rand(6, 1, 1, 64, 96), torch.rand(6, 1, 1, 64, 96)
    first = _run_torch(student, ir, visible)
    ir[4:], visible[4:] = torch.rand(2, 1, 1, 64, 96), torch.rand(2, 1, 1, 64, 96)
    second = _run_torch(student, ir, visible)
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
    fused = torch.stack(_run_torch(student, ir, visible))
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


@pytest.mark.parametrize("settle", [0.0, 0.3, 1.0])
def test_move_between(settle):
    """Pixel by pixel with numpy's clip; held fully, the variational loss is at its least."""
    torch.manual_seed(7)
    last, ir, visible, moved_ir, moved_visible, wanted = torch.rand(6, 1, 1, 40, 50)
    of_ir, of_visible = moved_ir - ir, moved_visible - visible
    settled = torch.full((1, 1, 1, 1), settle)
    found = move_between(wanted, last + of_ir, last + of_visible, settled)
    bounds = np.sort(np.stack([of_ir.numpy(), of_visible.numpy()]), 0)
    held = last.numpy() + np.clip((wanted - last).numpy(), *bounds)
    lag = np.clip((1 - settle) * (held - wanted.numpy()), -MAX_LAG, MAX_LAG)
    np.testing.assert_allclose(found.numpy(), wanted.numpy() + lag, atol=1e-6)


def test_what_is_near_moves_between_its_sources():
    """The variational loss is at its least, for whatever is wanted within ``MAX_LAG`` of it."""
    torch.manual_seed(7)
    last, ir, visible, moved_ir, moved_visible = 0.2 + 0.6 * torch.rand(5, 1, 1, 40, 50)
    of_ir, of_visible = moved_ir - ir, moved_visible - visible
    as_ir, as_visible = last + of_ir, last + of_visible
    wanted = torch.lerp(as_ir, as_visible, torch.rand(1, 1, 40, 50))
    wanted = wanted + MAX_LAG * (2 * torch.rand(1, 1, 40, 50) - 1)
    found = move_between(wanted, as_ir, as_visible, torch.zeros(1, 1, 1, 1))
    variation = ((found - last - of_ir).abs() + (found - last - of_visible).abs()).mean() / 2
    least = (of_ir - of_visible).abs().mean() / 2
    assert float(variation) == pytest.approx(float(least), rel=1e-5)


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


def test_values_of_blocks_are_interpolated_bilinearly():
    means = torch.rand(2, 1, 5, 7)
    expected = F.interpolate(means, scale_factor=4, mode="bilinear", align_corners=False)
    assert torch.allclose(depth_to_space(SmoothBlocks()(means)), expected, atol=1e-6)


def test_mix_of_blocks_is_a_pyramid_fusion():
    """Against the same on whole pictures: area means, bilinear interpolation, detail apart."""
    torch.manual_seed(8)
    ir, visible, share, on_ir, on_visible = (torch.rand(1, 1, 32, 48) for _ in range(5))
    low = [F.avg_pool2d(x, 4) for x in (ir, visible, share, on_ir, on_visible)]
    mix = torch.cat(low[2:], 1)
    contrast, brightness = torch.tensor(0.3).view(1, 1, 1, 1), torch.tensor(-0.1).view(1, 1, 1, 1)
    blocks = space_to_depth(ir), space_to_depth(visible)
    found = mix_blocks(*blocks, mix, SmoothBlocks(), contrast, brightness)

    def grow(x):
        return F.interpolate(x, scale_factor=4, mode="bilinear", align_corners=False)

    base = grow(low[2] * low[0] + (1 - low[2]) * low[1])
    fine = grow(low[3]) * (ir - grow(low[0])) + grow(low[4]) * (visible - grow(low[1]))
    stretched = base + 0.3 * (0.5 * grow(low[0] + low[1]) - 0.4) - 0.1
    assert torch.allclose(depth_to_space(found), stretched + fine, atol=1e-5)


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
    expected = _run_torch(student, ir, visible)
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


def test_wiener_filter_undoes_its_blur():
    """Blurred texture comes back: more than half of the error of the blur is gone."""
    import cv2

    rng = np.random.default_rng(0)
    picture = cv2.GaussianBlur(rng.normal(0, 1, (128, 128)).astype(np.float32), (0, 0), 2.0)
    picture = 0.5 + 0.2 * picture / picture.std()
    for sigma in (1.0, 1.4, 1.9):
        soft = cv2.GaussianBlur(picture, (15, 15), sigma)
        sharp = cv2.filter2D(soft, -1, wiener_filter(sigma).numpy())
        inner = (slice(16, -16), slice(16, -16))
        errors = [np.abs(x - picture)[inner].mean() for x in (soft, sharp)]
        assert errors[1] < 0.5 * errors[0]
