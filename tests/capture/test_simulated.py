"""The simulated rig as a robot maker uses it: order, time, losses, repeatability, real time."""

from __future__ import annotations

import itertools
import threading
import time
import tracemalloc

import numpy as np
import pytest

from edge_sdk.capture.camera import Camera
from edge_sdk.capture.simulated import SimulatedRig, SimulationConfig
from edge_sdk.errors import SourceError, StreamTimeoutError
from edge_sdk.frames import Frame, FrameFlags

SMALL = {"visible_size": (160, 120), "ir_size": (128, 96), "people": 3, "vehicles": 2}


def rig(**options: object) -> SimulatedRig:
    return SimulatedRig(SimulationConfig(**{**SMALL, **options}))  # type: ignore[arg-type]


def read_all(camera: Camera, count: int) -> list[Frame]:
    frames = [camera.read() for _ in range(count)]
    assert all(frame is not None for frame in frames)
    return [frame for frame in frames if frame is not None]


def same(a: Frame | None, b: Frame | None) -> bool:
    assert a is not None and b is not None
    meta = (a.timestamp_ns, a.sequence, a.camera, a.flags)
    return meta == (b.timestamp_ns, b.sequence, b.camera, b.flags) and bool(
        np.array_equal(a.image, b.image)
    )


def test_both_are_cameras_and_give_what_they_promise() -> None:
    made = rig()
    assert isinstance(made.ir, Camera) and isinstance(made.visible, Camera)
    assert (made.ir.name, made.visible.name) == ("ir", "visible")
    assert not made.ir.live and not made.visible.live
    with made.ir, made.visible:
        ir, visible = read_all(made.ir, 1)[0], read_all(made.visible, 1)[0]
    assert (ir.image.shape, ir.image.dtype) == ((96, 128), np.uint16)
    assert (visible.image.shape, visible.image.dtype) == ((120, 160, 3), np.uint8)
    assert (ir.sequence, visible.sequence) == (0, 0)
    assert (ir.camera, visible.camera) == ("ir", "visible")
    assert ir.flags == FrameFlags.NONE


@pytest.mark.parametrize("condition", ["day", "night", "smoke", "glare"])
def test_same_seed_same_frames_other_seed_others(condition: str) -> None:
    one, two, other = (rig(condition=condition, seed=seed) for seed in (5, 5, 6))
    assert same(one.visible.frame(7), two.visible.frame(7))
    assert same(one.ir.frame(7), two.ir.frame(7))
    first, second = one.visible.frame(7), other.visible.frame(7)
    assert first is not None and second is not None
    assert not np.array_equal(first.image, second.image)


def test_random_access_equals_reading_in_order() -> None:
    ordered, jumping = rig(drop_probability=0.2), rig(drop_probability=0.2)
    with ordered.ir, ordered.visible:
        irs, visibles = read_all(ordered.ir, 12), read_all(ordered.visible, 12)
    for frame in reversed(irs):
        assert same(jumping.ir.frame(frame.sequence), frame)
    for frame in visibles[::5]:
        assert same(jumping.visible.frame(frame.sequence), frame)
    jumping.ir.seek(irs[6].sequence)
    with jumping.ir:
        assert same(jumping.ir.read(), irs[6])


