"""What a pairing counts."""

from __future__ import annotations

from dataclasses import dataclass, field

from edge_sdk.frames import FramePair

__all__ = ["CameraDrops", "PairingStats"]


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
