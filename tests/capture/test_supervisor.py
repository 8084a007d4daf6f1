"""The supervision of one camera, with bounds made short."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import pytest

from edge_sdk.capture import supervisor as module
from edge_sdk.capture.supervision import FIRST_FRAME_S, CameraState, Pace, SupervisorSettings
from edge_sdk.capture.supervisor import CameraSupervisor
from edge_sdk.events import EventKind
from edge_sdk.frames import FrameFlags

from .acting_camera import ActingCamera


class Unsaid:
    """A camera that does not say its rate."""

    def __init__(self, camera: ActingCamera) -> None:
        self._camera = camera

    def __getattr__(self, name: str):
        if name in ("fps", "period_ns"):
            raise AttributeError(name)
        return getattr(self._camera, name)


class Watched:
    """A supervisor, watched as ``LivePairs`` does, and all that it told."""

    def __init__(self, camera, **settings: float | None) -> None:
        self.told: list[tuple[str, object]] = []
        self.usable = 0
        self.supervisor = CameraSupervisor(camera, self, SupervisorSettings(**settings))
        self._end = threading.Event()
        self._watch = threading.Thread(target=self._check, daemon=True)

    def __enter__(self) -> Watched:
        self.supervisor.camera.open()
        self.supervisor.start()
        self._watch.start()
        self.wait_for(CameraState.GOOD)
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        self.supervisor.stop(time.monotonic() + 2)

    def _check(self) -> None:
        while not self._end.wait(0.02):
            self.supervisor.check()

    def wait(self, condition, seconds: float = 5.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"in vain: {self.supervisor.state}, {self.told}"
            time.sleep(0.005)

    def wait_for(self, state: CameraState, seconds: float = 5.0) -> None:
        self.wait(lambda: self.supervisor.state is state, seconds)

    def events(self) -> list[object]:
        return [what for kind, what in self.told if kind == "event"]

    def on_frame(self, frame) -> None:
        self.usable += 1

    def on_state(self, camera, state) -> None:
        self.told.append(("state", state))

    def on_end(self, camera) -> None:
        self.told.append(("end", None))

    def on_event(self, kind, message, camera) -> None:
        self.told.append(("event", kind))

    def on_count(self, counter, key, amount=1) -> None: ...

    def flags_of(self, camera) -> FrameFlags:
        return FrameFlags.NONE


def test_a_lost_camera_does_not_wait_as_long_as_a_frozen_one(monkeypatch):
    monkeypatch.setattr(module, "LAST_RETRY_S", 0.2)
    camera = ActingCamera("ir")
    with Watched(camera, frozen_after_s=0.2, reopen_after_s=30) as watched:
        camera.act = "freeze"
        watched.wait_for(CameraState.FROZEN)
        watched.supervisor._pause_s = 60.0  # as after some minutes
        camera.act = "unplug"
        watched.wait_for(CameraState.LOST)
        camera.act = "good"
        watched.wait_for(CameraState.GOOD, 3)


def test_reads_that_have_returned_are_no_longer_counted_as_abandoned(monkeypatch):
    monkeypatch.setattr(module, "ABANDON_S", 0.1)
    monkeypatch.setitem(module.CALL_BOUNDS_S, "read", 0.2)
    camera = ActingCamera("ir")
    with Watched(camera) as watched:
        for _ in range(module.MAX_ABANDONED + 2):
            camera.act = "hang for good"
            watched.wait_for(CameraState.HUNG)
            hanging, camera.release = camera.release, threading.Event()
            camera.act = "good"
            watched.wait_for(CameraState.GOOD)
            hanging.set()  # the driver returns at last


def test_never_more_than_three_reads_are_abandoned_at_a_time(monkeypatch):
    monkeypatch.setattr(module, "ABANDON_S", 0.05)
    monkeypatch.setitem(module.CALL_BOUNDS_S, "read", 0.1)
    camera = ActingCamera("ir")
    with Watched(camera) as watched:
        camera.act = "hang for good"
        watched.wait(lambda: len(watched.supervisor._abandoned) == module.MAX_ABANDONED)
        time.sleep(0.6)
        assert len(watched.supervisor._abandoned) == module.MAX_ABANDONED
        camera.act = "good"
        camera.release.set()
        watched.wait_for(CameraState.GOOD)


def test_only_damaged_frames_are_silence_and_the_camera_is_reopened():
    camera = ActingCamera("ir")
    with Watched(camera, silent_after_s=0.3, reopen_after_s=0.6) as watched:
        start_s = time.monotonic()
        camera.act = "damage"
        watched.wait_for(CameraState.SILENT)
        assert time.monotonic() - start_s < 0.6
        assert "damaged frames for 0.3" in watched.supervisor.why
        watched.wait(lambda: camera.opened == 2)
        assert watched.events() == [EventKind.TIMEOUT]
        camera.act = "good"
        watched.wait_for(CameraState.GOOD)
        assert watched.events() == [EventKind.TIMEOUT, EventKind.BACK]


def test_a_damaged_frame_now_and_then_is_no_silence():
    camera = ActingCamera("ir")
    with Watched(camera, silent_after_s=0.3, reopen_after_s=0.6) as watched:
        for _ in range(8):
            camera.act = "damage"
            time.sleep(0.1)
            camera.act = "good"
            time.sleep(0.05)
        assert watched.events() == [] and camera.opened == 1


@pytest.mark.parametrize("said", [True, False])
def test_a_slow_camera_is_not_late_at_the_start_nor_after_it_was_reopened(said):
    camera = ActingCamera("ir", fps=3)
    with Watched(
        camera if said else Unsaid(camera), silent_after_s=0.1, reopen_after_s=0.1
    ) as watched:
        watched.wait(lambda: watched.usable >= 5)
        assert watched.events() == [] and camera.opened == 1
        camera.act = "unplug"
        watched.wait_for(CameraState.LOST)
        camera.act = "good"
        seen = watched.usable
        watched.wait(lambda: watched.usable >= seen + 3)
        assert watched.events() == [EventKind.LOST, EventKind.BACK] and camera.opened == 2


def test_the_owner_hears_of_the_end_before_it_is_told_that_nothing_comes():
    camera = ActingCamera("ir")
    with Watched(camera) as watched:
        camera.read = lambda timeout_s: None
        watched.wait(lambda: ("end", None) in watched.told)
        assert watched.told[-2:] == [("state", CameraState.ENDED), ("end", None)]


def _pace(**said: object) -> Pace:
    return Pace(SimpleNamespace(name="ir", **said))


def test_patience_is_five_periods_as_the_camera_says_until_its_frames_show_them():
    for pace in (_pace(fps=0.2), _pace(period_ns=5_000_000_000), _pace(period_ns=None, fps=0.2)):
        assert pace.patience_s(0.5) == 25.0
        for k in range(4):
            pace.on_frame(k * 0.04)
        assert pace.patience_s(0.1) == pytest.approx(0.2) and pace.patience_s(0.5) == 0.5


@pytest.mark.parametrize(
    "fps", [None, 0, -30, float("nan"), float("inf"), "fast", lambda: 30, object()]
)
def test_a_rate_that_cannot_be_is_as_none(fps):
    assert _pace(fps=fps).patience_s(0.5) == FIRST_FRAME_S


def test_the_period_is_learnt_and_outlives_reopening():
    pace = _pace()
    pace.on_frame(0.0)
    assert pace.patience_s(0.5) == FIRST_FRAME_S  # until the second frame
    pace.on_frame(2.0)
    assert pace.patience_s(0.5) == 10.0
    pace.on_opened()
    assert pace.patience_s(0.5) == 10.0
    for k in range(4):
        pace.on_frame(100 + k * 0.2)
    assert pace.patience_s(0.5) == pytest.approx(1.0)
