from __future__ import annotations

import sys
import threading
import time
from subprocess import run

import cv2
import numpy as np
import pytest

from edge_sdk import (
    CalibrationError,
    ConfigError,
    Frame,
    FrameFlags,
    FramePair,
    FusionPipeline,
    SourceError,
    Track,
)
from edge_sdk.config import AlignmentConfig, FusionConfig

SIZE = (128, 96)
SMALL = {
    "alignment": AlignmentConfig(size=SIZE),
    "fusion": FusionConfig(threads=1),
}
PERIOD_NS = 33_333_333


def _frame(camera: str, index: int, flags: FrameFlags = FrameFlags.NONE) -> Frame:
    rng = np.random.default_rng(index)
    shape = (SIZE[1], SIZE[0]) if camera == "ir" else (SIZE[1], SIZE[0], 3)
    image = rng.integers(60, 90, shape, np.uint8)
    return Frame(image, index * PERIOD_NS, index, camera, flags)


def _pair(index: int, flags: FrameFlags = FrameFlags.NONE) -> FramePair:
    return FramePair(_frame("ir", index, flags), _frame("visible", index))


def _write_folder(folder, count: int, camera: str, start: int = 0) -> None:
    folder.mkdir()
    for index in range(start, start + count):
        cv2.imwrite(str(folder / f"{index:04d}.png"), _frame(camera, index).image)


@pytest.fixture
def folders(tmp_path):
    _write_folder(tmp_path / "ir", 12, "ir")
    _write_folder(tmp_path / "visible", 12, "visible")
    return tmp_path


def test_import_is_light():
    """Neither torch, nor OpenCV, nor an engine is loaded by the import alone."""
    code = (
        "import sys, edge_sdk; from edge_sdk import FusionPipeline; "
        "print([m for m in ('torch', 'cv2', 'openvino', 'onnxruntime', 'matplotlib') "
        "if m in sys.modules])"
    )
    result = run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_files_give_every_frame_in_order(folders):
    with FusionPipeline.from_files(folders / "ir", folders / "visible", **_fusion()) as pipeline:
        fused = list(pipeline)
    assert [f.name for f in fused] == [f"{k:04d}.png" for k in range(12)]
    assert [f.index for f in fused] == list(range(12))
    assert all(f.image.shape == (SIZE[1], SIZE[0], 3) and not f.degraded for f in fused)
    stats = pipeline.stats()
    assert stats.fused == stats.pairs == 12 and stats.frames_in == {"ir": 12, "visible": 12}
    assert not stats.dropped and stats.resets == {"start": 1}
    assert set(stats.latency) == {"align", "tone", "fuse", "hooks", "health", "total"}
    assert stats.latency["total"].p99_ms >= stats.latency["fuse"].p50_ms


def _fusion():
    return {"fusion": FusionConfig(threads=1)}


def test_unequal_lengths_fuse_what_pairs_and_say_what_was_left(folders):
    for index in (10, 11):
        (folders / "ir" / f"{index:04d}.png").unlink()
    with FusionPipeline.from_files(folders / "ir", folders / "visible", **_fusion()) as pipeline:
        assert len(list(pipeline)) == 10
    assert pipeline.stats().dropped == {"visible no partner": 2}


def test_gap_in_a_folder_is_an_error_unless_allowed(folders):
    (folders / "ir" / "0005.png").unlink()
    with pytest.raises(SourceError, match="5"):
        FusionPipeline.from_files(folders / "ir", folders / "visible")
    with FusionPipeline.from_files(
        folders / "ir", folders / "visible", allow_gaps=True, **_fusion()
    ) as pipeline:
        assert [f.name for f in pipeline] == [f"{k:04d}.png" for k in range(12) if k != 5]


def test_the_same_recording_twice(folders):
    with pytest.raises(SourceError, match="the same recording"):
        FusionPipeline.from_files(folders / "ir", folders / "ir")


