"""``Detections``: what a detector found in one frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edge_sdk.errors import ConfigError
from edge_sdk.tracking._optional import load

if TYPE_CHECKING:
    import supervision

__all__ = ["Detections"]

CLASS_NAME = "class_name"
"""The key under which supervision and its friends keep the names of the classes."""


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """Objects in one frame, one row each.

    Attributes:
        boxes: (N, 4) float32, x1, y1, x2, y2 in pixels, x2 and y2 exclusive, none of them inverted.
        scores: (N,) float32, confidence from 0 to 1.
        labels: N class names.

    Raises:
        ConfigError: a shape, a length or a value is none of these.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        boxes = _floats("boxes", self.boxes)
        scores = _floats("scores", self.scores)
        if boxes.ndim != 2 or boxes.shape[1] != 4:
            raise ConfigError(f"boxes must be a 2D array of shape (N, 4), but got {boxes.shape}")
        n = len(boxes)
        if scores.shape != (n,):
            raise ConfigError(
                f"scores must be a 1D array of shape ({n},), as many as boxes, but got shape "
                f"{scores.shape}"
            )
        labels = tuple(self.labels) if not isinstance(self.labels, str) else self.labels
        if isinstance(labels, str) or not all(isinstance(label, str) for label in labels):
            raise ConfigError(f"labels must be a tuple of {n} strings, but got {self.labels!r}")
        if len(labels) != n:
            raise ConfigError(f"labels must be {n} strings, as many as boxes, but got {labels!r}")
        if not (np.isfinite(boxes).all() and np.isfinite(scores).all()):
            raise ConfigError("boxes and scores must be finite, but got NaN or infinity")
        inverted = np.flatnonzero((boxes[:, 2] < boxes[:, 0]) | (boxes[:, 3] < boxes[:, 1]))
        if len(inverted):
            raise ConfigError(
                "boxes must be (x1, y1, x2, y2) with x1 <= x2 and y1 <= y2, but got "
                f"{boxes[inverted[0]].tolist()} in row {inverted[0]}"
            )
        if n and not (scores.min() >= 0.0 and scores.max() <= 1.0):
            raise ConfigError(
                f"scores must be from 0 to 1, but got {scores.min():g} to {scores.max():g}"
            )
        object.__setattr__(self, "boxes", boxes)
        object.__setattr__(self, "scores", scores)
        object.__setattr__(self, "labels", labels)

    def __len__(self) -> int:
        return len(self.labels)

    @classmethod
    def empty(cls) -> Detections:
        """No objects."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), ())

    def to_supervision(self) -> supervision.Detections:
        """The same as ``supervision.Detections``, labels in ``data["class_name"]``.

        Raises:
            DependencyError: supervision is not installed.
        """
        sv = load("supervision", "Detections.to_supervision")
        return sv.Detections(
            xyxy=self.boxes.copy(),
            confidence=self.scores.copy(),
            data={CLASS_NAME: np.array(self.labels, dtype=str)},
        )

    @classmethod
    def from_supervision(cls, found: supervision.Detections, label: str = "object") -> Detections:
        """From ``supervision.Detections`` of any detector that speaks it.

        Args:
            found: scores of 1 stand for a missing ``confidence``.
            label: for objects without a name in ``data["class_name"]``.
        """
        names: Any = found.data.get(CLASS_NAME)
        n = len(found.xyxy)
        scores = found.confidence
        return cls(
            np.asarray(found.xyxy, np.float32),
            np.ones(n, np.float32) if scores is None else np.asarray(scores, np.float32),
            (label,) * n if names is None else tuple(str(name) for name in names),
        )


def _floats(name: str, value: Any) -> NDArray[np.float32]:
    try:
        return np.asarray(value, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{name} must be an array of numbers, but got {value!r}") from error