def test_the_two_cameras_can_be_read_in_any_order_and_from_two_threads() -> None:
    alternating, threaded = rig(seed=2), rig(seed=2)
    with alternating.ir, alternating.visible:
        pairs = [(alternating.visible.read(), alternating.ir.read()) for _ in range(6)]
    got: dict[str, list[Frame]] = {}
    with threaded.ir, threaded.visible:
        workers = [
            threading.Thread(
                target=lambda camera=camera: got.update({camera.name: read_all(camera, 6)})
            )
            for camera in (threaded.ir, threaded.visible)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(30.0)
    for (visible, ir), other_visible, other_ir in zip(
        pairs, got["visible"], got["ir"], strict=True
    ):
        assert same(visible, other_visible) and same(ir, other_ir)


def test_a_frame_may_be_changed_without_changing_later_ones() -> None:
    made = rig()
    before = made.ir.frame(3)
    assert before is not None
    kept = before.image.copy()
    before.image[:] = 0
    after = made.ir.frame(3)
    assert after is not None
    assert np.array_equal(after.image, kept)


def test_frame_rates_offset_and_jitter() -> None:
    made = rig(ir_fps=25.0, visible_fps=30.0, ir_offset_ns=4_000_000, jitter_ns=3_000_000)
    for camera, fps, offset in ((made.ir, 25.0, 4_000_000), (made.visible, 30.0, 0)):
        stamps = [frame.timestamp_ns for i in range(60) if (frame := camera.frame(i)) is not None]
        even = 1_000_000_000 + offset + np.arange(60) * 1e9 / fps
        deviation = np.asarray(stamps) - even
        assert np.abs(deviation).max() <= 3_000_001
        # Uniform over +-3 ms: sigma 3 / sqrt(3) = 1.73 ms.
        assert 1.3e6 < deviation.std() < 2.2e6
        assert np.all(np.diff(stamps) > 0)


def test_no_jitter_is_even() -> None:
    made = rig(jitter_ns=0)
    stamps = [frame.timestamp_ns for i in range(4) if (frame := made.ir.frame(i)) is not None]
    assert np.diff(stamps).tolist() == [33_333_333, 33_333_334, 33_333_333]


def test_drops_are_gaps_in_the_sequence() -> None:
    made = rig(drop_probability=0.3, visible_size=(64, 64), ir_size=(64, 64))
    with made.ir:
        sequence = [frame.sequence for frame in read_all(made.ir, 200)]
    assert sequence == sorted(set(sequence))
    made_in_all = sequence[-1] + 1
    lost = 1.0 - 200 / made_in_all
    # Three sigma of a binomial with 286 trials.
    assert abs(lost - 0.3) < 3.0 * (0.3 * 0.7 / made_in_all) ** 0.5
    missing = set(range(made_in_all)) - set(sequence)
    assert all(made.ir.frame(index) is None for index in missing)


def test_a_recording_ends_for_both_at_the_same_time() -> None:
    made = rig(duration_frames=9, visible_fps=30.0, ir_fps=20.0)
    with made.ir, made.visible:
        assert len(read_all(made.visible, 9)) == 9
        assert made.visible.read() is None and made.visible.read() is None
        assert len(read_all(made.ir, 6)) == 6
        assert made.ir.read() is None
    assert made.ir.frame(6) is None


def test_reading_needs_an_open_camera_and_reopening_goes_on() -> None:
    made = rig()
    with pytest.raises(SourceError, match="open"):
        made.ir.read()
    with made.ir:
        first = read_all(made.ir, 2)[-1]
    made.ir.close()
    made.ir.close()
    with pytest.raises(SourceError, match="open"):
        made.ir.read()
    with made.ir:
        assert read_all(made.ir, 1)[0].sequence == first.sequence + 1


def test_memory_does_not_grow_with_the_frames() -> None:
    made = rig(ffc_period_s=2.0, ffc_duration_s=0.2, condition="smoke", ir_size=(64, 64))

    def look(start: int, count: int) -> None:
        # Far apart, so that people, vehicles and stripes change all the time.
        for index in range(start, start + count * 331, 331):
            made.ir.frame(index)
            made.visible.frame(index)
            made.truth(1_000_000_000 + index * 33_000_000).objects  # noqa: B018

    tracemalloc.start()
    look(0, 30)
    before, _ = tracemalloc.get_traced_memory()
    look(40_000, 30)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # One pair of this rig is 66 kB; pairs that are kept would show as megabytes.
    assert after - before < 300_000


def test_real_time_stamps_are_of_the_monotonic_clock() -> None:
    made = rig(realtime=True, visible_fps=60.0, ir_fps=60.0)
    with pytest.raises(SourceError, match="open a camera first"):
        made.truth(0)
    before = time.monotonic_ns()
    with made.ir, made.visible:
        assert made.ir.live and made.visible.live
        frames = read_all(made.ir, 5)
        now = time.monotonic_ns()
        stamps = [frame.timestamp_ns for frame in frames]
        assert all(before - 1_000_000 <= stamp <= now for stamp in stamps)
        assert stamps == sorted(stamps)
        truth = made.truth(stamps[-1])
    assert truth.clean_ir.shape == (96, 128)


def test_in_real_time_a_slow_reader_loses_the_newest() -> None:
    made = rig(realtime=True, visible_size=(64, 64), ir_size=(64, 64), people=0, vehicles=0)
    with made.ir:
        first = read_all(made.ir, 1)[0]
        time.sleep(0.5)
        late = read_all(made.ir, 6)
    numbers = [frame.sequence for frame in late]
    # Four buffers were filled by the oldest frames; then about ten frames found no buffer.
    assert numbers[:4] == list(range(first.sequence + 1, first.sequence + 5))
    assert numbers[4] > numbers[3] + 3
    with pytest.raises(SourceError, match="cannot seek"):
        made.ir.seek(0)


def test_in_real_time_reading_is_bounded_and_closing_wakes_the_reader() -> None:
    made = rig(realtime=True, visible_fps=1.0, ir_fps=1.0, visible_size=(64, 64))
    with made.visible:
        read_all(made.visible, 1)
        start = time.monotonic()
        with pytest.raises(StreamTimeoutError):
            made.visible.read(timeout_s=0.05)
        assert time.monotonic() - start < 0.6
        closer = threading.Timer(0.05, made.visible.close)
        closer.start()
        with pytest.raises(SourceError, match="closed while reading"):
            made.visible.read(timeout_s=30.0)
        closer.join()


def test_objects_keep_their_number_and_move_at_their_speed() -> None:
    made = rig(people=6, vehicles=3)
    step_s = 0.1
    paths: dict[int, list[tuple[int, float, float]]] = {}
    for step in range(60):
        for thing in made.truth(1_000_000_000 + round(step * step_s * 1e9)).objects:
            x = (thing.box[0] + thing.box[2]) / 2.0
            paths.setdefault(thing.object_id, []).append((step, x, thing.distance_m))
    assert len(paths) >= 7
    focal = made.calibration().visible_matrix[0, 0]
    for path in paths.values():
        for (step, x, z), (later, later_x, later_z) in itertools.pairwise(path):
            if later == step + 1:
                # 6 m/s at most, plus a swinging arm.
                nearest = min(z, later_z)
                assert abs(later_x - x) <= (6.0 * step_s + 0.7) * focal / nearest


def test_in_real_time_the_first_picture_is_drawn_before_time_runs(monkeypatch):
    """Building the scene takes a second or two: frames of that time would be lost, or old."""
    made = rig(realtime=True)
    order = []
    for camera in (made.ir, made.visible):
        monkeypatch.setattr(camera, "_image", lambda index, name=camera.name: order.append(name))
    clock = time.monotonic_ns
    monkeypatch.setattr(time, "monotonic_ns", lambda: order.append("time") or clock())
    made.visible.open()
    started = order.index("time")
    assert sorted(order[:started]) == ["ir", "visible"]
    made.ir.open()
    assert order.count("ir") == order.count("visible") == 1
