"""Shapes and values of Detections, and the way to supervision and back."""

from __future__ import annotations

import numpy as np
import pytest

from edge_sdk.errors import ConfigError, DependencyError
from edge_sdk.tracking import Detections

BOXES = np.array([[1, 2, 30, 40], [5, 5, 9, 9]], np.float32)
SCORES = np.array([0.9, 0.25], np.float32)
LABELS = ("person", "car")


def test_lists_and_other_dtypes_become_float32() -> None:
    found = Detections(BOXES.astype(np.int64), [0.9, 0.25], ["person", "car"])  # type: ignore[arg-type]
    assert found.boxes.dtype == found.scores.dtype == np.float32
    assert found.labels == LABELS
    assert len(found) == 2


def test_empty_has_the_shapes_of_zero_objects() -> None:
    none = Detections.empty()
    assert (none.boxes.shape, none.scores.shape, none.labels, len(none)) == ((0, 4), (0,), (), 0)


@pytest.mark.parametrize(
    ("boxes", "scores", "labels", "message"),
    [
        (BOXES[:, :3], SCORES, LABELS, r"boxes must be .* \(N, 4\), but got \(2, 3\)"),
        (BOXES[0], SCORES[:1], LABELS[:1], r"boxes must be .* \(N, 4\), but got \(4,\)"),
        (BOXES, SCORES[:1], LABELS, r"scores must be .* \(2,\).* but got shape \(1,\)"),
        (BOXES, SCORES, LABELS[:1], "labels must be 2 strings"),
        (BOXES[:1], SCORES[:1], "p", "labels must be a tuple of 1 strings, but got 'p'"),
        (BOXES, SCORES, (1, 2), "labels must be a tuple of 2 strings"),
        (BOXES[:, [2, 1, 0, 3]], SCORES, LABELS, "x1 <= x2 .* but got .* in row 0"),
        (BOXES, SCORES * 100, LABELS, "scores must be from 0 to 1, but got 25 to 90"),
        (BOXES * np.nan, SCORES, LABELS, "must be finite"),
        ("everything", SCORES, LABELS, "boxes must be an array of numbers"),
    ],
)
def test_bad_input_says_what_was_wanted_and_found(
    boxes: object, scores: object, labels: object, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        Detections(boxes, scores, labels)  # type: ignore[arg-type]


def test_to_supervision_and_back() -> None:
    pytest.importorskip("supervision", reason="the extra 'track' is not installed")
    there = Detections(BOXES, SCORES, LABELS).to_supervision()
    assert list(there.data["class_name"]) == list(LABELS)
    back = Detections.from_supervision(there)
    np.testing.assert_array_equal(back.boxes, BOXES)
    np.testing.assert_array_equal(back.scores, SCORES)
    assert back.labels == LABELS
    assert len(Detections.from_supervision(Detections.empty().to_supervision())) == 0


def test_supervision_without_scores_and_names() -> None:
    sv = pytest.importorskip("supervision", reason="the extra 'track' is not installed")
    found = Detections.from_supervision(sv.Detections(xyxy=BOXES), label="thing")
    assert found.scores.tolist() == [1.0, 1.0]
    assert found.labels == ("thing", "thing")


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "supervision", None)
    with pytest.raises(DependencyError, match=r'pip install "edge-sdk\[track\]"'):
        Detections.empty().to_supervision()
