"""Frame numbers and time stamps as drivers give them, good and bad."""

from __future__ import annotations

from collections import Counter

import pytest

from edge_sdk.capture.v4l2.clock import SequenceCounter, StampClock

MONOTONIC, START = 0x2000, 0x10000
PERIOD_NS = 33_333_333
NOW_NS = 5_000_000_000_000


def test_sequence_wraps_without_a_step() -> None:
    counts: Counter[str] = Counter()
    number = SequenceCounter(counts)
    raw = [2**32 - 2, 2**32 - 1, 0, 1, 4]
    assert [number(r) - (2**32 - 2) for r in raw] == [0, 1, 2, 3, 6]
    assert counts == {"lost by the driver": 2}


def test_gap_across_the_wrap() -> None:
    counts: Counter[str] = Counter()
    number = SequenceCounter(counts)
    assert number(2**32 - 3) + 6 == number(3)
    assert counts == {"lost by the driver": 5}


def test_sequence_never_repeats_nor_runs_back() -> None:
    counts: Counter[str] = Counter()
    number = SequenceCounter(counts)
    found = [number(raw) for raw in (7, 8, 8, 2, 3)]
    assert found == [7, 8, 9, 10, 11]
    assert counts == {"sequence out of order": 2}
    number.restart()
    assert number(0) == 12
    assert number(1) == 13
    assert counts == {"sequence out of order": 2}


def test_start_of_exposure_is_kept() -> None:
    counts: Counter[str] = Counter()
    clock = StampClock(counts, PERIOD_NS)
    stamp_ns = NOW_NS - 20_000_000
    assert clock(stamp_ns, MONOTONIC | START, NOW_NS) == stamp_ns
    assert not counts


@pytest.mark.parametrize("period_ns", [PERIOD_NS, None])
def test_end_of_frame_goes_back_by_one_period(period_ns: int | None) -> None:
    counts: Counter[str] = Counter()
    clock = StampClock(counts, period_ns)
    stamp_ns = NOW_NS - 2_000_000
    assert clock(stamp_ns, MONOTONIC, NOW_NS) == stamp_ns - (period_ns or 0)
    assert not counts


@pytest.mark.parametrize("flags", [0, 0x4000])
def test_unknown_clock_gives_time_of_arrival(flags: int) -> None:
    counts: Counter[str] = Counter()
    assert StampClock(counts, PERIOD_NS)(123, flags | START, NOW_NS) == NOW_NS - PERIOD_NS
    assert counts == {"time of arrival used": 1}


def test_a_glitch_ahead_becomes_now_and_the_next_frame_is_good_again() -> None:
    counts: Counter[str] = Counter()
    clock = StampClock(counts, PERIOD_NS)
    assert clock(NOW_NS + 200_000_000, MONOTONIC | START, NOW_NS) == NOW_NS
    later_ns = NOW_NS + PERIOD_NS
    assert clock(later_ns - 5_000_000, MONOTONIC | START, later_ns) == later_ns - 5_000_000
    assert counts == {"time stamp ahead": 1}


@pytest.mark.parametrize(
    "shift_ns", [2**63 - NOW_NS, -(2**63), 68 * 365 * 86400 * 10**9, -(10**11)]
)
def test_another_clock_is_moved_and_its_steps_stay_exact(shift_ns: int) -> None:
    """Delays vary by 8 ms; from the frame with the shortest one on, stamps are exact to it."""
    counts: Counter[str] = Counter()
    clock = StampClock(counts, PERIOD_NS)
    delays_ms = [9, 4, 11, 5, 12, 4]
    found = []
    for index, delay_ms in enumerate(delays_ms):
        true_ns = NOW_NS + index * PERIOD_NS
        now_ns = true_ns + delay_ms * 1_000_000
        found.append(clock(true_ns + shift_ns, MONOTONIC | START, now_ns) - true_ns)
        assert true_ns <= true_ns + found[-1] <= now_ns
    assert found == [9_000_000] + [4_000_000] * 5
    assert counts == {"time stamp of another clock": len(delays_ms)}


def test_a_counter_that_wraps_while_streaming() -> None:
    """64 bit of nanoseconds, signed as in ``struct timeval``."""
    counts: Counter[str] = Counter()
    clock = StampClock(counts, PERIOD_NS)
    before = 2**63 - 2 * PERIOD_NS
    found = []
    for index in range(5):
        raw = before + index * PERIOD_NS
        raw = (raw + 2**63) % 2**64 - 2**63
        now_ns = NOW_NS + index * PERIOD_NS
        found.append(clock(raw, MONOTONIC | START, now_ns) - now_ns)
    assert found == [0] * 5
    assert counts == {"time stamp of another clock": 5}
