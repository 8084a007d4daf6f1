"""What the conditions do to the two pictures, and that they do not move anybody."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_sdk.capture.simulated import CONDITIONS, GroundTruth, SimulatedRig, SimulationConfig

MOMENT_NS = 1_000_000_000 + 1_300_000_000


def rig(condition: str, **options: object) -> SimulatedRig:
    base = {"visible_size": (320, 240), "ir_size": (320, 256), "condition": condition, "seed": 1}
    return SimulatedRig(SimulationConfig(**{**base, **options}))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def truths() -> dict[str, GroundTruth]:
    return {condition: rig(condition).truth(MOMENT_NS) for condition in CONDITIONS}


def detail(image: NDArray[np.generic]) -> float:
    """Mean strength of edges."""
    grey = image.mean(axis=2) if image.ndim == 3 else image.astype(np.float64)
    return float(
        np.hypot(cv2.Sobel(grey, cv2.CV_64F, 1, 0), cv2.Sobel(grey, cv2.CV_64F, 0, 1)).mean()
    )


def likeness(a: NDArray[np.generic], b: NDArray[np.generic]) -> float:
    return float(np.corrcoef(a.astype(float).ravel(), b.astype(float).ravel())[0, 1])


def test_smoke_hides_people_from_the_visible_and_hardly_from_the_infrared() -> None:
    contrast = {}
    for condition in ("day", "smoke"):
        people = rig(condition, people=6, vehicles=0).truth(MOMENT_NS)
        nobody = rig(condition, people=0, vehicles=0).truth(MOMENT_NS)
        warmer = people.clean_ir_aligned.astype(int) - nobody.clean_ir_aligned
        covered = np.abs(warmer) > 150
        assert covered.sum() > 1000
        other = np.abs(people.clean_visible.astype(int) - nobody.clean_visible).mean(axis=2)
        contrast[condition] = float(other[covered].mean()), float(warmer[covered].mean())
    assert contrast["smoke"][0] < 0.5 * contrast["day"][0]
    assert contrast["smoke"][1] > 0.85 * contrast["day"][1]


def test_smoke_hides_the_background_of_the_visible(truths: dict[str, GroundTruth]) -> None:
    assert detail(truths["smoke"].clean_visible) < 0.5 * detail(truths["day"].clean_visible)
    assert likeness(truths["smoke"].clean_ir, truths["day"].clean_ir) > 0.9


def test_smoke_drifts_softly() -> None:
    made = rig("smoke", people=0, vehicles=0)
    now, soon, later = (
        made.truth(MOMENT_NS + late).clean_visible.astype(float)
        for late in (0, 33_000_000, 3_000_000_000)
    )
    step = np.abs(soon - now)
    assert 0.02 < step.mean() < 2.0
    assert step.max() < 40.0
    assert np.abs(later - now).mean() > 4.0 * step.mean()


def test_night_is_dark_with_lamps(truths: dict[str, GroundTruth]) -> None:
    night = truths["night"].clean_visible
    assert np.median(night) < 50
    assert night.max() > 240
    assert night.mean() < 0.4 * truths["day"].clean_visible.mean()


def test_glare_saturates_the_visible_only(truths: dict[str, GroundTruth]) -> None:
    def white(image: NDArray[np.uint8]) -> float:
        return float((image.min(axis=2) >= 250).mean())

    assert white(truths["glare"].clean_visible) > 0.01
    assert white(truths["glare"].clean_visible) > 5.0 * white(truths["day"].clean_visible)
    assert likeness(truths["glare"].clean_ir, truths["day"].clean_ir) > 0.9


def test_the_condition_moves_nobody(truths: dict[str, GroundTruth]) -> None:
    for condition in CONDITIONS[1:]:
        assert truths[condition].objects == truths["day"].objects
        assert np.array_equal(truths[condition].depth, truths["day"].depth)


def test_people_are_warmer_than_what_is_around_them() -> None:
    for condition in CONDITIONS:
        made, empty = rig(condition, people=3, vehicles=0), rig(condition, people=0, vehicles=0)
        picture = made.truth(MOMENT_NS).clean_ir_aligned.astype(int)
        without = empty.truth(MOMENT_NS).clean_ir_aligned.astype(int)
        covered = np.abs(picture - without) > 150
        assert covered.sum() > 500
        assert (picture - without)[covered].mean() > 300
        # A bare face is close to 33 degrees Celsius: 5500 + 100 * 33 counts.
        assert 8300 < np.quantile(picture[covered], 0.995) < 8900


def test_the_infrared_is_related_to_the_visible_but_no_copy(truths: dict[str, GroundTruth]) -> None:
    day = truths["day"]
    grey = day.clean_visible.mean(axis=2)
    heat = day.clean_ir_aligned.astype(float)
    assert abs(likeness(grey, heat)) < 0.9
    edges = [
        cv2.GaussianBlur(
            np.hypot(cv2.Sobel(x, cv2.CV_64F, 1, 0), cv2.Sobel(x, cv2.CV_64F, 0, 1)), (0, 0), 1.5
        )
        for x in (grey, heat)
    ]
    ranks = [np.argsort(np.argsort(x.ravel())) for x in edges]
    assert likeness(ranks[0], ranks[1]) > 0.3


def test_walking_people_move_their_limbs() -> None:
    made = rig("day", people=1, vehicles=0)
    widths = []
    for step in range(20):
        (person,) = made.truth(1_000_000_000 + step * 50_000_000).objects
        widths.append(person.box[2] - person.box[0])
    assert max(widths) > 1.5 * min(widths)


@pytest.mark.parametrize(("people", "vehicles"), [(0, 0), (0, 6), (100, 0)])
def test_any_number_of_people_and_vehicles(people: int, vehicles: int) -> None:
    made = rig("night", people=people, vehicles=vehicles, visible_size=(96, 64), ir_size=(64, 96))
    frame = made.ir.frame(5)
    assert frame is not None and frame.image.shape == (96, 64)
    shown = made.visible.frame(5)
    assert shown is not None
    labels = [thing.label for thing in made.truth(shown.timestamp_ns).objects]
    assert labels.count("person") <= people and labels.count("car") <= vehicles
    assert len(set(labels)) == (people > 0) + (vehicles > 0)
