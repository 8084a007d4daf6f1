"""Arrays that are used again once nobody holds the frame that was in them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = ["ArrayPool"]


class ArrayPool:
    """Hands out arrays of one shape; memory of a large frame costs more to get than to fill.

    What is handed out is a view, and any slice of it refers to the array in the pool, so that the
    number of references to that array tells whether a frame or a part of it is still in use.

    Args:
        limit: arrays that are kept; beyond it arrays are made and forgotten.
    """

    def __init__(self, limit: int = 8) -> None:
        self._limit = limit
        self._arrays: list[NDArray[Any]] = []

    def take(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """An array with any content that nobody else has."""
        wanted = np.dtype(dtype)
        if self._arrays and (self._arrays[0].shape, self._arrays[0].dtype) != (shape, wanted):
            self._arrays.clear()
        for array, references in _with_references(self._arrays):
            if references == _IDLE_REFERENCES:
                return array.view()
        array = np.empty(shape, wanted)
        if len(self._arrays) < self._limit:
            self._arrays.append(array)
        return array.view()


def _with_references(
    arrays: Sequence[NDArray[Any]],
) -> Iterator[tuple[NDArray[Any], int]]:
    """Each array, and how many references there are to it, those of this loop included."""
    for array in arrays:
        yield array, sys.getrefcount(array)


def _idle_references() -> int:
    """Of an array that only its list holds; interpreters differ in what a loop adds."""
    ((_, references),) = _with_references([np.empty(1)])
    return references


_IDLE_REFERENCES = _idle_references()
