"""Pairs in, one homography out, with the figures that say how far it can be trusted."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_sdk.calibration_file import CalibrationCameras
from edge_sdk.errors import CalibrationError, ConfigError

from .coarse import Hypothesis, SearchRange
from .gate import Quality, faults_of, measure
from .matcher import Matcher, Matches
from .pairs import ImagePair, undistorted
from .prepared import Prepared, prepare
from .refine import Stage, refine
from .robust import consensus, pooled
from .start import Start, evenly, find_start
from .structure_matcher import block_matches

__all__ = ["ONE_PAIR", "RegistrationResult", "register"]

Array = NDArray[np.float64]

_STAGES = (
    Stage(level=2, reach=6, block_px=32, sigma_px=5.0),
    Stage(level=1, reach=6, block_px=40, sigma_px=2.5),
)
_MATCH_NOISE_PX = 3.0
ONE_PAIR = (
    "registered from one pair, which cannot be cross-checked against others; register again with "
    "20 pairs of a recording"
)


@dataclass(frozen=True)
class RegistrationResult:
    """What :func:`register` found.

    Attributes:
        homography: (3, 3) float64, (u_visible, v_visible, 1) ~ H (u_ir, v_ir, 1), undistorted
            pixels of both pictures (their own pixels, if no intrinsics were given).
        ir_size, visible_size: (width, height) in pixels.
        quality: what was measured about it.
        faults: why it should not be trusted, and what to film; empty if it passes the gate.
        resampled: (B, 3, 3) float64, homographies from random halves of the picture's blocks; their
            spread shows how certain the alignment is at every point.
        matcher: name of the matcher.
        pairs: number of pairs used.
        seconds: time that it took.
    """

    homography: Array
    ir_size: tuple[int, int]
    visible_size: tuple[int, int]
    quality: Quality
    faults: tuple[str, ...]
    resampled: Array
    matcher: str
    pairs: int
    seconds: float

    @property
    def passed(self) -> bool:
        """True if nothing speaks against it."""
        return not self.faults

    @property
    def warnings(self) -> list[str]:
        """What could not be measured about it."""
        return [ONE_PAIR] if self.pairs == 1 else []

    def require(self) -> RegistrationResult:
        """This result, if it passes the gate.

        Raises:
            CalibrationError: it does not; the message says what was measured and what to film.
        """
        if self.faults:
            raise CalibrationError(
                f"the registration of {self.pairs} pairs is not to be trusted: "
                + "; ".join(self.faults)
            )
        return self


def register(
    pairs: Sequence[ImagePair],
    *,
    matcher: Matcher | None = None,
    cameras: CalibrationCameras | None = None,
    within: SearchRange | None = None,
    start: Array | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> RegistrationResult:
    """One homography for the rig from pairs of one recording.

    Args:
        pairs: one or more, all of one size a camera. Twenty from a minute in which people walk
            about at all distances are a good choice.
        matcher: instead of the built-in one.
        cameras: intrinsics; both pictures are undistorted first, and the ratio of the focal lengths
            is then known.
        within: what shift, scale and rotation can be. Ignored where ``matcher`` is given.
        start: (3, 3) a homography to begin with, instead of a search; for a rig that was aligned
            before.
        progress: told what is done next.

    Returns:
        The best homography, whether or not it passes the gate: see ``passed`` and ``require()``.

    Raises:
        ConfigError: no pairs, or pairs of different sizes.
        CalibrationError: ``cameras`` are of other image sizes; nothing at all was found.
    """
    begin = time.monotonic()
    _check(pairs, cameras)
    ratio = None
    if cameras is not None:
        pairs = undistorted(pairs, cameras)
        ratio = cameras.visible.matrix[0, 0] / cameras.ir.matrix[0, 0]
    progress("structure")
    prepared = prepare(pairs, ratio)
    progress("search")
    matches, first = _start(prepared, pairs, matcher, within, start)
    progress("refinement")
    every = range(prepared.count)
    last = refine(prepared.ir, prepared.visible, first.best.homography, _STAGES, every)
    progress("quality")
    judged = measure(prepared, last, first.other, matches)
    return RegistrationResult(
        prepared.full_homography(judged.homography),
        pairs[0].ir_size,
        pairs[0].visible_size,
        judged.quality,
        tuple(faults_of(judged.quality)),
        np.stack([prepared.full_homography(one) for one in judged.resampled]),
        "structure" if matcher is None else matcher.name,
        len(pairs),
        time.monotonic() - begin,
    )


def _check(pairs: Sequence[ImagePair], cameras: CalibrationCameras | None) -> None:
    if not pairs:
        raise ConfigError("registration needs at least one pair of pictures, found none")
    for name, sizes in (
        ("infrared", {pair.ir_size for pair in pairs}),
        ("visible", {pair.visible_size for pair in pairs}),
    ):
        if len(sizes) > 1:
            found = ", ".join(f"{w}x{h}" for w, h in sorted(sizes))
            raise ConfigError(
                f"the {name} pictures must all have one size, found {found}: one homography holds "
                "for one camera; register each recording on its own"
            )
    if cameras is not None:
        for name, camera, size in (
            ("ir", cameras.ir, pairs[0].ir_size),
            ("visible", cameras.visible, pairs[0].visible_size),
        ):
            if camera.size != size:
                raise CalibrationError(
                    f"cameras.{name}: the intrinsics are for {camera.width}x{camera.height} "
                    f"images, the recording has {size[0]}x{size[1]}; calibrate at this size"
                )


def _start(
    prepared: Prepared,
    pairs: Sequence[ImagePair],
    matcher: Matcher | None,
    within: SearchRange | None,
    given: Array | None,
) -> tuple[Matches, Start]:
    """Matches in working pixels, and the best homography before the refinement over all pairs."""
    ir, visible = prepared.ir, prepared.visible
    if matcher is None:
        if given is None:
            start = find_start(prepared, within)
        else:
            start = Start(Hypothesis(0.0, prepared.working_homography(given)), None)
        matches = block_matches(ir, visible, start.best.homography)
    else:
        full = matcher.match(pairs)
        if len(full) != len(pairs):
            raise ConfigError(
                f"matcher {matcher.name}: gave matches of {len(full)} pairs for {len(pairs)} pairs"
            )
        matches = [prepared.to_working(one) for one in full]
        start = Start(Hypothesis(0.0, np.eye(3)), None)
    agreed = consensus(matches, ir.size, _MATCH_NOISE_PX).homography
    if matcher is not None and agreed is None:
        total = sum(len(one) for one in matches)
        raise CalibrationError(
            f"matcher {matcher.name}: its {total} matches in {len(pairs)} pairs agree on no "
            "homography; film more texture, people at several distances and more light, or leave "
            "the matcher out"
        )
    if agreed is not None:
        some = evenly(prepared.count, 8)
        candidates = [refine(ir, visible, agreed, _STAGES[:1], some)]
        if matcher is None:
            candidates.append(refine(ir, visible, start.best.homography, _STAGES[:1], some))
        best = max(candidates, key=lambda one: one.score)
        start = Start(best, start.other)
    return pooled(matches), start
