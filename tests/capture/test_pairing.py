"""Scripted time stamps in, exact pairs out; and a brute-force matcher as the second opinion."""

from __future__ import annotations

import numpy as np
import pytest

from edge_sdk.capture.pairing import CameraDrops, Pairer
from edge_sdk.frames import Frame, FrameFlags
from tests.capture.pairing_reference import (
    MS,
    arrive_in_time_order,
    brute_force,
    frame,
    run,
    script,
    times,
)


def rate(hz: float, count: int, offset_ms: float = 0.0) -> list[float]:
    return [offset_ms + k * 1000.0 / hz for k in range(count)]


# --- which pairs ---------------------------------------------------------------------------------

TABLE = {
    "same times": ([0, 33, 66], [0, 33, 66], [(0, 0), (33, 33), (66, 66)]),
    "constant skew": ([0, 33, 66], [9, 42, 75], [(0, 9), (33, 42), (66, 75)]),
    "infrared later": ([9, 42, 75], [0, 33, 66], [(9, 0), (42, 33), (75, 66)]),
    "nearer wins although later": ([20, 35], [33], [(35, 33)]),
    "nearer wins although earlier": ([31, 40], [33], [(31, 33)]),
    "nearer wins for the other camera": ([33], [20, 35], [(33, 35)]),
    "tie goes to the earlier": ([23, 43], [33], [(23, 33)]),
    "each frame once": ([0, 4], [2], [(0, 2)]),
    "tolerance is inclusive": ([0], [20], [(0, 20)]),
    "beyond the tolerance": ([0, 100], [20.001, 79.999], []),
    "a taken frame frees its rival": ([0, 20], [12, 21], [(0, 12), (20, 21)]),
    "no crossing": ([9, 20], [0, 11], [(9, 11)]),
    "lost infrared frame": ([0, 66, 99], [1, 34, 67, 100], [(0, 1), (66, 67), (99, 100)]),
    "late start": ([0, 33, 66, 99], [70, 103], [(66, 70), (99, 103)]),
    "30 Hz and 25 Hz": (
        [0, 40, 80, 120, 160],
        [0, 33, 67, 100, 133, 167],
        [(0, 0), (40, 33), (80, 67), (120, 133), (160, 167)],
    ),
    "60 Hz visible": ([5, 38, 71], [0, 17, 33, 50, 67, 83], [(5, 0), (38, 33), (71, 67)]),
    "9 Hz infrared": (
        [0, 111, 222],
        [0, 33, 67, 100, 133, 167, 200, 233],
        [(0, 0), (111, 100), (222, 233)],
    ),
}


@pytest.mark.parametrize("eager", [True, False])
@pytest.mark.parametrize("case", TABLE, ids=str)
def test_exact_pairs(case: str, eager: bool) -> None:
    ir_ms, visible_ms, expected = TABLE[case]
    pairer = Pairer(20 * MS, eager=eager)
    pairs = run(pairer, arrive_in_time_order(ir_ms, visible_ms))
    assert times(pairs) == expected
    assert all(p.skew_ns == p.visible.timestamp_ns - p.ir.timestamp_ns for p in pairs)
    stats = pairer.stats
    assert stats.paired == len(expected)
    assert stats.ir.no_partner == stats.ir.total == len(ir_ms) - len(expected)
    assert stats.visible.no_partner == stats.visible.total == len(visible_ms) - len(expected)


@pytest.mark.parametrize("case", TABLE, ids=str)
def test_pairs_do_not_depend_on_the_delay_of_a_camera(case: str) -> None:
    ir_ms, visible_ms, expected = TABLE[case]
    delayed = [(t + 70, frame("ir", t)) for t in ir_ms] + [
        (t, frame("visible", t)) for t in visible_ms
    ]
    arrivals = [f for _, f in sorted(delayed, key=lambda item: item[0])]
    assert times(run(Pairer(20 * MS, eager=False), arrivals)) == expected


