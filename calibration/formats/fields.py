"""Numbers out of YAML mappings, with errors that name the file and the key."""

from __future__ import annotations

import math
from typing import Any

from edge_sdk.errors import CalibrationError
from edge_sdk.yaml_file import YamlText

__all__ = ["numbers", "refuse", "whole"]


def refuse(text: YamlText, keys: tuple[str, ...], what: str) -> CalibrationError:
    """The error for what is at ``keys``."""
    line = text.line(keys)
    where = f"{text.where}:{line}" if line else text.where
    return CalibrationError(f"{where}: {'.'.join(keys)} {what}")


def value_at(text: YamlText, keys: tuple[str, ...]) -> Any:
    """What is at a path of keys.

    Raises:
        CalibrationError: it is missing.
    """
    value: Any = text.data
    for depth, key in enumerate(keys):
        if not isinstance(value, dict) or key not in value:
            raise refuse(text, keys[: depth + 1], "is missing")
        value = value[key]
    return value


def numbers(text: YamlText, keys: tuple[str, ...], count: int | tuple[int, ...]) -> list[float]:
    """A list of finite numbers.

    Args:
        text: the file.
        keys: where.
        count: how many there must be, or which counts can be.

    Raises:
        CalibrationError: it is missing, or something else.
    """
    value = value_at(text, keys)
    allowed = (count,) if isinstance(count, int) else count
    good = isinstance(value, list) and all(
        isinstance(item, int | float) and not isinstance(item, bool) and math.isfinite(item)
        for item in value
    )
    if not good or len(value) not in allowed:
        counts = " or ".join(map(str, allowed))
        raise refuse(text, keys, f"must be a list of {counts} finite numbers, found {value!r}")
    return [float(item) for item in value]


def whole(text: YamlText, keys: tuple[str, ...]) -> int:
    """A whole number from 16 to 16384, as image sizes are.

    Raises:
        CalibrationError: it is missing, or something else.
    """
    value = value_at(text, keys)
    if isinstance(value, bool) or not isinstance(value, int) or not 16 <= value <= 16384:
        raise refuse(text, keys, f"must be a whole number from 16 to 16384, found {value!r}")
    return value
