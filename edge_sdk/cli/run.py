"""``edge-sdk run``: a rig file or two recordings, fused."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge_sdk.cli import app
from edge_sdk.cli.overwrite import (
    model_folder,
    refuse_one_place_twice,
    refuse_to_overwrite,
    sources_of,
)
from edge_sdk.cli.summary import print_summary, warn_of_older
from edge_sdk.errors import ConfigError, DependencyError

if TYPE_CHECKING:
    from edge_sdk.frames import FusedFrame, Hook, Image
    from edge_sdk.pipeline import FusionPipeline


@dataclass(frozen=True)
class Settings:
    """What is done with the fused frames.

    Attributes:
        output: video file or folder; a string, since a trailing slash means a folder.
        tracks: CSV file for the tracks.
        picture: PNG of the last picture.
        side_by_side: write infrared, visible and fused beside each other.
        overlay: draw the tracks; None draws them into videos and not into lossless frames.
        detector: ``"warm"``, ``"none"``, ``"auto"``: warm if the extra is installed; or the ONNX
            file of a YOLO network.
        json: print the summary as JSON, and nothing else.
        max_frames: stop after so many.
    """

    output: str | Path | None = None
    tracks: Path | None = None
    picture: Path | None = None
    side_by_side: bool = False
    overlay: bool | None = None
    detector: str = "auto"
    json: bool = False
    max_frames: int | None = None

    def make_hooks(self) -> list[Hook]:
        """The tracking hook, if one is asked for."""
        network = network_of(self.detector)
        if network is None and self.detector not in ("auto", "warm", "none"):
            raise ConfigError(
                f"--detector {self.detector}: must be warm, none, auto or an .onnx file (YOLO)"
            )
        if self.detector == "none":
            return []
        from edge_sdk.tracking import TrackingHook, WarmObjectDetector, YoloDetector

        if network is not None:
            return [TrackingHook(YoloDetector(network))]
        try:
            return [TrackingHook(WarmObjectDetector())]
        except DependencyError:
            if self.detector == "warm" or self.tracks is not None:
                raise
            return []


def network_of(detector: str | None) -> Path | None:
    """The file of a YOLO network, if that is what ``--detector`` says."""
    return Path(detector) if detector is not None and detector.endswith(".onnx") else None


@app.command()
def run(
    rig: Annotated[Path | None, typer.Argument(help="Rig file, see 'edge-sdk init'.")] = None,
    ir: Annotated[Path | None, typer.Option(help="Infrared: video or folder of images.")] = None,
    visible: Annotated[Path | None, typer.Option(help="Visible: video or folder.")] = None,
    output: Annotated[
        str | None,
        typer.Option(
            help="Video file (odd sizes grow by one pixel, which repeats the edge), or FOLDER/ for "
            "one lossless PNG a frame."
        ),
    ] = None,
    tracks: Annotated[Path | None, typer.Option(help="CSV file for the tracks.")] = None,
    side_by_side: Annotated[
        bool, typer.Option("--side-by-side", help="Infrared, visible and fused in one picture.")
    ] = False,
    overlay: Annotated[
        bool | None,
        typer.Option(help="Draw tracks; default: into videos, not into lossless frames."),
    ] = None,
    detector: Annotated[
        str | None,
        typer.Option(
            help="warm, none, auto, or the .onnx file of a YOLO network; default: auto, or as the "
            "rig file says."
        ),
    ] = None,
    engine: Annotated[str | None, typer.Option(help="auto, openvino or onnxruntime.")] = None,
    precision: Annotated[str | None, typer.Option(help="auto, int8 or fp32.")] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads; default: all cores.")] = None,
    model: Annotated[str | None, typer.Option(help="Model folder.")] = None,
    calibration: Annotated[Path | None, typer.Option(help="Calibration file.")] = None,
    size: Annotated[
        str | None, typer.Option(help="Fused size, as 640x480; default: the visible one's.")
    ] = None,
    fps: Annotated[float | None, typer.Option(help="If the recordings do not say.")] = None,
    allow_gaps: Annotated[
        bool, typer.Option("--allow-gaps", help="Missing numbers in a folder are lost frames.")
    ] = False,
    allow_colour: Annotated[
        bool, typer.Option("--allow-colour", help="The infrared is a palette: take its luma.")
    ] = False,
    stills: Annotated[
        bool, typer.Option("--stills", help="Folders of unrelated pictures, of any sizes.")
    ] = False,
    max_frames: Annotated[int | None, typer.Option(min=1, help="Stop after so many.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Fuse two recordings, or the cameras of a rig file."""
    settings = Settings(
        output=output,
        tracks=tracks,
        side_by_side=side_by_side,
        overlay=overlay,
        detector=detector or "auto",
        json=json,
        max_frames=max_frames,
    )
    refuse_one_place_twice({"--output": output, "--tracks": tracks})
    inputs = (ir, visible, calibration, model_folder(model), network_of(detector))
    refuse_to_overwrite(inputs, (output, tracks))
    fusion: dict[str, object] = {
        key: value
        for key, value in (
            ("engine", engine),
            ("precision", precision),
            ("threads", threads),
            ("model", model),
        )
        if value is not None
    }
    if rig is not None:
        flags = (stills, allow_gaps, allow_colour)
        if any(value is not None for value in (ir, visible, calibration, size, fps)) or any(flags):
            raise ConfigError(
                "a rig file and --ir, --visible, --calibration, --size, --fps, --allow-gaps, "
                "--allow-colour or --stills exclude each other: the rig file says all that"
            )
        pipeline, settings = _from_rig(rig, fusion, settings, detector)
    else:
        if ir is None or visible is None:
            raise ConfigError(
                "give a rig file, or both --ir and --visible; 'edge-sdk demo' needs neither"
            )
        if stills:
            from edge_sdk.cli.stills import fuse_stills, refuse_for_stills

            refuse_for_stills(
                tracks=tracks,
                overlay=overlay,
                detector=detector,
                calibration=calibration,
                size=size,
                fps=fps,
                allow_gaps=allow_gaps or None,
                allow_colour=allow_colour or None,
            )
            fuse_stills(ir, visible, output, fusion, json, side_by_side, max_frames)
            return
        pipeline = _from_files(
            ir,
            visible,
            fusion,
            settings,
            calibration,
            size,
            fps=fps,
            allow_gaps=allow_gaps,
            allow_colour=allow_colour,
        )
    run_pipeline(pipeline, settings, total=pipeline.frame_count)


