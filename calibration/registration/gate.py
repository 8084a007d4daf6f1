"""Whether a registration can be trusted: what is measured about it, and when it is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_sdk.geometry import apply

from .coarse import Hypothesis, corners_of
from .matcher import Matches
from .prepared import Prepared
from .refine import (
    MIN_BLOCKS,
    Stage,
    best_homography,
    mean_homography,
    pooled_score,
    refine,
)
from .robust import support
from .surfaces import Surfaces, local_scores

__all__ = ["Judged", "Quality", "faults_of", "measure"]

Array = NDArray[np.float64]

_LAST = Stage(level=1, reach=5, block_px=40, sigma_px=1.2)
_RIVAL = (Stage(level=2, reach=6, block_px=32, sigma_px=5.0),)
_RESAMPLES = 6
_NUDGE_PX = 4.0
_DIRECTIONS = 8
_INLIER_PX = 4.0
_CELLS = 4

# Set on recordings that none of the figures in the README come from.
_MIN_OVERLAP = 0.25
_MIN_INLIERS, _MIN_SHARE = 24, 0.4
_MIN_COVERAGE = 0.4
_MAX_DISAGREEMENT = 0.004
"""Share of the visible picture's diagonal: 3.2 pixels at 640 x 480."""
_MIN_LEAD = 0.1
_MIN_SHARPNESS = 0.08


@dataclass(frozen=True)
class Quality:
    """Figures of a registration. Pixels are those of the visible picture.

    Attributes:
        score: mean squared correlation of the structure of all blocks, 0..1.
        overlap: share of the visible picture that the infrared covers.
        matches: correspondences that the matcher found in all pairs.
        inliers: how many of them are within 4 working pixels of the homography.
        coverage: share of 4 x 4 cells of the overlap that hold inliers.
        halves_px: mean corner distance between the homographies of the even and the odd pairs; None
            for a single pair, which has no halves.
        spread_px: mean corner deviation of homographies from random halves of the blocks.
        lead: 1 - score of the best clearly different homography / score of this one.
        sharpness: 1 - score after a shift of 4 working pixels / score, in the direction in which
            the score falls least.
        limit_px: what ``halves_px`` and ``spread_px`` may be, 0.4 % of the picture's diagonal.
    """

    score: float
    overlap: float
    matches: int
    inliers: int
    coverage: float
    halves_px: float | None
    spread_px: float
    lead: float
    sharpness: float
    limit_px: float

    def to_dict(self) -> dict[str, float | None]:
        """Plain values, rounded for people."""
        return {
            name: None if value is None else round(float(value), 4)
            for name, value in asdict(self).items()
        }


@dataclass(frozen=True)
class Judged:
    """The last refinement (working pixels), its figures, and homographies of random halves."""

    homography: Array
    quality: Quality
    resampled: list[Array]


def measure(
    prepared: Prepared, found: Hypothesis, rival: Hypothesis | None, matches: Matches
) -> Judged:
    """Refine a last time, on all pairs and on parts of them, and compare.

    Args:
        prepared: the pairs.
        found: nearly the final homography.
        rival: the best clearly different hypothesis, None if there is none.
        matches: of all pairs, working pixels.
    """
    ir, visible, scale = prepared.ir, prepared.visible, prepared.visible_px_per_work_px
    every = list(range(prepared.count))
    groups = [every[::2], every[1::2]] if len(every) > 1 else [every]
    surfaces = local_scores(
        ir, visible, found.homography, _LAST.level, _LAST.reach, _LAST.block_px, groups
    )
    total = surfaces[-1]
    limit = _MAX_DISAGREEMENT * float(np.hypot(*prepared.visible_size))
    grid = (visible.size[0] / _LAST.block_px) * (visible.size[1] / _LAST.block_px)
    if len(total.centres) < MIN_BLOCKS:
        nothing = Quality(
            0.0, len(total.centres) / grid, len(matches), 0, 0.0, None, 0.0, 0.0, 0.0, limit
        )
        return Judged(found.homography, nothing, [found.homography])
    resampled = _resampled(total, ir.size)
    best = best_homography(total, ir.size, _LAST.sigma_px).homography
    h = mean_homography([best, *resampled], ir.size)  # steadier than the best alone
    score = pooled_score(total, ir.size, h)
    halves = [best_homography(one, ir.size, _LAST.sigma_px).homography for one in surfaces[:-1]]
    halves_px = _apart(halves[0], halves[1], ir.size) if len(halves) == 2 else None
    spread = float(np.sqrt(np.mean([_apart(one, h, ir.size) ** 2 for one in resampled])))
    inside = support(matches, h, _INLIER_PX)
    quality = Quality(
        score=score,
        overlap=_overlap(prepared, h),
        matches=len(matches),
        inliers=int(inside.sum()),
        coverage=_coverage(prepared, matches, inside),
        halves_px=None if halves_px is None else halves_px * scale,
        spread_px=spread * scale,
        lead=_lead(prepared, h, rival),
        sharpness=_sharpness(total, ir.size, h, score),
        limit_px=limit,
    )
    return Judged(h, quality, resampled)


