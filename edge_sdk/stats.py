"""What a pipeline counts, so that every lost frame and every slow stage is visible."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from edge_sdk.capture.camera import Camera
    from edge_sdk.capture.pairing import PairingStats

__all__ = ["LatencyStats", "PipelineStats", "StatsRecorder"]

RECENT = 2048


@dataclass(frozen=True)
class LatencyStats:
    """Time that a stage took, over its last 2,048 runs; milliseconds."""

    p50_ms: float
    p90_ms: float
    p99_ms: float
    mean_ms: float
    count: int

    @classmethod
    def of(cls, seconds: Sequence[float], count: int | None = None) -> LatencyStats:
        """Of durations in seconds; ``count`` if more were run than are kept."""
        p50, p90, p99 = (float(p) * 1e3 for p in np.percentile(seconds, [50, 90, 99]))
        total = len(seconds) if count is None else count
        return cls(p50, p90, p99, float(np.mean(seconds)) * 1e3, total)


@dataclass(frozen=True)
class PipelineStats:
    """A snapshot of the counters since the pipeline was opened.

    Attributes:
        frames_in: frames that each camera delivered.
        pairs: pairs that were formed.
        singles: camera -> frames delivered without a partner, while the other camera was away.
        fused: frames that came out.
        dropped: cause -> frames (or pairs) that never reached the output.
        cameras: camera -> what its source counted itself, where it does (``Camera.counts``): for a
            V4L2 camera ``"damaged"``, ``"stale"``, ``"lost by the driver"``, ...
        degraded: cause -> fused frames that carry it in ``FusedFrame.degraded``.
        resets: cause -> resets of the recurrent state.
        events: name -> how often it happened, see :class:`edge_sdk.events.Event`: ``"ir lost"``,
            ``"ir back"``, ...; also ``"event callback failed"``.
        clock_jumps: jumps of either camera's clock; one that both show counts twice.
        latency: stage -> :class:`LatencyStats`; stages are ``align``, ``tone``, ``fuse``,
            ``hooks``, ``total``, which is from the pair's arrival to the fused frame, and
            ``health``, which comes after it.
        skew_ms_mean, skew_ms_max: absolute skew of the pairs, milliseconds.
        seconds: since the first fused frame.
        fps: fused frames per second in that time.
        engine: engine, precision and device that fuse; None before the first frame.
    """

    frames_in: dict[str, int]
    pairs: int
    singles: dict[str, int]
    fused: int
    dropped: dict[str, int]
    cameras: dict[str, dict[str, int]]
    degraded: dict[str, int]
    resets: dict[str, int]
    events: dict[str, int]
    clock_jumps: int
    latency: dict[str, LatencyStats]
    skew_ms_mean: float
    skew_ms_max: float
    seconds: float
    fps: float
    engine: str | None

    def with_pairing(self, pairing: PairingStats, recorded: bool = False) -> PipelineStats:
        """The same with what the pairing has counted; of recordings also what came in."""
        singles = {"ir": pairing.single_ir, "visible": pairing.single_visible}
        received = {"ir": pairing.received_ir, "visible": pairing.received_visible}
        # A damaged frame may be dropped by the supervisor or by the pairing: both count.
        dropped = Counter(self.dropped)
        for camera in ("ir", "visible"):
            for cause, count in vars(getattr(pairing, camera)).items():
                dropped[f"{camera} {cause.replace('_', ' ')}"] += count
        return replace(
            self,
            frames_in=received if recorded else self.frames_in,
            pairs=pairing.paired,
            singles={camera: count for camera, count in singles.items() if count},
            dropped={cause: count for cause, count in dropped.items() if count},
            clock_jumps=pairing.clock_jumps,
        )

    def with_cameras(self, *cameras: Camera | None) -> PipelineStats:
        """The same with what the cameras counted themselves."""
        known = [camera for camera in cameras if camera is not None]
        counts = {camera.name: dict(getattr(camera, "counts", {})) for camera in known}
        return replace(self, cameras={name: found for name, found in counts.items() if found})

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts and numbers, for JSON."""
        values = dict(self.__dict__)
        values["latency"] = {name: dict(stage.__dict__) for name, stage in self.latency.items()}
        return values


@dataclass
class StatsRecorder:
    """The counters themselves; safe to use from several threads. Memory is bounded."""

    frames_in: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    degraded: Counter[str] = field(default_factory=Counter)
    resets: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    engine: str | None = None

    def __post_init__(self) -> None:
        # A signal handler may ask for a snapshot while its own thread holds the lock.
        self._lock = threading.RLock()
        self._stages: dict[str, deque[float]] = {}
        self._runs: Counter[str] = Counter()
        self._pairs = self._fused = 0
        self._skew_sum = self._skew_max = 0.0
        self._skews = 0
        self._first: float | None = None
        self._last = 0.0

    def count(self, counter: Counter[str], key: str, amount: int = 1) -> None:
        with self._lock:
            counter[key] += amount

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage."""
        start = time.perf_counter()
        yield
        self.add_latency(name, time.perf_counter() - start)

    def add_latency(self, name: str, seconds: float) -> None:
        with self._lock:
            self._stages.setdefault(name, deque(maxlen=RECENT)).append(seconds)
            self._runs[name] += 1

    def reset_latency(self) -> None:
        with self._lock:
            self._stages.clear()
            self._runs.clear()

    def pair(self, skew_ns: int | None) -> None:
        """A pair was formed; ``skew_ns`` is None for a single frame."""
        with self._lock:
            self._pairs += 1
            if skew_ns is not None:
                self._skews += 1
                self._skew_sum += abs(skew_ns)
                self._skew_max = max(self._skew_max, abs(skew_ns))

    def fused(self) -> None:
        with self._lock:
            self._fused += 1
            self._last = time.perf_counter()
            if self._first is None:
                self._first = self._last

    def snapshot(self) -> PipelineStats:
        """The counters as they are now. Never waits long, also in a signal handler."""
        with self._lock:
            # Copies made by one call each: no signal handler can change them half-way.
            stages = [
                (name, list(kept), self._runs[name]) for name, kept in list(self._stages.items())
            ]
            seconds = self._last - self._first if self._first is not None else 0.0
            snapshot = PipelineStats(
                frames_in=dict(self.frames_in),
                pairs=self._pairs,
                singles={},
                fused=self._fused,
                dropped={key: n for key, n in list(self.dropped.items()) if n},
                cameras={},
                degraded=dict(self.degraded),
                resets=dict(self.resets),
                events=dict(self.events),
                clock_jumps=0,
                latency={},
                skew_ms_mean=self._skew_sum / max(1, self._skews) / 1e6,
                skew_ms_max=self._skew_max / 1e6,
                seconds=seconds,
                fps=(self._fused - 1) / seconds if seconds > 0 else 0.0,
                engine=self.engine,
            )
        latency = {name: LatencyStats.of(kept, runs) for name, kept, runs in stages if kept}
        return replace(snapshot, latency=latency)
