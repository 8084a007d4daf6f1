"""Finds people and vehicles in the infrared image, without weights: they are warmer."""

from __future__ import annotations

import cv2
import numpy as np

from edge_sdk.errors import ConfigError
from edge_sdk.frames import FusedFrame, Image
from edge_sdk.tracking._cut import cut_side_by_side
from edge_sdk.tracking._join import join_parts
from edge_sdk.tracking._regions import Floats, HeatMap, Ints, ramp
from edge_sdk.tracking._tree import ThresholdTree
from edge_sdk.tracking.detections import Detections

__all__ = ["WarmObjectDetector"]

WORK_PX = 320
"""Longer side of the image that is looked at; a larger one is averaged down first."""
STRIPE_SIGMA = 0.8
"""Grey levels; column stripes stronger than this are taken out before anything else."""
NOISE_SIGMAS = 3.0
HOTTEST_QUANTILE = 0.998
LOWEST_SHARE = 0.13
"""Of the hottest, the least that can still belong to a body ..."""
HALF_SURE_SHARE = 0.35
"""... and the contrast at which it is as likely something else, say a wall in the sun."""
MIN_SOLIDITY = 0.7
"""Parts with more thin lines than this, such as blinds, are joined to no body."""
RELIEF = 0.4, 0.7
"""Spread of the heat in a body's box as a share of its contrast (at most ``min_contrast``): less is
no body but a piece of a warm wall, more is as good as any."""
FULL_SCORE = 0.8
"""The raw score of a body with much contrast, which is reported as 1."""


class WarmObjectDetector:
    """Detects what is warmer than its surroundings and has the shape of a body.

    Steps: average down to 320 pixels; take out column stripes; subtract the background (a median
    over half the image) and lines that are thin in height (blinds, rails, the edges of stairs);
    build a tree of thresholds above the noise and keep the regions with a sharp rim and the shape
    of a body; cut where two heads stand beside each other; join a head and legs that a cold jacket
    keeps apart. Each frame stands for itself: nothing is remembered.

    White must be hot. It is a detector of people for the dark and for smoke. A warm window, lamp or
    trunk of a person's shape is reported too, and by day, with warm walls and trees, there are many
    of those; two who overlap may be one box; a vehicle is found in part or not at all. Where it
    matters what an object is, use a trained detector.

    Args:
        min_contrast: grey levels of the toned infrared that an object is warmer than what is beside
            it. Objects with this contrast are found half certain, none below half of it.
        min_area_px: smallest box, in pixels of the fused image.
        max_area_share: largest box, as a share of the image.
        min_height_share: smallest height of a box, as a share of the image height.
        min_score: 0 to 1; less certain objects are not reported.
        label: the label of all detections.

    Raises:
        ConfigError: a value is outside its range.
    """

    def __init__(
        self,
        min_contrast: float = 25.0,
        min_area_px: int = 40,
        max_area_share: float = 0.35,
        min_height_share: float = 0.035,
        min_score: float = 0.25,
        label: str = "warm",
    ) -> None:
        for name, value, low, high in (
            ("min_contrast", min_contrast, 1.0, 255.0),
            ("min_area_px", min_area_px, 1, 1e9),
            ("max_area_share", max_area_share, 0.001, 1.0),
            ("min_height_share", min_height_share, 0.01, 0.5),
            ("min_score", min_score, 0.0, 1.0),
        ):
            if not low <= value <= high:
                raise ConfigError(f"{name} must be from {low:g} to {high:g}, but got {value!r}")
        self.min_contrast = float(min_contrast)
        self.min_area_px = min_area_px
        self.max_area_share = max_area_share
        self.min_height_share = min_height_share
        self.min_score = min_score
        self.label = label

    def detect(self, fused: FusedFrame) -> Detections:
        """Warm objects of one frame, best first; none if ``fused.ir`` is missing.

        Raises:
            ConfigError: ``fused.ir`` is not a (H, W) uint8 image of at least 32x32 pixels.
        """
        ir = fused.ir
        if ir is None:
            return Detections.empty()
        if ir.ndim != 2 or ir.dtype != np.uint8 or min(ir.shape) < 32:
            raise ConfigError(
                "ir must be a (H, W) uint8 image of 32x32 pixels or more, but got shape "
                f"{ir.shape} {ir.dtype}; tone 16-bit infrared first (edge_sdk.tone.ToneMapper)"
            )
        image, raw, heat, noise = _heat(ir)
        height, width = image.shape
        hottest = _quantile(heat, HOTTEST_QUANTILE)
        lowest = max(0.2 * self.min_contrast, NOISE_SIGMAS * noise, LOWEST_SHARE * hottest)
        heat_map = HeatMap(heat, raw, max(self.min_contrast, HALF_SURE_SHARE * hottest))
        min_height = self.min_height_share * height

        size = _body_size(np.arange(height + 1) / height, self.min_height_share)

        def shape(w: Ints, h: Ints, area: Ints) -> Floats:
            return _body_shape(w, h, area) * size[h]

        tree = ThresholdTree(heat, lowest)
        numbers = tree.best(heat_map, shape)
        contrast = heat_map.contrast(tree.regions.take(numbers))
        numbers = numbers[contrast > 0.5 * self.min_contrast]
        parts = cut_side_by_side(tree, numbers, shape, min_height)
        is_solid = heat_map.solidity(parts) >= MIN_SOLIDITY
        alone, bodies, form = join_parts(parts.take(np.flatnonzero(is_solid)))
        alone = alone.plus(parts.take(np.flatnonzero(~is_solid)))
        form *= size[bodies.size[1]]
        alone_width, alone_height = alone.size
        form = np.concatenate((shape(alone_width, alone_height, alone.area), form))
        regions = alone.plus(bodies)

        possible = np.flatnonzero((form > 0.0) & (regions.size[1] >= min_height))
        regions, form = regions.take(possible), form[possible]
        contrast = heat_map.contrast(regions)
        score = form * heat_map.certainty(contrast) * heat_map.solidity(regions)
        # Where there is no contrast the score is 0 already.
        unit = np.where(contrast > 0.0, np.minimum(contrast, self.min_contrast), 1.0)
        score *= ramp(heat_map.relief(regions), RELIEF[0] * unit, RELIEF[1] * unit)
        score = np.minimum(score / FULL_SCORE, 1.0)
        order = np.argsort(-score, kind="stable")
        order = order[score[order] >= self.min_score]
        order = order[_without_nested(regions.box[:, order])]

        scale = np.array([ir.shape[1] / width, ir.shape[0] / height] * 2)
        boxes = regions.box[:, order].T * scale
        areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        fits = (areas >= self.min_area_px) & (areas <= self.max_area_share * ir.size)
        scores = score[order].astype(np.float32)
        return Detections(
            boxes[fits].astype(np.float32), scores[fits], (self.label,) * int(fits.sum())
        )


