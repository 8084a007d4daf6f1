"""Frames out of order, repeated, damaged; clocks that jump. Exact pairs and exact counters."""

from __future__ import annotations

import pytest

from edge_sdk.capture.pairing import CameraDrops, Pairer
from edge_sdk.errors import ConfigError
from edge_sdk.frames import FrameFlags
from tests.capture.pairing_reference import MS, arrive_in_time_order, frame, run, script, times


def test_out_of_order_and_duplicate_frames_are_dropped_and_counted() -> None:
    pairer = Pairer(20 * MS)
    steps = script(pairer, "i0 v0 i33 i20 i33 v33 v33 i67 v67")
    assert [pair for step in steps for pair in step] == [(0, 0), (33, 33), (67, 67)]
    assert pairer.stats.ir == CameraDrops(out_of_order=1, duplicate=1)
    assert pairer.stats.visible == CameraDrops(duplicate=1)


def test_damaged_frames_are_not_paired() -> None:
    pairer = Pairer(20 * MS)
    pairs = [p for step in script(pairer, "i0! v0 i33 v33! i67 v67") for p in step]
    assert pairs + times(pairer.flush()) == [(67, 67)]
    assert pairer.stats.ir == CameraDrops(damaged=1, no_partner=1)
    assert pairer.stats.visible == CameraDrops(damaged=1, no_partner=1)


def test_flags_that_are_not_damage_do_pair() -> None:
    pairer = Pairer(20 * MS)
    pairer.push(frame("ir", 0, FrameFlags.SHUTTER))
    (pair,) = pairer.push(frame("visible", 0))
    assert pair.ir is not None and pair.ir.flags is FrameFlags.SHUTTER


# --- clocks that jump ----------------------------------------------------------------------------


@pytest.mark.parametrize("target_ms", [50_000, 1_000_000])
def test_both_clocks_jump(target_ms: int) -> None:
    start = 500_000
    before = " ".join(f"i{start + t} v{start + t}" for t in (0, 33, 67))
    after = " ".join(f"v{target_ms + t} i{target_ms + t}" for t in (0, 33, 67))
    pairer = Pairer(20 * MS)
    pairs = [p for step in script(pairer, f"{before} {after}") for p in step]
    expected = [(start + t, start + t) for t in (0, 33, 67)]
    assert pairs == expected + [(target_ms + t, target_ms + t) for t in (0, 33, 67)]
    assert pairer.stats.ir.total == pairer.stats.visible.total == 0
    # Ahead, the second camera only catches up with the first.
    assert pairer.stats.clock_jumps == (2 if target_ms < start else 1)


def test_waiting_frames_are_paired_or_counted_when_a_clock_jumps() -> None:
    pairer = Pairer(20 * MS)
    # (9000, 9015) is in doubt, 9048 waits; then the visible clock falls back to 1000.
    steps = script(pairer, "i9000 v9015 v9048 v1000 i9033 i1000 v1033 i1033")
    assert steps[3] == [(9000, 9015)]
    assert [p for step in steps[4:] for p in step] == [(1033, 1033)]
    stats = pairer.stats
    assert stats.clock_jumps == 2
    assert stats.visible == CameraDrops(clock_jump=1, no_partner=1)
    # 9033 still has the old time, so 1000 finds no partner; then the infrared clock follows.
    assert stats.ir == CameraDrops(clock_jump=1, no_partner=1)


@pytest.mark.parametrize(("wrong_ms", "jumps"), [(100, 1), (90_000, 2)])
def test_one_wrong_time_stamp_costs_one_pair(wrong_ms: int, jumps: int) -> None:
    ticks = [10_000 + 33 * k for k in range(10)]
    steps = [f"v{wrong_ms if k == 4 else t} i{t}" for k, t in enumerate(ticks)]
    pairer = Pairer(20 * MS)
    pairs = [p for step in script(pairer, " ".join(steps)) for p in step]
    assert pairs == [(t, t) for k, t in enumerate(ticks) if k != 4]
    # The way back up is no jump: the infrared camera shows the same time.
    assert pairer.stats.clock_jumps == jumps


def test_one_clock_that_stays_away_blocks_nothing() -> None:
    pairer = Pairer(20 * MS, single_after_ns=100 * MS, max_pending=4)
    pairs = []
    for t in range(0, 1000, 40):
        pairs += pairer.push(frame("ir", 500_000 + t)) + pairer.push(frame("visible", 2000 + t))
    stats = pairer.stats
    assert stats.paired == 0
    # Infrared seems far ahead, so visible looks silent to it: infrared goes on alone.
    assert stats.single_ir + stats.ir.total >= 24
    assert stats.received_visible - stats.visible.total <= 4


def test_a_pause_of_one_camera_is_no_jump() -> None:
    pairer = Pairer(20 * MS, max_pending=4)
    ticks = [40 * k for k in range(100)]
    frames = arrive_in_time_order([t for t in ticks if not 400 < t < 3000], ticks)
    pairs = run(pairer, frames)
    assert times(pairs) == [(t, t) for t in ticks if not 400 < t < 3000]
    assert pairer.stats.clock_jumps == 0


def test_flush_makes_ready_for_new_streams() -> None:
    pairer = Pairer(20 * MS)
    assert script(pairer, "i5000 v5010") == [[], []]
    assert times(pairer.flush()) == [(5000, 5010)]
    assert script(pairer, "i0 v0") == [[], [(0, 0)]]
    assert pairer.stats.clock_jumps == 0
    assert pairer.flush() == []


@pytest.mark.parametrize(
    "arguments",
    [
        {"tolerance_ns": -1},
        {"tolerance_ns": 10, "max_pending": 0},
        {"tolerance_ns": 10, "single_after_ns": 9},
        {"tolerance_ns": 10, "jump_ns": 10},
    ],
    ids=str,
)
def test_arguments_out_of_range(arguments: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="but got"):
        Pairer(**arguments)


def test_frame_of_an_unknown_camera() -> None:
    with pytest.raises(ConfigError, match='"left"'):
        Pairer(10).push(frame("left", 0))