@pytest.mark.parametrize(
    ("ir_hz", "visible_hz", "tolerance_ms", "expected"),
    [
        # Every infrared frame is within half a visible period of a visible frame.
        (25, 30, 17, 100),
        (30, 60, 9, 120),
        (9, 60, 9, 36),
        (9, 30, 17, 36),
        # The beat of 25 and 30 Hz: 5 frames against 6, of which the skews 0, 6.67, 13.33,
        # 13.33, 6.67 ms repeat; three of five are within 10 ms.
        (25, 30, 10, 60),
    ],
)
def test_number_of_pairs_at_different_rates(
    ir_hz: float, visible_hz: float, tolerance_ms: float, expected: int
) -> None:
    ir_ms, visible_ms = rate(ir_hz, 4 * int(ir_hz)), rate(visible_hz, 4 * int(visible_hz) + 3)
    pairer = Pairer(round(tolerance_ms * MS))
    pairs = run(pairer, arrive_in_time_order(ir_ms, visible_ms))
    assert len(pairs) == expected
    assert max(abs(p.skew_ns) for p in pairs) <= tolerance_ms * MS


@pytest.mark.parametrize("seed", range(60))
def test_random_streams_against_brute_force(seed: int) -> None:
    rng = np.random.default_rng(seed)
    # Powers of three times distinct numbers would be overkill: odd and even times, and skews that
    # are all different, make the best matching unique.
    while True:
        ir = sorted(rng.choice(200, 6, replace=False).tolist())
        visible = sorted(rng.choice(200, 6, replace=False).tolist())
        skews = [abs(a - b) for a in ir for b in visible]
        if len({s for s in skews if s <= 25}) == len([s for s in skews if s <= 25]):
            break
    expected = brute_force(ir, visible, 25)
    pairer = Pairer(25 * MS, eager=False)
    assert times(run(pairer, arrive_in_time_order(ir, visible))) == expected

    # The streams may arrive interleaved in any way: only the order within a camera counts.
    order = rng.permutation([0] * 6 + [1] * 6)
    queues = [frame("ir", t) for t in ir], [frame("visible", t) for t in visible]
    arrivals = [queues[k].pop(0) for k in order]
    assert times(run(Pairer(25 * MS, eager=False, max_pending=6), arrivals)) == expected


@pytest.mark.parametrize("seed", range(20))
def test_eager_and_exact_agree_while_the_rate_is_steady(seed: int) -> None:
    rng = np.random.default_rng(1000 + seed)
    ir_ms = [33.3 * k + rng.uniform(-3, 3) + 14 for k in range(200) if rng.random() > 0.05]
    visible_ms = [33.3 * k + rng.uniform(-3, 3) for k in range(200) if rng.random() > 0.05]
    frames = arrive_in_time_order(ir_ms, visible_ms)
    eager, exact = (run(Pairer(25 * MS, eager=e), frames) for e in (True, False))
    assert times(eager) == times(exact)
    assert len(exact) > 150


@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_lost_uncounted_and_pairs_keep_the_rules(seed: int) -> None:
    """Wild streams: jitter, losses, repetitions, damage, jumps, delays."""
    rng = np.random.default_rng(2000 + seed)
    frames: list[Frame] = []
    clock_ms = {"ir": 0.0, "visible": 0.0}
    agree = 0
    for tick in range(400):
        camera = str(rng.choice(["ir", "visible"], p=[0.4, 0.6]))
        if rng.random() < 0.02:
            clock_ms[camera] = rng.choice([0, 5000])
        agree += clock_ms["ir"] == clock_ms["visible"]
        late_ms = rng.choice([0, 40, 300], p=[0.9, 0.05, 0.05])
        flags = FrameFlags.DAMAGED if rng.random() < 0.05 else FrameFlags.NONE
        time_ms = 15 * tick + clock_ms[camera] - late_ms + rng.integers(0, 9)
        frames.append(frame(camera, time_ms, flags))
    dropped: list[Frame] = []
    pairer = Pairer(
        30 * MS, single_after_ns=200 * MS, on_unpaired=lambda f, cause: dropped.append(f)
    )
    pairs = run(pairer, frames)
    stats = pairer.stats

    used = [id(f) for p in pairs for f in (p.ir, p.visible) if f is not None]
    assert sorted(used + [id(f) for f in dropped]) == sorted(id(f) for f in frames)
    full = [p for p in pairs if p.ir is not None and p.visible is not None]
    assert all(abs(p.skew_ns) <= 30 * MS for p in full)
    assert stats.paired == len(full)
    assert stats.single_ir == sum(p.visible is None for p in pairs)
    assert stats.single_visible == sum(p.ir is None for p in pairs)
    assert stats.received_ir == stats.paired + stats.single_ir + stats.ir.total
    assert stats.received_visible == stats.paired + stats.single_visible + stats.visible.total
    assert stats.max_abs_skew_ns == max((abs(p.skew_ns) for p in full), default=0)
    assert stats.mean_abs_skew_ns * len(full) == pytest.approx(sum(abs(p.skew_ns) for p in full))
    # Two of five frames are infrared, so at best 0.4 pairs a frame while the clocks agree.
    assert len(full) > 0.15 * agree - 5


