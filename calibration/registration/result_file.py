"""A registration as a calibration file, and as plain values."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from edge_sdk.calibration_file import Calibration, build_calibration

from .lenses import Lenses
from .register import RegistrationResult

__all__ = ["NO_INTRINSICS", "result_values", "to_calibration"]

NO_INTRINSICS = "not calibrated: no distortion, focal length a guess"


def to_calibration(
    result: RegistrationResult,
    lenses: Lenses | None = None,
    *,
    identities: Mapping[str, str | None] | None = None,
    distance_m: float | None = None,
) -> Calibration:
    """The calibration that holds this registration.

    Args:
        result: of :func:`.register`, with the intrinsics of ``lenses`` if they are given.
        lenses: cameras and report are kept. A homography and extrinsics that their file has are
            not: a pose that belongs to another homography would align other distances wrongly.
        identities: ``"ir"`` and ``"visible"`` to the device as the rig file names it, or None.
        distance_m: distance of what was filmed, if it is known.

    Raises:
        CalibrationError: the homography cannot map one picture onto the other.
    """
    report: dict[str, Any] = {}
    if lenses is not None:
        cameras: dict[str, Any] = lenses.cameras.model_dump()
        report = dict(lenses.report)
    else:
        sizes = {"ir": result.ir_size, "visible": result.visible_size}
        cameras = {name: _unknown_lens(name, size) for name, size in sizes.items()}
        report["intrinsics"] = NO_INTRINSICS
    for name, identity in (identities or {}).items():
        if identity is not None:
            cameras[name]["identity"] = identity
    report["registration"] = {
        "method": "without a target",
        "matcher": result.matcher,
        "pairs": result.pairs,
        "seconds": round(result.seconds, 2),
        **result.quality.to_dict(),
    }
    return build_calibration(
        {
            "date": dt.date.today(),
            "cameras": cameras,
            "registration": {"homography": result.homography, "distance_m": distance_m},
            "report": report,
        }
    )


def result_values(result: RegistrationResult) -> dict[str, Any]:
    """Plain values, for JSON."""
    return {
        "passed": result.passed,
        "faults": list(result.faults),
        "warnings": result.warnings,
        "homography": result.homography.tolist(),
        "ir_size": list(result.ir_size),
        "visible_size": list(result.visible_size),
        "matcher": result.matcher,
        "pairs": result.pairs,
        "seconds": round(result.seconds, 2),
        "quality": result.quality.to_dict(),
    }


def _unknown_lens(name: str, size: tuple[int, int]) -> dict[str, Any]:
    """A lens without distortion. The focal length is that of a 53 degree lens; nothing of an
    alignment by homography depends on it."""
    width, height = size
    return {
        "name": f"{name}, {NO_INTRINSICS}",
        "width": width,
        "height": height,
        "model": "pinhole",
        "K": {
            "fx": float(width),
            "fy": float(width),
            "cx": (width - 1) / 2,
            "cy": (height - 1) / 2,
        },
        "distortion": [0.0] * 5,
    }
