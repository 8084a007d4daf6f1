"""The teacher as a method to score."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.methods import Method, make_method
from benchmarks.teacher_method import TeacherMethod
from edge_sdk.errors import ConfigError, ModelError
from quantize.config import TrainConfig
from quantize.teacher.card import write_teacher
from quantize.videofusion import VideoFusion, VideoFusionConfig
from tests.quantize.recordings import write_recordings

SIZE = VideoFusionConfig(4, (1, 2, 4))


@pytest.fixture
def model() -> VideoFusion:
    torch.manual_seed(1)
    return VideoFusion(SIZE).eval()


def _pairs(count: int, height: int = 32, width: int = 40) -> list[tuple[np.ndarray, np.ndarray]]:
    generator = np.random.default_rng(2)
    return [
        (
            generator.integers(0, 256, (height, width), np.uint8),
            generator.integers(0, 256, (height, width, 3), np.uint8),
        )
        for _ in range(count)
    ]


def _newest(model: VideoFusion, pairs: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """The last fused frame of a clip, written out by hand: BGR uint8."""
    ir = np.stack([np.stack([grey] * 3) for grey, _ in pairs]) / 255
    visible = np.stack([bgr[..., ::-1].transpose(2, 0, 1) for _, bgr in pairs]) / 255

    def tensor(video: np.ndarray) -> Tensor:
        return torch.tensor(video, dtype=torch.float32)[None]

    with torch.no_grad():
        fused = model(tensor(ir), tensor(visible)).fusion[0, -1].numpy()
    return np.rint(fused.transpose(1, 2, 0)[..., ::-1] * 255).astype(int)


def test_a_step_is_the_newest_frame_of_the_last_frames(model):
    method, pairs = TeacherMethod(model, 3), _pairs(5)
    for t, (ir, visible) in enumerate(pairs):
        expected = _newest(model, pairs[max(0, t - 2) : t + 1] if t else [pairs[0]] * 2)
        fused = method.step(ir, visible)
        assert fused.dtype == np.uint8 and np.abs(fused - expected).max() <= 1


def test_reset_forgets(model):
    method, pairs = TeacherMethod(model, 3), _pairs(3)
    first = method.step(*pairs[0])
    later = [method.step(*pair) for pair in pairs[1:]]
    assert not np.array_equal(method.step(*pairs[0]), first)
    method.reset()
    assert np.array_equal(method.step(*pairs[0]), first)
    assert all(np.array_equal(method.step(*p), f) for p, f in zip(pairs[1:], later, strict=True))


def test_it_keeps_frames_that_the_caller_uses_again(model):
    method, pairs = TeacherMethod(model, 3), _pairs(2)
    ir, visible = (image.copy() for image in pairs[0])
    method.step(ir, visible)
    ir[:], visible[:] = pairs[1]
    assert np.abs(method.step(ir, visible) - _newest(model, pairs)).max() <= 1


def test_sizes_that_are_no_multiple_of_four(model):
    (ir, visible), *_ = _pairs(1, 30, 41)
    assert TeacherMethod(model, 2).step(ir, visible).shape == (30, 41, 3)


def test_sizes_that_differ_are_refused(model):
    method = TeacherMethod(model, 2)
    (ir, visible), *_ = _pairs(1)
    with pytest.raises(ConfigError, match="infrared 40x32, visible 40x16"):
        method.step(ir, visible[:16])
    method.step(ir, visible)
    with pytest.raises(ConfigError, match="frame before 40x32"):
        method.step(ir[:16], visible[:16])
    with pytest.raises(ConfigError, match="2 frames or more"):
        TeacherMethod(model, 1)


def test_a_packed_teacher_is_made_by_name(model, tmp_path: Path):
    config = TrainConfig(
        network="teacher",
        data=write_recordings(tmp_path / "data"),
        cache=tmp_path / "cache",
        output=tmp_path / "run",
        frames=3,
    )
    write_teacher(model, config, tmp_path / "packed", name="tiny", command="")
    method = make_method(f"teacher:{tmp_path / 'packed'}")
    assert isinstance(method, Method)
    expected = TeacherMethod(model, 3)
    for pair in _pairs(4):
        difference = method.step(*pair).astype(int) - expected.step(*pair)
        assert np.abs(difference).max() <= 2  # fp16 weights
    with pytest.raises(ModelError, match="nowhere: cannot read"):
        make_method(f"teacher:{tmp_path / 'nowhere'}")
    with pytest.raises(ConfigError, match="teacher:FOLDER"):
        make_method("teacher")
