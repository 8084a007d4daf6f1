"""What a detector is to the rest of the SDK."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from edge_sdk.frames import FusedFrame
from edge_sdk.tracking.detections import Detections

__all__ = ["Detector"]


@runtime_checkable
class Detector(Protocol):
    """Finds objects in one fused frame. Anything with this method will do."""

    def detect(self, fused: FusedFrame) -> Detections:
        """Objects in pixels of ``fused.image``; must not change ``fused``."""
        ...