# --- when they leave -----------------------------------------------------------------------------


def test_equal_times_leave_at_once() -> None:
    assert script(Pairer(20 * MS), "i0 v0") == [[], [(0, 0)]]


def test_without_a_known_period_a_pair_waits_for_the_next_frame() -> None:
    steps = script(Pairer(20 * MS), "i0 v10 i33 v43")
    assert steps == [[], [], [(0, 10)], []]


def test_a_known_period_lets_a_pair_leave_with_its_second_frame() -> None:
    steps = script(Pairer(20 * MS), "i0 v10 i33 v43 i67 v77 i100 v110 i133 v143")
    assert steps[-4:] == [[(67, 77)], [(100, 110)], [], [(133, 143)]]


def test_a_large_skew_waits_even_with_a_known_period() -> None:
    # At 33 ms a skew of 16 ms can be beaten by the next infrared frame, 17 ms later.
    steps = script(Pairer(20 * MS), "i0 v16 i33 v49 i67 v83 i100 v116 i133")
    assert steps[-3:] == [[(67, 83)], [], [(100, 116)]]


def test_not_eager_waits_for_proof() -> None:
    steps = script(Pairer(20 * MS, eager=False), "i0 v5 i33 v38 i67 v72 i100 v105 i133")
    assert steps[-3:] == [[(67, 72)], [], [(100, 105)]]


def test_a_late_camera_is_waited_for() -> None:
    steps = script(Pairer(20 * MS), "v0 v33 v67 i1 i34 i68")
    assert steps == [[], [], [], [(1, 0)], [(34, 33)], []]


# --- streams that stop ---------------------------------------------------------------------------


def test_stopped_stream_is_bounded_and_counted() -> None:
    lost: list[tuple[float, str]] = []

    def note(f: Frame, cause: str) -> None:
        lost.append((f.timestamp_ns / MS, cause))

    pairer = Pairer(10 * MS, max_pending=4, on_unpaired=note)
    steps = script(pairer, "i0 v0 " + " ".join(f"v{100 * k}" for k in range(1, 8)))
    assert [pair for step in steps for pair in step] == [(0, 0)]
    assert lost == [(100, "overflow"), (200, "overflow"), (300, "overflow")]
    assert pairer.stats.visible == CameraDrops(overflow=3)
    # It comes back: what waited is paired with it or dropped, nothing is stuck.
    assert script(pairer, "i700 i800 v800") == [[(700, 700)], [], [(800, 800)]]
    assert pairer.stats.visible == CameraDrops(overflow=3, no_partner=3)


def test_a_pair_in_doubt_does_not_wait_for_a_stopped_stream() -> None:
    # Only an infrared frame at 25 could still beat (0, 15), and infrared has stopped.
    steps = script(Pairer(20 * MS, max_pending=3), "i0 v15 v48 v81 v114")
    assert steps == [[], [], [], [], [(0, 15)]]


def test_singles_after_the_other_camera_has_been_silent() -> None:
    pairer = Pairer(20 * MS, single_after_ns=100 * MS)
    steps = script(pairer, "i0 v0 v33 v67 v100 v133 v167")
    assert steps[:5] == [[], [(0, 0)], [], [], []]
    # 133 ms is the first time more than 100 ms after the last infrared frame; then no more delay.
    assert steps[5:] == [
        [(None, 33), (None, 67), (None, 100), (None, 133)],
        [(None, 167)],
    ]
    assert script(pairer, "i200 v200 i233 v233") == [[], [(200, 200)], [], [(233, 233)]]
    assert pairer.stats.single_visible == 5
    assert pairer.stats.visible.total == 0


def test_singles_of_a_camera_that_is_alone_from_the_start() -> None:
    pairer = Pairer(20 * MS, single_after_ns=50 * MS)
    assert script(pairer, "i0 i40 i80 i120") == [
        [],
        [],
        [(0, None), (40, None), (80, None)],
        [(120, None)],
    ]
    assert pairer.stats.single_ir == 4


def test_a_pair_in_doubt_is_settled_before_the_singles() -> None:
    pairer = Pairer(20 * MS, single_after_ns=60 * MS)
    steps = script(pairer, "i0 v15 v48 v81")
    assert steps == [[], [], [], [(0, 15), (None, 48), (None, 81)]]


