"""What a soak run found, as JSON and as a picture."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.soak_faults import SoakFault

__all__ = ["Sample", "SoakLog", "make_report", "write_report"]

HEALED_S = 15.0
"""A fault is survived if a good fused frame comes within this time after its end."""
SETTLED_SHARE = 0.1


@dataclass(frozen=True)
class Sample:
    """State of the process at one moment of the run."""

    at_s: float
    resident_mib: float
    threads: int
    descriptors: int
    fused: int
    degraded: int


@dataclass
class SoakLog:
    """What is noted while the run goes on; grows by a few numbers every five seconds.

    Attributes:
        samples: every five seconds.
        changes: (when, whether the fused frames are good) whenever that changes.
        stalls: (when it ended, seconds without a fused frame), those above 0.25 s.
        unflagged: fused frames that used a bad frame without saying so.
        fatal: what ended the iteration, if anything did.
        cpu_s: computing time of the process.
        cpu_waited_s: how long the consuming thread was ready to run and got no processor.
        latest_s, late: how late an idle thread woke up at most, and how often more than 0.25 s.
        close_s: how long ``close()`` took.
        threads_left: threads of the pipeline after it.
    """

    samples: list[Sample] = field(default_factory=list)
    changes: list[tuple[float, bool]] = field(default_factory=list)
    stalls: list[tuple[float, float]] = field(default_factory=list)
    unflagged: list[str] = field(default_factory=list)
    fatal: list[str] = field(default_factory=list)
    seconds: float = 0.0
    cpu_s: float = 0.0
    cpu_waited_s: float = 0.0
    latest_s: float = 0.0
    late: int = 0
    close_s: float = 0.0
    threads_left: list[str] = field(default_factory=list)


def make_report(
    log: SoakLog, plan: list[SoakFault], stats: dict[str, Any], settings: dict[str, Any]
) -> dict[str, Any]:
    """The figures of a run, ready for JSON."""
    faults = []
    for fault in plan:
        healed_s = _healed_after(log, fault.stop_s)
        survived = healed_s is not None and healed_s <= HEALED_S
        faults.append(asdict(fault) | {"healed_after_s": healed_s, "survived": survived})
    healed = [f["healed_after_s"] for f in faults if f["healed_after_s"] is not None]
    longest = max(log.stalls, key=lambda stall: stall[1], default=(0.0, 0.0))
    return {
        "settings": settings,
        "seconds": round(log.seconds, 1),
        "frames_in": stats["frames_in"],
        "fused": stats["fused"],
        "machine": {
            "cpu_share": round(log.cpu_s / max(1e-9, log.seconds), 3),
            "consumer_waited_for_cpu_s": round(log.cpu_waited_s, 1),
            "idle_thread_latest_s": round(log.latest_s, 3),
            "idle_thread_late_times": log.late,
        },
        "stalls": len(log.stalls),
        "fused_per_s": round(stats["fused"] / max(1e-9, log.seconds), 2),
        "degraded": stats["degraded"],
        "dropped": stats["dropped"],
        "cameras": stats["cameras"],
        "events": stats["events"],
        "latency_total_ms": stats["latency"].get("total"),
        "faults_injected": len(faults),
        "faults_survived": sum(f["survived"] for f in faults),
        "by_kind": _by_kind(faults),
        "healed_after_s": _percentiles(healed),
        "fatal": log.fatal,
        "unflagged_bad_frames": len(log.unflagged),
        "unflagged_examples": log.unflagged[:10],
        "longest_stall_s": round(longest[1], 3),
        "longest_stall_at_s": round(longest[0], 1),
        "faults_at_longest_stall": [
            f"{f.where} {f.kind}"
            for f in plan
            if f.start_s <= longest[0] and f.stop_s >= longest[0] - longest[1]
        ],
        "memory": _memory(log.samples),
        "close_s": round(log.close_s, 2),
        "threads_left": log.threads_left,
        "faults": faults,
        "samples": [asdict(sample) for sample in log.samples],
    }


def _healed_after(log: SoakLog, stop_s: float) -> float | None:
    """Seconds from the end of a fault to the next good fused frame; None if none came."""
    good = True
    for at_s, now_good in log.changes:
        if at_s >= stop_s:
            if good:
                return 0.0
            if now_good:
                return round(at_s - stop_s, 3)
        good = now_good
    return 0.0 if good else None


def _by_kind(faults: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    table: dict[str, dict[str, int]] = {}
    for fault in faults:
        row = table.setdefault(fault["kind"], {"injected": 0, "survived": 0})
        row["injected"] += 1
        row["survived"] += fault["survived"]
    return table


def _percentiles(values: list[float]) -> dict[str, float]:
    if not values:
        return {}
    p50, p90, top = (float(v) for v in np.percentile(values, [50, 90, 100]))
    return {"p50": round(p50, 3), "p90": round(p90, 3), "max": round(top, 3)}


def _memory(samples: list[Sample]) -> dict[str, float]:
    """Resident memory: the median of the first and of the last fifth of the settled run."""
    settled = samples[int(len(samples) * SETTLED_SHARE) :]
    if len(settled) < 5:
        return {"samples": len(samples)}
    fifth = max(1, len(settled) // 5)
    memory = np.array([sample.resident_mib for sample in settled])
    hours = np.array([sample.at_s for sample in settled]) / 3600
    first, last = float(np.median(memory[:fifth])), float(np.median(memory[-fifth:]))
    return {
        "start_mib": round(first, 1),
        "end_mib": round(last, 1),
        "growth_mib": round(last - first, 1),
        "slope_mib_per_h": round(float(np.polyfit(hours, memory, 1)[0]), 2),
        "max_mib": round(float(memory.max()), 1),
        "threads_first": settled[0].threads,
        "threads_last": settled[-1].threads,
        "descriptors_first": settled[0].descriptors,
        "descriptors_last": settled[-1].descriptors,
    }


def write_report(report: dict[str, Any], folder: Path) -> None:
    """Write ``soak.json`` and ``soak.png`` (if matplotlib is there)."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "soak.json").write_text(json.dumps(report, indent=1) + "\n")
    try:
        import matplotlib
    except ImportError:
        print('no soak.png: it needs matplotlib (pip install -e ".[test]")')
        return
    matplotlib.use("Agg")
    from matplotlib import pyplot

    samples = report["samples"]
    at_min = [sample["at_s"] / 60 for sample in samples]
    figure, (top, middle, bottom) = pyplot.subplots(3, 1, figsize=(12, 8), sharex=True)
    top.plot(at_min, [sample["resident_mib"] for sample in samples])
    top.set_ylabel("resident memory, MiB")
    top.set_ylim(bottom=0)
    rates, shares = [], []
    for before, after in pairwise(samples):
        fused = after["fused"] - before["fused"]
        rates.append(fused / max(1e-9, after["at_s"] - before["at_s"]))
        shares.append((after["degraded"] - before["degraded"]) / max(1, fused))
    middle.plot(at_min[1:], rates)
    middle.set_ylabel("fused frames/s")
    middle.set_ylim(bottom=0)
    twin = middle.twinx()
    twin.fill_between(at_min[1:], shares, alpha=0.25, color="tab:red")
    twin.set_ylabel("share degraded")
    kinds = sorted(report["by_kind"])
    for fault in report["faults"]:
        row = kinds.index(fault["kind"])
        colour = {"ir": "tab:red", "visible": "tab:blue", "core": "tab:green"}[fault["where"]]
        bottom.barh(
            row,
            max(0.05, (fault["stop_s"] - fault["start_s"]) / 60),
            left=fault["start_s"] / 60,
            color=colour if fault["survived"] else "black",
        )
    bottom.set_yticks(range(len(kinds)), kinds)
    bottom.set_xlabel("minutes")
    bottom.set_title(
        "faults of the infrared camera (red), visible camera (blue), core (green); black: not "
        "survived",
        fontsize=9,
    )
    figure.tight_layout()
    figure.savefig(folder / "soak.png", dpi=80)
