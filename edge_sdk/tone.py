"""16-bit thermal pictures to 8 bit, for eyes and networks, without flicker."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edge_sdk.errors import ConfigError
from edge_sdk.frames import Image

__all__ = ["ToneMapper"]

Array = NDArray[np.float64]

_BINS = 256
_STEP = 8  # counts between the points at which the curve is kept and smoothed
_GRID = np.arange(0, 65536 + _STEP, _STEP, dtype=np.float64)
_COUNTS = np.arange(65536, dtype=np.float64)
_BETWEEN_COUNTS = np.arange(65537) - 0.5
_MARGIN = 0.25  # how far the body reaches beyond the percentiles, in their distance
_COLD, _HOT = 0.06, 0.14  # share of the grey levels kept for what is colder, hotter than the body
_MIN_HALF_WIDTH = 4.0  # counts; an all-equal picture still has a body
_HASTE_LEVELS = 24.0  # mean error of the curve at which it moves twice as fast


class ToneMapper:
    """Maps infrared counts to grey levels by a curve that follows the scene slowly.

    Plateau equalisation (Vickers, "Plateau equalization algorithm for real-time display of
    high-quality infrared imagery", Optical Engineering 35(7), 1996): the histogram's bins are cut
    off at a plateau before they are summed up to a curve, so that large even surfaces do not take
    all grey levels. As in the automatic gain control of infrared cores, the curve is blended with a
    straight line, and its slope is bounded, so that noise is not blown up in a scene of low
    contrast.

    What keeps the background steady when something hot enters:

    - Plateau and line work on the scene's *body* alone: from the low to the high percentile and a
      margin of a quarter of that width on both sides. Hotter and colder counts have grey levels of
      their own (14 % and 6 %) which they fill by x / (x + width), which hardly saturates. So a hot
      object of less than 5 % of the pixels is there at once, above the background, and takes next
      to nothing from it (some 3 grey levels at 3 %); neither do dead pixels.
    - The curve is smoothed over time. It moves the faster the more it is off (a scene change), so
      that a new scene is not shown saturated for long.

    Args:
        plateau: most that one of 256 bins of the body may count, share of its pixels, above 0 to 1;
            small values come close to a straight line, 1 is plain histogram equalisation.
        linear: weight of the straight line in the blend, 0 to 1.
        max_gain: steepest slope, grey levels per count.
        low_percentile: where the scene's body begins, 0 to 50.
        high_percentile: where the scene's body ends, 50 to 100.
        smoothing_s: time constant of the curve, seconds; 0 makes each frame's curve its own.
        reset_gap_s: after a gap as long as this, or a step back in time, the curve starts anew.

    Raises:
        ConfigError: an argument is out of its range.
    """

    def __init__(
        self,
        plateau: float = 0.01,
        linear: float = 0.5,
        max_gain: float = 1.5,
        low_percentile: float = 5.0,
        high_percentile: float = 95.0,
        smoothing_s: float = 1.0,
        reset_gap_s: float = 2.0,
    ) -> None:
        for name, value, good, allowed in (
            ("plateau", plateau, 0 < plateau <= 1, "above 0, up to 1"),
            ("linear", linear, 0 <= linear <= 1, "0 to 1"),
            ("max_gain", max_gain, 0 < max_gain < math.inf, "above 0"),
            ("low_percentile", low_percentile, 0 <= low_percentile < 50, "0 to below 50"),
            ("high_percentile", high_percentile, 50 < high_percentile <= 100, "above 50 to 100"),
            ("smoothing_s", smoothing_s, 0 <= smoothing_s < math.inf, "0 or more"),
            ("reset_gap_s", reset_gap_s, reset_gap_s > 0, "above 0"),
        ):
            if not good:
                raise ConfigError(f"tone.{name}: found {value}, allowed: {allowed}")
        self._plateau, self._linear, self._max_gain = plateau, linear, max_gain
        self._body = low_percentile / 100, high_percentile / 100
        self._smoothing_s, self._reset_gap_s = smoothing_s, reset_gap_s
        self.reset()

    def reset(self) -> None:
        """Forget the curve; the next frame starts a new one."""
        self._curve: Array | None = None
        self._table: NDArray[np.uint8] | None = None
        self._timestamp_ns = 0
        self._mean = 0.0
        self._held = False

    def step(
        self,
        image: Image,
        timestamp_ns: int,
        hold: bool = False,
        valid: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.uint8]:
        """One frame for display.

        Args:
            image: (H, W) uint16 counts, or uint8, which is returned as it is.
            timestamp_ns: time of the frame, nanoseconds.
            hold: the picture is not of the scene (shutter closed for a flat-field correction, or
                frozen): use the curve as it is and learn nothing. After it the curve is shifted by
                the jump of the mean, since a correction moves all counts.
            valid: (H, W) bool, pixels that hold infrared (``Aligner.valid_mask``); the others count
                for nothing and become 0. None: all do.

        Returns:
            (H, W) uint8.

        Raises:
            ConfigError: the image has another shape or type, or ``valid`` another shape.
        """
        if image.ndim != 2 or image.dtype not in (np.uint8, np.uint16) or image.size == 0:
            raise ConfigError(
                "infrared to be toned must be of shape (H, W), uint8 or uint16, "
                f"found shape {image.shape}, {image.dtype}"
            )
        if valid is not None and (valid.shape != image.shape or valid.dtype != np.bool_):
            raise ConfigError(
                f"valid must be bool of the image's shape {image.shape}, "
                f"found shape {valid.shape}, {valid.dtype}"
            )
        if image.dtype == np.uint8:
            return image
        table = self._next_table(image, timestamp_ns, hold, valid)
        toned = np.take(table, image)
        if valid is not None:
            np.multiply(toned, valid.view(np.uint8), out=toned)
        return toned

    def _next_table(
        self, image: Image, timestamp_ns: int, hold: bool, valid: NDArray[np.bool_] | None
    ) -> NDArray[np.uint8]:
        if hold and self._table is not None:
            self._held, self._timestamp_ns = True, timestamp_ns
            return self._table
        histogram = _histogram(image, valid)
        if histogram is None:
            return self._table if self._table is not None else np.zeros(65536, np.uint8)
        scene = _Scene(*histogram, self._body)
        target = self._target(scene)
        if hold:  # no curve yet: one for this frame alone
            return _table(target)
        gap_s = (timestamp_ns - self._timestamp_ns) / 1e9
        if self._curve is None or gap_s < 0 or gap_s >= self._reset_gap_s:
            self._curve = target
        else:
            if self._held:
                moved = scene.mean - self._mean
                self._curve = np.interp(_GRID - moved, _GRID, self._curve)
            away = target - self._curve
            self._curve = self._curve + self._rate(scene, away, gap_s) * away
        self._held, self._mean, self._timestamp_ns = False, scene.mean, timestamp_ns
        self._table = _table(self._curve)
        return self._table

    def _rate(self, scene: _Scene, away: Array, gap_s: float) -> float:
        """Share of the way ``away`` from its target that the curve goes in ``gap_s`` seconds."""
        if self._smoothing_s == 0:
            return 1.0
        off = float((scene.weights * np.abs(away)).sum())
        haste = 1 + (off / _HASTE_LEVELS) ** 2
        return 1 - math.exp(-gap_s * haste / self._smoothing_s)

    def _target(self, scene: _Scene) -> Array:
        """The curve for one frame alone: grey levels (float, 0 to 255) at ``_GRID``."""
        shares = np.minimum(scene.shares, self._plateau)
        density = (1 - self._linear) * shares / shares.sum() + self._linear / _BINS
        width = (scene.hi - scene.lo) / _BINS
        cold, hot = 255 * _COLD, 255 * _HOT
        steps = np.minimum(density * (255 - cold - hot), self._max_gain * width)
        body = np.concatenate([[0.0], np.cumsum(steps)])
        edges = np.linspace(scene.lo, scene.hi, _BINS + 1)
        # Levels that the bounded slope leaves over go to both sides: the median becomes mid-grey.
        left_over = 255 - cold - hot - body[-1]
        middle = float(np.interp(scene.median, edges, body))
        bottom = min(max(127.5 - middle, cold), cold + left_over)
        top = bottom + body[-1]
        curve = np.interp(_GRID, edges, bottom + body)
        curve += self._tail(_GRID - scene.hi, 255 - top, scene)
        curve -= self._tail(scene.lo - _GRID, bottom, scene)
        return curve

    def _tail(self, beyond: Array, room: float, scene: _Scene) -> Array:
        """Grey levels, 0 up to ``room``, for counts that lie ``beyond`` an end of the body."""
        reach = max(scene.hi - scene.lo, room / self._max_gain)
        beyond = np.maximum(beyond, 0)
        return np.asarray(room * beyond / (beyond + reach))


class _Scene:
    """What a histogram says about the scene.

    Attributes:
        lo, hi: counts between which the scene's body lies.
        median, mean: counts; the mean after clipping to the body.
        shares: (256,) share of the body's pixels in each of 256 bins from lo to hi.
        weights: share of all pixels at each point of ``_GRID``.
    """

    def __init__(self, first: int, counts: NDArray[np.int64], body: tuple[float, float]) -> None:
        below = np.cumsum(counts, dtype=np.float64)
        total = below[-1]
        ranks = np.maximum(np.array([body[0], 0.5, body[1]]) * total, 1.0)
        at = first + np.searchsorted(below, ranks)
        left, self.median, right = (float(v) for v in at)
        margin = max(_MARGIN * (right - left), _MIN_HALF_WIDTH)
        self.lo, self.hi = left - margin, right + margin
        # The pixels of count v lie between v - 0.5 and v + 0.5.
        edges = np.linspace(self.lo, self.hi, _BINS + 1)
        between = _BETWEEN_COUNTS[first : first + counts.size + 1]
        shares = np.diff(np.interp(edges, between, np.append(0.0, below)))
        self.shares = shares / shares.sum()
        steps = counts.reshape(-1, _STEP).sum(axis=1) / total
        self.weights = np.zeros(_GRID.size)
        self.weights[first // _STEP : first // _STEP + steps.size] = steps
        # A sum, not @: BLAS would start threads for it, which costs milliseconds on a busy machine.
        clipped = np.clip(_COUNTS[first : first + counts.size], self.lo, self.hi)
        self.mean = float((counts * clipped).sum() / total)


def _histogram(
    image: Image, valid: NDArray[np.bool_] | None
) -> tuple[int, NDArray[np.int64]] | None:
    """First count, and the pixels of it and each of those after it, up to the highest that occurs.

    From some 80,000 pixels; both ends are multiples of ``_STEP``. None without any pixel.
    """
    stride = max(1, round(math.sqrt(image.size / 80_000)))
    pixels = image[::stride, ::stride]
    pixels = pixels.ravel() if valid is None else pixels[valid[::stride, ::stride]]
    if not pixels.size:
        return None
    first = int(pixels.min()) // _STEP * _STEP
    length = (int(pixels.max()) - first) // _STEP * _STEP + _STEP
    return first, np.bincount(pixels - np.uint16(first), minlength=length)


def _table(curve: Array) -> NDArray[np.uint8]:
    """(65536,) grey levels: ``curve`` between the points of ``_GRID``, rounded."""
    fraction = np.arange(_STEP) / _STEP
    fine = curve[:-1, None] + np.diff(curve)[:, None] * fraction
    return (np.clip(fine, 0, 255) + 0.5).astype(np.uint8).ravel()
