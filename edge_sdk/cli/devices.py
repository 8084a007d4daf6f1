"""``edge-sdk devices``: cameras and serial ports of this machine, as a rig file names them."""

from __future__ import annotations

import json as json_module
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge_sdk.cli import app

if TYPE_CHECKING:
    from edge_sdk.capture.v4l2 import DeviceReport


@app.command()
def devices(
    json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
    all_formats: Annotated[
        bool, typer.Option("--all", help="Also formats that edge_sdk does not decode.")
    ] = False,
) -> None:
    """Video nodes with identity, formats, sizes and rates; serial ports of infrared cores."""
    from edge_sdk.capture.serial import list_serial_ports
    from edge_sdk.capture.v4l2 import list_devices

    reports = list_devices()
    ports = list_serial_ports()
    if json:
        values: dict[str, Any] = {
            "cameras": [report.to_dict() for report in reports],
            "serial_ports": [
                {"path": p.path, "description": p.description, "usb_serial": p.usb_serial}
                for p in ports
            ],
        }
        typer.echo(json_module.dumps(values, indent=2))
        return
    for problem in dict.fromkeys(report.problem for report in reports if report.problem):
        typer.echo(f"note: {problem}")
    if not reports:
        typer.echo("no camera: there is no /dev/videoN")
    for report in reports:
        _print(report, all_formats)
    for port in ports:
        typer.echo(f"serial port {port}")


def _print(report: DeviceReport, all_formats: bool) -> None:
    node = report.node
    facts = [f"driver {node.driver}" if node.driver else "", _usb(report)]
    if report.captures is False:
        facts.append("delivers no images (metadata or output)")
    typer.echo(f"{node.path}  {node.name}  ({', '.join(filter(None, facts))})")
    for identity in report.identities:
        typer.echo(f"  device: {identity}")
    for port in node.serial_ports:
        typer.echo(f"  serial port of the same USB device: {port}")
    hidden = []
    for entry in report.formats:
        if not entry.usable and not all_formats:
            hidden.append(entry.format)
            continue
        note = "" if entry.usable else "  (not decoded by edge_sdk)"
        typer.echo(f"  format: {entry.format}{note}")
        for size in entry.sizes:
            rates = f" at {', '.join(size.fps)} frames/s" if size.fps else ""
            typer.echo(f"    {size.width}x{size.height}{rates}")
    if hidden:
        plural = "" if len(hidden) == 1 else "s"
        typer.echo(f"  and {len(hidden)} format{plural} that edge_sdk does not decode (see --all)")


def _usb(report: DeviceReport) -> str:
    usb = report.node.usb
    if usb is None:
        return ""
    serial = f", serial {usb.serial}" if usb.serial else ", no serial number"
    return f"USB {usb.vendor}:{usb.product} on port {usb.port}{serial}"