def run_pipeline(pipeline: FusionPipeline, settings: Settings, total: int | None) -> None:
    """Iterate, write what ``settings`` ask for, and print the summary.

    Ctrl-C ends the loop; files are closed as they should be, and the exit code is 130.
    """
    from edge_sdk.outputs import open_output
    from edge_sdk.tracking import TrackWriter

    if settings.max_frames is not None:
        total = min(total, settings.max_frames) if total is not None else settings.max_frames
    interrupted = False
    picture: Image | None = None
    ids: set[int] = set()
    with ExitStack() as stack:
        stack.enter_context(pipeline)
        output = None
        if settings.output is not None:
            fps = pipeline.fps or 30.0
            output = stack.enter_context(open_output(settings.output, fps, pipeline.live))
        rows = stack.enter_context(TrackWriter(settings.tracks)) if settings.tracks else None
        render = _Renderer(settings, has_tracks=bool(pipeline.hooks))
        progress = stack.enter_context(_progress(settings.json))
        task = progress.add_task("fusing", total=total)
        try:
            for fused in pipeline:
                picture = render(fused)
                if output is not None:
                    output.write(picture, fused)
                if rows is not None:
                    rows.write(fused)
                ids.update(track.track_id for track in fused.tracks)
                progress.advance(task)
                if settings.max_frames is not None and fused.index + 1 >= settings.max_frames:
                    break
        except KeyboardInterrupt:
            interrupted = True
        stats = pipeline.stats()
    made = settings.output if output is not None and output.written else None
    written = {"video": made, "tracks": settings.tracks}
    if settings.picture is not None and picture is not None:
        import cv2

        if not cv2.imwrite(str(settings.picture), picture):
            raise ConfigError(f"{settings.picture}: cannot be written; is the folder writable?")
        written["picture"] = settings.picture
    print_summary(stats, len(ids), {k: v for k, v in written.items() if v}, settings.json)
    warn_of_older(output, settings.output)
    if interrupted:
        raise typer.Exit(130)


