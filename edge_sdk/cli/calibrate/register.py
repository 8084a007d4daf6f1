"""``edge-sdk calibrate register``: infrared onto visible, without a target."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Annotated, Any

import typer

from edge_sdk.cli.calibrate import calibrate_app, workshop
from edge_sdk.cli.calibrate.options import check_outputs
from edge_sdk.cli.overwrite import sources_of
from edge_sdk.errors import ConfigError


@calibrate_app.command()
def register(
    output: Annotated[Path, typer.Option(help="Calibration file to write.")],
    ir: Annotated[Path | None, typer.Option(help="Infrared: video, folder or image.")] = None,
    visible: Annotated[Path | None, typer.Option(help="Visible: video, folder or image.")] = None,
    rig: Annotated[Path | None, typer.Option(help="Rig file: register its cameras.")] = None,
    pairs: Annotated[int, typer.Option(min=1, help="Pairs to sample, evenly spread.")] = 20,
    seconds: Annotated[
        float, typer.Option(min=0, help="How long live cameras are watched.")
    ] = 20.0,
    calibration: Annotated[
        Path | None,
        typer.Option(help="File with both lenses, of edge_sdk or Kalibr: undistorts first."),
    ] = None,
    ir_camera: Annotated[
        Path | None, typer.Option(help="Infrared lens, any format; with --visible-camera.")
    ] = None,
    visible_camera: Annotated[
        Path | None, typer.Option(help="Visible lens, any format; with --ir-camera.")
    ] = None,
    distance_m: Annotated[
        float | None, typer.Option(help="Distance of what was filmed, if known.")
    ] = None,
    matcher: Annotated[
        str, typer.Option(help="structure, loftr, or module:attribute of your own.")
    ] = "structure",
    overlay: Annotated[
        Path | None, typer.Option(help="PNG: checkerboard of both cameras, before and after.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="HTML page: figures, uncertainty, pictures.")
    ] = None,
    fps: Annotated[float | None, typer.Option(help="If the recordings do not say.")] = None,
    allow_gaps: Annotated[
        bool, typer.Option("--allow-gaps", help="Missing numbers in a folder are lost frames.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Find the homography from infrared to visible in what both cameras see."""
    import cv2
    from rich.console import Console

    sources = (ir, visible, rig, calibration, ir_camera, visible_camera)
    outputs = {"--output": output, "--overlay": overlay, "--report": report}
    check_outputs(outputs, sources)
    if overlay is not None and not cv2.haveImageWriter(str(overlay)):
        raise ConfigError(f"--overlay {overlay}: must end as pictures do, for instance in .png")
    registration = workshop("registration")
    files = workshop("registration.result_file")
    lenses = registration.read_lenses(calibration, ir_camera, visible_camera)
    cameras = None if lenses is None else lenses.cameras
    chosen = None if matcher == "structure" else registration.load_matcher(matcher)
    console = Console(stderr=True)
    with console.status("reading") as status:
        sampled, identities = _sample(
            registration,
            ir,
            visible,
            rig,
            pairs,
            seconds,
            fps,
            allow_gaps,
            outputs,
        )
        result = registration.register(
            sampled,
            matcher=chosen,
            cameras=cameras,
            progress=status.update,
        )
    if overlay is not None:
        _write_overlay(workshop("registration.overlay"), sampled, cameras, result, overlay)
    if report is not None:
        workshop("report").write_registration_report(result, sampled, report, cameras)
    values = files.result_values(result)
    if result.passed:
        from edge_sdk.calibration_file import write_calibration

        made = files.to_calibration(result, lenses, identities=identities, distance_m=distance_m)
        write_calibration(made, output)
        values["written"] = str(output)
    if json:
        print(json_module.dumps(values, indent=2))
    result.require()
    if not json:
        _print(values)


def _sample(
    registration: Any,
    ir: Path | None,
    visible: Path | None,
    rig: Path | None,
    pairs: int,
    seconds: float,
    fps: float | None,
    allow_gaps: bool,
    outputs: dict[str, Path | None],
) -> tuple[list[Any], dict[str, str | None]]:
    if rig is not None:
        if ir is not None or visible is not None:
            raise ConfigError("--rig and --ir, --visible exclude each other: give one or the other")
        from edge_sdk.config import load_rig

        config = load_rig(rig)
        check_outputs(outputs, sources_of(rig, config))
        identities = {
            name: getattr(getattr(config.cameras, name), "device", None)
            for name in ("ir", "visible")
        }
        return registration.sample_rig(config, pairs, seconds), identities
    if ir is None or visible is None:
        raise ConfigError("give both --ir and --visible, or --rig")
    sampled = registration.sample_recordings(ir, visible, pairs, fps=fps, allow_gaps=allow_gaps)
    return sampled, {}


def _write_overlay(module: Any, sampled: list[Any], cameras: Any, result: Any, path: Path) -> None:
    import cv2

    picture = module.before_and_after(sampled[len(sampled) // 2], result, cameras)
    if not cv2.imwrite(str(path), picture):
        raise ConfigError(f"--overlay {path}: cannot be written; is the folder writable?")


def _print(values: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    from edge_sdk.cli.calibrate.tables import print_warnings

    quality = values["quality"]
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_row("pairs", f"{values['pairs']}, {values['seconds']:.1f} s")
    table.add_row("matches", f"{quality['inliers']:.0f} of {quality['matches']:.0f} agree")
    table.add_row("coverage", f"{quality['coverage']:.0%} of the overlap")
    table.add_row("spread of the corners", f"{quality['spread_px']:.1f} px between parts of it")
    halves_px = quality["halves_px"]
    halves = "not measured" if halves_px is None else f"{halves_px:.1f} px apart at the corners"
    table.add_row("halves of the pairs", halves)
    table.add_row("written", values["written"])
    Console().print(table)
    print_warnings(values["warnings"])
