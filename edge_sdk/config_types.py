"""Types of single values in a rig file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

__all__ = [
    "ExistingPath",
    "Name",
    "NewPath",
    "Share",
    "Side",
    "SimulatedSize",
    "Size",
    "exists",
    "in_folder",
]


def in_folder(value: Any, info: ValidationInfo) -> Any:
    if not isinstance(value, (str, Path)) or not str(value):
        raise ValueError("must be a path")
    folder = (info.context or {}).get("folder") or Path.cwd()
    return Path(folder) / Path(value).expanduser()


def exists(path: Path) -> Path:
    if not path.exists():
        raise ValueError(f"there is no such file or folder: {path}")
    return path


NewPath: TypeAlias = Annotated[Path, BeforeValidator(in_folder)]
ExistingPath: TypeAlias = Annotated[NewPath, AfterValidator(exists)]
Side: TypeAlias = Annotated[int, Field(ge=16, le=16384)]
Size: TypeAlias = Annotated[tuple[Side, Side], Field(strict=False)]
"""(width, height) in pixels."""
SimulatedSide: TypeAlias = Annotated[int, Field(ge=64, le=4096)]
SimulatedSize: TypeAlias = Annotated[tuple[SimulatedSide, SimulatedSide], Field(strict=False)]
"""(width, height) in pixels."""
Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]
Name: TypeAlias = Annotated[str, Field(min_length=1)]
