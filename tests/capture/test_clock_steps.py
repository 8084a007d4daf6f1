"""Clocks that step by less than a second, where frames of another moment are near enough to pair.

Every frame's true time is known here by its number, whatever its stamp says: a pair is right if its
frames were taken within the tolerance (and the jitter of the arrivals, once a clock is corrected).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

from edge_sdk.capture.clocks import ClockNews, ClockWatch
from edge_sdk.capture.pairing import Pairer
from edge_sdk.events import EventKind
from edge_sdk.frames import Frame, FrameFlags, FramePair
from tests.capture.pairing_reference import IMAGE, MS

STEP_S = 10.0
BASE_NS = 10**13
Times = Callable[[float], float]
"""True time in s -> seconds that are added to the stamp, or to the delay."""


def none(at_s: float) -> float:
    return 0.0


def step(by_s: float, start_s: float = STEP_S, stop_s: float = float("inf")) -> Times:
    return lambda at_s: by_s * (start_s <= at_s < stop_s)


@dataclass
class Shown:
    """What came out: (arrival in s, pair), the news, and the longest time without anything."""

    true_ns: dict[tuple[str, int], int] = field(default_factory=dict)
    out: list[tuple[float, FramePair]] = field(default_factory=list)
    news: list[ClockNews] = field(default_factory=list)

    def gap_s(self, end_s: float) -> float:
        return float(np.diff([0.0, *(at_s for at_s, _ in self.out), end_s]).max())

    def pairs(self, start_s: float = 0.0) -> list[FramePair]:
        return [pair for at_s, pair in self.out if at_s >= start_s and pair.ir and pair.visible]

    def apart_ms(self, pair: FramePair) -> float:
        """By the true times."""
        assert pair.ir is not None and pair.visible is not None
        ir_ns = self.true_ns["ir", pair.ir.sequence]
        return abs(self.true_ns["visible", pair.visible.sequence] - ir_ns) / MS


def show(
    seconds: float,
    ir_clock: Times = none,
    visible_clock: Times = none,
    ir_late: Times = none,
    visible_late: Times = none,
    fps: tuple[float, float] = (30.0, 30.0),
    delays_ms: tuple[float, float] = (40.0, 10.0),
    seed: int = 0,
) -> Shown:
    """Two cameras through watch and pairer, as ``LivePairs`` does; infrared is 3 ms later."""
    rng = np.random.default_rng(seed)
    shown = Shown()
    arrivals = []
    rows = zip(("ir", "visible"), fps, delays_ms, (ir_clock, visible_clock), strict=True)
    for name, rate, delay_ms, clock in rows:
        late = ir_late if name == "ir" else visible_late
        due_s = 0.0
        for k in range(int(seconds * rate)):
            true_s = k / rate + 0.003 * (name == "ir")
            shown.true_ns[name, k] = round(true_s * 1e9)
            stamp_ns = BASE_NS + round((true_s + clock(true_s)) * 1e9)
            jitter_ms = rng.uniform(0, 4)  # and a frame never overtakes the one before
            due_s = max(due_s, true_s + late(true_s) + (delay_ms + jitter_ms) / 1e3)
            arrivals.append((due_s, name, k, stamp_ns))
    watch, pairer = ClockWatch(15 * MS), Pairer(15 * MS, single_after_ns=500 * MS)
    for due_s, name, k, stamp_ns in sorted(arrivals):
        arrival_ns = BASE_NS + round(due_s * 1e9)
        judged = watch.take(Frame(IMAGE, stamp_ns, k, name), arrival_ns)
        if judged.news is not None:
            shown.news.append(judged.news)
        out = pairer.flush() if judged.corrected else []
        new: list[FramePair] = []
        if judged.doubtful:
            pairer.skip(judged.frame)
        else:
            new = pairer.push(judged.frame, judged.jumped)
        if not judged.jumped and any(pair.ir and pair.visible for pair in new):
            watch.paired(arrival_ns)
        shown.out += [(due_s, pair) for pair in out + new]
    return shown


def retimed(pair: FramePair) -> set[str]:
    return {
        side.camera
        for side in (pair.ir, pair.visible)
        if side is not None and FrameFlags.RETIMED in side.flags
    }


STEPS_S = [-0.9, -0.43, -0.3, -0.2, -0.1, -0.06, -0.04, 0.04, 0.06, 0.1, 0.2, 0.3, 0.43, 0.9]


@pytest.mark.parametrize("by_s", STEPS_S)
@pytest.mark.parametrize("camera", ["ir", "visible"])
def test_a_step_never_pairs_the_wrong_frames_and_is_corrected(camera: str, by_s: float) -> None:
    shown = show(20, **{f"{camera}_clock": step(by_s)})
    assert max(map(shown.apart_ms, shown.pairs())) < 15
    assert [(news.camera, news.kind) for news in shown.news] == [(camera, EventKind.RESYNCED)]
    late = shown.pairs(STEP_S + 2.5)
    assert len(late) >= 220
    assert all(retimed(pair) == {camera} for pair in late)
    # The true skew is 3 ms, and the arrivals jitter by 4 ms.
    assert max(abs(pair.skew_ns + 3 * MS) for pair in late) < 5 * MS
    assert shown.gap_s(20) < 0.8, "something is shown all the time"


@pytest.mark.parametrize("seed", range(8))
def test_wherever_in_the_period_the_step_falls(seed: int) -> None:
    """A pair of before the step may be completed by a frame that comes after it."""
    for by_s in (0.26, 0.3, 0.35, 0.43):
        start_s = STEP_S + seed * 0.0041
        shown = show(16, visible_clock=step(by_s, start_s), seed=seed)
        assert max(map(shown.apart_ms, shown.pairs())) < 15
        assert len(shown.pairs(STEP_S + 2.6)) >= 95
        assert shown.gap_s(16) < 0.8


@pytest.mark.parametrize("by_s", [-0.3, -0.1, 0.1, 0.3])
def test_a_slow_infrared_camera_whose_step_is_shorter_than_its_period(by_s: float) -> None:
    shown = show(20, ir_clock=step(by_s), fps=(9, 30), delays_ms=(120, 10))
    assert max(map(shown.apart_ms, shown.pairs())) < 17
    assert [news.camera for news in shown.news] == ["ir"]
    assert len(shown.pairs(STEP_S + 2.6)) >= 60


@pytest.mark.parametrize("by_s", [-0.3, -0.1, 0.1, 0.3])
def test_a_step_that_is_taken_back_ends_the_correction(by_s: float) -> None:
    shown = show(24, visible_clock=step(by_s, stop_s=15.0))
    assert max(map(shown.apart_ms, shown.pairs())) < 15
    assert [news.kind for news in shown.news] == [EventKind.RESYNCED] * 2
    late = shown.pairs(18)
    assert len(late) >= 175
    assert not any(retimed(pair) for pair in late)


def test_a_second_step_of_a_corrected_clock_is_corrected_too() -> None:
    shown = show(24, visible_clock=lambda at_s: step(0.1)(at_s) + step(0.2, 16.0)(at_s))
    assert max(map(shown.apart_ms, shown.pairs())) < 15
    assert len(shown.pairs(18.6)) >= 155
    assert all(retimed(pair) == {"visible"} for pair in shown.pairs(12.5))


@pytest.mark.parametrize("by_s", [-0.3, 0.05, 0.3, 0.9])
def test_one_wrong_stamp_costs_a_few_frames_only(by_s: float) -> None:
    shown = show(20, visible_clock=step(by_s, stop_s=STEP_S + 0.03))
    assert max(map(shown.apart_ms, shown.pairs())) < 15
    assert shown.news == []
    assert len(shown.pairs()) >= 600 - 8
    assert not any(retimed(pair) for pair in shown.pairs())


@pytest.mark.parametrize("by_s", [0.06, 0.1, 0.3])
@pytest.mark.parametrize("stop_s", [11.0, 16.0])
def test_frames_that_come_late_but_pair_keep_their_clock(by_s: float, stop_s: float) -> None:
    """An exposure that grows, a busy reader: the delay changes, the stamps are right."""
    shown = show(20, visible_late=step(by_s, stop_s=stop_s))
    assert max(map(shown.apart_ms, shown.pairs())) < 15
    assert shown.news == []
    assert len(shown.pairs()) >= 585
    assert not any(retimed(pair) for pair in shown.pairs())


def test_an_exposure_that_becomes_shorter_is_no_step() -> None:
    """The delay falls below the shortest ever, yet the stamps keep their rate."""
    shown = show(20, visible_late=step(0.1, 0.0, STEP_S))
    assert shown.news == []
    assert len(shown.pairs()) >= 585
    assert not any(retimed(pair) for pair in shown.pairs())
