"""``edge-sdk run --stills``: folders of unrelated pictures, each pair fused on its own."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import cv2

from edge_sdk.alignment import Aligner
from edge_sdk.capture.files import check_is_infrared
from edge_sdk.capture.folder import image_files, read_image
from edge_sdk.cli.summary import print_summary, warn_of_older
from edge_sdk.errors import ConfigError, SourceError
from edge_sdk.frames import FusedFrame
from edge_sdk.fusion import Fuser
from edge_sdk.outputs import open_output
from edge_sdk.stats import StatsRecorder
from edge_sdk.tone import ToneMapper
from edge_sdk.tracking import SideBySide

__all__ = ["fuse_stills", "refuse_for_stills"]


def refuse_for_stills(**options: object) -> None:
    """Options that make no sense for pictures that have nothing to do with each other.

    Raises:
        ConfigError: one of them was given, that is, is not None.
    """
    given = [f"--{name.replace('_', '-')}" for name, value in options.items() if value is not None]
    if given:
        raise ConfigError(
            f"--stills and {', '.join(given)} exclude each other: each picture is fused on its own "
            "and in its own size; nothing is tracked, calibrated or timed"
        )


def fuse_stills(
    ir: Path,
    visible: Path,
    output: str | None,
    fusion: dict[str, Any],
    as_json: bool,
    side_by_side: bool = False,
    max_pairs: int | None = None,
) -> None:
    """Fuse pictures of equal file stem, the first ``max_pairs``; sizes may differ.

    Raises:
        SourceError: the names of the two folders do not agree, or a picture cannot be read.
        ConfigError: the pictures of a pair have different shapes, or an output is missing.
    """
    if output is None:
        raise ConfigError("--stills needs --output FOLDER/")
    pairs = _pairs(ir, visible)[:max_pairs]
    composer = SideBySide() if side_by_side else None
    stats = StatsRecorder()
    fuser = Fuser(**fusion)
    with open_output(output if output.endswith("/") else f"{output}/", 30.0) as folder:
        for index, (ir_file, visible_file) in enumerate(pairs):
            thermal, picture = read_image(ir_file), read_image(visible_file)
            check_is_infrared([thermal], str(ir_file))
            if thermal.ndim == 3:
                thermal = cv2.cvtColor(thermal, cv2.COLOR_BGR2GRAY)
            if picture.ndim == 2:
                picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
            size = picture.shape[1], picture.shape[0]
            aligner = Aligner(None, (thermal.shape[1], thermal.shape[0]), size, size)
            start = time.monotonic_ns()
            ir_image, visible_image = aligner.align(thermal, picture)
            assert ir_image is not None and visible_image is not None
            ir_image = ToneMapper().step(ir_image, 0)
            fuser.reset()
            with stats.stage("fuse"):
                image = fuser.step(ir_image, visible_image, 0).image
            stats.add_latency("total", (time.monotonic_ns() - start) / 1e9)
            stats.pair(0)
            stats.fused()
            stats.count(stats.frames_in, "ir")
            stats.count(stats.frames_in, "visible")
            fused = FusedFrame(
                image, ir_image, visible_image, 0, 0, index=index, name=visible_file.name
            )
            folder.write(image if composer is None else composer.compose(fused, image), fused)
    if fuser.engine is not None:
        stats.engine = f"{fuser.engine.name} {fuser.precision} on {fuser.engine.device}"
    print_summary(stats.snapshot(), 0, {"pictures": output}, as_json)
    warn_of_older(folder, output)


def _pairs(ir: Path, visible: Path) -> list[tuple[Path, Path]]:
    for path in (ir, visible):
        if not path.exists():
            raise SourceError(f"{path}: no such file or folder")
    thermal = {file.stem: file for file in image_files(ir)}
    pictures = {file.stem: file for file in image_files(visible)}
    if len(thermal) == len(pictures) == 1:  # two single files may have any names
        return list(zip(thermal.values(), pictures.values(), strict=True))
    odd = sorted(thermal.keys() ^ pictures.keys())
    if odd:
        raise SourceError(
            f"{ir} and {visible}: {len(odd)} pictures have no partner of the same name "
            f"(the first: {odd[0]}); give both pictures of a pair one name"
        )
    return [(thermal[stem], pictures[stem]) for stem in thermal]
