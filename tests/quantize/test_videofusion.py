"""The published network: names and shapes, inputs, checkpoints, training modes."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from edge_sdk.errors import ConfigError, ModelError
from quantize import golden
from quantize.macs import parameter_count
from quantize.videofusion import (
    VideoFusion,
    VideoFusionConfig,
    VideoFusionOutput,
    build_videofusion,
    load_videofusion,
    read_weights,
    save_weights,
)
from quantize.videofusion.attention import channel_map

OWN_GOLDEN = Path(__file__).parent / "data" / "videofusion_golden_4.safetensors"
PUBLISHED_STATE_DICT = (
    Path(__file__).parents[3] / "shared" / "reference" / "videofusion_state_dict.json"
)


@pytest.fixture(scope="module")
def tensors() -> dict[str, Tensor]:
    return load_file(OWN_GOLDEN)


@pytest.fixture(scope="module")
def weights(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    prefix = golden.PARAMETER_PREFIX
    return {n.removeprefix(prefix): t.float() for n, t in tensors.items() if n.startswith(prefix)}


@pytest.fixture
def model(weights: dict[str, Tensor]) -> VideoFusion:
    return build_videofusion(weights)


@pytest.fixture
def videos(tensors: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    return tensors["ir"], tensors["visible"]


# --- size ---------------------------------------------------------------------------------------


def test_full_size_has_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        assert parameter_count(VideoFusion()) == 6_750_742


def test_names_and_shapes_are_the_published_ones() -> None:
    if not PUBLISHED_STATE_DICT.exists():
        pytest.skip("the published names are not on this machine")
    with torch.device("meta"):
        found = VideoFusion().state_dict()
    expected = json.loads(PUBLISHED_STATE_DICT.read_text())
    assert {name: list(tensor.shape) for name, tensor in found.items()} == expected


# --- inputs -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 1, 3, 8, 8), "2 frames or more"),
        ((1, 2, 3, 8, 10), "multiples of 4, got 8x10"),
        ((1, 2, 3, 0, 8), "multiples of 4, got 0x8"),
        ((1, 2, 1, 8, 8), r"\(batch, frames, 3, height, width\)"),
        ((2, 3, 8, 8), r"\(batch, frames, 3, height, width\)"),
    ],
)
def test_shapes_that_the_network_cannot_take(
    model: VideoFusion, shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        model(torch.zeros(shape), torch.zeros(shape))


def test_videos_that_do_not_belong_together(model: VideoFusion) -> None:
    with pytest.raises(ConfigError, match="one shape"):
        model(torch.zeros(1, 2, 3, 8, 8), torch.zeros(1, 3, 3, 8, 8))
    levels = torch.zeros(1, 2, 3, 8, 8, dtype=torch.uint8)
    with pytest.raises(ConfigError, match=r"floating point.*uint8"):
        model(levels, levels)


def test_the_smallest_video(model: VideoFusion) -> None:
    video = torch.rand(1, 2, 3, 4, 4)
    assert all(output.shape == video.shape for output in model(video, video))


@pytest.mark.parametrize(("width", "heads"), [(0, (2, 4, 8)), (7, (1, 1, 1)), (4, (3, 4, 8))])
def test_widths_that_cannot_be(width: int, heads: tuple[int, int, int]) -> None:
    with pytest.raises(ConfigError):
        VideoFusionConfig(width, heads)


def test_videos_of_a_batch_do_not_mix(model: VideoFusion) -> None:
    generator = torch.Generator().manual_seed(1)
    ir, visible = (torch.rand(2, 3, 3, 8, 12, generator=generator) for _ in range(2))
    with torch.inference_mode():
        together = model(ir, visible)
        second = model(ir[1:], visible[1:])
    for found, expected in zip(together, second, strict=True):
        torch.testing.assert_close(found[1:], expected, atol=1e-4, rtol=0)


# --- checkpoints --------------------------------------------------------------------------------


def same_outputs(first: VideoFusionOutput, second: VideoFusionOutput) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda weights: weights,
        lambda weights: {"params": weights},
        lambda weights: {"params_ema": weights, "params": {"stale": torch.ones(1)}},
        lambda weights: {"params": {"module." + name: t for name, t in weights.items()}},
    ],
    ids=["bare", "params", "params_ema", "data_parallel"],
)
def test_published_checkpoints_load(
    wrap: Callable[[dict[str, Tensor]], object],
    weights: dict[str, Tensor],
    model: VideoFusion,
    videos: tuple[Tensor, Tensor],
    tmp_path: Path,
) -> None:
    path = tmp_path / "net_g_latest.pth"
    torch.save(wrap(weights), path)
    loaded = load_videofusion(path)
    assert not loaded.training
    with torch.inference_mode():
        assert same_outputs(loaded(*videos), model(*videos))


def test_saved_weights_come_back(
    model: VideoFusion, weights: dict[str, Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "teacher.safetensors"
    model.down_ir_1.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    save_weights(model, path)
    found = load_videofusion(path).state_dict()
    assert list(found) == list(model.state_dict())
    assert all(torch.equal(found[name], weights[name]) for name in weights)


def test_weights_cannot_be_written_to_a_missing_folder(model: VideoFusion, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot write"):
        save_weights(model, tmp_path / "absent" / "teacher.safetensors")


NAME = "decoder_vi.conv.2.weight"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.pop(NAME), f"1 tensor missing, first {NAME}"),
        (
            lambda w: w.update({NAME: torch.zeros(3, 5, 3, 3)}),
            rf"first {NAME}: expected \(3, 2, 3, 3\), found \(3, 5, 3, 3\)",
        ),
        (lambda w: w.update(extra=torch.zeros(1)), "1 tensor unexpected, first extra"),
        (lambda w: w[NAME].fill_(float("nan")), f"{NAME} holds NaN"),
        (lambda w: w.update({NAME: w[NAME].int()}), rf"{NAME} must be floating point.*int32"),
        (
            lambda w: w.update({"conv3d_ir_1.module.0.weight": torch.zeros(4)}),
            r"conv3d_ir_1.module.0.weight must have 5 dimensions, found shape \(4,\)",
        ),
        (
            lambda w: w.update({"conv3d_ir_1.module.0.weight": torch.zeros(5, 3, 3, 3, 3)}),
            "of no VideoFusion: width must be a positive even number, got 5",
        ),
        (lambda w: w.clear(), "conv3d_ir_1.module.0.weight is missing"),
    ],
)
def test_weights_that_do_not_fit_are_named(
    change: Callable[[dict[str, Tensor]], object], message: str, weights: dict[str, Tensor]
) -> None:
    copies = {name: tensor.clone() for name, tensor in weights.items()}
    change(copies)
    with pytest.raises(ModelError, match=message):
        build_videofusion(copies)


def test_what_does_not_fit_is_told_with_the_file(
    weights: dict[str, Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "other.pth"
    torch.save({**weights, "extra": torch.zeros(1)}, path)
    with pytest.raises(ModelError, match=r"other\.pth: .*first extra"):
        load_videofusion(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"optimizer": {}, "epoch": 3}, "found a dict under 'optimizer'"),
        ({"params": {"epoch": 3}}, "found a int under 'epoch'"),
        (torch.zeros(3), "found a Tensor"),
        ({}, r"keys \(none\)"),
    ],
)
def test_checkpoints_without_a_state_dict(content: object, message: str, tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    torch.save(content, path)
    with pytest.raises(ModelError, match=message):
        read_weights(path)


class Trap:
    """Makes a folder where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_a_checkpoint_cannot_run_code(tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    torch.save({"params": Trap(sprung)}, tmp_path / "zip.pth")
    (tmp_path / "bare.pth").write_bytes(pickle.dumps(Trap(sprung), protocol=2))
    for name in ("zip.pth", "bare.pth"):
        with pytest.raises(ModelError, match="not a checkpoint of tensors alone"):
            read_weights(tmp_path / name)
    assert not sprung.exists()


@pytest.mark.parametrize("content", [b"", b"\0" * 600, b"PK\3\4 torn", b"a text\n", b"\x80\x02b"])
def test_damaged_files_are_refused(content: bytes, tmp_path: Path) -> None:
    for name in ("torn.pth", "torn.safetensors"):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(ModelError, match="damaged"):
            read_weights(path)


# --- training -----------------------------------------------------------------------------------


def gradients(model: VideoFusion, videos: tuple[Tensor, Tensor]) -> dict[str, Tensor | None]:
    model.zero_grad()
    sum((output**2).sum() for output in model(*videos)).backward()
    return {name: parameter.grad for name, parameter in model.named_parameters()}


def test_all_weights_are_trained_but_the_published_unused_norms(
    model: VideoFusion, videos: tuple[Tensor, Tensor]
) -> None:
    found = gradients(model, videos)
    idle = {name for name, g in found.items() if g is None or not bool((g != 0).any())}
    assert idle == {name for name in found if ".attn.norm." in name}
    assert len(idle) == 14


def test_recomputing_keeps_less_and_changes_no_gradient(
    model: VideoFusion, videos: tuple[Tensor, Tensor]
) -> None:
    kept = 0

    def keep(tensor: Tensor) -> Tensor:
        nonlocal kept
        kept += tensor.numel() if not isinstance(tensor, nn.Parameter) else 0
        return tensor

    results = []
    for recompute in (False, True):
        model.recompute, kept = recompute, 0
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            outputs = model(*videos)
        results.append((kept, gradients(model, videos)))
        assert all(output.requires_grad for output in outputs)
    (kept_all, expected), (kept_few, found) = results
    assert 0 < kept_few < kept_all / 5
    for name, gradient in expected.items():
        if gradient is not None:
            torch.testing.assert_close(found[name], gradient)


def test_bfloat16_autocast_stays_close_and_trains(
    model: VideoFusion, tensors: dict[str, Tensor], videos: tuple[Tensor, Tensor]
) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        outputs = model(*videos)
        found = gradients(model, videos)
    for name, output in outputs._asdict().items():
        assert output.dtype == torch.float32
        assert (output - tensors[f"out.{name}"]).abs().mean() < 0.02
    assert all(g is None or bool(torch.isfinite(g).all()) for g in found.values())


def test_attention_is_exact_enough_in_bfloat16() -> None:
    generator = torch.Generator().manual_seed(2)
    query, key = (torch.randn(1, 8, 64, 64, generator=generator) for _ in range(2))
    temperature = torch.full((2, 1, 1), 3.0)
    with torch.autocast("cpu", torch.bfloat16):
        found = channel_map(query.bfloat16(), key.bfloat16(), temperature)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.sum(-1), torch.ones(1, 2, 4))
    torch.testing.assert_close(found, channel_map(query, key, temperature), atol=2e-3, rtol=0)


def test_features_stay_in_channels_last_memory(
    model: VideoFusion, videos: tuple[Tensor, Tensor]
) -> None:
    strays = []
    seen = 0

    def look(layer: nn.Module, inputs: tuple[Tensor]) -> None:
        nonlocal seen
        seen += 1
        if not inputs[0].is_contiguous(memory_format=torch.channels_last):
            strays.append(layer)

    for layer in model.modules():
        # The two planes that a spatial attention looks at are too small to matter.
        if isinstance(layer, nn.Conv2d) and layer.in_channels != 2:
            layer.register_forward_pre_hook(look)
    model(*videos)
    assert seen > 200 and strays == []