def _body_shape(width: Ints, height: Ints, area: Ints) -> Floats:
    """0 to 1: tall as a person rather than flat, and filling its box rather than a rim."""
    aspect = height / width
    # The lower of two ramps, clipped once.
    upright = np.minimum((aspect - 0.25) / (2.2 - 0.25), (aspect - 9.0) / (4.2 - 9.0))
    upright = np.minimum(np.maximum(upright, 0.0), 1.0)
    return np.asarray(upright * ramp(area / (width * height), 0.05, 0.45))


def _body_size(height_share: Floats, min_share: float) -> Floats:
    small = ramp(height_share, 0.8 * min_share, 1.4 * min_share)
    return np.asarray(np.minimum(small, ramp(height_share, 1.35, 0.8)))


def _heat(
    ir: Image,
) -> tuple[Image, Image, Image, float]:
    """The small image, its heat with and without thin lines, and the noise's sigma in it."""
    scale = min(1.0, WORK_PX / max(ir.shape))
    image = ir
    if scale < 1.0:
        size = (max(1, round(ir.shape[1] * scale)), max(1, round(ir.shape[0] * scale)))
        image = cv2.resize(ir, size, interpolation=cv2.INTER_AREA)
    image = cv2.GaussianBlur(_without_stripes(image), (3, 3), 0)
    raw = cv2.subtract(image, _background(image))
    line = max(3, round(0.021 * image.shape[0]))
    heat = cv2.morphologyEx(raw, cv2.MORPH_OPEN, np.ones((line, 1), np.uint8))
    return image, raw, heat, _noise(image)


def _without_stripes(image: Image) -> Image:
    """Fixed column stripes, as uncooled sensors have them, removed if there are any."""
    rows = image[:: max(1, image.shape[0] // 32)].astype(np.float32)
    detail = cv2.transpose(rows - cv2.blur(rows, (9, 1)))  # partition is fast along rows
    middle = len(rows) // 2
    stripes = np.partition(detail, middle, axis=1)[:, middle]
    if float(stripes.std()) < STRIPE_SIGMA:
        return image
    offsets = np.broadcast_to(np.round(stripes).astype(np.int16), image.shape)
    return np.asarray(cv2.subtract(image.astype(np.int16), offsets, dtype=cv2.CV_8U))


def _background(image: Image) -> Image:
    """Median over a square of half the image's shorter side: no body fills half of that."""
    height, width = image.shape
    size = (max(4, width // 8), max(4, height // 8))
    cells = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    aperture = (min(size) // 2) | 1
    pad = aperture // 2
    padded = cv2.copyMakeBorder(cells, pad, pad, pad, pad, cv2.BORDER_REFLECT_101)
    median = cv2.medianBlur(padded, aperture)[pad:-pad, pad:-pad]
    return np.asarray(cv2.resize(median, (width, height), interpolation=cv2.INTER_LINEAR))


def _noise(image: Image) -> float:
    """Sigma of the noise from the median absolute difference of pixels two columns apart."""
    difference = cv2.absdiff(image[::4, 2:], image[::4, :-2])
    return 1.4826 * _quantile(difference, 0.5) / 2.0**0.5


def _quantile(image: Image, share: float) -> int:
    """The least grey level that ``share`` of the pixels do not exceed."""
    most = image.size - share * image.size
    low, high = 0, 255
    while low < high:  # eight counts take half the time of a histogram
        level = (low + high) // 2
        if cv2.countNonZero(cv2.threshold(image, level, 255, cv2.THRESH_BINARY)[1]) > most:
            low = level + 1
        else:
            high = level
    return low


def _without_nested(boxes: Ints) -> Ints:
    """Those of (4, N), best first, that do not lie mostly inside something better, or around it."""
    x0, y0, x1, y1 = boxes
    width = np.minimum(x1[:, None], x1) - np.maximum(x0[:, None], x0)
    height = np.minimum(y1[:, None], y1) - np.maximum(y0[:, None], y0)
    area = (x1 - x0) * (y1 - y0)
    inside = np.maximum(width, 0) * np.maximum(height, 0) > 0.6 * np.minimum(area[:, None], area)
    kept: list[int] = []
    for number, others in enumerate(inside.tolist()):
        if not any(others[k] for k in kept):
            kept.append(number)
    return np.array(kept, np.int64)
