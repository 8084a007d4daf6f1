"""The alignment monitor: known shifts of drawn scenes, and what must not alarm."""

from __future__ import annotations

import time

import cv2
import numpy as np
import pytest

from edge_sdk.health import AlignmentMonitor

SIZE = (320, 240)
PERIOD_NS = 100_000_000


def _scene(seed: int = 0):
    """The same outlines in both spectra, brightness that has nothing in common."""
    rng = np.random.default_rng(seed)
    visible = np.full((*SIZE[::-1], 3), 120, np.uint8)
    infrared = np.full(SIZE[::-1], 60, np.uint8)
    for _ in range(50):
        centre = rng.uniform((0, 0), SIZE)
        corners = np.rint(centre + rng.uniform(-30, 30, (4, 2))).astype(np.int32)
        cv2.fillConvexPoly(
            visible, cv2.convexHull(corners), [int(c) for c in rng.integers(0, 255, 3)]
        )
        cv2.fillConvexPoly(infrared, cv2.convexHull(corners), int(rng.integers(0, 255)))
    return infrared, visible


def _moved(image, x, y):
    shift = np.float32([[1, 0, x], [0, 1, y]])
    return cv2.warpAffine(image, shift, SIZE, borderMode=cv2.BORDER_REFLECT_101)


def _watch(monitor, pairs, start=0):
    """Answers for pairs, ten frames a second."""
    answers = []
    for index, (ir, visible) in enumerate(pairs):
        answer = monitor.update(ir, visible, (start + index) * PERIOD_NS)
        if answer is not None:
            answers.append(answer)
    return answers


def _noisy(image, rng):
    return np.clip(image + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8)


def test_aligned_pictures_give_no_alarm_and_no_shift():
    rng = np.random.default_rng(1)
    ir, visible = _scene()
    pairs = [(_noisy(ir, rng), _noisy(visible, rng)) for _ in range(80)]
    answers = _watch(AlignmentMonitor(every=2), pairs)
    assert 5 <= len(answers) <= 8  # one a second
    assert all(answer.certain and not answer.misaligned for answer in answers)
    assert max(answer.distance_px for answer in answers) < 1.0
    assert min(answer.score for answer in answers) > 0.95


@pytest.mark.parametrize("shift", [(6, 0), (0, -6), (-9, 7), (24, 10)])
def test_a_knock_is_an_alarm_within_seconds_and_says_how_far(shift):
    ir, visible = _scene()
    monitor = AlignmentMonitor(every=1)
    before = _watch(monitor, [(ir, visible)] * 30)
    assert not any(answer.misaligned for answer in before)
    after = _watch(monitor, [(_moved(ir, *shift), visible)] * 60, start=30)
    assert [answer.misaligned for answer in after[4:]] == [True] * len(after[4:])
    np.testing.assert_allclose(after[-1].shift_px, (-shift[0], -shift[1]), atol=1.0)


@pytest.mark.parametrize("degrees", [3.0, -4.0])
def test_a_roll_is_an_alarm_and_says_how_far(degrees):
    ir, visible = _scene()
    turn = cv2.getRotationMatrix2D(((SIZE[0] - 1) / 2, (SIZE[1] - 1) / 2), degrees, 1.0)
    rolled = cv2.warpAffine(ir, turn, SIZE, borderMode=cv2.BORDER_REFLECT_101)
    monitor = AlignmentMonitor(every=1)
    before = _watch(monitor, [(ir, visible)] * 30)
    assert not any(answer.misaligned or abs(answer.roll_deg) > 0.3 for answer in before)
    last = _watch(monitor, [(rolled, visible)] * 70, start=30)[-1]
    assert last.misaligned
    # OpenCV turns the infrared from y towards x; the visible content lies turned the other way.
    assert last.roll_deg == pytest.approx(degrees, rel=0.4)
    assert last.radius_px == pytest.approx(np.hypot(*SIZE) / np.sqrt(12))


