"""How well every part of the picture fits at every small shift, summed over pairs.

One homography holds for the whole recording, so evidence is added up before anything is decided: a
block in which one pair shows little is still decided by twenty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .structure import CameraStructure, highpass, level_matrix, rotated

__all__ = ["Surfaces", "local_scores", "rotation_of"]

Array = NDArray[np.float64]
Float = NDArray[np.float32]
_MIN_COVERED = 0.4


@dataclass(frozen=True)
class Surfaces:
    """Normalised correlation of blocks of structure, for shifts about one homography.

    Attributes:
        level: of the pictures, see :mod:`.structure`.
        reach: largest shift, pixels of the level.
        size: (width, height) of the visible picture on this level.
        homography: (3, 3) infrared to visible, full resolution, that the shifts are about.
        centres: (N, 2) float64 centres of the blocks in the visible picture, pixels of the level.
        scores: (N, 2 reach + 1, 2 reach + 1) float32, -1..1, for [block, y shift, x shift] of the
            visible content against the infrared.
        weights: (N,) float64, share of the block's window that both pictures cover.
    """

    level: int
    reach: int
    size: tuple[int, int]
    homography: Array
    centres: Array
    scores: Float
    weights: Array

    def select(self, blocks: NDArray[np.bool_]) -> Surfaces:
        """Some of the blocks."""
        return Surfaces(
            self.level,
            self.reach,
            self.size,
            self.homography,
            self.centres[blocks],
            self.scores[blocks],
            self.weights[blocks],
        )


def local_scores(
    ir: CameraStructure,
    visible: CameraStructure,
    homography: Array,
    level: int,
    reach: int,
    block_px: int,
    groups: Sequence[Sequence[int]],
) -> list[Surfaces]:
    """Score surfaces of every group of pairs, and of all groups together as the last.

    A block has a Gaussian window with a standard deviation of a third of ``block_px``; blocks lie
    half of it apart. Blocks of which less than 40 % are covered by both pictures are left out.

    Args:
        ir, visible: of the same pairs.
        homography: infrared to visible, full resolution.
        level: to work on.
        reach: largest shift, pixels of the level.
        block_px: pixels of the level.
        groups: indices of the pairs in each group.
    """
    matrix = level_matrix(level)
    warp = matrix @ homography @ np.linalg.inv(matrix)
    visible_mask = visible.masks[level]
    height, width = visible_mask.shape
    ir_mask = cv2.warpPerspective(ir.masks[level], warp, (width, height))
    ir_mask = (ir_mask > 0.99).astype(np.float32)
    angle = rotation_of(homography, ir.size)

    spacing = block_px // 2
    rows = np.arange(spacing // 2, height, spacing)
    columns = np.arange(spacing // 2, width, spacing)
    down, across = _window(rows, height, block_px / 3), _window(columns, width, block_px / 3).T
    covered = down @ ir_mask @ across
    ok = covered > _MIN_COVERED
    x, y = np.meshgrid(columns, rows)
    centres = np.stack([x[ok], y[ok]], axis=1).astype(np.float64)

    stacks = []
    for group in groups:
        pictures = len(group)
        a = np.empty((height, width, 4 * pictures), np.float32)
        b = np.zeros((height + 2 * reach, width + 2 * reach, 4 * pictures), np.float32)
        inner = b[reach : reach + height, reach : reach + width]
        for n, i in enumerate(group):
            moved = rotated(cv2.warpPerspective(ir.maps[level][i], warp, (width, height)), angle)
            channels = slice(4 * n, 4 * n + 4)
            a[..., channels] = highpass(moved * ir_mask[..., None], ir_mask, block_px / 2)
            inner[..., channels] = highpass(visible.maps[level][i], visible_mask, block_px / 2)
        stacks.append((a, b, np.einsum("hwc,hwc->hw", a, a), np.einsum("hwc,hwc->hw", b, b)))

    # Energies are (group, ...): the last of them is the sum.
    own = _with_sum([down @ energy @ across for _, _, energy, _ in stacks])
    steps = 2 * reach + 1
    scores = np.empty((len(own), steps, steps, int(ok.sum())), np.float32)
    for dy in range(steps):
        for dx in range(steps):
            window = np.s_[dy : dy + height, dx : dx + width]
            products, energies = [], []
            for a, b, _, energy in stacks:
                products.append(down @ np.einsum("hwc,hwc->hw", a, b[window]) @ across)
                energies.append(down @ (energy[window] * ir_mask) @ across)
            norm = np.sqrt(np.maximum(own * _with_sum(energies), 1e-12))
            scores[:, dy, dx] = (_with_sum(products) / norm)[:, ok]
    weights = covered[ok].astype(np.float64)
    size = (width, height)
    return [
        Surfaces(level, reach, size, homography, centres, np.moveaxis(one, -1, 0), weights)
        for one in scores
    ]


def rotation_of(homography: Array, size: tuple[int, int]) -> float:
    """Rotation of the picture's centre, radians from x towards y."""
    x, y = (size[0] - 1) / 2, (size[1] - 1) / 2
    points = homography @ np.array([[x, x + 1, x], [y, y, y + 1], [1.0, 1, 1]])
    at, right, down = (points[:2] / points[2]).T
    (a, c), (b, d) = right - at, down - at
    return float(np.arctan2(c - b, a + d))


def _window(centres: NDArray[np.int_], length: int, sigma: float) -> Float:
    """(len(centres), length) Gaussian windows of sum 1, except where they leave the picture."""
    offset = np.arange(length)[None] - centres[:, None]
    window = np.exp(-0.5 * (offset / sigma) ** 2)
    return np.asarray(window / (sigma * np.sqrt(2 * np.pi)), np.float32)


def _with_sum(parts: Sequence[Float]) -> Float:
    stacked = np.stack(parts)
    return np.concatenate([stacked, stacked.sum(axis=0, keepdims=True)])
