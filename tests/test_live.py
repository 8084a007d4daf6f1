"""Live cameras that fail in every way: noticed in time, the other goes on, and it heals."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from edge_sdk import ConfigError, FusionPipeline
from edge_sdk.config import AlignmentConfig, FusionConfig, SupervisionConfig
from edge_sdk.errors import StreamTimeoutError

from .capture.acting_camera import ActingCamera

NOTICED_S = 0.5 + 0.3
"""The bound of 500 ms, and what two busy cores and a watch every 50 ms may add."""


class Rig:
    """A pipeline with two acting cameras, consumed in a thread."""

    def __init__(self, **options) -> None:
        self.ir, self.visible = ActingCamera("ir"), ActingCamera("visible", seed=1)
        self.pipeline = FusionPipeline(
            self.ir,
            self.visible,
            alignment=AlignmentConfig(size=(64, 48)),
            fusion=FusionConfig(threads=1),
            **options,
        )
        self.fused: list[tuple[float, tuple[str, ...], bool]] = []
        self.events = []
        self.pipeline.subscribe(lambda e: self.events.append((time.monotonic(), e)))
        self.failure: Exception | None = None
        self._thread = threading.Thread(target=self._consume, daemon=True)

    def _consume(self) -> None:
        try:
            for fused in self.pipeline:
                self.fused.append((time.monotonic(), fused.degraded, fused.ir is not None))
        except Exception as error:
            self.failure = error

    def __enter__(self) -> Rig:
        self.pipeline.__enter__()
        self._thread.start()
        self.wait(lambda: len(self.fused) >= 12 and not self.fused[-1][1])
        return self

    def __exit__(self, *error: object) -> None:
        self.pipeline.close()
        self.ir.release.set()
        self.visible.release.set()
        self._thread.join(10)

    def wait(self, condition, seconds: float = 15.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"in vain; last {self.fused[-3:]}, {self.events}"
            time.sleep(0.01)

    def kinds(self) -> list[str]:
        return [event.name for _, event in self.events]

    def since(self, start_s: float) -> list[tuple[float, tuple[str, ...], bool]]:
        return [row for row in list(self.fused) if row[0] > start_s]


@pytest.fixture
def rig():
    with Rig() as rig:
        yield rig


@pytest.mark.parametrize(
    ("act", "event", "reason"),
    [
        ("unplug", "ir lost", "ir lost"),
        ("bug", "ir lost", "ir lost"),
        ("silence", "ir timeout", "ir silent"),
        ("freeze", "ir frozen", "ir frozen"),
        ("hang", "ir timeout", "ir silent"),
        ("hang for good", "ir timeout", "ir silent"),
        ("hang all", "ir timeout", "ir silent"),
    ],
)
def test_a_failing_camera_is_noticed_the_other_goes_on_and_it_heals(rig, act, event, reason):
    start_s = time.monotonic()
    rig.ir.act = act
    rig.wait(lambda: event in rig.kinds())
    noticed_s = next(t for t, e in rig.events if e.name == event) - start_s
    assert noticed_s < NOTICED_S
    rig.wait(lambda: rig.fused[-1][1] == ("ir missing", reason))
    alone = len(rig.fused)
    rig.wait(lambda: len(rig.fused) > alone + 10)
    stall = np.diff([start_s, *(t for t, _, _ in rig.since(start_s))]).max()
    assert stall < NOTICED_S  # the robot never sees nothing for longer
    if act.startswith("hang"):
        rig.wait(lambda: "ir hung" in rig.kinds())
    if act == "silence":
        rig.wait(lambda: rig.ir.opened >= 2)  # it is not left to itself
    rig.ir.act = "good"
    if act == "hang all":
        rig.ir.release.set()
    rig.wait(lambda: rig.kinds()[-1] == "ir back")
    rig.wait(lambda: not rig.fused[-1][1])
    stats = rig.pipeline.stats()
    assert stats.events["ir back"] == 1 and stats.singles["visible"] >= 10
    assert stats.degraded["ir missing"] >= 10
    assert rig.ir.opened >= (1 if act == "freeze" else 2) and rig.visible.opened == 1


def test_no_repetition_is_unflagged(rig):
    start_s = time.monotonic()
    rig.ir.act = "freeze"
    rig.wait(lambda: "ir frozen" in rig.kinds())
    later = rig.since(start_s + 0.1)  # what was on its way when the camera froze
    assert later and all("ir stale" in row[1] or "ir missing" in row[1] for row in later)


def test_a_source_without_noise_need_not_be_looked_at():
    with Rig(supervision=SupervisionConfig(frozen_after_ms=None)) as rig:
        rig.visible.act = "freeze"
        time.sleep(1.0)
        assert rig.kinds() == [] and not rig.fused[-1][1]


def test_a_hanging_open_after_a_loss_holds_nobody(rig):
    rig.visible.act = "unplug"
    rig.wait(lambda: "visible lost" in rig.kinds())
    rig.visible.act = "hang open"
    rig.wait(lambda: rig.fused[-1][1] == ("visible missing", "visible lost"))
    start_s = time.monotonic()
    rig.pipeline.close()
    assert time.monotonic() - start_s < 6


@pytest.mark.parametrize("act", ["hang", "hang for good", "hang all"])
def test_close_is_bounded_whatever_hangs(rig, act):
    rig.ir.act = rig.visible.act = act
    time.sleep(0.2)
    start_s = time.monotonic()
    rig.pipeline.close()
    assert time.monotonic() - start_s < 6


def test_a_clock_jump_is_told_and_pairing_starts_anew(rig):
    rig.ir.act = rig.visible.act = "jump"
    rig.wait(lambda: "visible clock jump" in rig.kinds() or "ir clock jump" in rig.kinds())
    before = len(rig.fused)
    rig.wait(lambda: len(rig.fused) > before + 10 and not rig.fused[-1][1])
    assert rig.pipeline.stats().clock_jumps >= 1


def test_one_clock_that_stays_away_is_corrected_flagged_and_counted(rig):
    rig.ir.act = "jump"
    rig.wait(lambda: "ir resynced" in rig.kinds())
    rig.wait(lambda: rig.fused[-1][1] == ("ir clock",) and rig.fused[-1][2])
    rig.ir.act = "good"
    rig.wait(lambda: not rig.fused[-1][1])
    stats = rig.pipeline.stats()
    assert stats.events["ir clock jump"] == 2 and stats.events["ir resynced"] == 1
    assert stats.degraded["ir clock"] >= 1
    assert "visible clock jump" not in stats.events


def test_a_pause_of_both_cameras_is_no_clock_jump(rig):
    rig.ir.act = rig.visible.act = "silence"
    rig.wait(lambda: {"ir timeout", "visible timeout"} <= set(rig.kinds()))
    time.sleep(1.0)
    rig.ir.act = rig.visible.act = "good"
    before = len(rig.fused)
    rig.wait(lambda: len(rig.fused) > before + 10 and not rig.fused[-1][1])
    assert not [kind for kind in rig.kinds() if "clock" in kind]
    assert rig.pipeline.stats().clock_jumps == 0


def test_damaged_frames_are_never_fused(rig):
    rig.ir.act = "damage"
    rig.wait(lambda: "ir missing" in rig.fused[-1][1])
    assert rig.pipeline.stats().dropped["ir damaged"] >= 5
    rig.ir.act = "good"
    rig.wait(lambda: not rig.fused[-1][1])


def test_both_gone_is_one_clear_error_with_its_cause():
    with Rig(give_up_s=0.5) as rig:
        rig.ir.act = rig.visible.act = "bug"
        rig.wait(lambda: rig.failure is not None)
        assert isinstance(rig.failure, StreamTimeoutError)
        assert "camera ir is lost (ZeroDivisionError('a bug'))" in str(rig.failure)
        assert isinstance(rig.failure.__cause__, ZeroDivisionError)
        rig.ir.act = rig.visible.act = "good"
        assert next(iter(rig.pipeline)).image.shape == (48, 64, 3)  # and it goes on


class Ending(ActingCamera):
    """Its stream ends when ``act`` is ``end``."""

    def read(self, timeout_s: float = 1.0):
        return None if self.act == "end" else super().read(timeout_s)


def test_the_end_of_one_stream_makes_the_other_no_pause():
    with Rig() as rig:
        rig.visible.__class__ = Ending
        start_s = time.monotonic()
        rig.visible.act = "end"
        rig.wait(lambda: rig.fused[-1][1] == ("visible missing", "visible ended"))
        alone = len(rig.fused)
        rig.wait(lambda: len(rig.fused) > alone + 10)
        stall = np.diff([start_s, *(t for t, _, _ in rig.since(start_s))]).max()
        assert stall < 0.4  # it was single_after_ms and more
        assert "ir overflow" not in rig.pipeline.stats().dropped


def test_a_camera_that_sends_only_damaged_frames_is_told_reopened_and_heals(rig):
    rig.ir.act = "damage"
    rig.wait(lambda: rig.fused[-1][1] == ("ir missing", "ir silent"))
    told = next(event for _, event in rig.events if event.name == "ir timeout")
    assert "damaged frames for 0." in told.message
    rig.wait(lambda: rig.ir.opened >= 2)
    rig.ir.act = "good"
    rig.wait(lambda: rig.kinds()[-1] == "ir back")
    rig.wait(lambda: not rig.fused[-1][1])


def test_cameras_of_one_frame_a_second_are_not_late():
    cameras = [ActingCamera(name, fps=1.25, seed=k) for k, name in enumerate(("ir", "visible"))]
    pipeline = FusionPipeline(
        *cameras, alignment=AlignmentConfig(size=(64, 48)), fusion=FusionConfig(threads=1)
    )
    with pipeline:
        for _, fused in zip(range(4), pipeline, strict=False):
            assert not any("silent" in reason for reason in fused.degraded)
        assert pipeline.stats().events == {}
    assert [camera.opened for camera in cameras] == [1, 1]


def test_open_that_never_returns_is_one_clear_error(monkeypatch):
    monkeypatch.setattr("edge_sdk.live.OPEN_S", 0.2)
    ir, visible = ActingCamera("ir"), ActingCamera("visible")
    ir.act = "hang open"
    pipeline = FusionPipeline(ir, visible, fusion=FusionConfig(threads=1))
    with pytest.raises(StreamTimeoutError, match=r"camera ir: open\(\) of its driver has not"):
        pipeline.__enter__()
    ir.release.set()


def test_a_closed_pipeline_is_not_used_again():
    ir, visible = ActingCamera("ir"), ActingCamera("visible")
    pipeline = FusionPipeline(
        ir, visible, alignment=AlignmentConfig(size=(64, 48)), fusion=FusionConfig(threads=1)
    )
    with pipeline:
        assert next(iter(pipeline)).image.shape == (48, 64, 3)
    with pytest.raises(ConfigError, match=r"was closed, .*make a new one"), pipeline:
        pass
    with pytest.raises(ConfigError, match="was closed"):
        next(iter(pipeline))


def test_no_thread_is_left():
    with Rig() as rig:
        pass
    assert rig.failure is None
    assert not [t.name for t in threading.enumerate() if t.name.startswith("edge_sdk")]


def test_cameras_of_other_names_are_refused_at_once():
    pipeline = FusionPipeline(ActingCamera("thermal"), ActingCamera("visible"))
    with pytest.raises(ConfigError, match="must be named \"ir\", found 'thermal'"), pipeline:
        raise AssertionError("it started")


def test_frames_that_nobody_can_use_are_a_loss_and_heal(rig, monkeypatch):
    """Frames of an unknown camera: the reading thread lives on, the other camera is shown."""
    read = ActingCamera.read

    def mislabelled(camera, timeout_s=1.0):
        frame = read(camera, timeout_s)
        return replace(frame, camera="left") if camera.name == "ir" else frame

    with monkeypatch.context() as patched:
        patched.setattr(ActingCamera, "read", mislabelled)
        rig.wait(lambda: "ir lost" in rig.kinds())
        rig.wait(lambda: "ir lost" in rig.fused[-1][1])
    start_s = time.monotonic()
    rig.wait(lambda: any(not reasons for _, reasons, _ in rig.since(start_s)))
    assert rig.failure is None


def test_the_engine_stands_before_the_first_camera_runs(monkeypatch):
    """Cameras that run while an engine is built deliver frames that are old, or are lost."""
    ir, visible = ActingCamera("ir"), ActingCamera("visible", seed=1)
    pipeline = FusionPipeline(
        ir,
        visible,
        alignment=AlignmentConfig(size=(64, 48)),
        fusion=FusionConfig(threads=1),
    )
    built = []
    for camera in (ir, visible):
        opens = camera.open

        def noted(opens=opens):
            built.append(pipeline._processor.fuser.engine is not None)
            opens()

        monkeypatch.setattr(camera, "open", noted)
    with pipeline:
        next(iter(pipeline))
    assert built[:2] == [True, True]
