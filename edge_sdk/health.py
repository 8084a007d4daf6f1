"""Whether the two pictures still lie on each other: a cheap score while the pipeline runs.

Edges have the same orientation in both spectra. From every few frames the orientation of edges of
both aligned pictures, at a quarter of their size, goes into one cross-spectrum that forgets slowly;
once in a while its inverse transform is looked at: the place of its peak is the shift between the
pictures. A rig that was knocked moves the peak, and it stays moved; a person that walks through
does neither for long.

The four quarters of the picture have cross-spectra of their own: if their shifts are those of a
turn about the centre, the cameras have rolled. An object that fills the picture at another distance
than the one aligned at is shifted as well (parallax), and is reported as such.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_sdk.frames import Image

__all__ = ["AlignmentHealth", "AlignmentMonitor"]

Float = NDArray[np.float32]

_SHRINK = 4
_AROUND_PX = 25
_NOISE = 2.0
_EDGE_PX = 3
_MIN_PEAK = 6.0
_NEAR_PX = 3
_MIN_QUARTERS, _MIN_QUARTER_PEAK = 3, 5.0
_ROLL_MISFIT = 0.5
"""Share of a roll's displacements that may remain unexplained: more is depth, not roll."""


@dataclass(frozen=True, slots=True)
class AlignmentHealth:
    """What the last seconds say about the alignment.

    Attributes:
        timestamp_ns: of the newest frame in it.
        shift_px: (x, y) by which the visible content lies beside the infrared, pixels of the
            aligned pictures; (0, 0) is aligned.
        roll_deg: turn of the visible content about the centre against the infrared, degrees from x
            towards y; 0 where the quarters of the picture do not agree on one.
        radius_px: root mean square distance of the picture's pixels from its centre.
        peak: how far the best shift stands out of all shifts, in standard deviations; below 6 the
            scene has too little structure in common, and ``shift_px`` says nothing. At least 6 if
            the quarters agree on a roll.
        score: correlation without a shift, as a share of the correlation at the best shift, 0..1.
        misaligned: the alarm: the shift has been beyond the limit, and the same, for long enough.
    """

    timestamp_ns: int
    shift_px: tuple[float, float]
    roll_deg: float
    radius_px: float
    peak: float
    score: float
    misaligned: bool

    @property
    def certain(self) -> bool:
        """True if there is enough structure to say anything."""
        return self.peak >= _MIN_PEAK

    @property
    def distance_px(self) -> float:
        """Root mean square displacement over the picture, by shift and roll together."""
        return math.hypot(*self.shift_px, math.radians(self.roll_deg) * self.radius_px)


