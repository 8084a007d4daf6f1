"""Memory that is used again for every frame: fresh pages cost more than what is drawn on them."""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = ["Scratch"]


class Scratch(threading.local):
    """Named buffers, one set per thread, each as large as the largest array asked for so far."""

    def __init__(self) -> None:
        self._buffers: dict[str, NDArray[np.uint8]] = {}

    def take(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """An array with arbitrary content; valid until the same name is taken again."""
        kind = np.dtype(dtype)
        size = math.prod(shape) * kind.itemsize
        buffer = self._buffers.get(name)
        if buffer is None or buffer.size < size:
            buffer = np.empty(size, np.uint8)
            self._buffers[name] = buffer
        return buffer[:size].view(kind).reshape(shape)
