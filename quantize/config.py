"""Typed training configuration, read from YAML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge_sdk.errors import ConfigError

__all__ = ["TrainConfig", "check_names", "load_train_config", "parse"]


Model = TypeVar("Model", bound=BaseModel)


class TrainConfig(BaseModel):
    """Everything that a training run depends on, besides the code.

    Attributes:
        network: which network is trained.
        data: folder with training recordings, see :mod:`quantize.data`.
        data_sources: where they come from and under which terms; goes into the model card.
        validation: folder with validation recordings; no scene may stand in both.
        cache: folder for decoded frames.
        output: folder for checkpoints, curves and pictures.
        steps: optimiser steps of the whole run; the cosine schedule ends there.
        batch: clips in a step, over all processes.
        frames: frames of a clip that gradients flow through.
        burn_in: frames before them that only fill the recurrent state; the teacher has none and
            takes no notice.
        judged: frames of a clip that the student's costly figures are taken on, drawn at random.
        size: side of the square crop, pixels.
        learning_rate, final_learning_rate, weight_decay, clip_norm: of AdamW.
        warm_up: steps of linear warm-up.
        ema: decay of the averaged weights that are validated and shipped.
        bf16: train under bfloat16 autocast.
        seed: of the weights and of the data.
        checkpoint_every, validate_every, log_every: in steps.
        options: of the network: ``StudentConfig``, or ``quantize.teacher.task.TeacherOptions``.
        objective: weights of the loss terms; those that are not named keep their default.
        sampler: keyword arguments of :class:`quantize.data.ClipSampler`.
        start_from: weights (safetensors) to start from; None starts from random ones.
        only: parts of the network (``tone`` of the student, say) that are trained, the others stay
            as they are; none stands for all.
        distil_from: folder of a packed student whose pictures a new one is to follow.
        distil_weight: of the distance to them, beside the objective.
        int8_rounding: learn under the rounding of INT8, see ``quantize.student.fake_quantise``; the
            teacher takes no notice.
        adjust: what is set in the trained student when it is packed, see
            ``quantize.student.adjust``; the teacher takes no notice.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    network: Literal["student", "teacher"] = "student"
    data: Path
    data_sources: str = ""
    validation: Path | None = None
    cache: Path = Path("runs/cache")
    output: Path = Path("runs/student")
    steps: int = Field(10_000, ge=1)
    batch: int = Field(6, ge=1)
    frames: int = Field(6, ge=2)
    burn_in: int = Field(4, ge=0)
    judged: int = Field(2, ge=1)
    size: int = Field(128, ge=32, multiple_of=32)
    learning_rate: float = Field(1.5e-3, gt=0)
    final_learning_rate: float = Field(2e-5, ge=0)
    weight_decay: float = Field(1e-4, ge=0)
    clip_norm: float = Field(1.0, gt=0)
    warm_up: int = Field(100, ge=0)
    ema: float = Field(0.998, ge=0, lt=1)
    bf16: bool = True
    seed: int = 0
    checkpoint_every: int = Field(200, ge=1)
    validate_every: int = Field(1000, ge=1)
    log_every: int = Field(20, ge=1)
    options: dict[str, Any] = Field(default_factory=dict)
    objective: dict[str, float] = Field(default_factory=dict)
    sampler: dict[str, float] = Field(default_factory=dict)
    start_from: Path | None = None
    only: tuple[str, ...] = ()
    distil_from: Path | None = None
    distil_weight: float = Field(20.0, gt=0)
    int8_rounding: bool = False
    adjust: dict[str, float] = Field(default_factory=dict)


def load_train_config(path: Path) -> TrainConfig:
    """Read a YAML file; paths in it are relative to the current folder.

    Raises:
        ConfigError: the file is missing, is not YAML, or a value is impossible.
    """
    try:
        values = yaml.safe_load(Path(path).read_text())
    except OSError as error:
        raise ConfigError(f"training configuration {path}: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"training configuration {path} is not valid YAML: {error}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"training configuration {path}: expected keys and values")
    return parse(TrainConfig, values, f"training configuration {path}")


def parse(model: type[Model], values: Mapping[str, Any], where: str) -> Model:
    """``model(**values)``.

    Raises:
        ConfigError: a value is impossible; the message begins with ``where`` and names it.
    """
    try:
        return model(**values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise ConfigError(f"{where}: {name}: {first['msg']}, found {first['input']!r}") from None


def check_names(values: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    """Refuse names that nothing would read.

    Raises:
        ConfigError: a name in ``values`` is none of the ``known`` ones.
    """
    known = sorted(known)
    for name in values:
        if name not in known:
            raise ConfigError(f"{where}: {name!r} is none of {', '.join(known)}")
