"""``edge-sdk doctor``: what works on this machine, and why the rest does not."""

from __future__ import annotations

import json as json_module
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Annotated, Any

import typer

from edge_sdk.cli import app

EXTRAS = {
    "track": ("supervision", "trackers"),
    "v4l2": ("linuxpy", "simplejpeg"),
    "tensorrt / rtx": ("torch", "torch_tensorrt"),
    "train": ("torch", "onnx", "safetensors"),
}


def examine() -> dict[str, Any]:
    """Everything that ``doctor`` prints, as plain values."""
    import cv2

    from edge_sdk.capture.gstreamer import gstreamer_reason
    from edge_sdk.fusion import load_model
    from edge_sdk.fusion.engines import probe_engines

    model = load_model()
    reason = gstreamer_reason()
    return {
        "machine": {
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.release()} {platform.machine()}",
            "cores": len(os.sched_getaffinity(0)),
            "edge-sdk": _version("edge-sdk"),
            "opencv": cv2.__version__,
        },
        "model": {
            "name": model.name,
            "folder": str(model.folder),
            "precisions": sorted(set(model.files) & {"int8", "fp32"}),
        },
        "engines": [dict(probe.__dict__) for probe in probe_engines()],
        "cameras": [
            _v4l2(),
            {
                "driver": "gstreamer",
                "available": reason is None,
                "reason": reason or "OpenCV has GStreamer",
            },
        ],
        "extras": [_extra(name, modules) for name, modules in EXTRAS.items()],
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed (running from a checkout)"


def _extra(name: str, modules: tuple[str, ...]) -> dict[str, Any]:
    missing = [module for module in modules if find_spec(module) is None]
    hint = f'pip install "edge-sdk[{name.split(" ")[0]}]"'
    reason = f"needs {', '.join(missing)}: {hint}" if missing else "installed"
    return {"extra": name, "available": not missing, "reason": reason}


def _v4l2() -> dict[str, Any]:
    """Cameras of the kernel: the package, the nodes, and whether this user may open them."""
    from edge_sdk.capture.v4l2 import scan_nodes

    if find_spec("linuxpy") is None:
        hint = 'needs linuxpy (GPL-3.0): pip install "edge-sdk[v4l2]"'
        return {"driver": "v4l2", "available": False, "reason": hint}
    nodes = scan_nodes()
    closed = [node.path for node in nodes if not os.access(node.path, os.R_OK | os.W_OK)]
    if closed:
        reason = (
            f"no permission for {', '.join(closed)}: sudo usermod -aG video $USER, log in again"
        )
        return {"driver": "v4l2", "available": False, "reason": reason}
    count = f"{len(nodes)} video nodes, see 'edge-sdk devices'" if nodes else "no camera plugged in"
    return {"driver": "v4l2", "available": True, "reason": f"linuxpy {version('linuxpy')}, {count}"}


@app.command()
def doctor(
    json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """What works on this machine, and why the rest does not. Exit code 2 if no engine works."""
    found = examine()
    usable = any(engine["available"] for engine in found["engines"])
    if json:
        typer.echo(json_module.dumps(found, indent=2))
    else:
        _print(found)
    raise typer.Exit(0 if usable else 2)


def _print(found: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in found["machine"].items():
        table.add_row(name, "", str(value))
    model = found["model"]
    table.add_row("model", "", f"{model['name']} ({', '.join(model['precisions'])})")
    for kind, key in (("engines", "engine"), ("cameras", "driver"), ("extras", "extra")):
        for entry in found[kind]:
            mark = "[green]yes[/]" if entry["available"] else "[yellow]no[/]"
            table.add_row(f"{key} {entry[key]}", mark, Text(entry["reason"]))
    Console().print(table)
