"""YAML files that are typed by pydantic, with errors that name the file, the line and the key."""

from __future__ import annotations

import difflib
import re
import reprlib
import types
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from edge_sdk.errors import ConfigError

if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass
else:
    ModelMetaclass = type(BaseModel)

__all__ = ["Section", "YamlText", "parse_yaml", "read_yaml", "validate"]

_Key = Union[str, int]  # noqa: UP007 - evaluated at run time
_SectionT = TypeVar("_SectionT", bound="Section")
_repr = reprlib.Repr()
_repr.maxstring = _repr.maxother = 80
_WORDING = {
    "bool_type": "must be true or false",
    "dict_type": "must be a mapping of 'key: value' lines",
    "finite_number": "must be a finite number",
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "list_type": "must be a list",
    "model_attributes_type": "must be a mapping of 'key: value' lines",
    "model_type": "must be a mapping of 'key: value' lines",
    "string_too_short": "must not be empty",
    "string_type": "must be text",
    "tuple_type": "must be a list",
}


class _SectionMeta(ModelMetaclass):
    def __call__(cls, *args: Any, **fields: Any) -> Any:
        try:
            return super().__call__(*args, **fields)
        except ValidationError as fault:
            text = YamlText(cls.__name__, Path.cwd(), fields)
            raise ConfigError(_all_problems(text, fault)) from fault


class Section(BaseModel, metaclass=_SectionMeta):
    """A mapping of a YAML file: immutable, no conversion between types, no unknown keys.

    Raises:
        ConfigError: a section that is made in Python has a wrong field.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _check_keys(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        known = list(cls.model_fields)
        unknown = [key for key in data if key not in known]
        if unknown:
            # Only the names: a misspelt key would otherwise be reported a second time, as missing.
            raise PydanticCustomError("unknown_keys", "unknown", {"keys": unknown, "known": known})
        # A section of which every line is commented out reads as null: it has its defaults.
        return {
            key: {} if value is None and _is_section(cls.model_fields[key].annotation) else value
            for key, value in data.items()
        }


def _is_section(annotation: Any) -> bool:
    if get_origin(annotation) in (Union, types.UnionType):
        return not any(arg is type(None) for arg in get_args(annotation))
    return isinstance(annotation, type) and issubclass(annotation, Section)


@dataclass(frozen=True)
class YamlText:
    """A parsed YAML text.

    Attributes:
        where: the file's name as errors show it.
        folder: what relative paths in the text are relative to.
        data: the content as dicts, lists and scalars.
        root: the tree with line numbers; None if the data did not come from a text.
    """

    where: str
    folder: Path
    data: Any
    root: yaml.Node | None = field(default=None, repr=False)

    def line(self, path: Sequence[_Key]) -> int | None:
        """Line of the key at ``path``, or of its innermost parent that exists; counts from 1."""
        node, line = self.root, None
        for key in path:
            if isinstance(node, yaml.MappingNode):
                pair = next((p for p in node.value if p[0].value == str(key)), None)
                if pair is None:
                    break
                line, node = pair[0].start_mark.line + 1, pair[1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(key, int):
                if key >= len(node.value):
                    break
                node = node.value[key]
                line = node.start_mark.line + 1
            else:
                break
        return line


class _Loader(yaml.SafeLoader):
    """``yaml.SafeLoader`` that reads 1e-3 as a number (YAML 1.2) and refuses repeated keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} occurs twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:\d[\d_]*\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)


