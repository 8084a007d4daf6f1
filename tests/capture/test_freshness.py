from __future__ import annotations

import numpy as np
import pytest

from edge_sdk.capture.freshness import FreezeWatch, FreshnessCheck
from edge_sdk.frames import FrameFlags

RNG = np.random.default_rng(0)


def _noisy(dtype=np.uint16, shape=(96, 128)):
    return RNG.integers(50, 200, shape).astype(dtype)


@pytest.mark.parametrize(
    ("dtype", "shape"), [(np.uint16, (96, 128)), (np.uint8, (96, 128, 3)), (np.uint8, (7, 5))]
)
def test_the_first_repetition_of_a_noisy_picture_is_found(dtype, shape):
    check = FreshnessCheck()
    assert not any(check.update(_noisy(dtype, shape)) for _ in range(10))
    last = _noisy(dtype, shape)
    assert [check.update(last) for _ in range(4)] == [False, True, True, True]
    assert not check.update(_noisy(dtype, shape)) and check.repeats == 0


def test_a_reused_buffer_does_not_deceive():
    """Drivers copy every frame into the same array: new content is new all the same."""
    check, buffer = FreshnessCheck(), np.empty((96, 128), np.uint16)
    for _ in range(20):
        buffer[:] = _noisy()
        assert not check.update(buffer)
    assert check.update(buffer)


def test_a_source_without_noise_may_stand_still_for_a_few_frames():
    check = FreshnessCheck()
    still = np.tile(np.arange(128, dtype=np.uint8), (96, 1))
    assert [check.update(still) for _ in range(6)] == [False] * 4 + [True] * 2


def test_a_change_between_the_compared_rows_is_seen():
    check = FreshnessCheck()
    picture = np.tile(np.arange(128, dtype=np.uint8), (96, 1))
    answers = []
    for k in range(12):
        picture[5, 7] = k  # row 5 is none of the sampled ones
        answers.append(check.update(picture))
    assert not any(answers)


def test_one_grey_level_tells_nothing():
    check = FreshnessCheck()
    assert not any(check.update(np.zeros((96, 128), np.uint8)) for _ in range(50))


def test_the_time_of_a_freeze_counts_from_the_last_new_picture_and_not_through_the_shutter():
    watch = FreezeWatch()
    for k in range(10):
        watch.judge(_noisy(), FrameFlags.NONE, k / 10)
    last = _noisy()
    assert watch.judge(last, FrameFlags.NONE, 1.0) == (False, 0.0)
    assert watch.judge(last, FrameFlags.NONE, 1.1) == (True, pytest.approx(0.1))
    assert watch.judge(last, FrameFlags.SHUTTER, 1.2) == (True, 0.0)
    assert watch.judge(last, FrameFlags.SHUTTER, 1.9) == (True, 0.0)
    assert watch.judge(last, FrameFlags.NONE, 2.0) == (True, pytest.approx(0.1))
