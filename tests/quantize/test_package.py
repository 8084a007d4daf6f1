from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from edge_sdk.errors import ConfigError, ModelError
from quantize.config import TrainConfig
from quantize.package import _go_halfway_back
from quantize.student.network import Student, StudentConfig

OPTIONS = {"stem": 16, "head": 16, "middle": 16, "low": 16, "hidden": 16}


def test_halfway_is_the_mean_of_both_ends(tmp_path: Path):
    torch.manual_seed(5)
    start, end = Student(StudentConfig(**OPTIONS)), Student(StudentConfig(**OPTIONS))
    first = {key: value.clone() for key, value in start.state_dict().items()}
    last = {key: value.clone() for key, value in end.state_dict().items()}
    save_file(first, tmp_path / "start.safetensors")
    config = TrainConfig(data=tmp_path, options=OPTIONS, start_from=tmp_path / "start.safetensors")
    _go_halfway_back(end, config)
    for key, value in end.state_dict().items():
        torch.testing.assert_close(value, 0.5 * (first[key] + last[key]))


def test_halfway_needs_a_start(tmp_path: Path):
    student = Student(StudentConfig(**OPTIONS))
    with pytest.raises(ConfigError, match=r"--halfway needs start_from .* found none"):
        _go_halfway_back(student, TrainConfig(data=tmp_path, options=OPTIONS))
    missing = TrainConfig(data=tmp_path, options=OPTIONS, start_from=tmp_path / "none.safetensors")
    with pytest.raises(ModelError, match=r"none\.safetensors"):
        _go_halfway_back(student, missing)