def read_yaml(path: str | Path, what: str, error: type[ConfigError] = ConfigError) -> YamlText:
    """Read a YAML file whose top level is a mapping.

    Args:
        path: the file.
        what: what the file is, for the message: ``"rig file"``.
        error: the class of the error to raise.

    Raises:
        ConfigError: the file is absent, unreadable, not UTF-8 or not YAML (with the line).
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as fault:
        raise error(f"{what} not found: {path} (looked in {Path.cwd()})") from fault
    except (OSError, UnicodeDecodeError) as fault:
        reason = fault.strerror if isinstance(fault, OSError) else "it is not UTF-8 text"
        raise error(f"{what} cannot be read: {path}: {reason}") from fault
    return parse_yaml(text, what, str(path), path.resolve().parent, error)


def parse_yaml(
    text: str,
    what: str,
    where: str,
    folder: Path,
    error: type[ConfigError] = ConfigError,
) -> YamlText:
    """Parse a YAML text whose top level is a mapping; see :func:`read_yaml` for the errors."""
    try:
        loader = _Loader(text)
        try:
            root = loader.get_single_node()
            data = loader.construct_document(root) if root is not None else None
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as fault:
        mark = fault.problem_mark or fault.context_mark
        line = f":{mark.line + 1}" if mark else ""
        reason = ", ".join(part for part in (fault.context, fault.problem) if part)
        raise error(f"{where}{line}: the {what} is not valid YAML: {reason}") from fault
    except (yaml.YAMLError, ValueError, RecursionError) as fault:
        raise error(f"{where}: the {what} is not valid YAML: {fault}") from fault
    if not isinstance(data, dict):
        found = "it is empty" if data is None else f"found {_repr.repr(data)}"
        raise error(f"{where}: the {what} must be a mapping of 'key: value' lines; {found}")
    return YamlText(where, folder, data, root)


def validate(
    model: type[_SectionT], text: YamlText, error: type[ConfigError] = ConfigError
) -> _SectionT:
    """``text`` as a ``model``.

    Validators find ``text.folder`` as ``info.context["folder"]``.

    Raises:
        ConfigError: one error (of class ``error``) that lists every problem, one a line, each with
            file, line, key path, the value found and what is allowed.
    """
    try:
        return model.model_validate(text.data, context={"folder": text.folder})
    except ValidationError as fault:
        raise error(_all_problems(text, fault)) from fault


def _all_problems(text: YamlText, fault: ValidationError) -> str:
    problems: dict[str, list[str]] = {}
    for e in fault.errors():
        for place, reason in _problems(text, e):
            problems.setdefault(place, []).append(reason)
    # Several reasons at one place are those of the members of a union of scalars.
    return "\n".join(place + " or ".join(dict.fromkeys(why)) for place, why in problems.items())


def _problems(text: YamlText, e: ErrorDetails) -> list[tuple[str, str]]:
    """(place, reason) pairs for one pydantic error."""
    kind, context, found = e["type"], e.get("ctx", {}), e["input"]
    path = _key_path(text.data, e["loc"])
    if kind == "unknown_keys":
        known: list[str] = context["known"]
        return [
            (
                _at(text, [*path, str(key)]) + " is not a known key",
                f"{_nearest(key, known)}; known here: {', '.join(known)}",
            )
            for key in context["keys"]
        ]
    if kind == "missing":
        return [(_at(text, path), " is missing")]
    allowed = context.get("expected")
    if kind == "union_tag_invalid":
        path = [*path, str(context["discriminator"]).strip("'")]
        allowed, found = context["expected_tags"], context["tag"]
    place = _at(text, path) + ": "
    if not isinstance(found, dict):
        place += f"found {_repr.repr(found)}, "
    if allowed is not None:
        choices = re.findall(r"'([^']*)'", str(allowed))
        reason = f"allowed: {', '.join(choices) or allowed}{_nearest(found, choices)}"
        return [(place, reason)]
    message = e["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    return [(place, _WORDING.get(kind, re.sub("(String|Tuple) should", "must", message)))]


def _key_path(data: Any, loc: Sequence[_Key]) -> list[_Key]:
    """``loc`` without the names that pydantic inserts for the chosen member of a union."""
    path: list[_Key] = []
    for position, key in enumerate(loc):
        if isinstance(data, dict):
            if key in data:
                data = data[key]
            elif key in data.values() or position + 1 < len(loc):
                continue  # the discriminator's value, for instance "v4l2"
        elif isinstance(data, list) and isinstance(key, int) and key < len(data):
            data = data[key]
        elif isinstance(key, str):
            continue  # a member of a union of scalars, for instance "float"
        path.append(key)
    return path


def _at(text: YamlText, path: Sequence[_Key]) -> str:
    line = text.line(path)
    keys = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
    where = f"{text.where}:{line}" if line else text.where
    return f"{where}: {keys.lstrip('.')}" if path else where


def _nearest(name: object, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
    return f" (did you mean {close[0]!r}?)" if close else ""
