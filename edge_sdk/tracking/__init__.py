"""Detects and follows objects in the fused video.

::

    from edge_sdk.tracking import TrackingHook, WarmObjectDetector

    hook = TrackingHook(WarmObjectDetector())       # needs pip install "edge-sdk[track]"
    with FusionPipeline.open("rig.yaml", hooks=[hook]) as pipeline:
        ...

Names load when they are first used; the packages of the extra load when an object that needs them
is made.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge_sdk.tracking.bytetrack import TrackingHook
    from edge_sdk.tracking.detections import Detections
    from edge_sdk.tracking.detector import Detector
    from edge_sdk.tracking.overlay import SideBySide, TrackOverlay, draw_tracks
    from edge_sdk.tracking.warm import WarmObjectDetector
    from edge_sdk.tracking.writer import TrackWriter
    from edge_sdk.tracking.yolo import YoloDetector

_MODULES = {
    "Detections": "detections",
    "Detector": "detector",
    "SideBySide": "overlay",
    "TrackOverlay": "overlay",
    "TrackWriter": "writer",
    "TrackingHook": "bytetrack",
    "WarmObjectDetector": "warm",
    "YoloDetector": "yolo",
    "draw_tracks": "overlay",
}

__all__ = [
    "Detections",
    "Detector",
    "SideBySide",
    "TrackOverlay",
    "TrackWriter",
    "TrackingHook",
    "WarmObjectDetector",
    "YoloDetector",
    "draw_tracks",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
