from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from edge_sdk.errors import ConfigError, EdgeSdkError, ModelError, SourceError
from quantize.config import load_train_config
from quantize.train import train
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
        **TINY[network],
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


@both
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


@both
def test_two_processes_learn_what_one_learns(tmp_path, network, _one_thread):
    """Same global batch, same curve: gloo on the CPU."""
    settings = {"steps": 12, "warm_up": 0, "log_every": 1, "validation": None}
    _train(_config(tmp_path, "one", network, **settings))
    two = _config(tmp_path, "two", network, **settings)
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
    result = _run(_command(two, *launcher))
    assert result.returncode == 0, result.stderr[-2000:]
    # Two terms of the student's objective are ratios of sums over the batch: a share has its own.
    exact = network == "teacher"
    tolerances = {"loss": 1e-3 if exact else 0.05, "norm": 0.02 if exact else 0.2}
    for name, tolerance in {**tolerances, "intensity": 2e-3, "gradient": 2e-3}.items():
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
    result = _run(_command(tmp_path / "nothing.yaml"))
    assert result.returncode == 2 and result.stderr.startswith("error: training configuration")
    result = _run(_command(_config(tmp_path, "x", data=str(tmp_path / "nowhere"))))
    assert result.returncode == 2 and "no such folder" in result.stderr


def test_checkpoint_of_another_network(tmp_path):
    assert _run(_command(_config(tmp_path, "run", steps=2))).returncode == 0
    wider = _config(tmp_path, "run", options={**TINY["options"], "stem": 32}, steps=4)
    result = _run(_command(wider))
    assert result.returncode == 2 and "is of another network" in result.stderr
