"""The warm-object detector on drawn bodies with known boxes, and on recordings with labels."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_sdk.errors import ConfigError
from edge_sdk.frames import FusedFrame, Image
from edge_sdk.tracking import Detections, Detector, WarmObjectDetector

DATA = Path(__file__).parents[3] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"recordings are absent: {DATA}")

Box = tuple[float, float, float, float]
GROUND = 40.0


def scene(noise: float = 2.0, stripes: float = 0.0, seed: int = 1) -> NDArray[np.float64]:
    """(480, 640) floor and wall without anything warm, in grey levels."""
    rng = np.random.default_rng(seed)
    image = GROUND + np.linspace(-8, 8, 480)[:, None] + rng.normal(0, noise, (480, 640))
    return image + rng.normal(0, stripes, 640)[None, :] * (stripes > 0)


def body(
    image: NDArray[np.float64], x: int, y: int, height: int, warmth: float = 90.0, jacket: float = 1
) -> Box:
    """Adds head, torso, hips and legs with feet at (x, y); returns the box around them.

    ``jacket`` scales the warmth of the torso: 0 is as cold as the background.
    """
    mask = np.zeros(image.shape, np.float64)
    top, head, half = y - height, height // 7, height // 7
    torso = np.zeros_like(mask)
    cv2.rectangle(torso, (x - half, top + head), (x + half, top + height // 2), 1.0, -1)
    mask = np.maximum(mask, torso * jacket)
    hips = (x - half * 2 // 3, top + height // 2), (x + half * 2 // 3, top + height * 3 // 5)
    cv2.rectangle(mask, *hips, 1.0, -1)
    for side in (-1, 1):
        foot, hip = (x + side * half, y - 1), (x + side * half // 2, top + height * 4 // 7)
        cv2.line(mask, hip, foot, 1.0, max(3, height // 11))
    cv2.ellipse(mask, (x, top + head // 2), (head // 3, head // 2), 0, 0, 360, 1.3, -1)
    soft = cv2.GaussianBlur(mask, (3, 3), 0)
    image += warmth * soft
    rows, columns = np.nonzero(mask > 0)
    return (columns.min(), rows.min(), columns.max() + 1.0, rows.max() + 1.0)


def grey(image: NDArray[np.float64]) -> Image:
    return np.clip(image, 0, 255).astype(np.uint8)


def detect(ir: Image | None, **options: float) -> Detections:
    visible = np.zeros((480, 640, 3), np.uint8)
    fused = FusedFrame(image=visible, ir=ir, visible=visible, timestamp_ns=0, skew_ns=0)
    return WarmObjectDetector(**options).detect(fused)  # type: ignore[arg-type]


def iou(one: NDArray[np.float32], other: Box) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    inside = max(width, 0) * max(height, 0)
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (one, other)]
    return float(inside / (areas[0] + areas[1] - inside))


def best(found: Detections, truth: Box) -> float:
    return max((iou(box, truth) for box in found.boxes), default=0.0)


def test_it_is_a_detector() -> None:
    assert isinstance(WarmObjectDetector(), Detector)


@pytest.mark.parametrize("height", [30, 60, 120, 240, 340])
def test_a_person_near_and_far(height: int) -> None:
    image = scene()
    truth = body(image, 300, 440, height)
    found = detect(grey(image))
    assert len(found) == 1
    assert iou(found.boxes[0], truth) > 0.6
    assert found.scores[0] > 0.5
    assert found.labels == ("warm",)


@pytest.mark.parametrize(("noise", "stripes"), [(12.0, 0.0), (0.0, 10.0), (12.0, 10.0)])
def test_a_person_behind_noise_and_column_stripes(noise: float, stripes: float) -> None:
    image = scene(noise, stripes)
    truth = body(image, 300, 440, 160, warmth=70)
    found = detect(grey(image))
    assert len(found) == 1
    assert iou(found.boxes[0], truth) > 0.6


def test_stripes_hide_no_faint_person() -> None:
    plain, striped = scene(2.0), scene(2.0, 20.0)
    truth = body(plain, 300, 440, 120, warmth=30)
    body(striped, 300, 440, 120, warmth=30)
    without, found = detect(grey(plain)), detect(grey(striped))
    assert len(without) == len(found) == 1
    assert iou(found.boxes[0], truth) > 0.6
    assert found.scores[0] > 0.8 * without.scores[0]


@pytest.mark.parametrize(("noise", "stripes"), [(0.0, 0.0), (2.0, 0.0), (14.0, 0.0), (14.0, 12.0)])
def test_nothing_warm_nothing_found(noise: float, stripes: float) -> None:
    for seed in range(5):
        assert len(detect(grey(scene(noise, stripes, seed)))) == 0


def test_head_and_legs_of_a_cold_jacket_are_one_person() -> None:
    image = scene()
    truth = body(image, 300, 420, 200, jacket=0.0)
    found = detect(grey(image))
    assert len(found) == 1
    assert iou(found.boxes[0], truth) > 0.7


@pytest.mark.parametrize("gap", [4, 12])
def test_a_warm_wall_above_a_person_is_no_part_of_him(gap: int) -> None:
    image = scene()
    top = 440 - 180
    image[top - gap - 90 : top - gap, 285:325] += 45
    truth = body(image, 300, 440, 180, warmth=110)
    found = detect(grey(image))
    assert iou(found.boxes[0], truth) > 0.8


def test_two_who_touch_are_two() -> None:
    image = scene()
    truths = [body(image, x, 430, 180) for x in (280, 330)]
    found = detect(grey(image))
    assert len(found) == 2
    assert all(best(found, truth) > 0.5 for truth in truths)


def test_many_at_once_best_first() -> None:
    image = scene()
    truths = [
        body(image, x, 400, height, warmth)
        for x, height, warmth in ((80, 90, 60), (200, 150, 90), (360, 200, 120), (520, 60, 80))
    ]
    found = detect(grey(image))
    assert len(found) == 4
    assert all(best(found, truth) > 0.5 for truth in truths)
    assert np.all(np.diff(found.scores) <= 0)


def test_a_warm_wall_and_blinds_are_no_persons() -> None:
    image = scene()
    image[:, 480:] += 60
    image[60:140:8, 60:240] += 90
    image[61:140:8, 60:240] += 90
    truth = body(image, 330, 440, 180)
    found = detect(grey(image))
    sure = found.boxes[found.scores >= 0.5]
    assert len(sure) == 1
    assert iou(sure[0], truth) > 0.6


def test_gain_and_level_do_not_move_the_boxes() -> None:
    image = scene(noise=1.0)
    truth = body(image, 300, 440, 200, warmth=60)
    for gain, level in ((0.6, 0.0), (1.6, 0.0), (1.0, 80.0)):
        found = detect(grey((image - GROUND) * gain + GROUND + level))
        assert len(found) == 1
        assert iou(found.boxes[0], truth) > 0.6


@pytest.mark.parametrize("size", [(160, 120), (320, 240), (640, 512), (1280, 960)])
def test_boxes_are_in_pixels_of_the_image_at_every_size(size: tuple[int, int]) -> None:
    image = scene(noise=1.0)
    x1, y1, x2, y2 = body(image, 300, 440, 240)
    sx, sy = size[0] / 640, size[1] / 480
    found = detect(cv2.resize(grey(image), size, interpolation=cv2.INTER_AREA))
    assert len(found) == 1
    assert iou(found.boxes[0], (x1 * sx, y1 * sy, x2 * sx, y2 * sy)) > 0.6


@pytest.mark.parametrize("shape", [(32, 32), (40, 1200), (1200, 40)])
def test_odd_image_shapes(shape: tuple[int, int]) -> None:
    ir = np.full(shape, 40, np.uint8)
    rows, columns = shape
    ir[rows // 4 : rows * 3 // 4, columns // 2 - columns // 20 : columns // 2 + columns // 20] = 200
    for box in detect(ir, min_score=0.0).boxes:
        assert 0 <= box[0] < box[2] <= columns
        assert 0 <= box[1] < box[3] <= rows


def test_limits_of_size_and_score() -> None:
    image = scene()
    near, far = body(image, 200, 440, 300), body(image, 500, 300, 40)
    area = (near[2] - near[0]) * (near[3] - near[1])
    both = grey(image)
    assert len(detect(both)) == 2
    assert best(detect(both, max_area_share=area / 2 / both.size), near) == 0
    assert best(detect(both, min_area_px=int(area / 2)), far) == 0
    assert best(detect(both, min_height_share=0.2), far) == 0
    assert len(detect(both, min_score=1.0)) < 2


def test_min_contrast() -> None:
    image = scene()
    body(image, 300, 440, 160, warmth=30)
    assert len(detect(grey(image), min_contrast=15)) == 1
    assert len(detect(grey(image), min_contrast=100)) == 0


def test_without_infrared_there_is_nothing_to_find() -> None:
    assert len(detect(None)) == 0


def test_the_frame_is_left_alone() -> None:
    image = scene(stripes=8.0)
    body(image, 300, 440, 160)
    ir = grey(image)
    before = ir.copy()
    detect(ir)
    np.testing.assert_array_equal(ir, before)


@pytest.mark.parametrize(
    "ir",
    [
        np.zeros((480, 640), np.uint16),
        np.zeros((480, 640, 3), np.uint8),
        np.zeros((20, 640), np.uint8),
    ],
)
def test_images_it_cannot_use(ir: Image) -> None:
    with pytest.raises(ConfigError, match=r"ir must be a \(H, W\) uint8 .* but got shape"):
        detect(ir)


@pytest.mark.parametrize(
    "options", [{"min_contrast": 0}, {"min_score": 2}, {"max_area_share": 0}, {"min_area_px": 0}]
)
def test_bad_options(options: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=f"{next(iter(options))} must be from .* but got"):
        detect(None, **options)


@needs_data
def test_people_in_dense_smoke() -> None:
    """Boxes drawn by hand; the visible camera sees nothing in these frames."""
    truth: dict[int, list[Box]] = {
        100: [(478, 140, 592, 386)],
        140: [(72, 172, 127, 348), (308, 152, 404, 350), (447, 145, 520, 372)],
        400: [(428, 147, 500, 377), (555, 132, 640, 420), (359, 136, 381, 205)],
    }
    video = cv2.VideoCapture(str(DATA / "train" / "videos" / "0117_1620" / "ir.mp4"))
    for index in range(max(truth) + 1):
        read, image = video.read()
        assert read
        if index in truth:
            found = detect(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))
            assert all(best(found, box) > 0.3 for box in truth[index])
            blinds = (found.boxes[:, 0] > 420) & (found.boxes[:, 3] < 130)
            assert not np.any(found.scores[blinds] >= 0.5)
    video.release()


@needs_data
def test_labelled_streets_at_night() -> None:
    """Persons of MSRS at an overlap of 0.3; many small ones in these pictures have no label."""
    for score, least_found, least_right in ((0.25, 0.6, 0.7), (0.35, 0.5, 0.8), (0.45, 0.4, 0.85)):
        _check_streets(score, least_found, least_right)


def _check_streets(min_score: float, least_found: float, least_right: float) -> None:
    hits = found_count = persons = 0
    for path in sorted((DATA / "train" / "pairs" / "msrs" / "boxes").glob("*.txt")):
        ir = cv2.imread(str(DATA / f"train/pairs/msrs/ir/{path.stem}.webp"), cv2.IMREAD_GRAYSCALE)
        assert ir is not None
        height, width = ir.shape
        found = detect(ir, min_score=min_score)
        free = set(range(len(found)))
        for line in path.read_text().splitlines():
            kind, x, y, w, h = (float(word) for word in line.split())
            if kind != 0:
                continue
            persons += 1
            truth = ((x - w / 2) * width, (y - h / 2) * height)
            box = (*truth, truth[0] + w * width, truth[1] + h * height)
            match = max(free, key=lambda k: iou(found.boxes[k], box), default=None)
            if match is not None and iou(found.boxes[match], box) >= 0.3:
                free.remove(match)
                hits += 1
        found_count += len(found)
    assert persons == 41
    assert hits / persons > least_found
    assert hits / found_count > least_right
