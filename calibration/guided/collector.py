"""Which views to keep: sharp, still, and different from what is there already."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_sdk.errors import CalibrationError
from edge_sdk.frames import Image

from ..lens import Model
from ..solver import View, default_prior, fit_pose
from ..targets import Observation, Target, find_target
from ..views import Coverage, coverage_of, missing_regions

__all__ = ["Collector", "Goal", "Verdict"]

Array = NDArray[np.float64]
_TILT_DEG = 20.0
_BLURRED = 1.6
_DIRECTIONS = ("left", "right", "up", "down")


@dataclass(frozen=True)
class Goal:
    """When there is enough.

    Attributes:
        views: at least so many.
        coverage: share of the picture's 8 x 6 parts with a corner.
        most: stop at so many, whatever is missing.
    """

    views: int = 15
    coverage: float = 0.85
    most: int = 40


@dataclass(frozen=True)
class Verdict:
    """What became of a frame.

    Attributes:
        taken: it is kept.
        reason: for people: ``taken``, or why not.
        observation: the board, if it was found.
    """

    taken: bool
    reason: str
    observation: Observation | None = None


@dataclass
class Collector:
    """Collects views of a board.

    Attributes:
        target: the board.
        goal: when there is enough.
        model: of the lens; for the rough lens that judges tilts.
        observations, pictures: what was kept, by name in order.
    """

    target: Target
    goal: Goal = field(default_factory=Goal)
    model: Model = "pinhole"
    observations: list[Observation] = field(default_factory=list)
    pictures: dict[str, Image] = field(default_factory=dict)
    _signatures: list[Array] = field(default_factory=list)
    _tilted: set[str] = field(default_factory=set)
    _last: Observation | None = None

    def offer(self, image: Image) -> Verdict:
        """Judge a frame, and keep it if it helps.

        A view is kept if the board stood still since the frame before, is sharp, is not like a
        view that is there, and shows corners in a new part of the picture or a new tilt or size.
        """
        name = f"view_{len(self.observations):03d}"
        found = find_target(image, self.target, name)
        before, self._last = self._last, found if isinstance(found, Observation) else None
        if isinstance(found, str):
            return Verdict(False, found)
        if self.observations and found.image_size != self.observations[0].image_size:
            return Verdict(False, "the picture's size has changed", found)
        if before is None or _moved_px(before, found) > 0.006 * max(found.image_size):
            return Verdict(False, "hold still", found)
        usual = self._usual_edge_px()
        if found.edge_px > max(_BLURRED * usual, usual + 1.5):
            return Verdict(
                False, f"blurred: edges {found.edge_px:.1f} px wide, else {usual:.1f}", found
            )
        signature = _signature(found, self.target)
        distances = [float(np.abs(signature - s).max()) for s in self._signatures]
        if distances and min(distances) < 0.12:
            return Verdict(False, "like a view that is there: move or tilt the board", found)
        self.observations.append(found)
        self.pictures[name] = image
        self._signatures.append(signature)
        self._tilted |= self._tilt(found)
        return Verdict(True, "taken", found)

    def _usual_edge_px(self) -> float:
        known = [o.edge_px for o in self.observations if np.isfinite(o.edge_px)]
        return float(np.median(known)) if known else float("inf")

    def _tilt(self, seen: Observation) -> set[str]:
        """To which sides the board is tilted, with a lens of usual focal length."""
        parameters = default_prior(self.model, seen.image_size).mean
        try:
            pose = fit_pose(
                View(self.target.places(seen.cells), seen.pixels), "pinhole", _nine(parameters)
            )
        except CalibrationError:
            return set()
        normal = cv2.Rodrigues(pose[:3])[0][:, 2]
        normal = normal * np.sign(normal[2])
        limit = np.sin(np.radians(_TILT_DEG)) * 0.8
        sides = set()
        if abs(normal[0]) > limit:
            sides.add("left" if normal[0] < 0 else "right")
        if abs(normal[1]) > limit:
            sides.add("up" if normal[1] < 0 else "down")
        return sides

    @property
    def coverage(self) -> Coverage:
        """Of the picture by corners."""
        size = self.observations[0].image_size if self.observations else (16, 16)
        return coverage_of([o.pixels for o in self.observations], size)

    def missing(self) -> list[str]:
        """What to do next, the most useful first; empty when there is enough."""
        hints = []
        regions = missing_regions(self.coverage) if self.observations else ["middle"]
        if regions and self.coverage.share < self.goal.coverage:
            hints.append(f"hold the board at the picture's {regions[0]}")
        elif self.coverage.share < self.goal.coverage:
            hints.append("bring the board nearer, or to the picture's corners")
        untilted = [side for side in _DIRECTIONS if side not in self._tilted]
        if untilted:
            hints.append(f"tilt the board {untilted[0]} by 30 to 45 degrees")
        if len(self.observations) < self.goal.views:
            count = self.goal.views - len(self.observations)
            hints.append(f"{count} more different view{'' if count == 1 else 's'}")
        return hints

    @property
    def done(self) -> bool:
        """True if nothing is missing, or there are as many views as may be."""
        return len(self.observations) >= self.goal.most or not self.missing()


def _nine(parameters: Array) -> Array:
    """Parameters of a pinhole without distortion."""
    return np.concatenate([parameters[:4], np.zeros(5)])


def _moved_px(a: Observation, b: Observation) -> float:
    """Median way of the corners that both show."""
    index = {tuple(cell): k for k, cell in enumerate(b.cells.tolist())}
    pairs = [(k, index[tuple(c)]) for k, c in enumerate(a.cells.tolist()) if tuple(c) in index]
    if len(pairs) < 4:
        return float("inf")
    left, right = (list(side) for side in zip(*pairs, strict=True))
    return float(np.median(np.linalg.norm(a.pixels[left] - b.pixels[right], axis=1)))


def _signature(seen: Observation, target: Target) -> Array:
    """Place, size, turn and perspective of a board, each about 0 to 1 over its range."""
    width, height = seen.image_size
    centre = seen.pixels.mean(0) / [width, height]
    places = target.places(seen.cells)[:, :2] / target.unit_m
    shifted = places - places.mean(0)
    h, _ = cv2.findHomography(shifted, seen.pixels, method=0)
    if h is None:
        return np.array([*centre, 0.0, 0.0, 0.0, 0.0])
    h = h / h[2, 2]
    size = np.sqrt(abs(np.linalg.det(h[:2, :2] - np.outer(h[:2, 2], h[2, :2]))))
    turn = np.arctan2(h[1, 0], h[0, 0])
    perspective = h[2, :2] * np.ptp(shifted, axis=0).max()
    return np.array([*centre, 0.7 * np.log(size), turn / 2, *(1.2 * perspective)])
