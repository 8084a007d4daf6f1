"""Our own engines and precisions as methods of ``benchmarks.quality``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_sdk.errors import ConfigError
from edge_sdk.fusion import Fuser

__all__ = ["EdgeSdk", "edge_sdk_method"]

PERIOD_NS = 33_333_333


class EdgeSdk:
    """The streaming fuser, fed as the pipeline feeds it: 30 frames a second, state kept."""

    def __init__(self, engine: str, precision: str, model: str) -> None:
        self._fuser = Fuser(model, engine=engine, precision=precision)
        self._index = 0

    def reset(self) -> None:
        self._fuser.reset("start")
        self._index = 0

    def step(self, ir: NDArray[np.uint8], visible: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Infrared (H, W) and visible (H, W, 3) BGR to the fused (H, W, 3) BGR picture."""
        self._index += 1
        return self._fuser.step(ir, visible, self._index * PERIOD_NS).image


def edge_sdk_method(argument: str) -> EdgeSdk:
    """``ENGINE:PRECISION`` or ``ENGINE:PRECISION:MODEL``, as ``auto:int8``.

    Raises:
        ConfigError: the argument has another form.
    """
    parts = argument.split(":", 2)
    if len(parts) < 2:
        raise ConfigError(
            f"method edge-sdk:{argument}: must be edge-sdk:ENGINE:PRECISION[:MODEL], for instance "
            "edge-sdk:openvino:int8"
        )
    return EdgeSdk(parts[0], parts[1], parts[2] if len(parts) == 3 else "default")