class _Renderer:
    """The picture of a fused frame that is written."""

    def __init__(self, settings: Settings, has_tracks: bool) -> None:
        from edge_sdk.outputs import is_folder
        from edge_sdk.tracking import SideBySide, TrackOverlay

        folder = settings.output is not None and is_folder(settings.output)
        draw = has_tracks and not folder if settings.overlay is None else settings.overlay
        self._overlay = TrackOverlay() if draw else None
        self._side_by_side = SideBySide() if settings.side_by_side else None

    def __call__(self, fused: FusedFrame) -> Image:
        image = fused.image if self._overlay is None else self._overlay.draw(fused)
        return image if self._side_by_side is None else self._side_by_side.compose(fused, image)


def _from_rig(
    rig: Path, fusion: dict[str, object], settings: Settings, detector: str | None
) -> tuple[FusionPipeline, Settings]:
    """The rig's pipeline, and the settings with what its ``output`` section adds to them."""
    from edge_sdk.config import FusionConfig, TrackingConfig, load_rig
    from edge_sdk.pipeline import FusionPipeline

    config = load_rig(rig)
    said = config.output
    if settings.output is None and said.video is not None:
        overlay = said.overlay if settings.overlay is None else settings.overlay
        settings = replace(settings, output=said.video, overlay=overlay)
    elif settings.overlay is None and "overlay" in said.model_fields_set:
        settings = replace(settings, overlay=said.overlay)
    refuse_one_place_twice({"the output": settings.output, "--tracks": settings.tracks})
    refuse_to_overwrite(sources_of(rig, config), (settings.output, settings.tracks))
    changed = FusionConfig(**(config.fusion.model_dump() | fusion))
    config = config.model_copy(update={"fusion": changed})
    hooks: list[Hook] = []
    if detector is not None:  # the option replaces the rig's section
        config = config.model_copy(update={"tracking": TrackingConfig()})
        hooks = settings.make_hooks()
    return FusionPipeline.open(config, hooks=hooks), settings


def _from_files(
    ir: Path,
    visible: Path,
    fusion: dict[str, object],
    settings: Settings,
    calibration: Path | None,
    size: str | None,
    **reading: Any,
) -> FusionPipeline:
    from edge_sdk.config import AlignmentConfig, FusionConfig
    from edge_sdk.pipeline import FusionPipeline

    return FusionPipeline.from_files(
        ir,
        visible,
        **reading,
        size=None if size is None else parse_size(size),
        hooks=settings.make_hooks(),
        alignment=AlignmentConfig(calibration=calibration),
        fusion=FusionConfig(**fusion),
    )


def parse_size(text: str) -> tuple[int, int]:
    """(width, height) of ``"640x480"``."""
    parts = text.lower().split("x")
    fits = len(parts) == 2 and all(p.isascii() and p.isdecimal() and len(p) < 6 for p in parts)
    if not fits or not all(32 <= int(part) <= 16384 for part in parts):
        raise ConfigError(
            f"--size {text}: must be WIDTHxHEIGHT in pixels, as 640x480, each from 32 to 16384"
        )
    return int(parts[0]), int(parts[1])


def _progress(quiet: bool):  # type: ignore[no-untyped-def]
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=quiet,
    )
