"""Learned matchers from outside: any callable that returns matched points, and kornia's LoFTR."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

import numpy as np

from edge_sdk.errors import ConfigError, DependencyError
from edge_sdk.frames import Image

from .matcher import Matcher, Matches
from .pairs import ImagePair
from .structure_matcher import StructureMatcher

__all__ = ["BUILT_IN", "CallableMatcher", "load_matcher", "loftr"]

BUILT_IN = "structure"
_LOFTR = "loftr"


class MatchFunction(Protocol):
    """What a plug-in is, for instance a wrapper of MINIMA or XoFTR."""

    def __call__(self, ir: Image, visible: Image, /) -> Sequence[Any]:
        """Matched points of one pair.

        Args:
            ir: (H, W) uint8.
            visible: (H, W, 3) uint8 BGR.

        Returns:
            (N, 2) infrared pixels, (N, 2) visible pixels and, if it has them, (N,) scores.
        """


class CallableMatcher:
    """A :class:`.Matcher` of a function that matches one pair.

    Args:
        function: see :class:`MatchFunction`.
        name: stands in the report and in messages.
    """

    def __init__(self, function: MatchFunction, name: str) -> None:
        self._function = function
        self._name = name

    @property
    def name(self) -> str:
        """As given."""
        return self._name

    def match(self, pairs: Sequence[ImagePair]) -> Sequence[Matches]:
        """Calls the function for every pair.

        Raises:
            ConfigError: what it returned are not points.
        """
        return [self._checked(self._function(pair.ir_picture(), pair.picture)) for pair in pairs]

    def _checked(self, answer: Sequence[Any]) -> Matches:
        wanted = (
            "it must return (N, 2) infrared pixels, (N, 2) visible pixels and maybe (N,) scores"
        )
        try:
            arrays = [np.asarray(part, np.float64) for part in answer]
        except (TypeError, ValueError) as error:
            raise ConfigError(f"matcher {self._name}: {wanted}; found {error}") from None
        shapes = [part.shape for part in arrays]
        if len(arrays) == 2:
            arrays.append(np.ones(len(arrays[0]) if arrays[0].ndim else 0))
        fits = len(arrays) == 3 and arrays[0].ndim == 2 and arrays[0].shape[1] == 2
        fits = fits and arrays[1].shape == arrays[0].shape
        fits = fits and arrays[2].shape == (len(arrays[0]),)
        if not fits or not all(np.isfinite(part).all() for part in arrays):
            raise ConfigError(
                f"matcher {self._name}: {wanted}, all finite; found the shapes {shapes}"
            )
        return Matches(arrays[0], arrays[1], arrays[2])


def load_matcher(spec: str) -> Matcher:
    """A matcher by its name.

    Args:
        spec: ``structure`` (built in), ``loftr`` (kornia, with its weights), or
            ``module:attribute``, which names a :class:`MatchFunction`, a :class:`.Matcher`, or a
            class or function without arguments that makes one.

    Raises:
        ConfigError: the name says nothing, or what it names is no matcher.
        DependencyError: its module, or what that needs, is not installed.
    """
    if spec == BUILT_IN:
        return StructureMatcher()
    if spec == _LOFTR:
        return CallableMatcher(loftr(), _LOFTR)
    module_name, colon, attribute = spec.partition(":")
    if not colon or not module_name or not attribute:
        raise ConfigError(
            f"matcher {spec!r}: must be {BUILT_IN}, {_LOFTR} or module:attribute, for instance "
            "my_robot.minima:match"
        )
    try:
        found = getattr(importlib.import_module(module_name), attribute)
    except ImportError as error:
        raise DependencyError(
            f"matcher {spec}: {error}; install what it needs, and start edge-sdk where "
            f"Python finds {module_name}"
        ) from error
    except AttributeError:
        raise ConfigError(f"matcher {spec}: {module_name} has no {attribute}") from None
    if isinstance(found, type):
        found = found()
    if hasattr(found, "match") and hasattr(found, "name"):
        return cast(Matcher, found)
    if not callable(found):
        raise ConfigError(f"matcher {spec}: is a {type(found).__name__}, which cannot be called")
    return CallableMatcher(cast(MatchFunction, found), spec)


def loftr(weights: str = "outdoor") -> Callable[[Image, Image], Sequence[Any]]:
    """kornia's LoFTR (Sun et al., CVPR 2021) as a :class:`MatchFunction`.

    Args:
        weights: ``outdoor`` or ``indoor``; kornia downloads them once.

    Raises:
        DependencyError: torch or kornia is not installed, or the weights cannot be had.
    """
    try:
        torch = importlib.import_module("torch")
        feature = importlib.import_module("kornia.feature")
    except ImportError as error:
        raise DependencyError(
            f"matcher {_LOFTR}: {error}; install torch and kornia (pip install torch kornia), or "
            "use the built-in matcher, which needs neither"
        ) from error
    try:
        network = feature.LoFTR(pretrained=weights).eval()
    except Exception as error:  # no network, no disk, another host: one answer for the user
        raise DependencyError(
            f"matcher {_LOFTR}: its weights ({weights}) cannot be had: {error}; download them on a "
            "machine with a network (torch.hub's cache), or use the built-in matcher"
        ) from error

    def match(ir: Image, visible: Image) -> Sequence[Any]:
        import cv2

        grey = cv2.cvtColor(visible, cv2.COLOR_BGR2GRAY)
        tensors = [torch.from_numpy(i).float()[None, None] / 255 for i in (ir, grey)]
        with torch.inference_mode():
            out = network({"image0": tensors[0], "image1": tensors[1]})
        return [out[k].cpu().numpy() for k in ("keypoints0", "keypoints1", "confidence")]

    return match
