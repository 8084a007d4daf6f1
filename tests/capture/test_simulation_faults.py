"""Faults on demand: what a pipeline gets to see, and that it goes on afterwards."""

from __future__ import annotations

import time

import numpy as np
import pytest

from edge_sdk.capture.simulated import Fault, SimulatedRig, SimulationConfig
from edge_sdk.errors import DeviceNotFoundError, DisconnectedError, StreamTimeoutError
from edge_sdk.frames import Frame, FrameFlags

TINY = {"visible_size": (96, 72), "ir_size": (96, 72), "jitter_ns": 0, "vehicles": 0}


def rig(**options: object) -> SimulatedRig:
    return SimulatedRig(SimulationConfig(**{**TINY, **options}))  # type: ignore[arg-type]


def frame(made: SimulatedRig, index: int, camera: str = "ir") -> Frame:
    found = getattr(made, camera).frame(index)
    assert found is not None
    return found


def test_freeze_repeats_the_image_without_a_flag() -> None:
    made, sound = rig(), rig()
    made.visible.inject("freeze", 1.0, 0.5)
    for index in range(28, 48):
        got = frame(made, index, "visible")
        expected = frame(sound, 29 if 30 <= index < 45 else index, "visible")
        assert np.array_equal(got.image, expected.image)
        assert got.flags == FrameFlags.NONE
        assert got.timestamp_ns == frame(sound, index, "visible").timestamp_ns
    assert np.array_equal(frame(made, 35).image, frame(sound, 35).image)


def test_a_freeze_that_begins_behind_the_shutter_repeats_the_shutter() -> None:
    made = rig(ffc_period_s=1.0, ffc_duration_s=0.4, ir_faults=(Fault("freeze", 1.2, 0.6),))
    last = frame(made, 29)
    assert np.array_equal(frame(made, 50).image, last.image)
    assert frame(made, 50).flags == FrameFlags.NONE
    assert frame(made, 32).flags == FrameFlags.SHUTTER


def test_damaged_is_flagged_and_spoils_the_lower_part_only() -> None:
    made, sound = rig(), rig()
    made.ir.inject("damaged", 0.5, 0.1)
    spoilt, good = frame(made, 16), frame(sound, 16)
    assert spoilt.flags == FrameFlags.DAMAGED
    assert np.array_equal(spoilt.image[:24], good.image[:24])
    assert (spoilt.image[-5:] == 0).all()
    assert frame(made, 14).flags == frame(made, 18).flags == FrameFlags.NONE


def test_exposure_jump() -> None:
    made = rig(
        visible_faults=(Fault("exposure_jump", 1.0, 1.0, 0.5),),
        ir_faults=(Fault("exposure_jump", 1.0, 1.0),),
    )
    sound = rig()
    darker = frame(made, 40, "visible").image.astype(float)
    assert np.abs(darker - 0.5 * frame(sound, 40, "visible").image).max() <= 1.0
    lifted = frame(made, 40).image.astype(int) - frame(sound, 40).image
    assert (lifted == 600).all()
    assert np.array_equal(frame(made, 61).image, frame(sound, 61).image)


def test_clock_jump_changes_the_stamps_only() -> None:
    made, sound = rig(), rig()
    made.ir.inject("clock_jump", 1.0, 1.0, -3.5)
    assert frame(made, 40).timestamp_ns - frame(sound, 40).timestamp_ns == -3_500_000_000
    assert np.array_equal(frame(made, 40).image, frame(sound, 40).image)
    assert frame(made, 60).timestamp_ns == frame(sound, 60).timestamp_ns


def test_silence_takes_its_time_in_time_outs() -> None:
    made = rig()
    made.ir.inject("silence", 1.0, 2.5)
    with made.ir:
        sequence: list[int] = []
        timeouts = 0
        while len(sequence) < 40:
            try:
                got = made.ir.read(timeout_s=1.0)
            except StreamTimeoutError as error:
                assert "'ir'" in str(error)
                timeouts += 1
                continue
            assert got is not None
            sequence.append(got.sequence)
    assert sequence == [*range(30), *range(105, 115)]
    assert timeouts == 2


def test_disconnect_and_reconnect() -> None:
    made = rig()
    made.visible.inject("disconnect", 1.0, 2.5)
    with made.visible:
        for expected in range(30):
            got = made.visible.read()
            assert got is not None and got.sequence == expected
        with pytest.raises(DisconnectedError, match="visible"):
            made.visible.read()
    failed = 0
    for _ in range(10):
        try:
            made.visible.open()
        except DeviceNotFoundError:
            failed += 1
            continue
        break
    assert failed == 3
    got = made.visible.read()
    # The fault ended at 3.5 s (frame 105); the fourth attempt was made at 4 s.
    assert got is not None and got.sequence == 120
    assert made.visible.frame(50) is None
    # The other camera does not notice.
    with made.ir:
        assert [f.sequence for _ in range(40) if (f := made.ir.read())] == list(range(40))


def test_faults_in_real_time() -> None:
    made = rig(
        realtime=True,
        people=0,
        visible_size=(64, 64),
        ir_size=(64, 64),
        ir_faults=(Fault("disconnect", 0.3, 0.4),),
        visible_faults=(Fault("silence", 0.0, 0.5),),
    )
    start = time.monotonic()
    made.ir.open()
    made.visible.open()
    with pytest.raises(StreamTimeoutError):
        made.visible.read(timeout_s=0.1)
    with pytest.raises(DisconnectedError):
        for _ in range(100):
            made.ir.read(timeout_s=2.0)
    refused = 0
    while time.monotonic() - start < 20.0:
        try:
            made.ir.open()
            break
        except DeviceNotFoundError:
            refused += 1
            time.sleep(0.01)
    assert refused > 0 or time.monotonic() - start > 0.7
    back = made.ir.read(timeout_s=5.0)
    assert back is not None and back.sequence >= 21
    seen = made.visible.read(timeout_s=5.0)
    assert seen is not None and seen.sequence >= 15
    made.ir.close()
    made.visible.close()
