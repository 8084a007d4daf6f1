"""A lens in a report: figures, errors, coverage, uncertainty, samples."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edge_sdk.frames import Image

from ..intrinsics import Intrinsics
from ..lens import NAMES, parameters_of, project, rays
from ..views import tilts_deg
from .charts import bars, coverage_map, curve, heat_map, inline, residual_map
from .page import Page
from .samples import found, undistorted

__all__ = ["add_lens"]


def add_lens(page: Page, result: Intrinsics, pictures: Mapping[str, Image]) -> None:
    """Append a lens to a page.

    Args:
        page: to append to.
        result: the lens.
        pictures: by name, for the samples; those that are missing are left out.
    """
    figures = result.report()
    camera, size = result.camera, result.camera.size
    deviations = figures["standard_deviation"]
    page.heading(f"Lens: {camera.name}")
    values = dict(zip(NAMES[camera.model], parameters_of(camera).tolist(), strict=True))
    total = figures["views_used"] + len(figures["views_rejected"])
    page.rows(
        [
            ("image", f"{size[0]}x{size[1]}, {camera.model}"),
            ("target", figures["target"]),
            ("views", f"{figures['views_used']} of {total} used, {figures['points']} corners"),
            *((name, _measured(value, deviations[name])) for name, value in values.items()),
            ("error", f"{figures['rms_px']} px RMS"),
            ("error on views left out", _held_out(figures["cross_validation_px"])),
        ]
    )
    page.warnings(result.warnings)
    residuals = np.concatenate(result.solution.residuals)
    shown = []
    pixels = _projected(result) + residuals
    picture, factor = residual_map(pixels, residuals, size)
    shown.append((inline(picture, "errors"), f"Errors, {factor:g} times enlarged; red: large."))
    shown.append(
        (inline(coverage_map(result.coverage.counts, size), "coverage"), "Corners in each part.")
    )
    shown.append(
        (
            inline(heat_map(result.uncertainty_px, size), "uncertainty"),
            "Uncertainty in pixels: how far a far point would move if all were repeated.",
        )
    )
    shown.append((_distortion_curve(result), "Distortion from the centre to the farthest corner."))
    page.figures(shown)
    page.heading("Error of each view")
    tilts = tilts_deg(result.solution.poses)
    names = {
        f"{name} ({tilt:.0f} deg)": value
        for (name, value), tilt in zip(result.view_rms_px.items(), tilts, strict=True)
    }
    page.figures([(bars(names, "px"), "RMS; in brackets the tilt of the board.")])
    if result.rejections:
        page.heading("Views that were not used")
        page.rows([(r.name, r.reason) for r in result.rejections])
    samples = [(o, pictures[o.name]) for o in result.observations if o.name in pictures]
    if samples:
        chosen = [samples[k] for k in sorted({0, len(samples) // 2, len(samples) - 1})]
        page.heading("Samples", "Left what was found, right the same picture undistorted.")
        for observation, picture in chosen:
            page.figures(
                [
                    (inline(found(picture, observation), "found", 500), observation.name),
                    (inline(undistorted(picture, camera), "undistorted", 500), "undistorted"),
                ]
            )


def _held_out(value: float | None) -> str:
    return "too few views to leave some out" if value is None else f"{value} px RMS"


def _measured(value: float, deviation: float) -> str:
    return f"{value:.6g} +- {deviation:.2g}" if deviation else f"{value:.6g}"


def _projected(result: Intrinsics) -> np.ndarray:
    """Where the lens sees the corners that were kept, in the order of the residuals.

    A view that lost corners has fewer residuals than corners: each residual is given back to the
    corner that it belongs to, which is the one it leads to.
    """
    places = []
    parameters = result.solution.parameters
    for observation, pose, residual in zip(
        result.observations, result.solution.poses, result.solution.residuals, strict=True
    ):
        board = result.target.places(observation.cells)
        seen = project(result.solution.model, parameters, pose[:3], pose[3:], board)[0]
        off = observation.pixels - seen
        rows = [int(np.linalg.norm(off - r, axis=1).argmin()) for r in residual]
        places.append(seen[rows])
    return np.concatenate(places)


def _distortion_curve(result: Intrinsics) -> str:
    camera = result.camera
    k = camera.K
    right, bottom = camera.width - 1.0, camera.height - 1.0
    corners = np.array([[0.0, 0.0], [right, 0.0], [0.0, bottom], [right, bottom]])
    centre = np.array([k.cx, k.cy])
    farthest = corners[np.linalg.norm(corners - centre, axis=1).argmax()]
    steps = np.linspace(0, 1, 40)[:, None]
    pixels = centre + steps * (farthest - centre)
    directions, good = rays(camera.model, parameters_of(camera), pixels)
    flat = directions * [k.fx, k.fy] + centre
    radius = np.linalg.norm(pixels - centre, axis=1)
    shift = radius - np.linalg.norm(flat - centre, axis=1)
    return curve(
        radius[good].tolist(), shift[good].tolist(), "distance from the centre, px", "shift, px"
    )