def test_step_and_hooks():
    seen = []

    def counts(fused):
        seen.append(fused.index)

    def tracks(fused):
        assert fused.ir is not None and fused.ir.shape == fused.image.shape[:2]
        return [Track(1, (1.0, 2.0, 3.0, 4.0), "warm", 0.5)]

    pipeline = FusionPipeline(hooks=[counts, tracks], **SMALL)
    fused = [pipeline.step(_pair(k)) for k in range(3)]
    assert seen == [0, 1, 2]
    assert [t.label for f in fused for t in f.tracks] == ["warm"] * 3
    assert fused[0].reset and not fused[1].reset and fused[2].latency_ns > 0


def test_a_hook_that_returns_nonsense():
    pipeline = FusionPipeline(hooks=[lambda fused: ["person"]], **SMALL)
    with pytest.raises(
        ConfigError, match=r"must return None or a list of edge_sdk\.Track objects, found str"
    ):
        pipeline.step(_pair(0))
    with pytest.raises(ConfigError, match="must be callables"):
        FusionPipeline(hooks=["person"], **SMALL)


def test_one_camera_alone_is_shown_and_flagged():
    pipeline = FusionPipeline(**SMALL)
    alone = pipeline.step(FramePair(None, _frame("visible", 0)))
    assert alone.degraded == ("ir missing",) and alone.ir is None
    assert np.array_equal(alone.image, _frame("visible", 0).image)
    pipeline.step(_pair(1))
    dark = pipeline.step(FramePair(_frame("ir", 2), None))
    assert dark.degraded == ("visible missing",)
    assert np.array_equal(dark.image[..., 0], _frame("ir", 2).image)
    assert pipeline.stats().degraded == {"ir missing": 1, "visible missing": 1}


def test_shutter_is_flagged_and_the_state_starts_anew_after_it():
    pipeline = FusionPipeline(**SMALL)
    flags = [FrameFlags.NONE, FrameFlags.SHUTTER, FrameFlags.SHUTTER, FrameFlags.NONE]
    fused = [pipeline.step(_pair(k, flag)) for k, flag in enumerate(flags)]
    assert [f.degraded for f in fused] == [(), ("ir shutter",), ("ir shutter",), ()]
    assert [f.reset for f in fused] == [True, False, False, True]
    assert pipeline.stats().resets == {"start": 1, "shutter": 1}


class ScriptedCamera:
    """A live camera whose frames the test hands out."""

    live = True

    def __init__(self, name: str) -> None:
        self.name = name
        self.frames: list[Frame | Exception | None] = []
        self.changed = threading.Condition()
        self.opened = 0

    def give(self, *items: Frame | Exception | None) -> None:
        with self.changed:
            self.frames.extend(items)
            self.changed.notify_all()

    def open(self) -> None:
        self.opened += 1

    def close(self) -> None:
        pass

    def read(self, timeout_s: float = 1.0) -> Frame | None:
        from edge_sdk.errors import StreamTimeoutError

        with self.changed:
            if not self.changed.wait_for(lambda: self.frames, timeout_s):
                raise StreamTimeoutError("nothing scripted")
            item = self.frames.pop(0)
        if isinstance(item, Exception):
            raise item
        return item