class AlignmentMonitor:
    """Watches aligned pairs.

    Args:
        limit_px: displacement (``distance_px``) that is an alarm, pixels of the aligned pictures.
        every: only one of so many frames is looked at.
        check_s: time between two answers, seconds of the frames' own time.
        memory_s: frames older than this count for less than 1/e.
        checks: so many answers in a row must agree on a shift beyond the limit, or, to end an
            alarm, on one within it.
    """

    def __init__(
        self,
        limit_px: float = 4.5,
        every: int = 4,
        check_s: float = 1.0,
        memory_s: float = 1.0,
        checks: int = 3,
    ) -> None:
        self._limit_px = limit_px
        self._every = every
        self._check_ns = round(check_s * 1e9)
        self._memory_ns = memory_s * 1e9
        self._recent: deque[tuple[float, float, float]] = deque(maxlen=checks)
        self._misaligned = False
        self.reset()

    def reset(self) -> None:
        """Forget all, for instance after the alignment was changed."""
        self._spectrum: Float | None = None
        self._shape: tuple[int, ...] | None = None
        self._mask: Float | None = None
        self._mask_of: Image | None = None
        self._count = 0
        self._last_ns: int | None = None
        self._answer_ns: int | None = None
        self._recent.clear()
        self._misaligned = False

    def update(
        self, ir: Image, visible: Image, timestamp_ns: int, valid: Image | None = None
    ) -> AlignmentHealth | None:
        """Look at one aligned pair.

        Args:
            ir: (H, W) uint8, toned.
            visible: (H, W, 3) or (H, W) uint8.
            timestamp_ns: of the pair.
            valid: (H, W) bool, where the infrared covers the grid; None for everywhere. The same
                array as long as it does not change.

        Returns:
            A new answer about once in ``check_s``, else None.
        """
        self._count += 1
        if (self._count - 1) % self._every:
            return None
        size = ir.shape[1] // _SHRINK, ir.shape[0] // _SHRINK
        mask = self._mask_for(valid, size)
        grey = cv2.cvtColor(visible, cv2.COLOR_BGR2GRAY) if visible.ndim == 3 else visible
        a, b = (_structure(_quarter(image, size), mask) for image in (ir, grey))
        product = _cross_spectra(a, b)
        last_ns = self._last_ns
        self._last_ns = timestamp_ns
        restarted = last_ns is None or not 0 <= timestamp_ns - last_ns < 10 * self._check_ns
        if restarted or self._spectrum is None or self._shape != mask.shape:
            self._spectrum, self._shape = product, mask.shape
            self._answer_ns = timestamp_ns
            self._recent.clear()
            return None
        assert last_ns is not None and self._answer_ns is not None
        keep = math.exp(-(timestamp_ns - last_ns) / self._memory_ns)
        cv2.addWeighted(self._spectrum, keep, product, 1 - keep, 0, dst=self._spectrum)
        if timestamp_ns - self._answer_ns < self._check_ns:
            return None
        self._answer_ns = timestamp_ns
        return self._answer(timestamp_ns)

    def _answer(self, timestamp_ns: int) -> AlignmentHealth:
        assert self._spectrum is not None
        assert self._shape is not None
        whole, *quarters = _planes(self._spectrum, self._shape)
        main = _peak(whole)
        shift, roll, peak = main.shift_px, 0.0, main.height
        turn = _turn([_peak(one) for one in quarters], self._shape)
        if turn is not None:
            roll = turn.roll
            if peak < _MIN_PEAK:  # a large roll blurs the whole picture's peak
                shift, peak = turn.shift_px, max(_MIN_PEAK, turn.height)
        radius = _SHRINK * math.hypot(*self._shape) / math.sqrt(12)
        if peak >= _MIN_PEAK:
            self._recent.append((*shift, roll * radius))
            self._decide()
        return AlignmentHealth(
            timestamp_ns, shift, math.degrees(roll), radius, peak, main.score, self._misaligned
        )

    def _decide(self) -> None:
        if len(self._recent) < (self._recent.maxlen or 1):
            return
        shifts = np.array(self._recent)
        beyond = np.linalg.norm(shifts, axis=1) > self._limit_px
        if beyond.all() and (np.ptp(shifts, axis=0) <= self._limit_px).all():
            self._misaligned = True
        elif not beyond.any():
            self._misaligned = False

    def _mask_for(self, valid: Image | None, size: tuple[int, int]) -> Float:
        if self._mask is None or self._mask_of is not valid or self._mask.shape != size[::-1]:
            whole = np.ones(size[::-1], np.float32)
            if valid is not None:
                small = cv2.resize(valid.astype(np.float32), size, interpolation=cv2.INTER_AREA)
                whole = (small > 0.999).astype(np.float32)
            padded = cv2.copyMakeBorder(whole, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
            kernel = np.ones((2 * _EDGE_PX + 1,) * 2, np.uint8)
            self._mask = np.asarray(cv2.erode(padded, kernel)[1:-1, 1:-1], np.float32)
            self._mask_of = valid
        return self._mask


def _quarter(image: Image, size: tuple[int, int]) -> Image:
    """In two halvings, which OpenCV does several times faster than a quartering."""
    half = cv2.resize(image, (2 * size[0], 2 * size[1]), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(half, size, interpolation=cv2.INTER_AREA))


def _structure(grey: Image, mask: Float) -> Float:
    """(H, W, 2) double angle of edges, their strength relative to what is around them."""
    x = np.asarray(cv2.Scharr(grey, cv2.CV_32F, 1, 0), np.float32)
    y = np.asarray(cv2.Scharr(grey, cv2.CV_32F, 0, 1), np.float32)
    xx, yy = x * x, y * y
    square = xx + yy
    around = np.maximum(cv2.blur(square, (_AROUND_PX, _AROUND_PX)), 0)  # a running sum may be -0.01
    # s (cos 2a, sin 2a) with (x, y) = r (cos a, sin a) is s ((x^2 - y^2), 2 x y) / r^2, s = r / m.
    noise = (16 * _NOISE) ** 2
    weight = mask / np.sqrt((square + noise) * (around + noise))
    planes = [(xx - yy) * weight, 2 * x * y * weight]
    covered = max(float(mask.sum()), 1.0)
    # Without its mean: a wall of vertical lines must not match at every shift.
    levelled = [plane - mask * (float(plane.sum()) / covered) for plane in planes]
    return np.asarray(cv2.merge(levelled), np.float32)


def _parts(shape: tuple[int, ...]) -> list[tuple[slice, slice]]:
    """The whole picture and its quarters: top left, top right, bottom left, bottom right."""
    rows, columns = shape[0] // 2, shape[1] // 2
    halves = [(y, x) for y in (0, rows) for x in (0, columns)]
    quarters = [(slice(y, y + rows), slice(x, x + columns)) for y, x in halves]
    return [(slice(0, shape[0]), slice(0, shape[1])), *quarters]


def _cross_spectra(a: Float, b: Float) -> Float:
    """Cross-spectra of the parts of two structures, one after the other, (N, 2)."""
    spectra = []
    for part in _parts(a.shape):
        left, right = (cv2.dft(np.ascontiguousarray(one[part])) for one in (a, b))
        spectra.append(cv2.mulSpectrums(right, left, 0, conjB=True).reshape(-1, 2))
    return np.concatenate(spectra)


def _planes(spectra: Float, shape: tuple[int, ...]) -> list[Float]:
    """For every part the correlation at every shift, no shift in the middle."""
    planes, start = [], 0
    for rows, columns in _parts(shape):
        size = rows.stop - rows.start, columns.stop - columns.start
        spectrum = spectra[start : start + size[0] * size[1]].reshape(*size, 2)
        start += size[0] * size[1]
        inverse = cv2.dft(spectrum, flags=cv2.DFT_INVERSE | cv2.DFT_SCALE)
        planes.append(np.fft.fftshift(np.asarray(inverse[..., 0], np.float32)))
    return planes


@dataclass(frozen=True, slots=True)
class _Peak:
    """The best shift (pixels of the aligned pictures); see ``AlignmentHealth``."""

    shift_px: tuple[float, float]
    height: float
    score: float


def _peak(scores: Float) -> _Peak:
    height, width = scores.shape
    cy, cx = height // 2, width // 2
    # Shifts beyond a quarter of the picture are no knock, and little of both overlaps there.
    window = scores[cy - height // 4 : cy + height // 4, cx - width // 4 : cx + width // 4]
    if not window.size:  # fewer than 4 pixels: minMaxLoc would end the process
        return _Peak((0.0, 0.0), 0.0, 0.0)
    cy, cx = height // 4, width // 4
    _, best, _, (x, y) = cv2.minMaxLoc(window)
    far = np.ones(window.shape, np.bool_)
    far[max(0, y - _NEAR_PX) : y + _NEAR_PX + 1, max(0, x - _NEAR_PX) : x + _NEAR_PX + 1] = 0
    if not far.any():  # a picture so small that no shift is far from the best one
        return _Peak((0.0, 0.0), 0.0, 0.0)
    noise = float(window[far].std())
    centre = float(window[cy - 1 : cy + 2, cx - 1 : cx + 2].max())
    shift = (
        _SHRINK * (x - cx + _vertex(window[y], x)),
        _SHRINK * (y - cy + _vertex(window[:, x], y)),
    )
    return _Peak(
        shift,
        (best - float(window[far].mean())) / max(noise, 1e-12),
        max(0.0, min(1.0, centre / best)) if best > 0 else 0.0,
    )


@dataclass(frozen=True, slots=True)
class _Turn:
    """Shift of the centre, roll in radians, and the median height of the peaks that agree on it."""

    shift_px: tuple[float, float]
    roll: float
    height: float


def _turn(quarters: list[_Peak], shape: tuple[int, ...]) -> _Turn | None:
    """Turn about the centre that the shifts of the quarters have in common; None if none.

    Least squares of shift + roll (-y, x) + scale (x, y) over the quarters with a clear peak. Near
    objects in one corner are shifted as well, but not as a turn shifts: then more than half of what
    the roll should explain is left over.
    """
    x, y = _SHRINK * shape[1] / 4, _SHRINK * shape[0] / 4
    places = ((-x, -y), (x, -y), (-x, y), (x, y))
    clear = [k for k, one in enumerate(quarters) if one.height >= _MIN_QUARTER_PEAK]
    if len(clear) < _MIN_QUARTERS:
        return None
    rows: list[tuple[float, ...]] = []
    wanted: list[float] = []
    for k in clear:
        px, py = places[k]
        rows += [(1.0, 0.0, -py, px), (0.0, 1.0, px, py)]
        wanted += quarters[k].shift_px
    design, target = np.array(rows), np.array(wanted)
    found = np.linalg.lstsq(design, target, rcond=None)[0]
    left = float(np.sqrt(np.mean((target - design @ found) ** 2)))
    explained = float(np.sqrt(np.mean((design[:, 2] * found[2]) ** 2)))
    if left > _ROLL_MISFIT * explained:
        return None
    height = float(np.median([quarters[k].height for k in clear]))
    return _Turn((float(found[0]), float(found[1])), float(found[2]), height)


def _vertex(line: Float, at: int) -> float:
    """Where between the samples the peak lies: a parabola through it and its neighbours."""
    if not 0 < at < len(line) - 1:
        return 0.0
    left, middle, right = (float(value) for value in line[at - 1 : at + 2])
    curvature = left - 2 * middle + right
    return 0.0 if curvature >= 0 else max(-0.5, min(0.5, 0.5 * (left - right) / curvature))
