"""A trained student, read from its weights or from the model folder that it was packed into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import torch

from edge_sdk.errors import ModelError
from edge_sdk.fusion.model import load_model, verified
from quantize.config import check_names
from quantize.student.network import Student, StudentConfig
from quantize.videofusion import read_weights

__all__ = ["load_packed", "load_student", "read_float"]

AnyStudent = TypeVar("AnyStudent", bound=Student)


def load_student(weights: Path, options: Mapping[str, Any], kind: type[AnyStudent]) -> AnyStudent:
    """The student of these weights, ready to run.

    Args:
        weights: a safetensors file or a checkpoint.
        options: of :class:`StudentConfig`.
        kind: :class:`Student`, or a class that differs from it in what it does.

    Raises:
        ModelError: the file is missing, damaged, or holds other weights.
        ConfigError: there is no such option.
    """
    check_names(options, (field.name for field in fields(StudentConfig)), "options")
    student = kind(StudentConfig(**options))
    try:
        student.load_state_dict(read_float(weights))
    except RuntimeError as error:
        line = str(error).splitlines()[-1].strip()
        raise ModelError(f"weights {weights} are not of this student: {line}") from None
    return student.eval()


def load_packed(model: str | Path, kind: type[AnyStudent]) -> AnyStudent:
    """The student in a model folder (a bare name: one that ships with the package).

    Raises:
        ModelError: the folder is damaged, or of another kind.
    """
    found = load_model(model)
    if found.card.get("kind") != "student":
        raise ModelError(f"model folder {found.folder} holds no student")
    weights = verified(found.folder, "weights", found.card["weights"])
    return load_student(weights, found.card["options"], kind)


def read_float(weights: Path) -> dict[str, torch.Tensor]:
    """Name to tensor, all float32."""
    return {key: value.float() for key, value in read_weights(weights).items()}
