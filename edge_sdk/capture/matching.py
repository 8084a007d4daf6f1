"""Which frames of two sorted streams belong together: the rule, without any waiting; the counters.

Smallest skew first: of all pairs within the tolerance the one with the smallest ``|skew|`` is
taken, then the next smallest that uses neither of its frames and does not cross it (no pair mixes
an earlier frame of one camera with a later one of the other than its neighbours do). Of two equal
skews the earlier pair is taken. The list of skews, sorted, is then the smallest there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from edge_sdk.frames import Frame, FramePair

__all__ = ["CameraDrops", "PairingStats", "match", "nearest", "rank"]


def rank(a: Frame, b: Frame) -> tuple[int, int]:
    """Order in which pairs are preferred: by ``|skew|``, then by time."""
    return abs(a.timestamp_ns - b.timestamp_ns), a.timestamp_ns + b.timestamp_ns


def nearest(frame: Frame, others: Sequence[Frame], tolerance_ns: int) -> Frame | None:
    """The preferred partner among ``others``, None if none is within the tolerance."""
    best = min(others, key=lambda other: rank(frame, other), default=None)
    if best is None or abs(best.timestamp_ns - frame.timestamp_ns) > tolerance_ns:
        return None
    return best


def match(
    ir: Sequence[Frame], visible: Sequence[Frame], tolerance_ns: int
) -> list[tuple[Frame, Frame]]:
    """Pairs (ir, visible) of two complete sequences, each sorted by strictly growing time.

    Returns:
        In order of time for both cameras.
    """
    best: tuple[tuple[int, int], int, int] | None = None
    for i, a in enumerate(ir):
        for j, b in enumerate(visible):
            key = rank(a, b)
            if key[0] <= tolerance_ns and (best is None or key < best[0]):
                best = key, i, j
    if best is None:
        return []
    _, i, j = best
    return [
        *match(ir[:i], visible[:j], tolerance_ns),
        (ir[i], visible[j]),
        *match(ir[i + 1 :], visible[j + 1 :], tolerance_ns),
    ]


@dataclass
class CameraDrops:
    """Frames of one camera that were delivered in no way, by cause.

    Attributes:
        no_partner: no frame of the other camera within the tolerance, or a nearer one took it.
        out_of_order: older than the frame before it.
        duplicate: same time stamp as the frame before it.
        damaged: flagged ``DAMAGED``.
        overflow: waited until more than ``max_pending`` had come.
        clock_jump: waited when a clock jumped, or came while a clock was in doubt.
    """

    no_partner: int = 0
    out_of_order: int = 0
    duplicate: int = 0
    damaged: int = 0
    overflow: int = 0
    clock_jump: int = 0

    @property
    def total(self) -> int:
        return sum(vars(self).values())


@dataclass
class PairingStats:
    """Counters of one pairing. What a camera delivered is paired, single, dropped, or waits yet.

    Attributes:
        paired: pairs of two frames.
        received_ir, received_visible: frames that came in.
        single_ir, single_visible: frames delivered without a partner (``single_after_ns``).
        ir, visible: frames that were dropped.
        clock_jumps: jumps of either clock; one that both cameras show counts twice.
        max_abs_skew_ns: largest ``|skew|`` of a pair.
        sum_abs_skew_ns: of all pairs.
    """

    paired: int = 0
    received_ir: int = 0
    received_visible: int = 0
    single_ir: int = 0
    single_visible: int = 0
    ir: CameraDrops = field(default_factory=CameraDrops)
    visible: CameraDrops = field(default_factory=CameraDrops)
    clock_jumps: int = 0
    max_abs_skew_ns: int = 0
    sum_abs_skew_ns: int = 0

    @property
    def mean_abs_skew_ns(self) -> float:
        """0 without a pair."""
        return self.sum_abs_skew_ns / self.paired if self.paired else 0.0

    def count_received(self, camera: str) -> None:
        if camera == "ir":
            self.received_ir += 1
        else:
            self.received_visible += 1

    def count_pair(self, pair: FramePair) -> None:
        self.paired += 1
        self.max_abs_skew_ns = max(self.max_abs_skew_ns, abs(pair.skew_ns))
        self.sum_abs_skew_ns += abs(pair.skew_ns)
