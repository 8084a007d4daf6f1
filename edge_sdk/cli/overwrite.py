"""What a command reads must not be replaced by what it makes of it, nor one output by another."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING

from edge_sdk.errors import ConfigError

if TYPE_CHECKING:
    from edge_sdk.config import RigConfig

__all__ = [
    "check_file",
    "model_folder",
    "refuse_one_place_twice",
    "refuse_to_overwrite",
    "sources_of",
]


def refuse_to_overwrite(
    inputs: Iterable[str | Path | None], outputs: Iterable[str | Path | None]
) -> None:
    """Refuse outputs that are inputs, also through links; None stands for one that is not given.

    Of a folder and of a pattern every file that is read counts. A folder for lossless frames must
    not hold a picture that is read: the frame made of it has its name.

    Raises:
        ConfigError: an output would replace an input.
    """
    from edge_sdk.capture.files import same_source
    from edge_sdk.capture.folder import IMAGE_SUFFIXES

    there = [output for output in outputs if output is not None and Path(output).exists()]
    if not there:
        return
    sources = [source for source in inputs if source is not None]
    read = {_identity(file) for source in sources for file in _files_read(source)}
    for output in there:
        path = Path(output)
        if any(same_source(source, path) for source in sources) or _identity(path) in read:
            raise ConfigError(f"{output} is one of the inputs and would be overwritten")
        for file in path.iterdir() if path.is_dir() else ():
            if file.suffix.lower() in IMAGE_SUFFIXES and _identity(file) in read:
                raise ConfigError(
                    f"{output} holds the input {file.name}, which would be overwritten by the "
                    "frame made of it; give another folder"
                )


def refuse_one_place_twice(outputs: Mapping[str, str | Path | None]) -> None:
    """Refuse outputs that would replace each other.

    Args:
        outputs: the option's name, and what was given; None: nothing.

    Raises:
        ConfigError: two are one file, or one lies among the frames of another.
    """
    from edge_sdk.outputs import is_folder

    given = [(name, path) for name, path in outputs.items() if path is not None]
    for (one, first), (other, second) in permutations(given, 2):
        place, target = Path(first).resolve(), Path(second).resolve()
        here, there = _identity(place), _identity(target)
        if place == target or (here is not None and here == there):
            raise ConfigError(
                f"{one} and {other} are both {second}: one would replace the other; give each a "
                "name of its own"
            )
        if is_folder(first) and target.parent == place and target.suffix.lower() == ".png":
            raise ConfigError(
                f"{other} {second} lies in the folder of {one} and could replace one of its "
                "pictures; give another name or folder"
            )


def check_file(path: Path) -> None:
    """Refuse a file that cannot be written: told before the work, not after it.

    Raises:
        ConfigError: its folder is absent or may not be written to, or it is a folder itself.
    """
    from edge_sdk.outputs import check_writable

    if not path.parent.is_dir():
        raise ConfigError(f"{path}: the folder {path.parent} is not there")
    if path.is_dir():
        raise ConfigError(f"{path}: is a folder; give the name of a file")
    if path.exists() and not os.access(path, os.W_OK):
        raise ConfigError(f"{path}: the file there may not be written; give another name")
    check_writable(path.parent, str(path))


def sources_of(path: Path, rig: RigConfig) -> list[str | Path | None]:
    """The files and folders that a rig file at ``path`` reads, itself included."""
    recordings = [getattr(camera, "path", None) for camera in (rig.cameras.ir, rig.cameras.visible)]
    return [path, rig.alignment.calibration, model_folder(rig.fusion.model), *recordings]


def model_folder(model: str | None) -> str | None:
    """The folder that a model's name stands for; None for one that comes with the package."""
    return model if model is not None and "/" in model else None


def _files_read(source: str | Path) -> Iterator[Path]:
    """The files that are read of a file, a folder or a pattern."""
    from edge_sdk.capture.folder import IMAGE_SUFFIXES, TIMESTAMPS_FILE

    path = Path(source).expanduser()
    if path.is_dir():
        model = (path / "model.json").is_file()
        for file in path.iterdir():
            recorded = file.suffix.lower() in IMAGE_SUFFIXES or file.name == TIMESTAMPS_FILE
            if (recorded or model) and file.is_file():
                yield file
    elif path.exists():
        yield path
    else:
        for name in glob.iglob(str(path), recursive=True):
            if Path(name).suffix.lower() in IMAGE_SUFFIXES:
                yield Path(name)


def _identity(path: Path) -> tuple[int, int] | None:
    """What is the same for all names of one file; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
