"""A trained teacher made into a folder: ``python -m quantize.teacher.package``.

For instance, with the configuration that it was trained with::

    python -m quantize.teacher.package --config quantize/configs/teacher_half.yaml --output FOLDER

See :mod:`quantize.teacher.card` for what is in the folder.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from edge_sdk.errors import ConfigError, EdgeSdkError, ModelError
from quantize.config import TrainConfig, load_train_config
from quantize.teacher.card import WEIGHTS, write_teacher
from quantize.teacher.task import TeacherTask
from quantize.videofusion import load_videofusion

__all__ = ["main", "package"]


def package(
    weights: Path, config: TrainConfig, output: Path, *, name: str = "teacher", command: str = ""
) -> None:
    """Write the folder of the teacher whose weights a training run left.

    Args:
        weights: safetensors of the run, or a published checkpoint.
        config: what it was trained with.
        output: folder to write.
        name: in the model card.
        command: that trained it, for the model card.

    Raises:
        ConfigError: the configuration is not of a teacher, or its data cannot be found.
        ModelError: the weights cannot be read or are of another network.
    """
    if config.network != "teacher":
        raise ConfigError(
            f"network {config.network!r}: only a teacher can be packed here; use quantize.package"
        )
    expected = TeacherTask(config).size
    model = load_videofusion(weights)
    if model.config != expected:
        raise ModelError(
            f"weights {weights}: {model.config} was found, the configuration says {expected}"
        )
    write_teacher(model, config, output, name=name, command=command)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m quantize.teacher.package",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, required=True, help="of the training run")
    parser.add_argument("--weights", type=Path, help=f"default: {WEIGHTS} of the run")
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    parser.add_argument("--name", default="teacher", help="name in the model card")
    options = parser.parse_args(arguments)
    try:
        config = load_train_config(options.config)
        weights = options.weights or config.output / WEIGHTS
        command = f"python -m quantize.train --config {options.config.name}"
        package(weights, config, options.output, name=options.name, command=command)
    except EdgeSdkError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"wrote {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
