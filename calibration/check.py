"""A calibration file judged: impossible lenses, doubtful figures, parallax from near to far."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edge_sdk.calibration_file import CameraCalibration, build_calibration
from edge_sdk.errors import CalibrationError
from edge_sdk.geometry import homography_fault, plane_homography

from .formats import Loaded
from .lens import parameters_of, rays
from .parallax import parallax_table
from .registration import ONE_PAIR

__all__ = ["Verdict", "as_calibration", "judge"]

_DISTANCES_M = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0)


@dataclass(frozen=True)
class Verdict:
    """What is to be said about a calibration.

    Attributes:
        problems: reasons to doubt it; empty for a good one.
        rows: (name, value) lines for people.
        figures: the same for ``--json``.
    """

    problems: list[str]
    rows: list[tuple[str, str]] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """True if nothing speaks against it."""
        return not self.problems

    def to_dict(self, loaded: Loaded) -> dict[str, Any]:
        """All of it for ``--json``."""
        return {
            "kind": loaded.kind,
            "good": self.good,
            "problems": self.problems,
            "cameras": {name: camera.model_dump() for name, camera in loaded.cameras.items()},
            **self.figures,
        }


def judge(
    loaded: Loaded,
    size: tuple[int, int] | None = None,
    identity: str | None = None,
    which: str | None = None,
) -> Verdict:
    """Judge a calibration.

    Args:
        loaded: the file's content.
        size, identity: of the camera that it is to be used with.
        which: of two cameras the one that size and identity are for; None: all.

    Raises:
        CalibrationError: it is of another size or device, or has no camera of that name.
    """
    if which is not None and which not in loaded.cameras:
        raise CalibrationError(
            f"the {loaded.kind} has no camera {which!r}; it has {', '.join(loaded.cameras)}"
        )
    problems: list[str] = []
    rows: list[tuple[str, str]] = []
    figures: dict[str, Any] = {"lenses": {}}
    for name, camera in loaded.cameras.items():
        if which in (None, name):
            camera.require(name, camera.size if size is None else size, identity)
        lens, found = _judge_lens(name, camera)
        problems += found
        figures["lenses"][name] = lens
        view = lens["field_of_view_deg"]
        shown = "unknown" if view is None else f"{view[0]:.1f} x {view[1]:.1f} degrees"
        rows.append((f"{name} view", shown))
    if loaded.extrinsics is not None:
        t = loaded.extrinsics.translation_m
        turn = np.degrees(np.arccos(np.clip((np.trace(loaded.extrinsics.rotation) - 1) / 2, -1, 1)))
        rows.append(("baseline", f"{1000 * np.linalg.norm(t):.1f} mm, turned {turn:.2f} degrees"))
        figures["baseline_m"] = float(np.linalg.norm(t))
        figures["turn_deg"] = float(turn)
        if np.linalg.norm(t) > 1.0:
            problems.append(
                f"the cameras are {np.linalg.norm(t):.2f} m apart; were millimetres taken for "
                "metres?"
            )
    if loaded.calibration is not None:
        problems += _judge_registration(loaded, rows, figures)
    report = loaded.report
    for key, limit in (("rms_px", 1.0), ("cross_validation_px", 1.5)):
        value = report.get(key)
        if isinstance(value, int | float):
            rows.append((key, f"{value:.3f}"))
            figures[key] = value
            if value > limit:
                problems.append(f"{key} is {value:.2f} px; below {limit:g} px is usual")
    stated = report.get("warnings")
    if isinstance(stated, list):
        problems += [str(item) for item in stated]
    return Verdict(problems, rows, figures)


def _judge_lens(name: str, camera: CameraCalibration) -> tuple[dict[str, Any], list[str]]:
    """Field of view, and what is strange about a lens."""
    problems = []
    width, height = camera.size
    k = camera.K
    rim = np.array(
        [
            [0, (height - 1) / 2],
            [width - 1, (height - 1) / 2],
            [(width - 1) / 2, 0],
            [(width - 1) / 2, height - 1],
            [0, 0],
            [width - 1, 0],
            [0, height - 1],
            [width - 1, height - 1],
        ],
        dtype=np.float64,
    )
    directions, good = rays(camera.model, parameters_of(camera), rim)
    view = None
    if good[:4].all():
        angles = np.degrees(np.arctan(np.abs(directions)))
        view = [float(angles[0, 0] + angles[1, 0]), float(angles[2, 1] + angles[3, 1])]
    if not good.all():
        problems.append(
            f"{name}: the distortion turns back inside of the picture, its corners cannot be "
            "undistorted; calibrate with views that reach the corners"
        )
    aspect = k.fx / k.fy
    if abs(aspect - 1) > 0.03:
        problems.append(f"{name}: pixels are not square: fx/fy = {aspect:.3f}")
    off = float(np.hypot(k.cx - (width - 1) / 2, k.cy - (height - 1) / 2))
    if off > 0.12 * max(width, height):
        problems.append(
            f"{name}: the principal point is {off:.0f} px from the picture's middle; is the file "
            f"for {width}x{height} images?"
        )
    return {"field_of_view_deg": view, "aspect": aspect, "centre_offset_px": off}, problems


def _judge_registration(
    loaded: Loaded, rows: list[tuple[str, str]], figures: dict[str, Any]
) -> list[str]:
    """Add what the file says about its alignment; what is to be doubted in it."""
    problems = []
    assert loaded.calibration is not None
    registration = loaded.calibration.registration
    distance = registration.distance_m
    rows.append(("date", loaded.calibration.date.isoformat()))
    rows.append(("aligned at", "unknown distance" if distance is None else f"{distance:g} m"))
    figures["date"] = loaded.calibration.date.isoformat()
    figures["distance_m"] = distance
    report = loaded.report.get("registration")
    if isinstance(report, dict):
        if report.get("pairs") == 1:  # files of before say that its halves are 0 px apart
            report = {**report, "halves_px": None}
            rows.append(("halves of the pairs", "not measured, there is one pair"))
            problems.append(ONE_PAIR)
        figures["registration"] = report
        words = (
            ("inliers", "matches", "matches that agree", "{:.0f}"),
            ("spread_px", "limit_px", "parts of the picture, px apart", "{:.1f}"),
            ("halves_px", "limit_px", "halves of the pairs, px apart", "{:.1f}"),
        )
        for key, bound, text, form in words:
            value, most = report.get(key), report.get(bound)
            if isinstance(value, int | float) and isinstance(most, int | float):
                joint = " of " if bound == "matches" else " (at most "
                end = "" if bound == "matches" else ")"
                rows.append((text, form.format(value) + joint + form.format(most) + end))
    if registration.extrinsics is None:
        return problems
    table = parallax_table(loaded.calibration, _DISTANCES_M)
    figures["parallax_px"] = {f"{row.distance_m:g}": row.centre_px for row in table}
    text = ", ".join(f"{row.distance_m:g} m: {row.centre_px:.1f}" for row in table)
    rows.append(("parallax px", text))
    return problems


def as_calibration(loaded: Loaded, distance_m: float | None) -> Loaded:
    """A rig's calibration from two lenses and their pose.

    Args:
        loaded: of two cameras.
        distance_m: align at this distance; None: far away (where parallax vanishes).

    Raises:
        CalibrationError: there is no pose, or no plane at that distance can be aligned.
    """
    if loaded.calibration is not None and distance_m is None:
        return loaded
    if loaded.extrinsics is None:
        raise CalibrationError(
            f"the {loaded.kind} does not say how the cameras stand to each other (T_cn_cnm1): "
            "convert one with --which, or measure with edge-sdk calibrate stereo"
        )
    if distance_m is not None and not distance_m > 0:
        raise CalibrationError(f"--distance-m must be above 0, found {distance_m}")
    ir, visible = loaded.cameras["ir"], loaded.cameras["visible"]
    pose = loaded.extrinsics
    far = np.inf if distance_m is None else distance_m
    homography = plane_homography(ir.matrix, visible.matrix, pose.rotation, pose.translation_m, far)
    homography /= homography[2, 2]
    fault = homography_fault(homography, ir.size)
    if fault:
        raise CalibrationError(f"the homography at {far:g} m {fault}")
    calibration = build_calibration(
        {
            "date": dt.date.today(),
            "cameras": {"ir": ir.model_dump(), "visible": visible.model_dump()},
            "registration": {
                "homography": homography,
                "distance_m": distance_m,
                "extrinsics": pose.model_dump(),
            },
            "report": {"converted_from": loaded.kind},
        }
    )
    return Loaded(loaded.kind, loaded.cameras, pose, calibration, dict(calibration.report))
