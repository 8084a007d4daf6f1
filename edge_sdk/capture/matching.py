"""Which frames of two sorted streams belong together: the rule, without any waiting.

Smallest skew first: of all pairs within the tolerance the one with the smallest ``|skew|`` is
taken, then the next smallest that uses neither of its frames and does not cross it (no pair mixes
an earlier frame of one camera with a later one of the other than its neighbours do). Of two equal
skews the earlier pair is taken. The list of skews, sorted, is then the smallest there is.
"""

from __future__ import annotations

from collections.abc import Sequence

from edge_sdk.frames import Frame

__all__ = ["match", "nearest", "rank"]


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