def test_a_camera_that_delivers_only_damage_counts_as_silent() -> None:
    pairer = Pairer(20 * MS, single_after_ns=50 * MS)
    steps = script(pairer, "i0 v0 i33! v33 i67! v67 i100! v100")
    assert steps == [[], [(0, 0)], [], [], [], [(None, 67)], [], [(None, 100)]]
    # 33 could not pair any more once infrared had passed it by the tolerance.
    assert pairer.stats.visible == CameraDrops(no_partner=1)
    assert pairer.stats.ir == CameraDrops(damaged=3)


# --- cameras that both deliver -------------------------------------------------------------------


def delayed(ir_ms: list[float], visible_ms: list[float], late_ms: float) -> list[Frame]:
    """In the order of arrival; infrared comes so much later."""
    arrivals = [(t + late_ms, frame("ir", t)) for t in ir_ms]
    arrivals += [(t, frame("visible", t)) for t in visible_ms]
    return [f for _, f in sorted(arrivals, key=lambda item: item[0])]


def test_cameras_in_antiphase_show_one_of_them_alone_and_pair_when_they_can() -> None:
    ir_ms = [20 + 40 * k for k in range(50)] + [2000 + 40 * k for k in range(1, 25)]
    visible_ms = [40.0 * k for k in range(75)]
    pairer = Pairer(15 * MS, single_after_ns=500 * MS)
    out: list[tuple[float | None, float | None]] = []
    skews = []
    for f in arrive_in_time_order(ir_ms, visible_ms):
        out += times(pairer.push(f))
        skews.append(pairer.unpaired_skew_ns)
    assert [row for row in out if row[1] is not None and row[1] <= 2000] == [
        (None, t) for t in visible_ms if 500 < t <= 2000
    ]
    assert [row for row in out if row[1] is not None and row[1] > 2000] == [
        (t, t) for t in visible_ms if t > 2000
    ]
    assert {abs(skew) for skew in skews if skew is not None} == {20 * MS}
    assert skews[-1] is None, "they pair"
    stats = pairer.stats
    assert stats.single_visible == 38 and stats.visible == CameraDrops(no_partner=13)
    assert stats.single_ir == 0


def test_after_a_pause_of_both_a_frame_without_partner_is_dropped_as_any_other() -> None:
    pairer = Pairer(15 * MS, single_after_ns=500 * MS)
    steps = script(pairer, "i0 v0 v5000 i5033 v5033")
    assert [pair for step in steps for pair in step][-1] == (5033, 5033)
    assert pairer.stats.paired == 2


@pytest.mark.parametrize(
    ("ir_hz", "visible_hz", "late_ms"), [(60, 60, 160), (30, 60, 160), (30, 30, 300), (9, 60, 350)]
)
def test_a_slow_infrared_path_pairs_like_a_fast_one(
    ir_hz: float, visible_hz: float, late_ms: float
) -> None:
    ir_ms, visible_ms = rate(ir_hz, int(5 * ir_hz)), rate(visible_hz, int(5 * visible_hz))
    expected = run(Pairer(15 * MS, single_after_ns=500 * MS), delayed(ir_ms, visible_ms, 0))
    pairer = Pairer(15 * MS, single_after_ns=500 * MS)
    found = run(pairer, delayed(ir_ms, visible_ms, late_ms))
    assert times(found) == times(expected)
    assert len(found) == len(ir_ms)
    assert pairer.stats.visible.overflow == 0


@pytest.mark.parametrize(("hz", "most"), [(30, 17), (60, 32), (400, 65)])
def test_what_waits_is_bounded_by_time_and_by_number(hz: float, most: int) -> None:
    """Infrared stops for good after one frame: received minus delivered minus dropped waits."""
    pairer = Pairer(15 * MS, single_after_ns=500 * MS)
    pairer.push(frame("ir", 0))
    waiting = []
    for t in rate(hz, int(3 * hz)):
        pairer.push(frame("visible", t))
        stats = pairer.stats
        out = stats.paired + stats.single_visible + stats.visible.total
        waiting.append(stats.received_visible - out)
    assert max(waiting) <= most


def test_a_frame_in_doubt_is_counted_and_takes_no_part() -> None:
    pairer = Pairer(15 * MS)
    pairer.push(frame("ir", 0))
    pairer.skip(frame("visible", 0))
    assert pairer.flush() == []
    assert pairer.stats.received_visible == 1
    assert pairer.stats.visible == CameraDrops(clock_jump=1)
