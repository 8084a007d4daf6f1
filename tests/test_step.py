"""What one pair becomes: missing, damaged and wrong frames, and changes of the alignment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

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
)
from edge_sdk.capture.recorded_pairs import pair_recordings
from edge_sdk.capture.simulated import SimulatedRig, SimulationConfig
from edge_sdk.config import AlignmentConfig, FusionConfig
from edge_sdk.frames import Image
from edge_sdk.pipeline import FusionPipeline as Pipeline
from edge_sdk.rig import calibration_of
from edge_sdk.step import RIM_PX

SIZE = (128, 96)
PERIOD_NS = 33_333_333


def pipeline(size: tuple[int, int] = SIZE, **options: object) -> FusionPipeline:
    return Pipeline(alignment=AlignmentConfig(size=size), fusion=FusionConfig(threads=1), **options)  # type: ignore[arg-type]


def frame(
    camera: str, index: int, flags: FrameFlags = FrameFlags.NONE, size: tuple[int, int] = SIZE
) -> Frame:
    rng = np.random.default_rng(index)
    shape = size[::-1] if camera == "ir" else (*size[::-1], 3)
    return Frame(rng.integers(60, 90, shape, np.uint8), index * PERIOD_NS, index, camera, flags)


@pytest.fixture(scope="module")
def apart() -> tuple[SimulatedRig, list[FramePair]]:
    """Cameras side by side, and some of their pairs."""
    rig = SimulatedRig(
        SimulationConfig(visible_size=(160, 120), ir_size=(160, 128), duration_frames=12)
    )
    with rig.ir, rig.visible:
        return rig, list(pair_recordings(rig.ir, rig.visible, 20_000_000))


@pytest.mark.parametrize("camera", ["ir", "visible"])
def test_a_damaged_frame_is_not_shown_and_named(camera: str) -> None:
    running = pipeline()
    frames = {name: frame(name, 0) for name in ("ir", "visible")}
    running.step(FramePair(**frames))
    frames = {name: frame(name, 1) for name in ("ir", "visible")}
    frames[camera] = frame(camera, 1, FrameFlags.DAMAGED)
    fused = running.step(FramePair(**frames))
    assert set(fused.degraded) == {f"{camera} missing", f"{camera} damaged"}
    assert getattr(fused, camera) is None


def test_two_damaged_frames_are_named_both() -> None:
    pair = FramePair(*(frame(name, 0, FrameFlags.DAMAGED) for name in ("ir", "visible")))
    assert set(pipeline().step(pair).degraded) == {"ir damaged", "visible damaged"}


def test_another_distance_starts_afresh(apart: tuple[SimulatedRig, list[FramePair]]) -> None:
    """As a pipeline that was always at that distance, from the very first frame."""
    rig, pairs = apart
    pairs = [  # 8 bit, which no tone that follows the scene touches
        replace(pair, ir=replace(pair.ir, image=(pair.ir.image >> 6).astype(np.uint8)))
        for pair in pairs
        if pair.ir is not None
    ]
    moved, fresh = (pipeline(calibration=calibration_of(rig, 10.0)) for _ in range(2))
    for pair in pairs[:6]:
        moved.step(pair)
    for running in (moved, fresh):
        running.set_distance(3.0)
    one, other = (running.step(pairs[6]) for running in (moved, fresh))
    assert one.reset and other.reset
    np.testing.assert_array_equal(one.image, other.image)
    assert moved.stats().resets == {"start": 1, "alignment": 1}


@pytest.mark.parametrize(("distance_m", "calibrated"), [(-1.0, True), (0.0, True), (5.0, False)])
def test_an_impossible_distance_is_refused_before_the_first_pair(
    apart: tuple[SimulatedRig, list[FramePair]], distance_m: float, calibrated: bool
) -> None:
    rig, pairs = apart
    running = pipeline(calibration=calibration_of(rig, 10.0) if calibrated else None)
    with pytest.raises(CalibrationError, match=r"distance_m must be|needs registration\.extr"):
        running.set_distance(distance_m)
    if calibrated:
        assert running.step(pairs[0]).degraded == ()


@pytest.mark.parametrize("alone", ["ir", "visible"])
def test_a_camera_alone_is_in_the_grid_of_the_pairs_to_come(
    apart: tuple[SimulatedRig, list[FramePair]], alone: str
) -> None:
    rig, pairs = apart
    running = pipeline(calibration=calibration_of(rig, 10.0))
    other = "visible" if alone == "ir" else "ir"
    first = running.step(FramePair(**{alone: getattr(pairs[0], alone), other: None}))
    aligned = pipeline(calibration=calibration_of(rig, 10.0)).step(pairs[0])
    np.testing.assert_array_equal(getattr(first, alone), getattr(aligned, alone))


@pytest.mark.parametrize("camera", ["ir", "visible"])
def test_alone_and_without_calibration_a_circle_stays_a_circle(camera: str) -> None:
    shape = (360, 640) if camera == "ir" else (360, 640, 3)
    image = np.zeros(shape, np.uint8)
    cv2.circle(image, (320, 180), 90, (255,) * 3, -1)
    seen = Frame(image, 0, 0, camera)
    lone = FramePair(seen if camera == "ir" else None, seen if camera == "visible" else None)
    fused = pipeline((320, 240)).step(lone)
    _, _, width, height = cv2.boundingRect((fused.image[..., 0] > 100).astype(np.uint8))
    assert abs(width - height) <= 1


@pytest.mark.parametrize(
    "image",
    [np.zeros((96, 128, 3), np.uint16), np.zeros((96, 128, 3), np.float32),
     np.zeros((96, 128, 4), np.uint8), np.zeros((96, 128, 1), np.uint8)],
)  # fmt: skip
def test_a_lone_picture_of_another_type_is_refused(image: Image) -> None:
    with pytest.raises(CalibrationError, match=r"visible images .* uint8, found"):
        pipeline().step(FramePair(None, Frame(image, 0, 0, "visible")))


def test_what_a_hook_draws_is_not_held() -> None:
    """While the shutter is closed the last good infrared is shown, not what was drawn on it."""
    runs = []
    for draws in (False, True):
        running = pipeline()
        fused = running.step(FramePair(frame("ir", 0), frame("visible", 0)))
        if draws:
            assert fused.ir is not None
            fused.ir[:] = 255
        held = [
            running.step(FramePair(frame("ir", k, FrameFlags.SHUTTER), frame("visible", k)))
            for k in (1, 2)
        ]
        if draws:
            assert held[0].ir is not None
        runs.append([one.image for one in held])
    np.testing.assert_array_equal(runs[0], runs[1])


def test_where_the_infrared_ends_there_is_no_step() -> None:
    """An even visible picture and an even, brighter infrared that covers its middle only."""
    rig = SimulatedRig(SimulationConfig(visible_size=(320, 240), ir_size=(160, 120)))
    calibration = calibration_of(rig, 10.0)
    narrow = np.array([[0.8, 0, 96.0], [0, 0.8, 72.0], [0, 0, 1]])  # 128 x 96 pixels of 320 x 240
    running = pipeline((320, 240), calibration=calibration)
    processor = running._processor
    ir, visible = np.full((120, 160), 180, np.uint8), np.full((240, 320, 3), 100, np.uint8)
    running.step(FramePair(Frame(ir, 0, 0, "ir"), Frame(visible, 0, 0, "visible")))
    processor.set_homography(narrow)
    valid = processor.valid
    assert valid is not None and 0.1 < valid.mean() < 0.2
    fused = [
        running.step(FramePair(Frame(ir, k, k, "ir"), Frame(visible, k, k, "visible"))).image
        for k in range(1, 4)
    ][-1]
    levels = fused[..., 0].astype(int)
    outside, inside = levels[5, 5], levels[120, 160]
    assert inside > outside + 20
    left = int(np.flatnonzero(valid[120])[0])
    # At the rim itself it is the visible picture, and nothing changes faster than over its width.
    assert abs(levels[120, left] - 100) <= 2
    assert np.abs(np.diff(levels, axis=1)).max() <= (inside - 100) / RIM_PX + 4
    np.testing.assert_array_equal(
        processor._filled(np.zeros((240, 320), np.uint8), visible)[~valid], 100
    )


def test_one_recording_in_both_places_of_a_rig_file_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    cv2.imwrite(str(folder / "0.png"), np.zeros((96, 128), np.uint8))
    rig = tmp_path / "rig.yaml"
    rig.write_text(
        "cameras:\n"
        f"  ir: {{driver: files, path: {folder}}}\n"
        f"  visible: {{driver: files, path: {folder}}}\n"
    )
    with pytest.raises(SourceError, match="the same recording"):
        FusionPipeline.open(rig)


@pytest.mark.parametrize("answer", [7, "boxes", [1]])
def test_a_hook_that_returns_something_else_is_named(answer: object) -> None:
    def my_hook(fused: object) -> object:
        return answer

    running = pipeline(hooks=[my_hook])
    with pytest.raises(ConfigError, match=r"hook my_hook: must return None or a list of .*Track"):
        running.step(FramePair(frame("ir", 0), frame("visible", 0)))


def test_open_takes_a_rig_file() -> None:
    with pytest.raises(ConfigError, match=r"given by its path, found dict; rig_from_dict"):
        FusionPipeline.open({})  # type: ignore[arg-type]
