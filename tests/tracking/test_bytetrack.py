"""Tracks of simulated boxes whose true identity is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from edge_sdk.errors import ConfigError, DependencyError
from edge_sdk.frames import FusedFrame, Track
from edge_sdk.tracking import Detections, TrackingHook

pytest.importorskip("trackers", reason="the extra 'track' is not installed")

IMAGE = np.zeros((480, 640, 3), np.uint8)
Box = tuple[float, float, float, float]


class Script:
    """A detector that knows the truth: boxes as a function of time in seconds."""

    def __init__(self, truth: Callable[[float], Sequence[tuple[Box, str, float]]]) -> None:
        self.truth = truth
        self.calls = 0

    def detect(self, fused: FusedFrame) -> Detections:
        self.calls += 1
        rows = self.truth(fused.timestamp_ns / 1e9)
        return Detections(
            np.array([row[0] for row in rows], np.float32).reshape(-1, 4),
            np.array([row[2] for row in rows], np.float32),
            tuple(row[1] for row in rows),
        )


def frame(time_s: float, degraded: tuple[str, ...] = ()) -> FusedFrame:
    return FusedFrame(
        image=IMAGE,
        ir=IMAGE[..., 0],
        visible=IMAGE,
        timestamp_ns=round(time_s * 1e9),
        skew_ns=0,
        degraded=degraded,
    )


def walker(x: float, y: float = 200.0, width: float = 40.0, height: float = 110.0) -> Box:
    return (x, y, x + width, y + height)


def one_walker(speed: float = 80.0) -> Script:
    return Script(lambda t: [(walker(50 + speed * t), "warm", 0.8)])


def ids(tracks: list[Track]) -> list[int]:
    return [track.track_id for track in tracks]


@pytest.mark.parametrize("fps", [30, 10, 5])
def test_two_that_cross_keep_their_ids(fps: int) -> None:
    def truth(t: float) -> list[tuple[Box, str, float]]:
        a, b = 60 + 120 * t, 500 - 120 * t
        seen = [(walker(a), "warm", 0.8), (walker(b, 215), "warm", 0.8)]
        # While one hides the other, only the nearer one is detected.
        return seen if abs(a - b) > 25 else seen[1:]

    hook = TrackingHook(Script(truth))
    owner: dict[int, set[int]] = {0: set(), 1: set()}
    for k in range(int(3.6 * fps)):
        t = k / fps
        centres = (60 + 120 * t, 500 - 120 * t)
        for track in hook(frame(t)):
            if abs(centres[0] - centres[1]) > 60:
                distance = [abs(track.box[0] - centre) for centre in centres]
                owner[int(np.argmin(distance))].add(track.track_id)
    assert len(owner[0]) == len(owner[1]) == 1
    assert owner[0] != owner[1]


@pytest.mark.parametrize("fps", [30, 10, 5])
def test_the_same_walk_gives_the_same_id_at_every_rate(fps: int) -> None:
    hook = TrackingHook(one_walker(speed=100.0))
    seen = {track.track_id for k in range(4 * fps) for track in hook(frame(k / fps))}
    assert seen == {1}


def test_a_runner_at_a_low_rate_is_picked_up() -> None:
    """Between its first two frames the boxes overlap less than ``min_iou``."""
    hook = TrackingHook(one_walker(speed=170.0))
    tracks = [ids(hook(frame(k / 5))) for k in range(12)]
    assert tracks[2:] == [[1]] * 10


def test_irregular_time_steps_keep_the_id() -> None:
    rng = np.random.default_rng(3)
    times = np.cumsum(rng.choice([0.01, 0.033, 0.1, 0.3], size=60))
    hook = TrackingHook(one_walker(speed=30.0))
    seen = {track.track_id for t in times for track in hook(frame(float(t)))}
    assert seen == {1}


@pytest.mark.parametrize("fps", [30, 5])
@pytest.mark.parametrize(("gap_s", "expected"), [(0.5, {1}), (3.0, {1, 2})])
@pytest.mark.parametrize("frames_in_gap", [True, False])
def test_gap(fps: int, gap_s: float, expected: set[int], frames_in_gap: bool) -> None:
    hidden = (2.0, 2.0 + gap_s)
    script = one_walker(speed=60.0)
    truth = script.truth
    script.truth = lambda t: [] if hidden[0] <= t < hidden[1] else truth(t)
    hook = TrackingHook(script, max_lost_s=1.0)
    seen: set[int] = set()
    for k in range(int((4 + gap_s) * fps)):
        t = k / fps
        if frames_in_gap or not hidden[0] <= t < hidden[1]:
            seen.update(ids(hook(frame(t))))
    assert seen == expected


def test_reported_after_min_hits_and_not_before() -> None:
    hook = TrackingHook(one_walker(), min_hits=4)
    reported = [bool(hook(frame(k / 30))) for k in range(6)]
    assert reported == [False, False, False, True, True, True]


def test_box_is_the_detection_and_label_the_majority() -> None:
    labels = ["car", "person", "person", "car", "person", "car", "car"]

    def truth(t: float) -> list[tuple[Box, str, float]]:
        return [(walker(100), labels[round(t * 30)], 0.9)]

    hook = TrackingHook(Script(truth), min_hits=1)
    tracks = [hook(frame(k / 30)) for k in range(len(labels))]
    assert [t.label for row in tracks[1:6] for t in row] == ["person"] * 5
    assert tracks[-1][0].box == walker(100)
    assert tracks[-1][0].score == pytest.approx(0.9)


def test_shutter_holds_the_tracks_and_asks_no_detector() -> None:
    script = one_walker(speed=40.0)
    hook = TrackingHook(script, max_lost_s=0.5)
    for k in range(30):
        before = hook(frame(k / 30))
    calls = script.calls
    held = [hook(frame(1 + k / 30, ("ir shutter",))) for k in range(45)]  # 1.5 s, three times lost
    assert script.calls == calls
    assert all(tracks == before for tracks in held)
    script.truth = lambda t: []
    assert ids(hook(frame(2.5))) == [], "after the shutter an unseen track is not invented"
    script.truth = lambda t: [(walker(50 + 40 * t), "warm", 0.8)]
    after = [ids(hook(frame(2.5 + k / 30))) for k in range(1, 4)]
    assert after == [[1]] * 3


def test_a_shutter_that_stays_closed_ends_the_tracks() -> None:
    hook = TrackingHook(one_walker(), max_hold_s=1.0)
    for k in range(30):
        hook(frame(k / 30))
    held = [bool(hook(frame(1 + k / 30, ("ir shutter",)))) for k in range(60)]
    assert held[:28] == [True] * 28
    assert held[32:] == [False] * 28


def test_a_missing_camera_is_not_a_hold() -> None:
    script = one_walker()
    hook = TrackingHook(script)
    for k in range(10):
        hook(frame(k / 30, ("visible missing",)))
    assert script.calls == 10


def test_coasting_is_short_moves_on_and_loses_score() -> None:
    script = one_walker(speed=90.0)
    hook = TrackingHook(script, coast_s=0.2)
    for k in range(31):
        last = hook(frame(k / 30))[:]
    script.truth = lambda t: []
    coasting = [hook(frame(1 + k / 30)) for k in range(1, 10)]
    assert [len(tracks) for tracks in coasting] == [1] * 6 + [0] * 3
    fifth = coasting[4][0]
    assert fifth.box[0] - last[0].box[0] == pytest.approx(90 * 5 / 30, abs=3)
    assert fifth.score < coasting[0][0].score < last[0].score


def test_coasting_boxes_stay_in_the_image() -> None:
    script = Script(lambda t: [(walker(560 + 200 * t), "warm", 0.8)])
    hook = TrackingHook(script, coast_s=1.0, min_hits=1)
    for k in range(7):
        hook(frame(k / 30))
    script.truth = lambda t: []
    for k in range(7, 30):
        for track in hook(frame(k / 30)):
            assert 0 <= track.box[0] < track.box[2] <= 640


def test_time_going_backwards_forgets_but_never_reuses_an_id() -> None:
    hook = TrackingHook(one_walker(), min_hits=1)
    first = {i for k in range(10) for i in ids(hook(frame(5 + k / 30)))}
    second = {i for k in range(10) for i in ids(hook(frame(k / 30)))}
    assert (first, second) == ({1}, {2})


def test_ids_start_at_one_in_each_instance_and_after_reset() -> None:
    hooks = [TrackingHook(one_walker(), min_hits=1) for _ in range(2)]
    for hook in hooks:
        assert {i for k in range(5) for i in ids(hook(frame(k / 30)))} == {1}
    hooks[0].reset()
    assert {i for k in range(5) for i in ids(hooks[0](frame(9 + k / 30)))} == {1}


def test_the_same_time_stamp_twice_gives_the_same_answer() -> None:
    script = one_walker()
    hook = TrackingHook(script, min_hits=1)
    for k in range(5):
        tracks = hook(frame(k / 30))
    calls = script.calls
    assert hook(frame(4 / 30)) == tracks
    assert script.calls == calls


def test_the_library_gives_no_warnings(recwarn: pytest.WarningsRecorder) -> None:
    hook = TrackingHook(one_walker())
    for t in (0.0, 0.1, 0.1, 0.2, 5.0, 1.0):
        hook(frame(t))
    assert [str(w.message) for w in recwarn if "ByteTrack" in str(w.message)] == []


@pytest.mark.parametrize(
    "options", [{"max_lost_s": 0}, {"min_hits": 0}, {"high_score": 2}, {"coast_s": 5}]
)
def test_bad_options(options: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=f"{next(iter(options))} must be from .* but got"):
        TrackingHook(one_walker(), **options)  # type: ignore[arg-type]


def test_a_detector_that_is_none() -> None:
    with pytest.raises(ConfigError, match="method detect"):
        TrackingHook(object())  # type: ignore[arg-type]


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "trackers", None)
    with pytest.raises(DependencyError, match=r'pip install "edge-sdk\[track\]"'):
        TrackingHook(one_walker())
