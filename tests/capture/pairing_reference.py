"""Scripted frames, the form in which pairs are compared, and a second opinion on pairing."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable

import numpy as np

from edge_sdk.capture.pairing import Pairer
from edge_sdk.frames import Frame, FrameFlags, FramePair

MS = 1_000_000
IMAGE = np.zeros((2, 2), np.uint8)


def frame(camera: str, time_ms: float, flags: FrameFlags = FrameFlags.NONE) -> Frame:
    return Frame(IMAGE, round(time_ms * MS), 0, camera, flags)


def arrive_in_time_order(ir_ms: Iterable[float], visible_ms: Iterable[float]) -> list[Frame]:
    frames = [frame("ir", t) for t in ir_ms] + [frame("visible", t) for t in visible_ms]
    return sorted(frames, key=lambda f: f.timestamp_ns)


def run(pairer: Pairer, frames: Iterable[Frame]) -> list[FramePair]:
    pairs = [pair for f in frames for pair in pairer.push(f)]
    return pairs + pairer.flush()


def script(pairer: Pairer, steps: str) -> list[list[tuple[float | None, float | None]]]:
    """Push ``"i0 v5 v38!"`` (ir at 0, visible at 5 and a damaged one at 38 ms); pairs by step."""
    result = []
    for step in steps.split():
        flags = FrameFlags.DAMAGED if step.endswith("!") else FrameFlags.NONE
        camera = "ir" if step[0] == "i" else "visible"
        result.append(times(pairer.push(frame(camera, float(step[1:].rstrip("!")), flags))))
    return result


def times(pairs: Iterable[FramePair]) -> list[tuple[float | None, float | None]]:
    """(ir, visible) in ms."""
    return [
        (
            None if p.ir is None else p.ir.timestamp_ns / MS,
            None if p.visible is None else p.visible.timestamp_ns / MS,
        )
        for p in pairs
    ]


def brute_force(ir: list[int], visible: list[int], tolerance: int) -> list[tuple[int, int]]:
    """Of all matchings without crossings the one whose sorted skews are smallest.

    Independent of the implementation: enumerates the subsets of both streams, k-th with k-th.
    """
    best: tuple[list[float], list[tuple[int, int]]] = ([], [])
    size = min(len(ir), len(visible))
    for count in range(size + 1):
        for a in itertools.combinations(ir, count):
            for b in itertools.combinations(visible, count):
                skews = [abs(x - y) for x, y in zip(a, b, strict=True)]
                if max(skews, default=0) > tolerance:
                    continue
                padded = [*sorted(skews), *[math.inf] * (size - count)]
                if not best[0] or padded < best[0]:
                    best = padded, list(zip(a, b, strict=True))
    return best[1]
