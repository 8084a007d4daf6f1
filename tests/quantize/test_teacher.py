"""The teacher's task, validation and folder. Its runs are in ``test_train.py``."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml
from torch import Tensor, nn

from edge_sdk.errors import ConfigError, ModelError, SourceError
from edge_sdk.fusion import load_model
from quantize.config import TrainConfig, load_train_config
from quantize.data import Clip, Recordings
from quantize.teacher.card import load_teacher
from quantize.teacher.package import main, package
from quantize.teacher.task import TeacherTask
from quantize.teacher.validation import validate
from quantize.train import make_task
from quantize.videofusion import VideoFusion, VideoFusionConfig, VideoFusionOutput, save_weights
from tests.quantize.recordings import write_recordings

CONFIGS = Path(__file__).parents[2] / "quantize" / "configs"
TINY = {"width": 4, "heads": [1, 2, 4]}


class Echo(VideoFusion):
    """Fused and restored are the inputs themselves; keeps what it was given."""

    def __init__(self) -> None:
        super().__init__(VideoFusionConfig(4, (1, 2, 4)))
        self.given: list[tuple[Tensor, Tensor]] = []

    def forward(self, ir: Tensor, visible: Tensor) -> VideoFusionOutput:
        self.given.append((ir, visible))
        return VideoFusionOutput(visible, ir, visible)


def _config(tmp_path: Path, **changes: object) -> TrainConfig:
    values = {"network": "teacher", "options": TINY, "frames": 3, "bf16": False}
    paths = {"data": tmp_path / "train", "cache": tmp_path / "cache", "output": tmp_path / "run"}
    return TrainConfig(**{**values, **paths, **changes})


def _clip(generator: np.random.Generator) -> Clip:
    def draw(*shape: int) -> np.ndarray:
        return generator.random(shape, np.float32)

    ir, clean_ir = draw(3, 32, 32), draw(3, 32, 32)
    return Clip(ir, draw(3, 32, 32, 3), clean_ir, draw(3, 32, 32, 3))


@pytest.mark.parametrize(("name", "width"), [("teacher_half", 16), ("teacher_full", 32)])
def test_the_configurations_that_come_with_it(name, width):
    config = load_train_config(CONFIGS / f"{name}.yaml")
    task = make_task(config)
    assert isinstance(task, TeacherTask) and task.size == VideoFusionConfig(width)
    assert task.clip_frames == config.frames


def test_clips_reach_the_network_in_colour_and_targets_are_clean(tmp_path):
    """An echo of the degraded clip is off by the mean distance from the clean one."""
    task = TeacherTask(_config(tmp_path, objective={"scene_fidelity": 0.0, "intensity": 0.5}))
    generator = np.random.default_rng(5)
    clips = [_clip(generator), _clip(generator)]
    model = Echo()
    total, parts = task.loss(model, clips, generator, torch.device("cpu"))
    ir, visible = model.given[0]
    assert ir.shape == visible.shape == (2, 3, 3, 32, 32)
    for channel in range(3):
        assert np.array_equal(ir[1, 2, channel], clips[1].ir[2])
        assert np.array_equal(visible[1, 2, channel], clips[1].visible[2, :, :, channel])
    weights = np.array([0.299, 0.587, 0.114])
    distances = [
        np.abs(c.visible @ weights - np.maximum(c.clean_visible @ weights, c.clean_ir)).mean()
        for c in clips
    ]
    assert parts["intensity"] == pytest.approx(3 * np.mean(distances), rel=1e-5)
    # the released weights, but for those that the configuration changes
    weighted = {"intensity": 0.5, "gradient": 1, "colour": 100, "variational": 100}
    weighted |= {"ssim": 1, "source_intensity": 1}
    assert parts.keys() == weighted.keys()
    assert float(total) == pytest.approx(sum(weighted[k] * v for k, v in parts.items()), rel=1e-5)


@pytest.mark.parametrize("recompute", [False, True])
def test_a_step_makes_the_loss_of_its_clips_smaller(tmp_path, recompute):
    task = TeacherTask(_config(tmp_path, options={**TINY, "recompute": recompute}, bf16=True))
    torch.manual_seed(0)
    model = task.build()
    assert all(p.dtype == torch.float32 for p in model.parameters())
    clips = [_clip(np.random.default_rng(1))]
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(3):
        total, _ = task.loss(model, clips, np.random.default_rng(0), torch.device("cpu"))
        optimiser.zero_grad()
        total.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        losses.append(float(total.detach()))
    assert losses[0] > losses[1] > losses[2]


def test_validation_judges_clean_and_degraded_against_the_clean_frames(tmp_path):
    root = write_recordings(tmp_path / "val", ("a",), frames=5)
    folder = root / "frames" / "a"
    for camera in ("ir", "visible"):
        (folder / f"{camera}_degraded").mkdir()
        for path in sorted((folder / camera).iterdir()):
            noise = np.random.default_rng(3).normal(0, 20, (96, 128))
            image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) + noise
            cv2.imwrite(str(folder / f"{camera}_degraded" / path.name), image.clip(0, 255))
    model = Echo()
    scores = validate(model, Recordings(root, tmp_path / "c"), 3, tmp_path / "pictures")
    names = ("vif", "ssim", "qabf", "tc", "ssim_ir", "ssim_vis", "vc")
    assert set(scores) == {f"{kind}_{name}" for kind in ("clean", "degraded") for name in names}
    assert [tuple(ir.shape) for ir, _ in model.given] == [(1, 3, 3, 96, 128)] * 2
    assert scores["clean_ssim_ir"] == pytest.approx(1) == scores["clean_ssim_vis"]
    assert scores["degraded_ssim_ir"] < 0.7 and scores["degraded_ssim_vis"] < 0.9
    # The fused picture stands still, as the visible does; so it strays by the infrared's change.
    ir = [cv2.imread(str(folder / "ir" / f"{k:04d}.png"), cv2.IMREAD_GRAYSCALE) for k in range(3)]
    change = np.mean([np.abs(b.astype(float) - a) for a, b in pairwise(ir)])
    assert scores["clean_vc"] == pytest.approx(change / 2, rel=1e-4)
    assert model.training
    strip = cv2.imread(str(tmp_path / "pictures" / "frames_a_degraded.png"))
    assert strip.shape == (96, 5 * 128, 3)


def test_validation_takes_the_middle_of_large_frames(tmp_path):
    for camera, value in (("ir", 40), ("visible", 90)):
        folder = tmp_path / "val" / "frames" / "large" / camera
        folder.mkdir(parents=True)
        image = np.zeros((480, 640, 3), np.uint8)
        image[112:368, 160:480] = (value, value + 20, value + 100)
        for k in range(2):
            cv2.imwrite(str(folder / f"{k}.png"), image)
    model = Echo()
    validate(model, Recordings(tmp_path / "val", tmp_path / "c"), 6, None)
    _, visible = model.given[0]
    assert visible.shape == (1, 2, 3, 256, 320)
    for channel, value in enumerate((190, 110, 90)):
        assert torch.allclose(visible[:, :, channel], torch.tensor(value / 255))


def test_validation_says_what_is_wrong_with_a_scene(tmp_path):
    root = write_recordings(tmp_path / "val", ("a",), frames=3)
    folder = root / "frames" / "a" / "ir_degraded"
    folder.mkdir()
    cv2.imwrite(str(folder / "0000.png"), np.zeros((96, 128), np.uint8))
    with pytest.raises(SourceError, match="scene frames/a: validation needs 2 degraded frames"):
        validate(Echo(), Recordings(root, tmp_path / "c"), 3, None)


@pytest.fixture
def packed(tmp_path):
    """A trained run of two scores, packed by the command line: (configuration, model, folder)."""
    write_recordings(tmp_path / "train")
    torch.manual_seed(3)
    config = _config(tmp_path, data_sources="drawn for a test", seed=11)
    model = TeacherTask(config).build()
    config.output.mkdir()
    save_weights(model, config.output / "weights.safetensors")
    (config.output / "validation.csv").write_text("step,clean_vif\n10,0.25\n20,0.5\n")
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(config.model_dump(mode="json", exclude_none=True)))
    folder = tmp_path / "packed"
    assert main(["--config", str(path), "--output", str(folder)]) == 0
    return config, model, folder


def test_a_packed_teacher_is_the_trained_one_in_half_precision(packed):
    _, model, folder = packed
    loaded, _ = load_teacher(folder)
    assert loaded.config == model.config and not loaded.training
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value.half().float())


def test_the_card_says_what_it_is_and_where_it_comes_from(packed, tmp_path):
    config, model, folder = packed
    card = json.loads((folder / "model.json").read_text())
    assert (card["kind"], card["licence"], card["name"]) == ("teacher", "Apache-2.0", "teacher")
    assert card["frames"] == 3 and card["options"] == {"width": 4, "heads": [1, 2, 4]}
    assert card["parameters"] == sum(p.numel() for p in model.parameters())
    assert card["scores"] == {"step": 20, "clean_vif": 0.5}
    training = card["training"]
    assert training["command"] == "python -m quantize.train --config tiny.yaml"
    assert training["seed"] == 11 and training["data_sources"] == "drawn for a test"
    assert list(training["data"]) == ["frames/a", "frames/b", "pairs/stills/x"]
    assert str(tmp_path) not in json.dumps(card)
    before = training["data"]["frames/a"]
    picture = tmp_path / "train/frames/a/ir/0001.png"
    picture.write_bytes(picture.read_bytes() + b" ")
    package(config.output / "weights.safetensors", config, folder)
    after = json.loads((folder / "model.json").read_text())["training"]["data"]
    assert after["frames/a"] != before and after["frames/b"] == training["data"]["frames/b"]


def test_a_damaged_folder_is_refused(packed, tmp_path):
    _, _, folder = packed
    weights, card = folder / "weights.safetensors", folder / "model.json"
    whole, text = weights.read_bytes(), card.read_text()
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(ModelError, match=r"weights\.safetensors is damaged: SHA-256"):
        load_teacher(folder)
    weights.unlink()
    with pytest.raises(ModelError, match=r"weights\.safetensors is missing"):
        load_teacher(folder)
    weights.write_bytes(whole)
    for wrong, message in (
        ("[]", "format must be 'edge_sdk.teacher'"),
        ("{", "not valid JSON"),
        (text.replace('"version": 1', '"version": 9'), "version must be 1, found 9"),
        (text.replace('"frames"', '"steps"'), "KeyError at 'frames'"),
        (text.replace('"frames": 3', '"frames": 1', 1), "frames must be 2 or more"),
        (text.replace('"width": 4', '"width": 8', 1), "width 8, but the weights have 4"),
    ):
        card.write_text(wrong)
        with pytest.raises(ModelError, match=message):
            load_teacher(folder)
    with pytest.raises(ModelError, match=r"cannot read model\.json"):
        load_teacher(tmp_path / "nowhere")


def test_a_robot_does_not_take_a_teacher_for_its_model(packed):
    with pytest.raises(ModelError, match=r"format must be 'edge_sdk\.model'"):
        load_model(packed[2])


def test_what_cannot_be_packed(packed, tmp_path, capsys):
    config, _, _ = packed
    weights, output = config.output / "weights.safetensors", tmp_path / "other"
    wider = config.model_copy(update={"options": {"width": 8}})
    with pytest.raises(ModelError, match=r"width=4.* was found, the configuration says .*width=8"):
        package(weights, wider, output)
    student = config.model_copy(update={"network": "student"})
    with pytest.raises(ConfigError, match="only a teacher can be packed"):
        package(weights, student, output)
    with pytest.raises(ModelError, match="a file was expected, found nothing"):
        package(tmp_path / "none.safetensors", config, output)
    away = config.model_copy(update={"start_from": tmp_path / "away.safetensors"})
    with pytest.raises(ModelError, match=r"start_from .*away\.safetensors: no such file"):
        package(weights, away, output)
    huge = VideoFusion(VideoFusionConfig(4, (1, 2, 4)))
    nn.init.constant_(huge.conv3d_ir_1.module[0].bias, 1e6)
    save_weights(huge, tmp_path / "huge.safetensors")
    with pytest.raises(ModelError, match=r"conv3d_ir_1\.module\.0\.bias .* fp16"):
        package(tmp_path / "huge.safetensors", config, output)
    assert not output.exists()
    assert main(["--config", str(tmp_path / "no.yaml"), "--output", str(output)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
