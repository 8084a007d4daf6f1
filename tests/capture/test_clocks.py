"""Clocks that jump, for a while or for good, and pauses that are no jumps: scripted frames."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from edge_sdk.capture.clocks import ClockWatch
from edge_sdk.capture.pairing import Pairer
from edge_sdk.errors import ConfigError
from edge_sdk.events import EventKind
from edge_sdk.frames import FrameFlags, FramePair
from tests.capture.pairing_reference import MS, frame

PERIOD_MS = 100.0 / 3
Stamp = Callable[[float], float | None]
"""True time of a frame in ms -> its stamp; None: it is not delivered."""


def true(at_ms: float) -> float:
    return at_ms


def jumped(by_ms: float, start_ms: float, stop_ms: float = float("inf")) -> Stamp:
    return lambda at_ms: at_ms + by_ms * (start_ms <= at_ms < stop_ms)


class Play:
    """Two cameras of 30 frames/s for some seconds; what the watch and the pairer make of them."""

    def __init__(
        self,
        seconds: float,
        ir: Stamp = true,
        visible: Stamp = true,
        delays_ms: tuple[float, float] = (20.0, 30.0),
        late: tuple[float, float, float] = (0.0, 0.0, 0.0),
        seed: int = 0,
    ) -> None:
        """``late``: visible frames from, until (seconds) come so many ms later."""
        rng = np.random.default_rng(seed)
        watch, self.pairer = ClockWatch(15 * MS), Pairer(15 * MS, single_after_ns=500 * MS)
        arrivals = []
        for name, stamp in (("ir", ir), ("visible", visible)):
            for k in range(round(seconds * 30)):
                at_ms = k * PERIOD_MS + (2.0 if name == "visible" else 0.0)
                stamp_ms = stamp(at_ms)
                delay_ms = delays_ms[name == "visible"]
                if name == "visible" and late[0] <= at_ms / 1e3 < late[1]:
                    delay_ms += late[2]
                if stamp_ms is not None:
                    arrivals.append((at_ms + delay_ms + rng.exponential(3.0), name, stamp_ms))
        self.news: list[tuple[float, str, EventKind]] = []
        self.pairs: list[tuple[float, FramePair]] = []
        for arrival_ms, name, stamp_ms in sorted(arrivals):
            arrival_ns = round(arrival_ms * MS)
            judged = watch.take(frame(name, stamp_ms), arrival_ns)
            if judged.news is not None:
                self.news.append((arrival_ms / 1e3, judged.news.camera, judged.news.kind))
            made = self.pairer.flush() if judged.corrected else []
            new: list[FramePair] = []
            if judged.doubtful:
                self.pairer.skip(judged.frame)
            else:
                new = self.pairer.push(judged.frame, judged.jumped)
            if not judged.jumped and any(p.ir and p.visible for p in new):
                watch.paired(arrival_ns)
            self.pairs += [
                (arrival_ms / 1e3, pair) for pair in made + new if pair.ir and pair.visible
            ]

    def between(self, start_s: float, stop_s: float) -> list[FramePair]:
        return [pair for at_s, pair in self.pairs if start_s <= at_s < stop_s]

    def kinds(self) -> list[tuple[str, EventKind]]:
        return [(camera, kind) for _, camera, kind in self.news]


def retimed(pair: FramePair) -> set[str]:
    return {
        name
        for name, side in (("ir", pair.ir), ("visible", pair.visible))
        if side is not None and FrameFlags.RETIMED in side.flags
    }


def test_clocks_that_agree_are_left_alone() -> None:
    play = Play(20)
    assert play.news == []
    assert len(play.pairs) >= 598
    assert not any(retimed(pair) for _, pair in play.pairs)
    assert {pair.skew_ns for _, pair in play.pairs} == {2 * MS}


@pytest.mark.parametrize("both_pause", [True, False])
def test_a_pause_is_no_jump(both_pause: bool) -> None:
    def pausing(at_ms: float) -> float | None:
        return None if 3000 <= at_ms < 8000 else at_ms

    play = Play(12, ir=pausing, visible=pausing if both_pause else true)
    assert play.news == []
    assert play.pairer.clock_jumps == 0
    assert len(play.between(8.2, 12)) >= 110
    assert not any(retimed(pair) for _, pair in play.pairs)


def test_frames_that_are_read_late_are_no_jump() -> None:
    """A reader that stood still for three seconds gets a queue of old frames, then new ones."""
    watch = ClockWatch(15 * MS)
    judged = [
        watch.take(frame(name, t), round((t + 20) * MS))
        for t in np.arange(0, 3000, PERIOD_MS)
        for name in ("ir", "visible")
    ]
    judged += [watch.take(frame("ir", 3000 + 33 * k), (6000 + k) * MS) for k in range(4)]
    judged += [watch.take(frame("ir", t), round((t + 20) * MS)) for t in range(6010, 9000, 33)]
    assert not any(j.jumped or j.news for j in judged)


@pytest.mark.parametrize("by_ms", [20_000.0, -20_000.0, 400.0, -400.0])
@pytest.mark.parametrize("camera", ["ir", "visible"])
def test_a_clock_that_jumps_for_good_pairs_again_within_a_bound(camera: str, by_ms: float) -> None:
    play = Play(15, **{camera: jumped(by_ms, 5000)})
    assert play.kinds()[-1] == (camera, EventKind.RESYNCED)
    assert (camera, EventKind.CLOCK_JUMP) in play.kinds() or abs(by_ms) < 1000
    assert not play.between(5.2, 6.9), "no pair of frames whose times do not fit"
    late = play.between(8.0, 15.0)
    assert len(late) >= 200
    assert all(retimed(pair) == {camera} for pair in late), "never unflagged"
    # The true skew is 2 ms; the correction is as good as the shortest delays, here 1 ms.
    assert all(abs(pair.skew_ns - 2 * MS) < 1.5 * MS for pair in late)


def test_a_clock_that_comes_back_is_trusted_again_at_once() -> None:
    play = Play(14, ir=jumped(20_000, 4000, 9000))
    assert play.kinds() == [
        ("ir", EventKind.CLOCK_JUMP),
        ("ir", EventKind.RESYNCED),
        ("ir", EventKind.CLOCK_JUMP),
    ]
    assert all(retimed(pair) == {"ir"} for pair in play.between(7, 8.9))
    late = play.between(9.3, 14)
    assert len(late) >= 135
    assert not any(retimed(pair) for pair in late)
    assert {pair.skew_ns for pair in late} == {2 * MS}
    assert play.pairer.clock_jumps == 2


def test_both_clocks_jump_for_good_by_different_steps() -> None:
    play = Play(14, ir=jumped(20_000, 4000), visible=jumped(-3000, 4000))
    assert sorted(play.kinds()[:2]) == [
        ("ir", EventKind.CLOCK_JUMP),
        ("visible", EventKind.CLOCK_JUMP),
    ]
    late = play.between(7, 14)
    assert len(late) >= 200
    assert all(retimed(pair) == {"ir"} for pair in late)


def test_both_clocks_jump_together() -> None:
    play = Play(10, ir=jumped(-50_000, 4000), visible=jumped(-50_000, 4000))
    assert {kind for _, kind in play.kinds()} == {EventKind.CLOCK_JUMP}
    assert len(play.between(4.2, 10)) >= 170
    assert not any(retimed(pair) for _, pair in play.pairs)


def test_cameras_of_different_clocks_from_the_start() -> None:
    """One stamps with the time of day: 1.7e12 ms."""
    play = Play(20, visible=jumped(1.7e12, 0))
    assert play.kinds() == [("visible", EventKind.RESYNCED)]
    late = play.between(12.5, 20)
    assert len(late) >= 215
    assert all(retimed(pair) == {"visible"} for pair in late)


def test_a_slow_camera_that_never_pairs_is_no_wrong_clock() -> None:
    """Half a second slower, and never within the tolerance: the stamps are right as they are."""
    play = Play(10, visible=lambda at_ms: at_ms + 16, delays_ms=(20, 400))
    assert play.pairs == []
    assert play.news == []


def test_a_camera_that_is_read_late_for_a_while_keeps_its_clock() -> None:
    """Eight seconds of a starved reader: its frames come 900 ms late, and none pairs."""
    play = Play(24, late=(5, 13, 900.0))
    assert not play.between(6.0, 13.0)
    assert play.news == []
    assert len(play.between(15, 24)) >= 260
    assert not any(retimed(pair) for _, pair in play.pairs)


def test_a_correction_that_was_wrong_ends() -> None:
    """So late for so long that it looks like the clock; then in time again."""
    play = Play(40, late=(5, 25, 900.0))
    assert play.kinds() == [("visible", EventKind.RESYNCED)] * 2
    assert all(retimed(pair) == {"visible"} for pair in play.between(18, 25))
    late = play.between(29, 40)
    assert len(late) >= 320
    assert not any(retimed(pair) for pair in late)
    assert {pair.skew_ns for pair in late} == {2 * MS}


def test_one_wrong_stamp_costs_no_correction() -> None:
    play = Play(10, ir=jumped(90_000, 4000, 4030))
    assert play.kinds() == [("ir", EventKind.CLOCK_JUMP)] * 2
    assert len(play.between(4.3, 10)) >= 168
    assert not any(retimed(pair) for _, pair in play.pairs)


@pytest.mark.parametrize("name", ["tolerance_ns", "jump_ns", "resync_after_ns"])
def test_arguments_out_of_range(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} must be above 0, but got 0"):
        ClockWatch(**{"tolerance_ns": 1, name: 0})
