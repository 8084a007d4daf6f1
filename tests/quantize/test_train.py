from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from torch import nn

from edge_sdk.errors import ConfigError, ModelError, SourceError
from quantize.config import load_train_config
from quantize.train import train, widened
from tests.quantize.recordings import write_recordings

ROOT = Path(__file__).parents[2]
TINY = {
    "student": {
        "frames": 2,
        "burn_in": 1,
        "size": 64,
        "options": {"stem": 16, "middle": 16, "low": 16, "hidden": 16},
    },
    "teacher": {"frames": 3, "size": 32, "options": {"width": 4, "heads": [1, 2, 4]}},
}
both = pytest.mark.parametrize("network", ["student", "teacher"])


def _one_quick(quick: str) -> pytest.MarkDecorator:
    """Both networks; the loop is the same code, so that the default suite runs it with one."""
    networks = [
        pytest.param(name, marks=() if name == quick else pytest.mark.slow)
        for name in ("student", "teacher")
    ]
    return pytest.mark.parametrize("network", networks)


@pytest.fixture
def _one_thread() -> Iterator[None]:
    """Sums in the same order as in the runs of their own processes."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _config(tmp_path: Path, output: str, network: str = "student", **changes: object) -> Path:
    data = tmp_path / "train"
    if not data.exists():
        write_recordings(data)
        write_recordings(tmp_path / "val", ("c",), frames=3, still="y")
    values = {
        "network": network,
        "steps": 8,
        "batch": 2,
        "bf16": False,
        "checkpoint_every": 2,
        "validate_every": 8,
        **TINY.get(network, {}),
        "data": str(data),
        "validation": str(tmp_path / "val"),
        "cache": str(tmp_path / "cache"),
        "output": str(tmp_path / output),
        **changes,
    }
    path = tmp_path / f"{output}.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def _train(config: Path) -> dict[str, float]:
    return train(load_train_config(config))


def _command(config: Path, *launcher: str) -> list[str]:
    return [sys.executable, *launcher, "-m", "quantize.train", "--config", str(config)]


def _environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env=_environment(), cwd=ROOT, capture_output=True, text=True, timeout=240
    )


def _curve(folder: Path, name: str) -> list[float]:
    with (folder / "curves.csv").open(newline="") as stream:
        return [float(row[name]) for row in csv.DictReader(stream)]


@_one_quick("teacher")
def test_a_killed_run_resumes_and_ends_like_an_unbroken_one(tmp_path, network, _one_thread):
    scores = _train(_config(tmp_path, "whole", network))
    names = {"vif", "ssim", "qabf", "tc", "ssim_ir", "ssim_vis", "vc"}
    assert set(scores) == {f"clean_{name}" for name in names}
    broken = _config(tmp_path, "broken", network)
    process = subprocess.Popen(
        _command(broken), env=_environment(), cwd=ROOT, stderr=subprocess.DEVNULL
    )
    checkpoint = tmp_path / "broken" / "checkpoint.pt"
    end = time.monotonic() + 120
    while not checkpoint.exists():
        assert time.monotonic() < end and process.poll() in (None, 0)
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    step = torch.load(checkpoint, weights_only=True)["step"]
    assert step >= 2 and step % 2 == 0
    _train(broken)
    first, second = (load_file(tmp_path / f / "weights.safetensors") for f in ("whole", "broken"))
    assert all(torch.allclose(first[k], second[k], atol=1e-6) for k in first)
    assert (tmp_path / "whole" / "pictures" / "frames_c_clean.png").exists()


@_one_quick("student")
def test_two_processes_learn_what_one_learns(tmp_path, network, _one_thread):
    """Same global batch, same curve: gloo on the CPU."""
    settings = {"steps": 12, "warm_up": 0, "log_every": 1, "validation": None}
    if network == "student":
        # These two terms are ratios of sums over the batch, of which a share has its own.
        settings["objective"] = {"steady": 0.0, "contrast": 0.0}
    _train(_config(tmp_path, "one", network, **settings))
    two = _config(tmp_path, "two", network, **settings)
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
    result = _run(_command(two, *launcher))
    assert result.returncode == 0, result.stderr[-2000:]
    for name, tolerance in {"loss": 5e-4, "norm": 0.02}.items():
        one, both = (_curve(tmp_path / folder, name) for folder in ("one", "two"))
        assert len(one) == 12 and both == pytest.approx(one, rel=tolerance), name


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, "steps: .* found 0"),
        ({"size": 100}, "size: .*multiple of 32"),
        ({"colour": "red"}, "colour: "),
        ({"network": "other"}, "network: "),
    ],
)
def test_bad_configuration(tmp_path, changes, message):
    with pytest.raises(ConfigError, match=message):
        load_train_config(_config(tmp_path, "bad", **changes))


def test_missing_configuration_and_data(tmp_path):
    """One line for a user, from the command line."""
    result = _run(_command(tmp_path / "nothing.yaml"))
    assert result.returncode == 2 and result.stderr.startswith("error: training configuration")
    with pytest.raises(ConfigError, match="no such folder"):
        _train(_config(tmp_path, "x", data=str(tmp_path / "nowhere")))


@both
def test_checkpoint_of_another_network(tmp_path, network):
    _train(_config(tmp_path, "run", network, steps=2, validation=None))
    wider = {"student": {**TINY["student"]["options"], "stem": 32}, "teacher": {"width": 8}}
    before = (tmp_path / "run" / "checkpoint.pt").read_bytes()
    with pytest.raises(ConfigError, match=r"checkpoint\.pt is of another network .*size mismatch"):
        _train(_config(tmp_path, "run", network, options=wider[network], steps=4))
    assert (tmp_path / "run" / "checkpoint.pt").read_bytes() == before
    weights = tmp_path / "run" / "weights.safetensors"
    tensors = load_file(weights)
    tensors.pop(next(iter(tensors)))
    save_file(tensors, weights)
    with pytest.raises(ConfigError, match=r"start_from .* is of another network"):
        _train(_config(tmp_path, "new", network, options=wider[network], start_from=str(weights)))


def test_a_wider_network_starts_as_the_narrower_one():
    """What the new width adds takes no part in the old outputs until it has learnt something."""
    torch.manual_seed(0)
    narrow, wide = nn.Conv2d(3, 4, 3), nn.Conv2d(5, 6, 3)
    fresh = wide.weight.detach().clone()
    wide.load_state_dict(widened(wide, narrow.state_dict()))
    x = torch.randn(2, 5, 8, 8)
    assert torch.allclose(wide(x)[:, :4], narrow(x[:, :3]), atol=1e-6)
    assert torch.equal(wide.weight[4:], fresh[4:])


def test_a_run_starts_from_given_weights(tmp_path):
    _train(_config(tmp_path, "first", "teacher", steps=2, validation=None))
    weights = tmp_path / "first" / "weights.safetensors"
    settings = {"learning_rate": 1e-12, "weight_decay": 0.0, "validation": None, "steps": 1}
    _train(_config(tmp_path, "second", "teacher", start_from=str(weights), **settings))
    first, second = load_file(weights), load_file(tmp_path / "second" / "weights.safetensors")
    assert all(torch.allclose(first[name], second[name], atol=1e-7) for name in first)


def test_only_the_named_parts_are_trained(tmp_path):
    _train(_config(tmp_path, "first", steps=2, validation=None))
    start = {"start_from": str(tmp_path / "first" / "weights.safetensors"), "validation": None}
    _train(_config(tmp_path, "second", steps=2, only=["tone", "head"], **start))
    first, second = (load_file(tmp_path / x / "weights.safetensors") for x in ("first", "second"))
    changed = {name.split(".")[0] for name in first if not torch.equal(first[name], second[name])}
    assert changed == {"tone", "head"}
    with pytest.raises(ConfigError, match=r"only: 'tones' is none of .*tone"):
        _train(_config(tmp_path, "third", steps=2, only=["tones"], **start))


def test_damaged_checkpoint_and_weights(tmp_path):
    for name in ("checkpoint.pt", "weights.safetensors"):
        (tmp_path / "run").mkdir(exist_ok=True)
        (tmp_path / "run" / name).write_bytes(b"neither of them")
    with pytest.raises(ModelError, match=r"checkpoint\.pt cannot be read .* remove it"):
        _train(_config(tmp_path, "run", "teacher"))
    start_from = str(tmp_path / "run" / "weights.safetensors")
    with pytest.raises(ModelError, match=r"weights\.safetensors"):
        _train(_config(tmp_path, "new", "teacher", start_from=start_from))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"options": {"depth": 3}}, "options of the teacher: depth: "),
        ({"options": {"width": 5}}, "width must be a positive even number"),
        ({"objective": {"beauty": 1.0}}, "objective of the teacher: 'beauty' is none of colour, "),
        ({"objective": {"colour": -1.0}}, "loss weight colour must be finite and not negative"),
        ({"sampler": {"rain": 0.1}}, "sampler: 'rain' is none of clean, "),
        pytest.param(
            {"frames": 2, "bf16": True},
            "frames: 2 cannot be learnt in bfloat16 on a CPU",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU learns it"),
        ),
    ],
)
def test_impossible_settings_of_the_teacher(tmp_path, changes, message):
    with pytest.raises(ConfigError, match=message):
        _train(_config(tmp_path, "run", "teacher", **changes))
    assert not (tmp_path / "run").exists()


@both
def test_data_that_cannot_be_trained_on(tmp_path, network):
    lone = tmp_path / "lone"
    (lone / "ir_only").mkdir(parents=True)
    (lone / "ir_only" / "a.mp4").touch()
    with pytest.raises(ConfigError, match="lone: no infrared-visible pairs"):
        _train(_config(tmp_path, "run", network, data=str(lone)))
    with pytest.raises(ConfigError, match=r"found no scene in frames/"):
        _train(_config(tmp_path, "run", network, validation=str(_stills(tmp_path / "stills"))))
    unequal = write_recordings(tmp_path / "unequal")
    picture = unequal / "pairs/stills/visible/x.png"
    cv2.imwrite(str(picture), np.zeros((80, 90), np.uint8))
    with pytest.raises(
        SourceError, match="stills/x: infrared of 100x80 and visible of 90x80 pixels"
    ):
        _train(_config(tmp_path, "run", network, data=str(unequal)))
    assert not (tmp_path / "run").exists()


def _stills(root: Path) -> Path:
    write_recordings(root, (), still="z")
    return root
