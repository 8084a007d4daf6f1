"""Pairs brought to a working size, with their structure maps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_sdk.geometry import apply, stretch

from .matcher import Matches
from .pairs import ImagePair
from .structure import CameraStructure

__all__ = ["Prepared", "prepare"]

Array = NDArray[np.float64]
Float = NDArray[np.float32]

_AREA_PX = 640 * 480
_IR_SIGMA_PX, _VISIBLE_SIGMA_PX = 1.0, 1.5
_IR_MARGIN_PX, _VISIBLE_MARGIN_PX = 4, 1


@dataclass(frozen=True)
class Prepared:
    """Structure of all pairs, on working sizes of about 640 x 480 pixels.

    Attributes:
        ir, visible: structure maps.
        ir_to_work, visible_to_work: (3, 3), pixels of the pictures to working pixels.
        ir_size, visible_size: (width, height) of the pictures.
    """

    ir: CameraStructure
    visible: CameraStructure
    ir_to_work: Array
    visible_to_work: Array
    ir_size: tuple[int, int]
    visible_size: tuple[int, int]

    @property
    def count(self) -> int:
        """Number of pairs."""
        return self.ir.count

    @property
    def visible_px_per_work_px(self) -> float:
        """Pixels of the visible picture per working pixel."""
        return math.sqrt(1 / float(self.visible_to_work[0, 0] * self.visible_to_work[1, 1]))

    def full_homography(self, working: Array) -> Array:
        """A homography between working pixels as one between the pictures' pixels."""
        full = np.linalg.inv(self.visible_to_work) @ working @ self.ir_to_work
        return np.asarray(full / full[2, 2])

    def working_homography(self, full: Array) -> Array:
        """The inverse of :meth:`full_homography`."""
        working = self.visible_to_work @ full @ np.linalg.inv(self.ir_to_work)
        return np.asarray(working / working[2, 2])

    def to_working(self, matches: Matches) -> Matches:
        """The inverse of :meth:`to_full`."""
        return Matches(
            apply(self.ir_to_work, matches.ir_px),
            apply(self.visible_to_work, matches.visible_px),
            matches.scores,
        )

    def to_full(self, matches: Matches) -> Matches:
        """Matches in working pixels as matches in the pictures' pixels."""
        return Matches(
            apply(_inverse(self.ir_to_work), matches.ir_px),
            apply(_inverse(self.visible_to_work), matches.visible_px),
            matches.scores,
        )


def prepare(pairs: Sequence[ImagePair], focal_ratio: float | None = None) -> Prepared:
    """Structure maps of pairs.

    Args:
        pairs: at least one; all of one size a camera.
        focal_ratio: visible by infrared focal length, both in pixels, if known. Without it both
            pictures are brought to the same area, as if they showed the same angle.
    """
    ir_size, visible_size = pairs[0].ir_size, pairs[0].visible_size
    visible_scale = math.sqrt(_AREA_PX / (visible_size[0] * visible_size[1]))
    ir_scale = math.sqrt(_AREA_PX / (ir_size[0] * ir_size[1]))
    if focal_ratio is not None:
        ir_scale = visible_scale * focal_ratio
    ir_work, visible_work = _size(ir_size, ir_scale), _size(visible_size, visible_scale)
    return Prepared(
        CameraStructure.of(
            [_resized(pair.ir, ir_work) for pair in pairs], _IR_SIGMA_PX, _IR_MARGIN_PX
        ),
        CameraStructure.of(
            [_resized(pair.visible, visible_work) for pair in pairs],
            _VISIBLE_SIGMA_PX,
            _VISIBLE_MARGIN_PX,
        ),
        stretch(ir_size, ir_work),
        stretch(visible_size, visible_work),
        ir_size,
        visible_size,
    )


def _inverse(matrix: Array) -> Array:
    return np.asarray(np.linalg.inv(matrix), np.float64)


def _size(size: tuple[int, int], scale: float) -> tuple[int, int]:
    """(width, height) scaled alike, so that pixels stay square; the width is a multiple of 8."""
    width = max(64, 8 * round(size[0] * scale / 8))
    return width, max(64, round(size[1] * width / size[0]))


def _resized(image: Float, size: tuple[int, int]) -> Float:
    """In ``size``, without the last rows (7 at most), which make no multiple of 8.

    Every level is then whole. Squeezing them in would be shear that no rig has.
    """
    if (image.shape[1], image.shape[0]) != size:
        smaller = size[0] < image.shape[1]
        how = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
        image = np.asarray(cv2.resize(image, size, interpolation=how), np.float32)
    return np.ascontiguousarray(image[: size[1] - size[1] % 8])
