"""Model folders: what is in them, and that it is whole.

A model is a folder with ``model.json`` (the model card: interface, hashes, licence, how it was
trained and how it scored) and the files that the card names. Nothing is unpickled.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_sdk.errors import ModelError

__all__ = ["DEFAULT_MODEL", "PRECISIONS", "Model", "StateTensor", "load_model", "verified"]

DEFAULT_MODEL = "default"
PRECISIONS = ("int8", "fp32")
FORMAT = "edge_sdk.model"
VERSION = 1
SHIPPED = Path(__file__).parent / "models"


@dataclass(frozen=True)
class StateTensor:
    """One recurrent tensor: input ``state.<name>``, output ``next.<name>``, float32.

    Attributes:
        name: its name.
        shape: integers, or ``"H/n"`` and ``"W/n"`` for parts of the image's size.
    """

    name: str
    shape: tuple[int | str, ...]

    def resolve(self, height: int, width: int) -> tuple[int, ...]:
        """The shape for images of ``height`` x ``width`` pixels."""
        sizes = {"H": height, "W": width}
        return tuple(
            part if isinstance(part, int) else sizes[part[0]] // int(part[2:])
            for part in self.shape
        )


@dataclass(frozen=True)
class Model:
    """A verified model folder.

    Attributes:
        folder: where it lies.
        name: of the model.
        multiple_px: height and width of its inputs must be multiples of this.
        state: the recurrent tensors.
        files: precision -> ONNX file.
        card: the whole of ``model.json``.
    """

    folder: Path
    name: str
    multiple_px: int
    state: tuple[StateTensor, ...]
    files: dict[str, Path]
    card: dict[str, Any]

    def file(self, precision: str) -> tuple[str, Path]:
        """Precision and ONNX file for ``precision``; ``"auto"`` takes the fastest there is.

        Raises:
            ModelError: the model has no file of that precision.
        """
        if precision == "auto":
            precision = next(p for p in PRECISIONS if p in self.files)
        if precision not in self.files:
            raise ModelError(
                f"model {self.name} in {self.folder}: precision {precision!r} was asked, it has "
                f"{', '.join(sorted(self.files))}"
            )
        return precision, self.files[precision]


def load_model(model: str | Path = DEFAULT_MODEL) -> Model:
    """Read and verify a model folder; a bare name means a model that ships with the package.

    Raises:
        ModelError: the folder, its card or a file is missing, damaged or of another format.
    """
    folder = Path(model)
    # By the text: "./default" is a folder here, "default" is ours whatever lies here.
    if str(model) == folder.name and (SHIPPED / folder.name).is_dir():
        folder = SHIPPED / folder.name
    if not folder.is_dir():
        shipped = ", ".join(sorted(p.name for p in SHIPPED.iterdir() if p.is_dir()))
        raise ModelError(
            f"model {str(model)!r}: no such folder, and no model of that name ships with edge_sdk "
            f"(it has: {shipped})"
        )
    card = _read_card(folder)
    try:
        state = tuple(
            StateTensor(name, _checked_shape(shape)) for name, shape in card["state"].items()
        )
        files = {
            precision: verified(folder, precision, entry)
            for precision, entry in card["files"].items()
        }
        result = Model(folder, str(card["name"]), int(card["multiple_px"]), state, files, card)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(
            f"model card {folder / 'model.json'}: {type(error).__name__} at {error}; the card is "
            "incomplete or was edited by hand"
        ) from None
    if not set(files) & set(PRECISIONS):
        raise ModelError(
            f"model card {folder / 'model.json'}: files has none of {', '.join(PRECISIONS)}"
        )
    return result


def _read_card(folder: Path) -> dict[str, Any]:
    path = folder / "model.json"
    try:
        card = json.loads(path.read_text())
    except OSError as error:
        raise ModelError(
            f"model folder {folder}: cannot read model.json ({error.strerror})"
        ) from None
    except ValueError as error:
        raise ModelError(f"model card {path}: not valid JSON ({error})") from None
    if not isinstance(card, dict) or card.get("format") != FORMAT:
        raise ModelError(f"model card {path}: format must be {FORMAT!r}")
    if card.get("version") != VERSION:
        raise ModelError(
            f"model card {path}: version must be {VERSION}, found {card.get('version')!r}; "
            "the model was made for another release of edge_sdk"
        )
    return card


def _checked_shape(shape: list[int | str]) -> tuple[int | str, ...]:
    for part in shape:
        if isinstance(part, int):
            continue
        if part[:2] not in ("H/", "W/") or int(part[2:]) < 1:
            raise ValueError(f"state shape {part!r}")
    return tuple(shape)


def verified(folder: Path, what: str, entry: dict[str, str]) -> Path:
    """The file of a card's entry, after its hash was checked.

    Args:
        folder: of the model.
        what: what messages call the file, for instance its precision.
        entry: ``path`` and ``sha256``.

    Raises:
        ModelError: it is missing, lies elsewhere, or is another file.
    """
    path = folder / entry["path"]
    if path.resolve().parent != folder.resolve():
        raise ModelError(f"model folder {folder}: file {entry['path']!r} lies outside the folder")
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ModelError(
            f"model folder {folder}: cannot read {what} file {path.name} ({error.strerror})"
        ) from None
    if digest != entry["sha256"]:
        raise ModelError(
            f"model folder {folder}: {path.name} has SHA-256 {digest[:12]}..., the card says "
            f"{entry['sha256'][:12]}...; the file is damaged or was replaced. Install it again."
        )
    return path
