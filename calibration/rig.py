"""Both lenses and the rig from pairs of pictures, in one go."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from edge_sdk.errors import CalibrationError, SourceError
from edge_sdk.frames import Image

from .formats import lens_warning, load_lens
from .intrinsics import Intrinsics, calibrate_intrinsics
from .lens import Model
from .pairs import PicturePair
from .stereo import Stereo, StereoPair, calibrate_stereo
from .targets import Findings, Rejection, Target, find_targets

__all__ = ["calibrate_rig"]


def calibrate_rig(
    pairs: Iterable[PicturePair | SourceError],
    target: Target,
    ir_camera: Path | None = None,
    visible_camera: Path | None = None,
    model: Model = "pinhole",
    distance_m: float | None = None,
    progress: Callable[[], None] | None = None,
) -> tuple[Stereo, dict[str, tuple[Image, Image]], list[Intrinsics]]:
    """Find the board, measure the lenses that are not given, and the rig.

    Args:
        pairs: pictures of both cameras.
        target: with its spacing; its size may be unknown.
        ir_camera, visible_camera: files of known lenses; None: measured from these pictures.
        model: of lenses that are measured.
        distance_m: see :func:`calibration.stereo.calibrate_stereo`.
        progress: called after each pair.

    Returns:
        the rig, the pictures by name, and the lenses that were measured.

    Raises:
        CalibrationError: the board is not in both pictures of any pair, or a file does not fit.
    """
    if target.spacing_m is None:
        raise CalibrationError(
            "the board's squares must be known in millimetres to measure how the cameras stand to "
            "each other: give --square-mm"
        )
    pictures: dict[str, tuple[Image, Image]] = {}
    rejections: list[Rejection] = []
    for item in pairs:
        if isinstance(item, SourceError):
            rejections.append(Rejection("a pair", str(item)))
        else:
            pictures[item[0]] = (item[1], item[2])
    step = None if progress is None else lambda name, result: progress()
    ir = find_targets(((name, pair[0]) for name, pair in pictures.items()), target, step)
    visible = find_targets(((name, pair[1]) for name, pair in pictures.items()), target)
    if target.size is None:
        ir, visible, target = _one_size(ir, visible)
    lenses: list[Intrinsics] = []
    cameras = []
    of_files: list[str] = []
    measured: list[str] = []
    for name, findings, file in (("ir", ir, ir_camera), ("visible", visible, visible_camera)):
        if file is not None:
            camera, warnings = load_lens(file, name, findings.image_size)
            cameras.append(camera)
            of_files += warnings
            continue
        lens = calibrate_intrinsics(findings, model, name)
        lenses.append(lens)
        measured += [lens_warning(name, text) for text in lens.warnings]
        cameras.append(lens.camera)
    seen = {o.name: o for o in visible.observations}
    both = [StereoPair(o.name, o, seen[o.name]) for o in ir.observations if o.name in seen]
    paired = {pair.name for pair in both}
    for side, findings in (("infrared", ir), ("visible", visible)):
        rejections += [
            Rejection(r.name, f"{side}: {r.reason}")
            for r in findings.rejections
            if r.name not in paired
        ]
    result = calibrate_stereo(both, target, cameras[0], cameras[1], distance_m, rejections)
    return _with_lens_warnings(result, of_files, measured), pictures, lenses


def _with_lens_warnings(stereo: Stereo, of_files: list[str], measured: list[str]) -> Stereo:
    """The rig with what limits its lenses: the rig's file is what is checked later.

    The warnings of the lenses measured here are in the file alone: whoever shows the result has
    these lenses too, and shows them there.
    """
    shown = [*stereo.warnings, *of_files]
    report = {**stereo.calibration.report, "warnings": [*shown, *measured]}
    calibration = stereo.calibration.model_copy(update={"report": report})
    return replace(stereo, calibration=calibration, warnings=shown)


def _one_size(ir: Findings, visible: Findings) -> tuple[Findings, Findings, Target]:
    """The board's size for both cameras: the larger one, if one camera saw a part only."""
    sizes = [f.target.size for f in (ir, visible)]
    assert sizes[0] is not None and sizes[1] is not None
    larger, other = sorted((sizes[0], sizes[1]), key=lambda s: s[0] * s[1], reverse=True)
    if other[0] > larger[0] or other[1] > larger[1]:
        raise CalibrationError(
            f"the infrared pictures show a board of {_text(ir)} inner corners, the visible ones of "
            f"{_text(visible)}; give --board with the true size"
        )
    target = ir.target.sized(*larger)
    both = []
    for findings in (ir, visible):
        observations = [
            replace(o, complete=o.complete and sorted(o.extent) == sorted(larger))
            for o in findings.observations
        ]
        both.append(replace(findings, target=target, observations=observations))
    return both[0], both[1], target


def _text(findings: Findings) -> str:
    size = findings.target.size
    return "unknown size" if size is None else f"{size[0]}x{size[1]}"
