"""Ways to fuse that can be scored, by name.

A method is registered once with the place of its factory, which is imported when the method is
made, so that naming a method costs nothing and needs none of its packages::

    register("edge-sdk", "benchmarks.engines:make", "its engines", argument="ENGINE:PRECISION")
    method = make_method("edge-sdk:openvino:int8")   # calls make("openvino:int8")
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from edge_sdk.errors import ConfigError, DependencyError

__all__ = [
    "ALL_BASELINES",
    "BASELINES",
    "Method",
    "MethodEntry",
    "expand_names",
    "make_method",
    "register",
    "registered",
]

ALL_BASELINES = "all-baselines"
"""Stands for every name of ``BASELINES`` where methods are named."""


@runtime_checkable
class Method(Protocol):
    """A causal fusion of two registered, synchronous streams."""

    def reset(self) -> None:
        """Forget all earlier frames; called before the first frame of every sequence."""
        ...

    def step(
        self, ir_u8: NDArray[np.uint8], visible_bgr_u8: NDArray[np.uint8]
    ) -> NDArray[np.uint8]:
        """Fuse the next pair.

        Args:
            ir_u8: (H, W) uint8.
            visible_bgr_u8: (H, W, 3) uint8 BGR.

        Returns:
            (H, W, 3) uint8 BGR.
        """
        ...


@dataclass(frozen=True)
class MethodEntry:
    """A registered method.

    Attributes:
        name: what a user types.
        factory: ``"module:attribute"`` of a callable that returns a :class:`Method`, or that
            callable. It takes one string if ``argument`` is set, and nothing otherwise.
        summary: one line for the list of methods.
        argument: what stands after ``name:``, for instance ``"ENGINE:PRECISION"``; "" if nothing.
    """

    name: str
    factory: str | Callable[..., Method]
    summary: str
    argument: str = ""


_registry: dict[str, MethodEntry] = {}


def register(
    name: str, factory: str | Callable[..., Method], summary: str, *, argument: str = ""
) -> None:
    """Make a method known; see :class:`MethodEntry` for the arguments.

    Raises:
        ConfigError: the name is taken, or is not usable as a name.
    """
    if not name or ":" in name or name == ALL_BASELINES:
        raise ConfigError(f"'{name}' cannot name a method: use a word without ':'")
    if name in _registry:
        raise ConfigError(f"a method named '{name}' is registered already; choose another name")
    _registry[name] = MethodEntry(name, factory, summary, argument)


def registered() -> tuple[MethodEntry, ...]:
    """All registered methods, in the order of registration."""
    return tuple(_registry.values())


def expand_names(names: Sequence[str]) -> list[str]:
    """Replace ``all-baselines`` by the baselines and drop repetitions; the order stays."""
    expanded = [one for name in names for one in (BASELINES if name == ALL_BASELINES else (name,))]
    return list(dict.fromkeys(expanded))


def make_method(name: str) -> Method:
    """Make the method of that name, ``"name"`` or ``"name:argument"``.

    Raises:
        ConfigError: no such method, or an argument is missing or too many.
        DependencyError: the method needs a package that is not installed.
        EdgeSdkError: whatever else the factory finds wrong.
    """
    base, _, argument = name.partition(":")
    entry = _registry.get(base)
    if entry is None:
        known = ", ".join([ALL_BASELINES, *_registry])
        raise ConfigError(f"no fusion method is named '{base}'; known: {known}")
    if entry.argument and not argument:
        raise ConfigError(f"method '{base}' needs an argument: {base}:{entry.argument}")
    if argument and not entry.argument:
        raise ConfigError(f"method '{base}' takes no argument, found '{argument}'; use '{base}'")
    factory = _load(base, entry.factory)
    return factory(argument) if entry.argument else factory()


def _load(name: str, factory: str | Callable[..., Method]) -> Callable[..., Method]:
    if not isinstance(factory, str):
        return factory
    module_name, _, attribute = factory.partition(":")
    try:
        loaded: Callable[..., Method] = getattr(import_module(module_name), attribute)
    except ImportError as error:
        raise DependencyError(
            f"method '{name}' needs a package that cannot be imported here: {error}; install it "
            "or choose another method"
        ) from error
    return loaded


for _name, _class, _summary in (
    ("visible", "Visible", "the visible frame unchanged"),
    ("infrared", "Infrared", "the infrared frame unchanged, in grey"),
    ("average", "Average", "mean of infrared and visible luma"),
    ("max", "MaxLuma", "the brighter of infrared and visible luma"),
    ("laplacian", "LaplacianPyramid", "Laplacian pyramid, five levels"),
    ("hot-pixels", "HotPixels", "the visible frame, hot pixels of the infrared pasted on it"),
    ("classical", "ClassicalRestoration", "classical causal restoration, then the brighter luma"),
):
    register(_name, f"benchmarks.baselines:{_class}", _summary)

BASELINES = tuple(_registry)
"""Names of the methods of :mod:`benchmarks.baselines`."""

register(
    "edge-sdk",
    "benchmarks.edge_method:edge_sdk_method",
    "this SDK's fuser with one engine and precision",
    argument="ENGINE:PRECISION[:MODEL]",
)

register(
    "teacher",
    "benchmarks.teacher_method:make",
    "the VideoFusion teacher on a sliding window of past frames (slow)",
    argument="FOLDER",
)
