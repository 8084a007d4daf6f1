"""Frames in: cameras, recordings, the simulated rig, and the pairing of two streams.

Names load when they are used, so that ``import edge_sdk.capture`` needs neither OpenCV nor a
camera library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge_sdk.capture.camera import Camera
    from edge_sdk.capture.files import (
        RecordedCamera,
        check_is_infrared,
        looks_like_colour,
        open_recording,
        same_source,
    )
    from edge_sdk.capture.pairing import CameraDrops, Pairer, PairingStats
    from edge_sdk.capture.recorded_pairs import RecordedPairs, pair_recordings

__all__ = [
    "Camera",
    "CameraDrops",
    "Pairer",
    "PairingStats",
    "RecordedCamera",
    "RecordedPairs",
    "check_is_infrared",
    "looks_like_colour",
    "open_recording",
    "pair_recordings",
    "same_source",
]

_MODULES = {
    "Camera": "camera",
    "CameraDrops": "pairing",
    "Pairer": "pairing",
    "PairingStats": "pairing",
    "RecordedCamera": "files",
    "RecordedPairs": "recorded_pairs",
    "check_is_infrared": "files",
    "looks_like_colour": "files",
    "open_recording": "files",
    "pair_recordings": "recorded_pairs",
    "same_source": "files",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
