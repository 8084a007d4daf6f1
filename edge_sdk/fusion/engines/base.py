"""What an engine is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from edge_sdk.frames import Image

__all__ = ["Engine", "Probe"]


@dataclass(frozen=True)
class Probe:
    """Whether an engine can be used on this machine, and why (not).

    Attributes:
        engine: its name, as in the rig file.
        available: True if it can be used.
        reason: version and device if it can, else what is missing and how to get it.
    """

    engine: str
    available: bool
    reason: str


class Engine(Protocol):
    """Runs one model at one image size.

    Attributes:
        name: ``"openvino"``, ``"onnxruntime"``.
        precision: ``"int8"`` or ``"fp32"``.
        device: what it runs on, for people to read.
    """

    name: str
    precision: str
    device: str

    def run(self, inputs: dict[str, Image]) -> dict[str, Image]:
        """Run once. Returned arrays may be the engine's own memory: they hold until the run
        after the next one, so that outputs can be fed back as inputs without a copy.

        Raises:
            EngineError: the library refused or failed.
        """
        ...
