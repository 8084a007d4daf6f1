"""``edge-sdk calibrate intrinsics``: the lens of one camera, from pictures or guided."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
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
from edge_sdk.errors import CalibrationError, ConfigError


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
    rig: Annotated[
        Path | None, typer.Option(help="Guided: rig file that names the cameras.")
    ] = None,
    web: Annotated[
        int | None, typer.Option(help="Guided: port of a web page with the live picture.")
    ] = None,
    web_host: Annotated[
        str, typer.Option(help="Guided: address of that page; 0.0.0.0 for the whole network.")
    ] = "127.0.0.1",
    save: Annotated[
        Path | None, typer.Option(help="Guided: folder for the views and live.png.")
    ] = None,
    views: Annotated[int, typer.Option(min=3, max=200, help="Guided: at least so many.")] = 15,
    limit_s: Annotated[float, typer.Option(min=1, help="Guided: longest time, seconds.")] = 600.0,
    json: Json = False,
) -> None:
    """Measure the lens of one camera from views of a board: pictures, or guided and live."""
    check_model(model)
    if camera not in (None, "ir", "visible"):
        raise ConfigError(f"--camera {camera}: must be ir or visible")
    board_target = make_target(target, board, square_mm, marker_mm, dictionary, legacy_charuco)
    check_format(output_format, workshop("formats").FORMATS)
    outputs = {"--output": output, "--report": report}
    check_outputs(outputs, [images, rig], save)
    if images is not None:
        if rig is not None or web is not None or save is not None:
            raise ConfigError("--images and --rig, --web or --save exclude each other")
        findings, pictures = _find(images, camera or "ir", board_target, quiet=json)
    elif camera is None:
        raise ConfigError(
            "give pictures (--images 'PATTERN', a folder or a video), or --camera ir or visible "
            "with --rig for guided capture"
        )
    else:
        device = _open_device(rig, camera, outputs, save)
        findings, pictures = _guide(
            device, board_target, model, (web, web_host), save, views, limit_s, json
        )
    result = workshop("intrinsics").calibrate_intrinsics(
        findings, model, name or camera or "camera", identity
    )
    finish(result, pictures, output, output_format, report, json)


def _open_device(
    rig: Path | None, which: str, outputs: dict[str, Path | None], save: Path | None
) -> Any:
    """One camera of a rig file; the other one is left alone, and so is what the file reads."""
    from edge_sdk.cli.overwrite import sources_of
    from edge_sdk.config import load_rig
    from edge_sdk.rig import open_cameras

    if rig is None:
        raise ConfigError(f"--camera {which} needs --rig FILE, which says what camera that is")
    config = load_rig(rig)
    check_outputs(outputs, sources_of(rig, config), save)
    ir, visible, _ = open_cameras(config)
    return ir if which == "ir" else visible


def _guide(
    device: Any,
    target: Any,
    model: str,
    page: tuple[int | None, str],
    save: Path | None,
    views: int,
    limit_s: float,
    quiet: bool,
) -> tuple[Any, dict[str, Any]]:
    """Views taken live, with what is missing on the terminal."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    guided = workshop("guided")
    goal = guided.Goal(views=views, most=max(40, 2 * views))
    collector = guided.Collector(target, goal, model)
    console = Console(stderr=True, quiet=quiet)
    port, host = page
    with ExitStack() as stack:
        web = None
        if port is not None:
            web = stack.enter_context(guided.WebView(port, host))
            console.print(f"live picture: {web.url}", highlight=False)
        stack.callback(_end_line, console)  # after the last picture of the status line
        live = stack.enter_context(Live(console=console, refresh_per_second=4))

        def progress(state: Any, verdict: Any) -> None:
            share = f"{100 * state.coverage.share:.0f} % covered"
            hint = "; ".join(state.missing()) or "enough"
            live.update(
                Text(f"{len(state.observations)} views, {share}. {verdict.reason}. Next: {hint}")
            )

        findings = guided.guide(device, collector, web, save, limit_s, progress)
    if findings is None:
        raise CalibrationError(
            f"no view of a {target.describe()} was taken; is the whole board in the picture, sharp "
            "and held still? For thermal cameras heat it, or use a cut-out one before a warm plate"
        )
    if target.size is None and target.kind == "checkerboard":
        columns = max(max(o.extent) for o in findings.observations)
        rows = max(min(o.extent) for o in findings.observations)
        findings = replace(findings, target=target.sized(columns, rows))
    return findings, collector.pictures


def _end_line(console: Any) -> None:
    """Where there is no terminal the status line has no end, and an error would be glued to it."""
    if not console.is_terminal:
        console.line()


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
