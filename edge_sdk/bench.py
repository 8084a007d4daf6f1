"""How fast it is here: the fusion step on every engine, and the whole way by stage."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from edge_sdk.alignment import Aligner
from edge_sdk.calibration_file import Calibration
from edge_sdk.config import AlignmentConfig, FusionConfig
from edge_sdk.errors import DependencyError, EngineError
from edge_sdk.frames import FramePair, Hook, Image
from edge_sdk.fusion import Fuser, load_model
from edge_sdk.fusion.engines import probe_engines
from edge_sdk.pipeline import FusionPipeline
from edge_sdk.stats import LatencyStats
from edge_sdk.tone import ToneMapper

__all__ = ["BenchReport", "StepResult", "run_bench"]

WARM_UP = 10
SCENE_FRAMES = 24
PERIOD_NS = 33_333_333


@dataclass(frozen=True)
class StepResult:
    """The fusion step of one engine and precision: latency, or why it does not run here."""

    engine: str
    precision: str
    latency: LatencyStats | None
    reason: str


@dataclass(frozen=True)
class BenchReport:
    """What :func:`run_bench` measured.

    Attributes:
        model: name of the model.
        size: (width, height) of the fused images. The cameras that they come from deliver
            640 x 512, 16 bit, and 1280 x 720, and have to be aligned.
        threads: of the engines; None for all cores.
        parameters: of the network.
        macs: multiply-accumulates of the network for a 640 x 480 frame.
        steps: the fusion step, luma split and join included, on every engine and precision.
        stages: the whole way by stage, frames taken from memory: align, tone, fuse, hooks, total.
        pipeline_engine: the engine that the whole way ran on.
        memory_mib: highest resident memory of the process by the end of the whole way, which runs
            first, less the frames that were drawn for it and that cameras would not keep; MiB.
    """

    model: str
    size: tuple[int, int]
    threads: int | None
    parameters: int
    macs: int
    steps: tuple[StepResult, ...]
    stages: dict[str, LatencyStats]
    pipeline_engine: str
    memory_mib: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        values = dict(self.__dict__)
        values["stages"] = {name: dict(stage.__dict__) for name, stage in self.stages.items()}
        values["steps"] = [
            {
                "engine": step.engine,
                "precision": step.precision,
                "reason": step.reason,
                **({} if step.latency is None else step.latency.__dict__),
            }
            for step in self.steps
        ]
        return values


def run_bench(
    model: str = "default",
    size: tuple[int, int] = (640, 480),
    frames: int = 200,
    threads: int | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> BenchReport:
    """Measure on simulated frames that are drawn before, so that drawing costs nothing.

    Args:
        model: name or folder.
        size: (width, height).
        frames: measured frames of every row, after ten that warm up.
        threads: of the engines; None for all cores.
        progress: told what is measured next.
    """
    card = load_model(model).card
    pairs, calibration = _draw()
    progress("the whole way")
    stages, engine = _measure_pipeline(model, size, frames, threads, pairs, calibration)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - _mib(pairs)
    steps = []
    images = _aligned(pairs, calibration, size)
    for probe in probe_engines():
        for precision in sorted(load_model(model).files):
            progress(f"{probe.engine} {precision}")
            if probe.available:
                steps.append(_measure_step(model, probe.engine, precision, frames, threads, images))
            else:
                steps.append(StepResult(probe.engine, precision, None, probe.reason))
    return BenchReport(
        model=str(card["name"]),
        size=size,
        threads=threads,
        parameters=int(card["parameters"]),
        macs=int(card["macs_640x480"]),
        steps=tuple(steps),
        stages=stages,
        pipeline_engine=engine,
        memory_mib=memory,
    )


def _draw() -> tuple[list[FramePair], Calibration]:
    from edge_sdk.capture.recorded_pairs import pair_recordings
    from edge_sdk.capture.simulated import SimulatedRig, SimulationConfig
    from edge_sdk.rig import SIMULATED_DISTANCE_M, calibration_of

    rig = SimulatedRig(
        SimulationConfig(
            condition="smoke",
            visible_size=(1280, 720),
            ir_size=(640, 512),
            duration_frames=SCENE_FRAMES,
        )
    )
    with rig.ir, rig.visible:
        pairs = list(pair_recordings(rig.ir, rig.visible, 20_000_000))
    return pairs, calibration_of(rig, SIMULATED_DISTANCE_M)


def _mib(pairs: list[FramePair]) -> float:
    frames = (frame for pair in pairs for frame in (pair.ir, pair.visible) if frame is not None)
    return sum(frame.image.nbytes for frame in frames) / 2**20


def _aligned(
    pairs: list[FramePair], calibration: Calibration, size: tuple[int, int]
) -> list[tuple[Image, Image]]:
    """What the fusion step gets: toned infrared and visible in one grid."""
    aligner = Aligner(calibration, (640, 512), (1280, 720), size)
    tone = ToneMapper()
    images = []
    for pair in pairs:
        assert pair.ir is not None and pair.visible is not None
        ir, visible = aligner.align(pair.ir.image, pair.visible.image)
        assert ir is not None and visible is not None
        images.append((tone.step(ir, pair.timestamp_ns, valid=aligner.valid_mask), visible))
    return images


def _there_and_back(index: int, count: int) -> int:
    """Which of ``count`` frames comes at ``index``: forwards and back again, without a jump."""
    position = index % (2 * count - 2)
    return min(position, 2 * count - 2 - position)


def _measure_step(
    model: str,
    engine: str,
    precision: str,
    frames: int,
    threads: int | None,
    images: list[tuple[Image, Image]],
) -> StepResult:
    fuser = Fuser(model, engine, precision, threads)
    seconds = []
    try:
        for index in range(WARM_UP + frames):
            ir, visible = images[_there_and_back(index, len(images))]
            start = time.perf_counter()
            fuser.step(ir, visible, index * PERIOD_NS)
            seconds.append(time.perf_counter() - start)
    except EngineError as error:
        return StepResult(engine, precision, None, str(error))
    return StepResult(engine, precision, LatencyStats.of(seconds[WARM_UP:]), "")


def _measure_pipeline(
    model: str,
    size: tuple[int, int],
    frames: int,
    threads: int | None,
    pairs: list[FramePair],
    calibration: Calibration,
) -> tuple[dict[str, LatencyStats], str]:
    pipeline = FusionPipeline(
        alignment=AlignmentConfig(size=size),
        fusion=FusionConfig(model=model, threads=threads),
        hooks=_hooks(),
        calibration=calibration,
    )
    for index in range(WARM_UP + frames):
        pair = pairs[_there_and_back(index, len(pairs))]
        assert pair.ir is not None and pair.visible is not None
        ir, visible = (replace(f, timestamp_ns=index * PERIOD_NS) for f in (pair.ir, pair.visible))
        pipeline.step(FramePair(ir, visible))
        if index == WARM_UP - 1:
            pipeline.reset_stats()
    stats = pipeline.stats()
    return stats.latency, stats.engine or "-"


def _hooks() -> list[Hook]:
    from edge_sdk.tracking import TrackingHook, WarmObjectDetector

    try:
        return [TrackingHook(WarmObjectDetector())]
    except DependencyError:
        return []
