"""``edge-sdk demo`` and ``edge-sdk init``: the first things a newcomer runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_sdk.cli import app
from edge_sdk.cli.run import Settings, run_pipeline
from edge_sdk.errors import ConfigError


@app.command()
def demo(
    output: Annotated[Path, typer.Option(help="Folder for the video and the tracks.")] = Path(
        "edge_sdk_demo"
    ),
    condition: Annotated[str, typer.Option(help="day, night, smoke or glare.")] = "smoke",
    frames: Annotated[int, typer.Option(min=1, help="Frames to fuse.")] = 300,
    seed: Annotated[int, typer.Option(help="Of the simulated scene.")] = 1,
    engine: Annotated[str, typer.Option(help="auto, openvino or onnxruntime.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, int8 or fp32.")] = "auto",
    threads: Annotated[int | None, typer.Option(help="CPU threads; default: all cores.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """No hardware: a simulated rig, fused and tracked, as a video and a summary."""
    from edge_sdk.config import FusionConfig
    from edge_sdk.pipeline import FusionPipeline

    settings = Settings(
        output=output / "fused.mp4",
        tracks=output / "tracks.csv",
        picture=output / "fused.png",
        side_by_side=True,
        detector="warm",
        json=json,
        max_frames=frames,
    )
    pipeline = FusionPipeline.simulated(
        condition,
        seed=seed,
        duration_frames=frames,
        registered=True,
        hooks=settings.make_hooks(),
        fusion=FusionConfig(engine=engine, precision=precision, threads=threads),
    )
    run_pipeline(pipeline, settings, total=frames)


@app.command()
def init(
    path: Annotated[Path, typer.Argument(help="File to write.")] = Path("rig.yaml"),
    force: Annotated[bool, typer.Option(help="Overwrite an existing file.")] = False,
) -> None:
    """Write a commented example rig file."""
    from edge_sdk.config import rig_template

    if path.exists() and not force:
        raise ConfigError(f"{path} exists already; give another name, or --force to overwrite it")
    try:
        path.write_text(rig_template(), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None
    typer.echo(f"wrote {path}; next: edge-sdk run {path} --output fused.mp4")
