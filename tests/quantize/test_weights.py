"""Students read from their weights and from model folders."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from edge_sdk.errors import ConfigError, ModelError
from edge_sdk.fusion import load_model
from quantize.student.network import Student
from quantize.student.weights import load_packed, load_student


def test_the_shipped_student_has_the_parameters_that_its_card_says() -> None:
    student = load_packed("default", Student)
    assert sum(p.numel() for p in student.parameters()) == load_model().card["parameters"]
    assert not student.training


def test_weights_that_were_changed_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(load_model().folder, folder)
    path = folder / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"weights\.safetensors has SHA-256"):
        load_packed(folder, Student)


def test_options_and_weights_of_another_network(tmp_path: Path) -> None:
    weights = load_model().folder / "weights.safetensors"
    with pytest.raises(ConfigError, match="options: 'foo' is none of"):
        load_student(weights, {"foo": 1}, Student)
    with pytest.raises(ModelError, match="are not of this student"):
        load_student(weights, {"low": 64}, Student)


def test_half_precision_in_the_folder_is_float_in_the_student() -> None:
    assert all(p.dtype == torch.float32 for p in load_packed("default", Student).parameters())
