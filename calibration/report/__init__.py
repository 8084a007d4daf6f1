"""The page that shows how good a calibration is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2

from edge_sdk.frames import Image

from ..intrinsics import Intrinsics
from ..stereo import Stereo
from .lens_section import add_lens
from .page import Page
from .registration_section import write_registration_report
from .rig_section import add_chessboards, add_parallax, add_rig

__all__ = [
    "Page",
    "add_chessboards",
    "add_parallax",
    "write_intrinsics_report",
    "write_registration_report",
    "write_stereo_report",
]


def write_intrinsics_report(
    result: Intrinsics, pictures: Mapping[str, Image], path: str | Path
) -> None:
    """Write the page of one lens.

    Args:
        result: the lens.
        pictures: by name, for the samples.
        path: HTML file.

    Raises:
        ConfigError: it cannot be written.
    """
    page = Page(f"Calibration of the lens of {result.camera.name}")
    add_lens(page, result, pictures)
    page.write(path)


def write_stereo_report(
    stereo: Stereo,
    pictures: Mapping[str, tuple[Image, Image]],
    path: str | Path,
    lenses: Sequence[Intrinsics] = (),
) -> None:
    """Write the page of a rig.

    Args:
        stereo: the rig.
        pictures: infrared and visible by the pair's name.
        path: HTML file.
        lenses: of both cameras, if they were measured from the same pictures.

    Raises:
        ConfigError: it cannot be written.
    """
    page = Page("Calibration of the rig")
    add_rig(page, stereo)
    used = {pair.name: pictures[pair.name] for pair in stereo.pairs if pair.name in pictures}
    centre = stereo.target.places(stereo.pairs[0].ir.cells).mean(0)
    distances = {
        pair.name: float((cv2.Rodrigues(pose[:3])[0] @ centre + pose[3:])[2])
        for pair, pose in zip(stereo.pairs, stereo.solution.board_poses, strict=True)
    }
    add_chessboards(page, stereo.calibration, used, distances)
    add_parallax(page, stereo.calibration)
    for side, lens in enumerate(lenses):
        add_lens(page, lens, {name: pair[side] for name, pair in pictures.items()})
    page.write(path)
