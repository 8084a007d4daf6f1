"""``edge-sdk calibrate check`` and ``convert``: calibration files judged and translated."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_sdk.cli.calibrate import calibrate_app, workshop
from edge_sdk.cli.calibrate.options import Json, check_format, check_outputs, print_json


@calibrate_app.command()
def check(
    file: Annotated[Path, typer.Argument(help="edge_sdk, ROS camera_info or Kalibr camchain.")],
    size: Annotated[
        str | None, typer.Option(help="Refuse cameras of another image size than this, as 640x512.")
    ] = None,
    identity: Annotated[
        str | None, typer.Option(help="Refuse a calibration of another device than this.")
    ] = None,
    which: Annotated[
        str | None, typer.Option(help="Of two cameras the one that --size and --identity are for.")
    ] = None,
    json: Json = False,
) -> None:
    """Print and judge a calibration file; exit code 1 if it is of doubtful use."""
    from edge_sdk.cli.calibrate.tables import print_camera, print_rows, print_warnings
    from edge_sdk.cli.run import parse_size

    loaded = workshop("formats").load(file)
    verdict = workshop("check").judge(
        loaded, None if size is None else parse_size(size), identity, which
    )
    if json:
        print_json({"file": str(file), **verdict.to_dict(loaded)})
    else:
        print_rows([("file", str(file)), ("kind", loaded.kind)])
        for name, camera in loaded.cameras.items():
            print_camera(name, camera)
        print_rows(verdict.rows)
        print_warnings(verdict.problems)
        print_rows([("verdict", "good" if verdict.good else "doubtful, see the warnings")])
    if not verdict.good:
        raise typer.Exit(1)


@calibrate_app.command()
def convert(
    file: Annotated[Path, typer.Argument(help="edge_sdk, ROS camera_info or Kalibr camchain.")],
    output: Annotated[Path, typer.Option(help="File to write.")],
    output_format: Annotated[
        str, typer.Option("--format", help="edge-sdk, ros or kalibr.")
    ] = "edge-sdk",
    which: Annotated[
        str | None, typer.Option(help="Of two cameras the one to write: ir or visible.")
    ] = None,
    distance_m: Annotated[
        float | None,
        typer.Option(help="From a Kalibr chain to a rig's calibration: align at this distance."),
    ] = None,
    json: Json = False,
) -> None:
    """Write a calibration file in another format."""
    check_format(output_format, workshop("formats").FORMATS)
    check_outputs({"--output": output}, [file])
    formats = workshop("formats")
    loaded = formats.load(file)
    if output_format == "edge-sdk" and which is None and len(loaded.cameras) == 2:
        loaded = workshop("check").as_calibration(loaded, distance_m)
    formats.save(loaded, output, output_format, which)
    if json:
        print_json({"from": str(file), "kind": loaded.kind, "written": str(output)})
    else:
        typer.echo(f"wrote {output} ({output_format}) from {file} ({loaded.kind})")