def _wait(condition, seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def test_live_cameras_give_the_newest_pair_and_count_the_rest():
    ir, visible = ScriptedCamera("ir"), ScriptedCamera("visible")
    with FusionPipeline(ir, visible, **SMALL) as pipeline:
        frames = iter(pipeline)
        for k in range(6):
            ir.give(_frame("ir", k))
            visible.give(_frame("visible", k))
            _wait(lambda k=k: pipeline._pairer.stats.paired == k + 1)
        newest = next(frames)
        assert newest.timestamp_ns == 5 * PERIOD_NS
        assert pipeline.stats().dropped == {"superseded": 5}
        ir.give(None)
        visible.give(None)
        assert list(frames) == []
    assert threading.active_count() == 1 or not any(
        thread.name.startswith("edge_sdk") for thread in threading.enumerate()
    )


def test_a_lost_camera_comes_back():
    from edge_sdk.errors import DisconnectedError

    ir, visible = ScriptedCamera("ir"), ScriptedCamera("visible")
    with FusionPipeline(ir, visible, **SMALL) as pipeline:
        frames = iter(pipeline)
        ir.give(_frame("ir", 0), DisconnectedError("pulled"))
        visible.give(_frame("visible", 0))
        assert next(frames).timestamp_ns == 0
        _wait(lambda: ir.opened >= 2)
        ir.give(_frame("ir", 9))
        visible.give(_frame("visible", 9))
        assert next(frames).timestamp_ns == 9 * PERIOD_NS
        assert pipeline.stats().events["ir lost"] == pipeline.stats().events["ir back"] == 1


def test_silent_cameras_end_in_one_clear_error():
    from edge_sdk.errors import StreamTimeoutError

    cameras = ScriptedCamera("ir"), ScriptedCamera("visible")
    with (
        FusionPipeline(*cameras, give_up_s=0.2, **SMALL) as pipeline,
        pytest.raises(StreamTimeoutError, match=r"no pair of frames within 0\.2 s"),
    ):
        next(iter(pipeline))


@pytest.mark.parametrize("seconds", [0, -1.0, float("inf"), float("nan"), 1e10, "5", None])
def test_a_wait_that_cannot_be_is_refused_at_once(seconds):
    with pytest.raises(ConfigError, match="give_up_s: needs a finite number above 0, found"):
        FusionPipeline(ScriptedCamera("ir"), ScriptedCamera("visible"), give_up_s=seconds)


def test_the_longest_wait_that_can_be_is_accepted():
    ir, visible = ScriptedCamera("ir"), ScriptedCamera("visible")
    with FusionPipeline(ir, visible, give_up_s=threading.TIMEOUT_MAX, **SMALL) as pipeline:
        ir.give(_frame("ir", 0))
        visible.give(_frame("visible", 0))
        assert next(iter(pipeline)).timestamp_ns == 0


def test_without_with_the_end_of_the_iteration_closes_the_pipeline():
    from edge_sdk.errors import StreamTimeoutError

    cameras = ScriptedCamera("ir"), ScriptedCamera("visible")
    pipeline = FusionPipeline(*cameras, give_up_s=0.2, **SMALL)
    with pytest.raises(StreamTimeoutError):
        next(iter(pipeline))
    with pytest.raises(ConfigError, match="was closed"):
        next(iter(pipeline))
    assert "Without ``with`` the pipeline is closed" in FusionPipeline.__iter__.__doc__


def test_a_camera_that_changes_its_size_is_a_documented_error():
    pipeline = FusionPipeline(**SMALL)
    pipeline.step(_pair(0))
    small = Frame(np.zeros((48, 64), np.uint8), PERIOD_NS, 1, "ir")
    with pytest.raises(CalibrationError, match="found shape"):
        pipeline.step(FramePair(small, _frame("visible", 1)))
    for method in (FusionPipeline.step, FusionPipeline.__iter__):
        assert "CalibrationError: " in method.__doc__


def test_cameras_of_two_kinds_are_refused(folders):
    from edge_sdk.capture import open_recording

    recorded = open_recording(folders / "ir", "ir")
    with pytest.raises(ConfigError, match="one is live, one recorded"):
        FusionPipeline(recorded, ScriptedCamera("visible"))
    with pytest.raises(ConfigError, match="needs both cameras"):
        FusionPipeline(recorded)
    with pytest.raises(ConfigError, match="no cameras: use step"):
        next(iter(FusionPipeline(**SMALL)))


def test_sixteen_bit_infrared(tmp_path):
    _write_folder(tmp_path / "visible", 4, "visible")
    (tmp_path / "ir").mkdir()
    for k in range(4):
        counts = _frame("ir", k).image.astype(np.uint16) * 4 + 7000
        counts[20:60, 30:50] += 900
        cv2.imwrite(str(tmp_path / "ir" / f"{k:04d}.png"), counts)
    with FusionPipeline.from_files(tmp_path / "ir", tmp_path / "visible", **_fusion()) as pipeline:
        fused = list(pipeline)
    assert all(f.ir.dtype == np.uint8 for f in fused)
    hot, cold = fused[-1].ir[25:55, 34:46].mean(), fused[-1].ir[:, 70:].mean()
    assert hot > cold + 60


def test_simulated_cameras_that_stand_apart_are_aligned():
    """With the rig's own calibration the infrared lies where the visible camera would see it.

    The infrared camera has another size, field of view and place. Edges of the true picture in the
    visible grid match those of the aligned one best without a shift.
    """
    pipeline = FusionPipeline.simulated(
        "day", seed=3, registered=False, duration_frames=4, ir_noise_counts=0.0, **_fusion()
    )
    with pipeline:
        fused = list(pipeline)[-1]
        truth = pipeline.rig.truth(fused.timestamp_ns).clean_ir_aligned.astype(np.float32)
    edges = [
        cv2.Laplacian(cv2.GaussianBlur(image, (0, 0), 2), cv2.CV_32F)
        for image in (fused.ir.astype(np.float32), truth)
    ]

    def agreement(dx: int, dy: int) -> float:
        inner = (slice(120, 400), slice(120, 520))
        moved = np.roll(edges[1], (dy, dx), (0, 1))
        return float(np.corrcoef(edges[0][inner].ravel(), moved[inner].ravel())[0, 1])

    shifts = [(dx, dy) for dx in range(-8, 9, 2) for dy in range(-8, 9, 2)]
    best = max(shifts, key=lambda shift: agreement(*shift))
    assert max(map(abs, best)) <= 2 and agreement(0, 0) > 0.3


def test_simulated_cameras_that_stand_apart_use_the_calibration_file_that_is_given(tmp_path):
    from edge_sdk.calibration_file import write_calibration
    from edge_sdk.rig import calibration_of

    apart = {"registered": False, "duration_frames": 2, **_fusion()}
    near = calibration_of(FusionPipeline.simulated(**apart).rig, 3.0)
    write_calibration(near, tmp_path / "near.yaml")
    size = FusionPipeline.simulated(**apart).rig.config.visible_size
    config = AlignmentConfig(calibration=tmp_path / "near.yaml", size=size)
    homographies = []
    for alignment in (config, AlignmentConfig(size=size), None):
        with FusionPipeline.simulated(alignment=alignment, **apart) as pipeline:
            next(iter(pipeline))
            homographies.append(pipeline._processor.alignment[0])
    np.testing.assert_allclose(homographies[0], near.registration.matrix, rtol=1e-6)
    assert not np.allclose(homographies[0], homographies[1], rtol=1e-3)
    np.testing.assert_array_equal(homographies[1], homographies[2])  # the rig's own, for 10 m


def test_a_visible_camera_without_colour():
    """GREY and GRAY8 cameras give one channel: fused, shown alone, and handed out as BGR."""
    grey = [Frame(_frame("ir", k).image, k * PERIOD_NS, k, "visible") for k in range(3)]
    coloured = [Frame(cv2.cvtColor(f.image, cv2.COLOR_GRAY2BGR), f.timestamp_ns, k, "visible")
                for k, f in enumerate(grey)]  # fmt: skip
    shown = []
    for frames in (grey, coloured):
        pipeline = FusionPipeline(**SMALL)
        pairs = [FramePair(None, frames[0])]
        pairs += [FramePair(_frame("ir", k), frames[k]) for k in (1, 2)]
        shown.append([pipeline.step(pair) for pair in pairs])
    for mine, wanted in zip(*shown, strict=True):
        assert mine.image.shape == mine.visible.shape == (SIZE[1], SIZE[0], 3)
        np.testing.assert_array_equal(mine.image, wanted.image)
        np.testing.assert_array_equal(mine.visible, wanted.visible)
