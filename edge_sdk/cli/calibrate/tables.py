"""Results of calibrations as tables for a terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

__all__ = ["print_camera", "print_intrinsics", "print_rows", "print_warnings"]


def print_rows(rows: list[tuple[str, str]]) -> None:
    """Two columns without borders."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in rows:
        table.add_row(name, escape(value))
    Console().print(table)


def print_warnings(warnings: list[str]) -> None:
    """One paragraph each."""
    console = Console()
    for warning in warnings:
        console.print(f"[yellow]warning:[/yellow] {escape(warning)}", highlight=False)


def camera_rows(camera: Any, deviations: dict[str, float] | None = None) -> list[tuple[str, str]]:
    """A lens, with the standard deviations where they are known."""
    names = (
        ("k1", "k2", "p1", "p2", "k3") if camera.model == "pinhole" else ("k1", "k2", "k3", "k4")
    )
    k = camera.K
    values = {"fx": k.fx, "fy": k.fy, "cx": k.cx, "cy": k.cy}
    values |= dict(zip(names, camera.distortion, strict=True))

    def text(name: str, digits: int) -> str:
        spread = (deviations or {}).get(name, 0.0)
        value = f"{values[name]:.{digits}f}"
        return f"{value} +- {spread:.{digits}f}" if spread else value

    return [
        ("image", f"{camera.width}x{camera.height}, {camera.model}"),
        ("focal length px", f"{text('fx', 2)}, {text('fy', 2)}"),
        ("centre px", f"{text('cx', 2)}, {text('cy', 2)}"),
        ("distortion", ", ".join(f"{name} {text(name, 5)}" for name in names)),
    ]


def print_camera(title: str, camera: Any) -> None:
    """A lens as a file has it."""
    print_rows([(title, camera.name), *camera_rows(camera)])


def print_intrinsics(result: Any, written: dict[str, str]) -> None:
    """A calibrated lens and how good it is."""
    figures = result.report()
    rejected = figures["views_rejected"]
    total = figures["views_used"] + len(rejected)
    rows = [
        ("target", figures["target"]),
        ("views", f"{figures['views_used']} of {total} used, {figures['points']} corners"),
        *camera_rows(result.camera, figures["standard_deviation"]),
        ("error px", f"{figures['rms_px']:.3f} RMS{_held_out(figures)}"),
    ]
    if figures["uncertainty_px_worst"] is not None:
        median, worst = figures["uncertainty_px_median"], figures["uncertainty_px_worst"]
        rows.append(("uncertainty px", f"median {median:.3f}, worst {worst:.3f} in the picture"))
    rows.append(("coverage", f"{100 * figures['coverage']:.0f} % of the picture"))
    rows += [("not used", f"{name}: {reason}") for name, reason in rejected.items()]
    rows += [(f"wrote {what}", path) for what, path in written.items()]
    print_rows(rows)
    print_warnings(result.warnings)


def _held_out(figures: dict[str, Any]) -> str:
    value = figures["cross_validation_px"]
    return "" if value is None else f", {value:.3f} on views left out"
