"""What a command reads must not be replaced by what it makes of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from edge_sdk.errors import ConfigError

if TYPE_CHECKING:
    from edge_sdk.config import RigConfig

__all__ = ["refuse_to_overwrite", "sources_of"]


def refuse_to_overwrite(
    inputs: Iterable[str | Path | None], outputs: Iterable[str | Path | None]
) -> None:
    """Refuse outputs that are inputs, also through links; None stands for one that is not given.

    A folder for lossless frames must not hold a picture that is read: the frame made of it has its
    name.

    Raises:
        ConfigError: an output would replace an input.
    """
    from edge_sdk.capture.files import same_source
    from edge_sdk.capture.folder import IMAGE_SUFFIXES
    from edge_sdk.outputs import is_folder

    sources = [Path(source).expanduser() for source in inputs if source is not None]
    for output in outputs:
        for source in sources:
            if output is None:
                continue
            if same_source(source, output):
                raise ConfigError(f"{output} is one of the inputs and would be overwritten")
            picture = source.suffix.lower() in IMAGE_SUFFIXES and source.is_file()
            if picture and is_folder(output) and same_source(source.parent, output):
                raise ConfigError(
                    f"{output} holds the input {source.name}, which would be overwritten by the "
                    "frame made of it; give another folder"
                )


def sources_of(path: Path, rig: RigConfig) -> list[Path | None]:
    """The files and folders that a rig file at ``path`` reads, itself included."""
    recordings = [getattr(camera, "path", None) for camera in (rig.cameras.ir, rig.cameras.visible)]
    return [path, rig.alignment.calibration, *recordings]
