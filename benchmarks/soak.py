"""Soak test: the live pipeline for a long time, with faults at random.

::

    python -m benchmarks.soak --minutes 60 --faults 200 --seed 1 --output soak

Two cameras at 30 frames/s that play two seconds of the simulated rig to and fro, and a simulated
Boson's control port; with ``--rig RIG.yaml`` the live cameras of a rig file, for instance two nodes
of the kernel's vivid driver. Every fault is software: it lies between the camera and the pipeline.
 Writes ``soak.json`` and ``soak.png``; the exit code is 1 if anything was fatal, a fault
was not survived, a bad frame came out unflagged, or memory grew by more than ``--growth`` MiB.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.soak_cameras import PlayingCamera, draw_scene
from benchmarks.soak_faults import FaultyCamera, make_plan, run_plan
from benchmarks.soak_report import Sample, SoakLog, make_report, write_report
from edge_sdk import FusedFrame, FusionPipeline
from edge_sdk.capture.camera import Camera
from edge_sdk.capture.core_control import CoreSettings
from edge_sdk.capture.serial import FfcMode, FfcState, SimulatedBoson
from edge_sdk.config import AlignmentConfig, FusionConfig, load_rig
from edge_sdk.tracking import TrackingHook, WarmObjectDetector

__all__ = ["main", "soak"]

SAMPLE_S = 5.0
STALL_S = 0.25
PAGE_MIB = os.sysconf("SC_PAGE_SIZE") / 2**20


def soak(
    minutes: float, faults: int, seed: int, size: tuple[int, int], rig: Path | None = None
) -> dict[str, object]:
    """Run, and return the report."""
    seconds = minutes * 60
    plan = make_plan(seconds, faults, seed, core=rig is None)
    log = SoakLog()
    stop = threading.Event()
    with contextlib.ExitStack() as stack:
        core = None
        if rig is None:
            core = stack.enter_context(SimulatedBoson(ffc_mode=FfcMode.MANUAL))
        pipeline, cameras = _make(size, seed, rig, core)
        with pipeline:
            start_s, cpu_s, waited_s = time.monotonic(), time.process_time(), _waited_s()
            beat = threading.Thread(target=_beat, args=(stop, log), daemon=True)
            beat.start()
            injector = threading.Thread(
                target=run_plan, args=(plan, cameras, core, stop, start_s), daemon=True
            )
            injector.start()
            _consume(pipeline, cameras, start_s, seconds, log)
            stop.set()
            injector.join(10)
            log.seconds = time.monotonic() - start_s
            log.cpu_s = time.process_time() - cpu_s
            log.cpu_waited_s = _waited_s() - waited_s
            stats = pipeline.stats().to_dict()
            closing_s = time.monotonic()
        log.close_s = time.monotonic() - closing_s
    left = [t.name for t in threading.enumerate() if t.name.startswith(("edge_sdk", "FfcMon"))]
    log.threads_left = left
    settings = {
        "minutes": minutes,
        "faults": faults,
        "seed": seed,
        "size": list(size),
        "rig": None if rig is None else str(rig),
        "cores": len(os.sched_getaffinity(0)),
        "nice": os.nice(0),
    }
    return make_report(log, plan, stats, settings)


def _make(
    size: tuple[int, int], seed: int, rig: Path | None, core: SimulatedBoson | None
) -> tuple[FusionPipeline, dict[str, FaultyCamera]]:
    ir: Camera
    visible: Camera
    hooks = [TrackingHook(WarmObjectDetector())]
    if rig is not None:
        from edge_sdk.rig import open_rig

        ir, visible, _, sections = open_rig(load_rig(rig))
        cameras = {"ir": FaultyCamera(ir), "visible": FaultyCamera(visible)}
        return FusionPipeline(cameras["ir"], cameras["visible"], hooks=hooks, **sections), cameras
    assert core is not None
    thermal, colour = draw_scene(size, seed)
    cameras = {
        "ir": FaultyCamera(
            PlayingCamera("ir", thermal), lambda: core.ffc_state is FfcState.IN_PROGRESS
        ),
        "visible": FaultyCamera(PlayingCamera("visible", colour)),
    }
    pipeline = FusionPipeline(
        cameras["ir"],
        cameras["visible"],
        alignment=AlignmentConfig(size=size),
        fusion=FusionConfig(threads=1),
        serial=CoreSettings("boson", core.port),
        hooks=hooks,
    )
    return pipeline, cameras


def _consume(
    pipeline: FusionPipeline,
    cameras: dict[str, FaultyCamera],
    start_s: float,
    seconds: float,
    log: SoakLog,
) -> None:
    """Read fused frames until the time is over, whatever happens."""
    good, last_s, sampled_s, degraded = True, time.monotonic(), 0.0, 0
    for fused in _frames(pipeline, start_s + seconds, log):
        now_s = time.monotonic()
        at_s = now_s - start_s
        if now_s - last_s > STALL_S and fused.index > 0:
            log.stalls.append((at_s, now_s - last_s))
        last_s = now_s
        degraded += bool(fused.degraded)
        if good is bool(fused.degraded):
            good = not good
            log.changes.append((at_s, good))
        log.unflagged += _unflagged(fused, cameras)
        if at_s - sampled_s >= SAMPLE_S or not log.samples:
            sampled_s = at_s
            log.samples.append(_sample(at_s, fused.index + 1, degraded))


def _frames(pipeline: FusionPipeline, end_s: float, log: SoakLog) -> Iterator[FusedFrame]:
    while time.monotonic() < end_s:
        try:
            for fused in pipeline:
                yield fused
                if time.monotonic() >= end_s:
                    return
            log.fatal.append("the streams ended")
            return
        except Exception as error:  # what must never happen: noted, and the run goes on
            logging.getLogger(__name__).exception("the pipeline raised")
            log.fatal.append(repr(error))
            time.sleep(0.5)


def _unflagged(fused: FusedFrame, cameras: dict[str, FaultyCamera]) -> list[str]:
    """Bad frames that this one was made of without a word in ``degraded``."""
    missing = {reason.split()[0] for reason in fused.degraded}
    stamps = {"visible": fused.timestamp_ns, "ir": fused.timestamp_ns - fused.skew_ns}
    return [
        f"frame {fused.index}: {name} {why}, degraded: {fused.degraded}"
        for name, stamp_ns in stamps.items()
        if name not in missing and (why := cameras[name].bad.get(stamp_ns)) is not None
    ]


def _beat(stop: threading.Event, log: SoakLog) -> None:
    """How late an idle thread wakes up: what of a stall is the machine's and not the pipeline's."""
    while not stop.is_set():
        before_s = time.monotonic()
        time.sleep(0.02)
        late_s = time.monotonic() - before_s - 0.02
        log.latest_s = max(log.latest_s, late_s)
        log.late += late_s > STALL_S


def _waited_s() -> float:
    """Seconds that the main thread was ready to run and had no processor."""
    return int(Path("/proc/self/schedstat").read_text().split()[1]) / 1e9


def _sample(at_s: float, fused: int, degraded: int) -> Sample:
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_MIB
    descriptors = len(os.listdir("/proc/self/fd"))
    return Sample(
        round(at_s, 2), round(resident, 2), threading.active_count(), descriptors, fused, degraded
    )


def main(arguments: list[str] | None = None) -> int:
    """Command line; see the module."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--faults", type=int, default=33)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", default="160x128", help="of the simulated cameras")
    parser.add_argument("--rig", type=Path, help="a rig file with live cameras")
    parser.add_argument("--growth", type=float, default=10.0, help="MiB that memory may grow by")
    parser.add_argument("--output", type=Path, default=Path("soak"))
    options = parser.parse_args(arguments)
    if options.minutes * 60 < 30 + options.faults:
        parser.error("--minutes: too short for so many faults; allow a second for each, and 30 s")
    width, height = (int(part) for part in options.size.split("x"))
    logging.basicConfig(filename=_log_file(options.output), level=logging.INFO)
    report = soak(options.minutes, options.faults, options.seed, (width, height), options.rig)
    write_report(report, options.output)
    memory = report["memory"]
    assert isinstance(memory, dict)
    for key, value in report.items():
        if key not in ("faults", "samples"):
            print(f"{key}: {value}")
    bad = (
        report["fatal"]
        or report["unflagged_bad_frames"]
        or report["faults_survived"] != report["faults_injected"]
        or memory.get("growth_mib", 0.0) > options.growth
    )
    return 1 if bad else 0


def _log_file(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "soak.log"


if __name__ == "__main__":
    sys.exit(main())