def faults_of(quality: Quality) -> list[str]:
    """Why not to trust these figures, each with what was found, what is needed and what to film."""
    q = quality
    share = q.inliers / max(q.matches, 1)
    halves_px = 0.0 if q.halves_px is None else q.halves_px
    checks = (
        (
            q.overlap < _MIN_OVERLAP,
            f"the infrared covers {q.overlap:.0%} of the visible picture (at least "
            f"{_MIN_OVERLAP:.0%} needed): point both cameras the same way",
        ),
        (
            q.inliers < _MIN_INLIERS or share < _MIN_SHARE,
            f"{q.inliers} of {q.matches} matches agree (at least {_MIN_INLIERS} and "
            f"{_MIN_SHARE:.0%} needed): film a scene with texture and with people walking through "
            "it, with enough light for the visible camera, and check that both recordings are of "
            "the same scene and time",
        ),
        (
            q.coverage < _MIN_COVERAGE,
            f"matches lie in {q.coverage:.0%} of the picture's cells (at least "
            f"{_MIN_COVERAGE:.0%} needed): film structure, or walk, also where the picture is "
            "empty now, above all in the corners",
        ),
        (
            halves_px > q.limit_px,
            f"even and odd pairs differ by {halves_px:.1f} px at the corners (at most "
            f"{q.limit_px:.1f}): film longer, without moving what is near the cameras",
        ),
        (
            q.spread_px > q.limit_px,
            f"parts of the picture differ by {q.spread_px:.1f} px at the corners (at most "
            f"{q.limit_px:.1f}): keep what is filmed at about one distance, or farther away",
        ),
        (
            q.lead < _MIN_LEAD,
            f"another alignment fits nearly as well ({q.lead:.0%} better, at least "
            f"{_MIN_LEAD:.0%} needed): film something that does not repeat itself",
        ),
        (
            q.sharpness < _MIN_SHARPNESS,
            f"a shift of {_NUDGE_PX:g} px changes the fit by {q.sharpness:.0%} (at least "
            f"{_MIN_SHARPNESS:.0%} needed): film edges in all directions, sharply focused",
        ),
    )
    return [text for bad, text in checks if bad]


def _apart(a: Array, b: Array, size: tuple[int, int]) -> float:
    corners = corners_of(size)
    return float(np.linalg.norm(apply(a, corners) - apply(b, corners), axis=1).mean())


def _resampled(surfaces: Surfaces, size: tuple[int, int]) -> list[Array]:
    """Homographies from random halves of the blocks: by the half-sample method (McCarthy 1969)
    their deviation from the whole's estimates its standard error."""
    rng = np.random.default_rng(1)
    count = len(surfaces.centres)
    result = []
    for _ in range(_RESAMPLES):
        chosen = np.zeros(count, np.bool_)
        chosen[rng.permutation(count)[: max(count // 2, 4)]] = True
        half = best_homography(surfaces.select(chosen), size, _LAST.sigma_px)
        result.append(half.homography)
    return result


def _overlap(prepared: Prepared, homography: Array) -> float:
    width, height = prepared.visible.size
    corners = apply(homography, corners_of(prepared.ir.size))[[0, 1, 3, 2]]
    mask = np.zeros((height, width), np.uint8)
    cv2.fillConvexPoly(mask, np.rint(corners).astype(np.int32), 1)
    return float(mask.mean())


def _coverage(prepared: Prepared, matches: Matches, inside: NDArray[np.bool_]) -> float:
    rows, columns = np.nonzero(prepared.ir.masks[1])
    if not len(rows) or not inside.any():
        return 0.0
    left, top, right, bottom = 2 * columns.min(), 2 * rows.min(), 2 * columns.max(), 2 * rows.max()
    x = (matches.ir_px[inside, 0] - left) / max(right - left, 1) * _CELLS
    y = (matches.ir_px[inside, 1] - top) / max(bottom - top, 1) * _CELLS
    cells = np.clip(np.floor(np.stack([x, y])), 0, _CELLS - 1).astype(int)
    return len(np.unique(cells[0] * _CELLS + cells[1])) / _CELLS**2


def _lead(prepared: Prepared, homography: Array, rival: Hypothesis | None) -> float:
    if rival is None:
        return 1.0
    from .start import evenly

    some: Sequence[int] = evenly(prepared.count, 8)
    ours, theirs = (
        refine(prepared.ir, prepared.visible, one, _RIVAL, some)
        for one in (homography, rival.homography)
    )
    if _apart(ours.homography, theirs.homography, prepared.ir.size) < 12.0:
        return 1.0  # the rival was led to the same place
    return 1.0 - theirs.score / max(ours.score, 1e-9)


def _sharpness(surfaces: Surfaces, size: tuple[int, int], homography: Array, score: float) -> float:
    falls = []
    for angle in np.arange(_DIRECTIONS) * 2 * np.pi / _DIRECTIONS:
        nudge = np.eye(3)
        nudge[:2, 2] = _NUDGE_PX * np.cos(angle), _NUDGE_PX * np.sin(angle)
        falls.append(1 - pooled_score(surfaces, size, nudge @ homography) / max(score, 1e-9))
    return float(min(falls))
