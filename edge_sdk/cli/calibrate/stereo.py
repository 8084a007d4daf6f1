"""``edge-sdk calibrate stereo``: how the cameras stand to each other, from a board both see."""

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
    check_format,
    check_model,
    check_outputs,
    make_target,
    print_json,
)


@calibrate_app.command()
def stereo(
    ir: Annotated[str, typer.Option(help="Infrared: folder, 'PATTERN', picture or video.")],
    visible: Annotated[str, typer.Option(help="Visible: folder, 'PATTERN', picture or video.")],
    square_mm: SquareMm = None,
    output: Annotated[Path | None, typer.Option(help="Calibration file to write.")] = None,
    board: Board = None,
    target: TargetKind = "checkerboard",
    marker_mm: MarkerMm = None,
    dictionary: Dictionary = "DICT_4X4_50",
    legacy_charuco: Legacy = False,
    ir_camera: Annotated[
        Path | None, typer.Option(help="Infrared lens, any format; default: from these pictures.")
    ] = None,
    visible_camera: Annotated[
        Path | None, typer.Option(help="Visible lens, any format; default: from these pictures.")
    ] = None,
    model: Model = "pinhole",
    distance_m: Annotated[
        float | None, typer.Option(help="Align at this distance; default: the boards' median.")
    ] = None,
    output_format: Annotated[str, typer.Option("--format", help="edge-sdk or kalibr.")] = (
        "edge-sdk"
    ),
    report: Report = None,
    json: Json = False,
) -> None:
    """Measure how the two cameras stand to each other, from pairs of pictures of a board."""
    from edge_sdk.cli.run import _progress

    check_model(model)
    check_format(output_format, ("edge-sdk", "kalibr"))
    check_outputs(
        {"--output": output, "--report": report}, [ir, visible, ir_camera, visible_camera]
    )
    wanted = make_target(target, board, square_mm, marker_mm, dictionary, legacy_charuco)
    with _progress(json) as progress:
        task = progress.add_task("looking for the board", total=None)
        result, pictures, lenses = workshop("rig").calibrate_rig(
            workshop("pairs").read_pairs(ir, visible),
            wanted,
            ir_camera,
            visible_camera,
            model,
            distance_m,
            lambda: progress.advance(task),
        )
    formats = workshop("formats")
    calibration = result.calibration
    written: dict[str, str] = {}
    if output is not None:
        both = {"ir": calibration.cameras.ir, "visible": calibration.cameras.visible}
        pose = calibration.registration.extrinsics
        loaded = formats.Loaded("edge_sdk calibration", both, pose, calibration)
        formats.save(loaded, output, output_format)
        written["calibration"] = str(output)
    if report is not None:
        workshop("report").write_stereo_report(result, pictures, report, lenses)
        written["report"] = str(report)
    if json:
        print_json({**calibration.model_dump(mode="json"), "written": written})
        return
    _print(result, lenses, written)


def _print(result: Any, lenses: list[Any], written: dict[str, str]) -> None:
    from edge_sdk.cli.calibrate.tables import print_camera, print_rows, print_warnings

    figures = result.report()
    calibration = result.calibration
    print_camera("infrared", calibration.cameras.ir)
    print_camera("visible", calibration.cameras.visible)
    low, high = figures["board_distance_m"]
    rows = [
        ("target", figures["target"]),
        ("pairs", f"{figures['pairs_used']} used, {len(figures['pairs_rejected'])} not"),
        ("error px", f"infrared {figures['rms_ir_px']}, visible {figures['rms_visible_px']} RMS"),
        ("board distance", f"{low} to {high} m, aligned at {figures['aligned_at_m']} m"),
    ]
    pose = calibration.registration.extrinsics
    if pose is not None:
        spread = [1000 * v for v in figures["translation_deviation_m"]]
        shift = zip(1000 * pose.translation_m, spread, strict=True)
        rows.append(("shift mm", ", ".join(f"{a:.2f} +- {b:.2f}" for a, b in shift)))
        rows.append(("turn", f"{figures['turn_deg']} degrees"))
    rows += [("not used", f"{n}: {why}") for n, why in figures["pairs_rejected"].items()]
    rows += [(f"wrote {what}", path) for what, path in written.items()]
    print_rows(rows)
    for lens in lenses:
        print_warnings([f"{lens.camera.name}: {w}" for w in lens.warnings])
    print_warnings(result.warnings)
