"""Targets in many pictures: the right detector, the board's size, and a reason for each miss."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from edge_sdk.errors import CalibrationError, SourceError
from edge_sdk.frames import Image

from .charuco import find_charuco
from .checkerboard import find_checkerboard
from .circles import find_circles
from .observation import Observation, Rejection
from .target import Target

__all__ = ["Findings", "draw", "find_target", "find_targets"]


@dataclass(frozen=True)
class Findings:
    """What was found in a set of pictures.

    Attributes:
        target: with its size, if it was asked for or could be found out.
        image_size: (width, height) of the pictures that count.
        observations: one a picture, in order.
        rejections: pictures without one, with the reason.
    """

    target: Target
    image_size: tuple[int, int]
    observations: list[Observation]
    rejections: list[Rejection]


def find_target(image: Image, target: Target, name: str = "picture") -> Observation | str:
    """The target in one picture, or the reason why there is none.

    Args:
        image: (H, W) or (H, W, 3) BGR, 8 or 16 bit.
        target: what to look for.
        name: of the picture.
    """
    if target.kind == "checkerboard":
        return find_checkerboard(image, target, name)
    if target.kind == "charuco":
        return find_charuco(image, target, name)
    return find_circles(image, target, name)


def find_targets(
    pictures: Iterable[tuple[str, Image | SourceError]],
    target: Target,
    progress: Callable[[str, Observation | str], None] | None = None,
) -> Findings:
    """The target in every picture of one camera.

    The size of the pictures is the most frequent one; others are rejected. The size of a
    checkerboard that was not given is the largest that is seen whole.

    Args:
        pictures: names and pictures, or why a picture could not be read.
        target: what to look for.
        progress: called with the name and the result of each picture.

    Raises:
        CalibrationError: no picture shows the target; the message says what was seen instead.
    """
    seen: list[tuple[str, tuple[int, int], Observation | str]] = []
    rejections: list[Rejection] = []
    first: Image | None = None
    for name, picture in pictures:
        if isinstance(picture, SourceError):
            rejections.append(Rejection(name, str(picture)))
            continue
        first = picture if first is None else first
        result = find_target(picture, target, name)
        seen.append((name, (picture.shape[1], picture.shape[0]), result))
        if progress is not None:
            progress(name, result)
    if not seen:
        reasons = "; ".join(f"{r.name}: {r.reason}" for r in rejections[:3])
        raise CalibrationError(f"there are no pictures to calibrate from{_colon(reasons)}")
    found_sizes = Counter(size for _, size, result in seen if isinstance(result, Observation))
    if not found_sizes:
        raise CalibrationError(_nothing(target, [r for _, _, r in seen], first))
    image_size = found_sizes.most_common(1)[0][0]
    observations: list[Observation] = []
    for name, size, result in seen:
        if size != image_size:
            reason = (
                f"is {size[0]}x{size[1]}, most pictures with a board are "
                f"{image_size[0]}x{image_size[1]}"
            )
            rejections.append(Rejection(name, reason))
        elif isinstance(result, str):
            rejections.append(Rejection(name, result))
        else:
            observations.append(result)
    if target.kind == "checkerboard" and target.size is None:
        target, observations, more = _sized(target, observations)
        rejections += more
    order = {name: position for position, (name, _, _) in enumerate(seen)}
    rejections.sort(key=lambda r: order.get(r.name, -1))
    return Findings(target, image_size, observations, rejections)


def _sized(
    target: Target, observations: list[Observation]
) -> tuple[Target, list[Observation], list[Rejection]]:
    """The board's size from the views, the longer side as columns; what is another board is out.

    Whole boards vote. Without any, the largest extent is taken, and no view counts as whole.
    """
    votes = Counter(
        (max(o.extent), min(o.extent)) for o in observations if o.complete and len(o) >= 12
    )
    if not votes:
        longest = max(max(o.extent) for o in observations)
        widest = max(min(o.extent) for o in observations)
        return target.sized(longest, widest), observations, []
    best = max(votes, key=lambda size: (votes[size], size))
    kept, rejections = [], []
    for o in observations:
        extent = (max(o.extent), min(o.extent))
        if extent[0] > best[0] or extent[1] > best[1]:
            reason = (
                f"shows {extent[0]}x{extent[1]} inner corners, most pictures {best[0]}x{best[1]}: "
                "another board, or false corners beside it"
            )
            rejections.append(Rejection(o.name, reason))
        else:
            kept.append(replace(o, complete=o.complete and extent == best))
    return target.sized(*best), kept, rejections


def _nothing(target: Target, results: list[Observation | str], first: Image | None) -> str:
    """Why no picture shows the target, and what was seen instead."""
    reasons = Counter(r for r in results if isinstance(r, str))
    most = "; ".join(f"{reason} ({count})" for reason, count in reasons.most_common(3))
    hint = (
        "is the whole board in the picture, sharp and evenly lit? For thermal cameras heat the "
        "board (a lamp, the sun) or use a cut-out board before a warm plate"
    )
    if target.kind == "checkerboard" and target.size is not None and first is not None:
        other = find_checkerboard(first, Target(), "")
        if isinstance(other, Observation):
            a, b = other.extent
            hint = (
                f"the first picture shows a board of {a}x{b} inner corners; give --board {a}x{b}, "
                "or leave --board out to have it found"
            )
    return f"no {target.describe()} found in {len(results)} pictures: {most}; {hint}"


def _colon(text: str) -> str:
    return f": {text}" if text else ""


def draw(image: Image, observation: Observation) -> Image:
    """The picture with the points that were found, in colour, (H, W, 3) uint8."""
    from .prepare import grey, to_8_bit

    picture = cv2.cvtColor(to_8_bit(grey(image)), cv2.COLOR_GRAY2BGR)
    radius = max(2, round(min(picture.shape[:2]) / 160))
    rows = observation.cells[:, 1]
    for (u, v), row in zip(observation.pixels, rows, strict=True):
        hue = np.array([[[int(150 * row / max(1, rows.max())), 255, 255]]], np.uint8)
        colour = tuple(int(c) for c in cv2.cvtColor(hue, cv2.COLOR_HSV2BGR)[0, 0])
        cv2.circle(picture, (round(u), round(v)), radius, colour, -1, cv2.LINE_AA)
    return picture
