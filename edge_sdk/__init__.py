"""edge_sdk: see in the dark, in smoke and in glare.

Two cameras in (long-wave infrared and visible), one fused, restored, tracked video out::

    from edge_sdk import FusionPipeline

    with FusionPipeline.open("rig.yaml") as pipeline:
        for fused in pipeline:
            robot.look(fused.image, fused.tracks)

Names load when they are first used: ``import edge_sdk`` alone loads neither OpenCV nor an engine.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge_sdk.errors import (
        CalibrationError,
        ConfigError,
        DependencyError,
        EdgeSdkError,
        EngineError,
        ModelError,
        SourceError,
    )
    from edge_sdk.events import Event, EventKind
    from edge_sdk.frames import Frame, FrameFlags, FramePair, FusedFrame, Hook, Track
    from edge_sdk.pipeline import FusionPipeline
    from edge_sdk.stats import PipelineStats

try:
    __version__ = version("edge-sdk")
except PackageNotFoundError:  # a checkout that is not installed
    __version__ = "0+unknown"

_MODULES = {
    "FusionPipeline": "pipeline",
    "PipelineStats": "stats",
    "Event": "events",
    "EventKind": "events",
    "Frame": "frames",
    "FrameFlags": "frames",
    "FramePair": "frames",
    "FusedFrame": "frames",
    "Hook": "frames",
    "Track": "frames",
    "CalibrationError": "errors",
    "ConfigError": "errors",
    "DependencyError": "errors",
    "EdgeSdkError": "errors",
    "EngineError": "errors",
    "ModelError": "errors",
    "SourceError": "errors",
}

__all__ = [
    "CalibrationError",
    "ConfigError",
    "DependencyError",
    "EdgeSdkError",
    "EngineError",
    "Event",
    "EventKind",
    "Frame",
    "FrameFlags",
    "FramePair",
    "FusedFrame",
    "FusionPipeline",
    "Hook",
    "ModelError",
    "PipelineStats",
    "SourceError",
    "Track",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
