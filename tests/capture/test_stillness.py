from __future__ import annotations

import numpy as np

from edge_sdk.capture.stillness import StillnessCheck

MS = 1_000_000


def _scene(rng, x=100):
    image = rng.normal(100, 10, (480, 640))
    image[200:250, x : x + 20] += 60
    return np.clip(image, 0, 255).astype(np.uint8)


def test_noise_alone_is_still_after_a_second_and_not_before():
    rng, check = np.random.default_rng(0), StillnessCheck()
    answers = [check.update(_scene(rng), k * 33 * MS) for k in range(45)]
    assert not any(answers[:28]) and all(answers[34:])


def test_a_person_who_walks_is_seen_and_one_who_stopped_is_still():
    rng, check = np.random.default_rng(0), StillnessCheck()
    walking = [check.update(_scene(rng, 100 + 2 * k), k * 33 * MS) for k in range(60)]
    assert not any(walking)
    standing = [check.update(_scene(rng, 218), (60 + k) * 33 * MS) for k in range(45)]
    assert not any(standing[:20]) and all(standing[36:])


def test_time_that_goes_back_and_reset_start_anew():
    rng, check = np.random.default_rng(0), StillnessCheck()
    for k in range(45):
        still = check.update(_scene(rng), k * 33 * MS)
    assert still and not check.update(_scene(rng), 0)
    for k in range(45):
        still = check.update(_scene(rng), k * 33 * MS)
    assert still
    check.reset()
    assert not check.update(_scene(rng), 46 * 33 * MS)
