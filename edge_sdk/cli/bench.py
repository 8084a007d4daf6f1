"""``edge-sdk bench``: latency by stage and engine, parameters, MACs, memory."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Annotated

import typer

from edge_sdk.bench import BenchReport
from edge_sdk.cli import app
from edge_sdk.cli.overwrite import check_file, model_folder, refuse_to_overwrite
from edge_sdk.cli.run import parse_size
from edge_sdk.errors import ConfigError


@app.command()
def bench(
    threads: Annotated[int | None, typer.Option(min=1, help="Default: all cores.")] = None,
    frames: Annotated[int, typer.Option(min=10, help="Measured frames of every row.")] = 200,
    size: Annotated[str, typer.Option(help="Image size.")] = "640x480",
    model: Annotated[str, typer.Option(help="Name or folder.")] = "default",
    json: Annotated[Path | None, typer.Option(help="Write the figures to this file.")] = None,
) -> None:
    """Latency of the fusion step on every engine, and of the whole way by stage."""
    from rich.console import Console

    from edge_sdk.bench import run_bench

    if json is not None:
        check_file(json)
        refuse_to_overwrite([model_folder(model)], [json])
    with Console(stderr=True).status("drawing the scene") as status:
        report = run_bench(
            model,
            parse_size(size),
            frames,
            threads,
            lambda text: status.update(f"measuring {text}"),
        )
    _print(report)
    if json is not None:
        try:
            json.write_text(json_module.dumps(report.to_dict(), indent=2) + "\n")
        except OSError as error:
            raise ConfigError(f"--json {json}: cannot be written ({error.strerror})") from None


def _print(report: BenchReport) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    width, height = report.size
    console.print(
        f"model {report.model}: {report.parameters / 1e6:.2f} M parameters, "
        f"{report.macs / 1e9:.2f} GMAC at 640x480; measured at {width}x{height}, "
        f"threads: {report.threads or 'all'}"
    )
    rows = [(f"step {s.engine} {s.precision}", s.latency, s.reason) for s in report.steps]
    rows += [(f"{name} ({report.pipeline_engine})", s, "") for name, s in report.stages.items()]
    table = Table("", "median ms", "p90 ms", "p99 ms", "frames/s", box=None, pad_edge=False)
    for name, latency, reason in rows:
        if latency is None:
            table.add_row(name, reason)
            continue
        values = (latency.p50_ms, latency.p90_ms, latency.p99_ms)
        rate = 1e3 / latency.p50_ms if latency.p50_ms > 0 else 0.0
        table.add_row(name, *(f"{value:.2f}" for value in values), f"{rate:.0f}")
    console.print(table)
    console.print(f"highest resident memory of the whole way: {report.memory_mib:.0f} MiB")
