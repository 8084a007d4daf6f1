"""``edge-sdk calibrate intrinsics``: the lens of one camera, from pictures or guided."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from edge_sdk.cli.calibrate import calibrate_app, workshop
from edge_sdk.cli.calibrate.options import (
    Board,
    Dictionary,
    Json,
    Legacy,
    MarkerMm,
    Model,
    Report,
    SquareMm,
    TargetKind,
    check_model,
    check_output,
    make_target,
    print_json,
)
from edge_sdk.errors import ConfigError


@calibrate_app.command()
def intrinsics(
    images: Annotated[
        str | None,
        typer.Option(help="Pictures of the board: 'PATTERN' in quotes, a folder, or a video."),
    ] = None,
    camera: Annotated[
        str | None,
        typer.Option(help="ir or visible; without --images the rig's camera, guided live."),
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Camera file to write.")] = None,
    board: Board = None,
    target: TargetKind = "checkerboard",
    square_mm: SquareMm = None,
    marker_mm: MarkerMm = None,
    dictionary: Dictionary = "DICT_4X4_50",
    legacy_charuco: Legacy = False,
    model: Model = "pinhole",
    name: Annotated[str | None, typer.Option(help="Camera name in the file.")] = None,
    identity: Annotated[
        str | None, typer.Option(help="Device that it is, as in the rig file (serial:...).")
    ] = None,
    output_format: Annotated[
        str, typer.Option("--format", help="edge-sdk, ros or kalibr.")
    ] = "edge-sdk",
    report: Report = None,
    json: Json = False,
) -> None:
    """Measure the lens of one camera from views of a board."""
    check_model(model)
    if camera not in (None, "ir", "visible"):
        raise ConfigError(f"--camera {camera}: must be ir or visible")
    board_target = make_target(target, board, square_mm, marker_mm, dictionary, legacy_charuco)
    if images is None:
        raise ConfigError("give the pictures: --images 'PATTERN', a folder or a video")
    check_output(output, [images])
    check_output(report, [images])
    findings, pictures = _find(images, camera or "ir", board_target, quiet=json)
    result = workshop("intrinsics").calibrate_intrinsics(
        findings, model, name or camera or "camera", identity
    )
    finish(result, pictures, output, output_format, report, json)


def _find(images: str, camera: str, target: Any, quiet: bool) -> tuple[Any, dict[str, Any]]:
    """The target in the pictures, and the pictures by name."""
    from edge_sdk.cli.run import _progress

    kept: dict[str, Any] = {}

    def read() -> Any:
        for name, picture in workshop("pictures").read_pictures(images, camera):
            if not isinstance(picture, Exception):
                kept[name] = picture
            yield name, picture

    with _progress(quiet) as progress:
        files = workshop("pictures").picture_files(images)
        task = progress.add_task("looking for the board", total=len(files) if files else None)
        findings = workshop("targets").find_targets(
            read(), target, lambda name, result: progress.advance(task)
        )
    return findings, kept


def finish(
    result: Any,
    pictures: dict[str, Any],
    output: Path | None,
    output_format: str,
    report: Path | None,
    json: bool,
) -> None:
    """Write the files, and print what was found."""
    formats = workshop("formats")
    figures = result.report()
    written: dict[str, str] = {}
    if output is not None:
        loaded = formats.Loaded("edge_sdk camera", {"camera": result.camera}, report=figures)
        formats.save(loaded, output, output_format)
        written["camera"] = str(output)
    if report is not None:
        workshop("report").write_intrinsics_report(result, pictures, report)
        written["report"] = str(report)
    if json:
        camera = result.camera.model_dump()
        print_json({"camera": camera, **figures, "written": written})
        return
    from edge_sdk.cli.calibrate.tables import print_intrinsics

    print_intrinsics(result, written)
