"""A rig in a report: pose, errors, chessboards before and after, parallax."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edge_sdk.calibration_file import Calibration
from edge_sdk.frames import Image

from ..parallax import parallax_table
from ..stereo import Stereo
from .charts import bars, inline, residual_map
from .page import Page
from .samples import before_and_after

__all__ = ["add_chessboards", "add_parallax", "add_rig"]

DISTANCES_M = (0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 7.5, 10.0, 20.0, 50.0, 100.0)


def add_rig(page: Page, stereo: Stereo) -> None:
    """Append pose, errors and figures of a calibration with a board."""
    figures = stereo.report()
    registration = stereo.calibration.registration
    rows = [
        ("target", figures["target"]),
        ("pairs", f"{figures['pairs_used']} used, {len(figures['pairs_rejected'])} not"),
        (
            "error",
            f"{figures['rms_ir_px']} px infrared, {figures['rms_visible_px']} px visible",
        ),
        (
            "board's distance",
            f"{figures['board_distance_m'][0]} to {figures['board_distance_m'][1]} m",
        ),
        ("aligned at", f"{figures['aligned_at_m']} m"),
    ]
    if registration.extrinsics is not None:
        shift = 1000 * registration.extrinsics.translation_m
        spread = [1000 * v for v in figures["translation_deviation_m"]]
        text = ", ".join(f"{a:.2f} +- {b:.2f}" for a, b in zip(shift, spread, strict=True))
        turn = ", ".join(f"{v:.3f}" for v in figures["rotation_deviation_deg"])
        rows += [
            ("shift x, y, z", f"{text} mm"),
            ("turn", f"{figures['turn_deg']} degrees, +- {turn} about x, y, z"),
        ]
    page.heading("Rig")
    page.rows(rows)
    page.warnings(stereo.warnings)
    shown = []
    for side, name, camera in (
        (0, "infrared", stereo.calibration.cameras.ir),
        (1, "visible", stereo.calibration.cameras.visible),
    ):
        residuals = np.concatenate([pair[side] for pair in stereo.solution.residuals])
        pixels = np.concatenate([(p.ir, p.visible)[side].pixels for p in stereo.pairs])
        picture, factor = residual_map(pixels, residuals, camera.size)
        shown.append((inline(picture, name), f"Errors, {name}, {factor:g} times enlarged."))
    page.figures(shown)
    page.heading("Error of each pair")
    page.figures([(bars(figures["pair_rms_px"], "px"), "RMS over both cameras.")])
    if stereo.rejections:
        page.heading("Pairs that were not used")
        page.rows([(r.name, r.reason) for r in stereo.rejections])


def add_chessboards(
    page: Page,
    calibration: Calibration,
    pictures: Mapping[str, tuple[Image, Image]],
    distances_m: Mapping[str, float] | None = None,
) -> None:
    """Append both cameras in one picture, before and after, for up to three pairs.

    Args:
        page: to append to.
        calibration: of the rig.
        pictures: infrared and visible by name.
        distances_m: distance of what is in a pair; without it the file's own is used.
    """
    names = list(pictures)
    if not names:
        return
    page.heading(
        "Chessboard of both cameras",
        "Coloured squares are infrared, grey ones visible. Left merely scaled, right aligned: "
        "lines must go on across the squares.",
    )
    for k in sorted({0, len(names) // 2, len(names) - 1}):
        name = names[k]
        distance = (distances_m or {}).get(name)
        before, after = before_and_after(*pictures[name], calibration, distance)
        note = "" if distance is None else f" at {distance:.2f} m"
        page.figures(
            [
                (inline(before, "before", 500), f"{name}: before"),
                (inline(after, "after", 500), f"after{note}"),
            ]
        )


def add_parallax(page: Page, calibration: Calibration) -> None:
    """Append the misalignment from near to far."""
    if calibration.registration.extrinsics is None:
        page.heading(
            "Parallax",
            "Unknown: the file holds a homography for one plane, not the cameras' pose.",
        )
        return
    at = calibration.registration.distance_m
    page.heading(
        "Parallax",
        f"Aligned at {'far' if at is None else f'{at:.2f} m'}. How far what lies at another "
        "distance is misaligned, in pixels of the visible camera.",
    )
    rows = [
        (f"{row.distance_m:g}", f"{row.centre_px:.2f}", f"{row.worst_px:.2f}")
        for row in parallax_table(calibration, DISTANCES_M)
    ]
    page.table(("distance m", "middle px", "worst corner px"), rows)
