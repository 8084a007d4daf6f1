"""The arrays of the warm-object detector against the same rules in plain Python."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge_sdk.capture.simulated import SimulatedRig, SimulationConfig
from edge_sdk.frames import FusedFrame, Image
from edge_sdk.tone import ToneMapper
from edge_sdk.tracking import WarmObjectDetector, warm
from edge_sdk.tracking._join import join_parts
from edge_sdk.tracking._regions import Regions

from .one_by_one import OneByOne, Region, join
from .test_warm import GROUND, body, grey, scene

SIZES = (240, 320), (480, 640), (512, 640), (120, 160), (32, 32), (40, 600)


def same(ir: Image, min_score: float = 0.0, min_contrast: float = 25.0) -> int:
    """Asserts the same boxes in the same order with the same scores; returns how many."""
    detector = WarmObjectDetector(min_contrast, min_score=min_score)
    found = detector.detect(FusedFrame(image=ir, ir=ir, visible=ir, timestamp_ns=0, skew_ns=0))
    expected = OneByOne(min_score, min_contrast).detect(ir)
    assert len(found) == len(expected)
    if expected:
        boxes, scores = zip(*expected, strict=True)
        np.testing.assert_allclose(found.boxes, boxes, rtol=1e-6)
        np.testing.assert_allclose(found.scores, scores, atol=1e-6)
    return len(expected)


def field(seed: int) -> Image:
    """Clouds of three sizes, at times noisy, at times in few grey levels."""
    rng = np.random.default_rng(seed)
    height, width = SIZES[seed % len(SIZES)]
    image = np.zeros((height, width))
    for sigma, strength in ((3, 20), (8, 40), (20, 60)):
        cloud = cv2.GaussianBlur(rng.normal(size=(height, width)), (0, 0), sigma)
        image += strength * rng.uniform() * cloud / cloud.std()
    if seed % 5 == 0:
        image += rng.normal(0, 25, (height, width))
    if seed % 7 == 0:
        image = np.round(image / 30) * 30
    return grey(image + rng.uniform(20, 150))


def test_clouds() -> None:
    # The last two have boxes that lie just more than 60 % inside a better one.
    counts = [same(field(seed)) for seed in (*range(18), 80, 109)]
    assert sum(counts) > 200


@pytest.mark.parametrize(("min_score", "min_contrast"), [(0.25, 25.0), (0.25, 8.0), (0.5, 60.0)])
def test_options(min_score: float, min_contrast: float) -> None:
    for seed in range(1, 8):
        same(field(seed), min_score, min_contrast)


def test_crowds_to_cut_and_bodies_to_join() -> None:
    rng = np.random.default_rng(4)
    for seed in range(6):
        image = scene(seed=seed)
        for _ in range(14):
            x, y, height = (
                int(rng.integers(*limits)) for limits in ((40, 600), (200, 470), (40, 190))
            )
            body(image, x, y, height, rng.uniform(30, 120), jacket=float(rng.integers(2)))
        assert same(grey(image)) > 3


def test_pairs_side_by_side_and_parts_of_unlike_warmth() -> None:
    rng = np.random.default_rng(5)
    for seed in range(12):
        image = scene(seed=seed)
        for x in range(60, 600, 90):
            height = int(rng.integers(60, 200))
            apart = int(height * rng.uniform(0.2, 0.45))
            body(image, x, 440, height, rng.uniform(40, 140))
            body(image, x + apart, 440, int(height * rng.uniform(0.8, 1.1)), rng.uniform(40, 140))
            # A cold hand before the trunk, and legs with less warmth than the head.
            image[440 - height * 2 // 3 : 440 - height // 2, x - 40 : x + 60] = GROUND
            image[440 - height // 2 : 440, x - 40 : x + 60] *= rng.uniform(0.4, 1.0)
        assert same(grey(image)) > 3


@pytest.mark.parametrize("condition", ["day", "smoke", "night"])
def test_simulated_frames(condition: str) -> None:
    config = SimulationConfig(condition=condition, ir_size=(640, 512), duration_frames=2)
    rig, tone = SimulatedRig(config), ToneMapper()
    with rig.ir:
        frames = [rig.ir.read() for _ in range(2)]
    assert sum(same(tone.step(frame.image, frame.timestamp_ns)) for frame in frames) > 4


def test_joins_of_any_parts() -> None:
    rng = np.random.default_rng(3)
    made = 0
    for _ in range(60):
        n = int(rng.integers(0, 40))
        corner, size = rng.integers(0, 60, (2, n)), rng.integers(3, 40, (2, n))
        area = (size.prod(axis=0) * rng.uniform(0.3, 1.0, n)).astype(np.int64)
        parts = Regions(np.concatenate((corner, corner + size)), area, area * rng.uniform(5, 60, n))
        alone, bodies, form = join_parts(parts)
        left, joined = join([Region(*row) for row in parts.rows()])
        for regions, expected in ((alone, left), (bodies, joined)):
            rows = [(r.x0, r.y0, r.x1, r.y1, r.area, r.heat) for r in expected]
            assert regions.rows() == rows
        np.testing.assert_allclose(form, [r.form for r in joined])
        made += len(joined)
    assert made > 60


def test_nothing_at_all() -> None:
    assert same(np.full((64, 64), 90, np.uint8)) == 0


def test_stripes_and_quantiles_are_those_of_numpy() -> None:
    rng = np.random.default_rng(2)
    for share in (0.25, 0.5, 0.998, 1.0):
        for top in (1, 3, 40, 256):
            image = rng.integers(0, top, (37, 53)).astype(np.uint8)
            expected = np.quantile(image, share, method="inverted_cdf")
            assert warm._quantile(image, share) == expected
    image = grey(scene(stripes=12.0))
    rows = image[::15].astype(np.float32)
    stripes = np.round(np.sort(rows - cv2.blur(rows, (9, 1)), axis=0)[len(rows) // 2])
    expected_image = np.clip(image.astype(np.float32) - stripes, 0, 255).astype(np.uint8)
    np.testing.assert_array_equal(warm._without_stripes(image), expected_image)
