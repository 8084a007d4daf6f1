"""Where to begin: shift by FFT, over a grid of scales and rotations, for all pairs at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_sdk.geometry import apply

from .structure import CameraStructure, highpass, level_matrix, rotated

__all__ = ["Hypothesis", "SearchRange", "corners_of", "search", "spread"]

Array = NDArray[np.float64]
Float = NDArray[np.float32]
Complex = NDArray[np.complex64]

_LEVEL = 3
_HIGHPASS_PX = 6.0
_PEAKS = 3
_ENERGY_FLOOR = 0.15
"""Share of the whole energy that a small overlap is charged with, so that no sliver wins."""


@dataclass(frozen=True)
class SearchRange:
    """What the rig may be, before anything is known of it.

    Attributes:
        scale: smallest and largest size of the infrared picture's objects in the visible picture,
            once both pictures are brought to the same area (or, with intrinsics, the same focal
            length).
        rotation_deg: largest roll between the cameras.
        shift: largest shift of the centre, as a share of the visible picture's width and height.
        scale_step, rotation_step_deg: of the grid.
    """

    scale: tuple[float, float] = (0.6, 1.7)
    rotation_deg: float = 12.0
    shift: float = 0.35
    scale_step: float = 0.05
    rotation_step_deg: float = 3.0

    def scales(self) -> Array:
        """Scales of the grid, evenly spaced in their logarithm."""
        low, high = np.log(self.scale)
        count = max(1, round((high - low) / np.log1p(self.scale_step))) + 1
        return np.asarray(np.exp(np.linspace(low, high, count)))

    def rotations(self) -> Array:
        """Angles of the grid in radians."""
        count = 2 * round(self.rotation_deg / self.rotation_step_deg) + 1
        return np.asarray(np.radians(np.linspace(-self.rotation_deg, self.rotation_deg, count)))


@dataclass(frozen=True)
class Hypothesis:
    """A homography, infrared to visible, and how well it fits (larger is better)."""

    score: float
    homography: Array


def search(
    ir: CameraStructure,
    visible: CameraStructure,
    within: SearchRange,
    pictures: Sequence[int],
    keep: int,
) -> list[Hypothesis]:
    """The best clearly different similarity transforms, best first.

    For every scale and rotation the score of all shifts is the normalised correlation of the
    structure of the overlap, summed over the pairs before it is normalised.

    Args:
        ir, visible: of the same pairs.
        within: the range.
        pictures: which pairs to use.
        keep: how many hypotheses to return at most.
    """
    ir_mask, visible_mask = ir.masks[_LEVEL], visible.masks[_LEVEL]
    a = [highpass(ir.maps[_LEVEL][i], ir_mask, _HIGHPASS_PX) for i in pictures]
    b = [highpass(visible.maps[_LEVEL][i], visible_mask, _HIGHPASS_PX) for i in pictures]
    height, width = visible_mask.shape
    reach = int(within.shift * height), int(within.shift * width)
    shape = _fft_size(height + reach[0]), _fft_size(width + reach[1])

    energy_b = np.sum([(x * x).sum(-1) for x in b], axis=0)
    spectra = [np.fft.fft2(_complex(x), s=shape, axes=(0, 1)) for x in b]
    spectrum_energy = np.fft.rfft2(energy_b, s=shape)
    spectrum_mask = np.fft.rfft2(visible_mask, s=shape)
    to_level = level_matrix(_LEVEL)
    from_level = np.linalg.inv(to_level)
    found: list[Hypothesis] = []
    for scale in within.scales():
        for angle in within.rotations():
            centred = _similarity(scale, angle, ir_mask.shape, (height, width))
            mask = cv2.warpAffine(ir_mask, centred[:2], (width, height))
            total = np.zeros(shape, np.complex64)
            energy_a: Float = np.zeros((height, width), np.float32)
            for x, spectrum in zip(a, spectra, strict=True):
                moved = rotated(cv2.warpAffine(x, centred[:2], (width, height)), angle)
                energy_a += np.einsum("hwc,hwc->hw", moved, moved)
                own = np.fft.fft2(_complex(moved), s=shape, axes=(0, 1))
                total += (np.conj(own) * spectrum).sum(-1)
            top = np.fft.ifft2(total).real
            under_a = np.fft.irfft2(np.conj(np.fft.rfft2(energy_a, s=shape)) * spectrum_mask, shape)
            under_b = np.fft.irfft2(np.conj(np.fft.rfft2(mask, s=shape)) * spectrum_energy, shape)
            floor = _ENERGY_FLOOR * np.sqrt(float(energy_a.sum()) * float(energy_b.sum()))
            norm = np.sqrt(np.maximum(under_a, 0) * np.maximum(under_b, 0)) + floor + 1e-9
            for score, right, down in _peaks(top / norm, reach):
                shift = np.array([[1.0, 0, right], [0, 1.0, down], [0, 0, 1.0]])
                found.append(Hypothesis(score, from_level @ shift @ centred @ to_level))
    found.sort(key=lambda one: -one.score)
    return spread(found, ir.size, 24.0, keep)


def spread(
    hypotheses: Sequence[Hypothesis], size: tuple[int, int], apart_px: float, keep: int
) -> list[Hypothesis]:
    """The first ``keep`` whose picture corners differ by more than ``apart_px`` on average."""
    kept: list[tuple[Hypothesis, Array]] = []
    for one in hypotheses:
        corners = apply(one.homography, corners_of(size))
        if all(np.linalg.norm(corners - c, axis=1).mean() > apart_px for _, c in kept):
            kept.append((one, corners))
        if len(kept) >= keep:
            break
    return [one for one, _ in kept]


def corners_of(size: tuple[int, int]) -> Array:
    """(4, 2) float64, centres of the corner pixels of a picture of (width, height)."""
    x, y = size[0] - 1.0, size[1] - 1.0
    return np.array([[0.0, 0.0], [x, 0.0], [0.0, y], [x, y]])


def _similarity(
    scale: float, angle: float, source: tuple[int, ...], size: tuple[int, int]
) -> Array:
    """Turned and scaled about the centre; centre onto centre. Shapes are (height, width)."""
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    matrix = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    centre = np.array([(source[1] - 1) / 2, (source[0] - 1) / 2])
    matrix[:2, 2] = np.array([(size[1] - 1) / 2, (size[0] - 1) / 2]) - matrix[:2, :2] @ centre
    return matrix


def _complex(structure: Float) -> Complex:
    """Double angle and four times the angle as two complex planes."""
    return np.stack(
        [structure[..., 0] + 1j * structure[..., 1], structure[..., 2] + 1j * structure[..., 3]],
        axis=-1,
    ).astype(np.complex64)


def _peaks(scores: Array, reach: tuple[int, int]) -> list[tuple[float, int, int]]:
    """(score, x, y) of the highest local maxima within ``reach`` (rows, columns)."""
    rows = np.arange(-reach[0], reach[0] + 1)
    columns = np.arange(-reach[1], reach[1] + 1)
    window = scores[np.ix_(rows, columns)].astype(np.float32)  # negative shifts are at the end
    tops = np.argwhere(window >= cv2.dilate(window, np.ones((5, 5), np.uint8)))
    values = window[tops[:, 0], tops[:, 1]]
    best = np.argsort(-values)[:_PEAKS]
    return [
        (float(values[i]), int(tops[i, 1]) - reach[1], int(tops[i, 0]) - reach[0]) for i in best
    ]


def _fft_size(least: int) -> int:
    """Smallest number of the form 2^i 3^j 5^k that is at least ``least``."""
    size = least
    while True:
        rest = size
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return size
        size += 1