def test_a_near_object_in_one_corner_is_no_roll():
    """Parallax moves one quarter along one direction; a turn would move the others too."""
    ir, visible = _scene()
    shifted = ir.copy()
    shifted[120:, 160:] = _moved(ir, 0, 8)[120:, 160:]
    answers = _watch(AlignmentMonitor(every=1), [(shifted, visible)] * 60)
    assert all(answer.certain and answer.roll_deg == 0 for answer in answers)
    assert not any(answer.misaligned for answer in answers)


def test_the_alarm_ends_when_the_pictures_lie_on_each_other_again():
    ir, visible = _scene()
    monitor = AlignmentMonitor(every=1)
    assert _watch(monitor, [(_moved(ir, 10, 0), visible)] * 60)[-1].misaligned
    assert not _watch(monitor, [(ir, visible)] * 80, start=60)[-1].misaligned


def test_a_short_disturbance_is_no_alarm():
    ir, visible = _scene()
    monitor = AlignmentMonitor(every=1)
    pairs = [(ir, visible)] * 40 + [(_moved(ir, 12, 0), visible)] * 8 + [(ir, visible)] * 40
    assert not any(answer.misaligned for answer in _watch(monitor, pairs))


def test_pictures_without_common_structure_say_so():
    rng = np.random.default_rng(2)
    pairs = [
        (rng.integers(90, 110, SIZE[::-1], np.uint8), rng.integers(90, 110, SIZE[::-1], np.uint8))
        for _ in range(60)
    ]
    answers = _watch(AlignmentMonitor(every=1), pairs)
    assert answers and not any(answer.certain or answer.misaligned for answer in answers)


def test_the_edge_of_a_warped_infrared_picture_is_not_structure():
    """Both pictures are black outside of one quadrilateral: that edge always lies on itself."""
    ir, visible = _scene()
    valid = np.zeros(SIZE[::-1], np.bool_)
    valid[30:210, 40:280] = True
    black = [np.where(valid, _moved(ir, 12, 0), 0).astype(np.uint8), visible * valid[..., None]]
    monitor = AlignmentMonitor(every=1)
    answers = [monitor.update(black[0], black[1], i * PERIOD_NS, valid) for i in range(60)]
    last = [answer for answer in answers if answer is not None][-1]
    assert last.misaligned
    np.testing.assert_allclose(last.shift_px, (-12, 0), atol=1.5)


def test_it_begins_anew_after_a_gap_and_after_reset():
    ir, visible = _scene()
    monitor = AlignmentMonitor(every=1)
    _watch(monitor, [(_moved(ir, 10, 0), visible)] * 60)
    answers = _watch(monitor, [(ir, visible)] * 50, start=1000)
    assert answers[0].distance_px < 1.0  # nothing of before the gap is left
    assert answers[0].misaligned and not answers[-1].misaligned  # one answer ends no alarm
    monitor.reset()
    assert _watch(monitor, [(ir, visible)] * 5) == []


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [(96, 80), (64, 48), (98, 74)])
def test_small_pictures_are_uncertain_not_wrong(size):
    ir, visible = (cv2.resize(image, size) for image in _scene())
    answers = _watch(AlignmentMonitor(every=1), [(ir, visible)] * 60)
    assert answers and not any(answer.misaligned for answer in answers)


@pytest.mark.slow
def test_cost_of_a_frame():
    """A few hundred microseconds on average at 640 x 480; the bound is for a busy machine."""
    ir, visible = _scene()
    ir, visible = cv2.resize(ir, (640, 480)), cv2.resize(visible, (640, 480))
    monitor = AlignmentMonitor()
    start = time.process_time()
    for index in range(200):
        monitor.update(ir, visible, index * PERIOD_NS)
    assert (time.process_time() - start) / 200 < 1e-3


@pytest.mark.parametrize("size", [(16, 16), (16, 240), (320, 20), (28, 28), (40, 33)])
def test_pictures_too_small_to_judge_are_uncertain(size):
    """A fused picture may be as small as 16 x 16 pixels; then there is no answer to trust."""
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, size[::-1], np.uint8)
    answers = _watch(AlignmentMonitor(every=1), [(picture, picture)] * 40)
    assert answers and not any(answer.certain or answer.misaligned for answer in answers)
