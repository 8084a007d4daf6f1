"""Registration without a target against known homographies, beside two classical baselines.

Real registered recordings get a known random homography applied to the infrared; every method sees
the same pairs and has no other knowledge of it::

    python -m benchmarks.registration --data FOLDER

FOLDER holds ``videos/<scene>/{ir,visible}.mp4`` and ``frames/<scene>/{ir,visible}/``, and may hold
``registration/<pair>/`` with ``ir.*``, ``visible.*`` and ``landmarks.json``: single pairs that are
not registered, with points picked by hand.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.registration_baselines import ecc, sift_magsac
from calibration.registration import ImagePair, register, sample_recordings
from edge_sdk.errors import CalibrationError, ConfigError
from edge_sdk.geometry import apply, homography_fault, stretch

__all__ = [
    "LandmarkRow",
    "Trial",
    "corner_error_px",
    "offset_and_spread_px",
    "random_homography",
    "run_landmarks",
]

Array = NDArray[np.float64]
Method = Callable[[Sequence[ImagePair]], "Estimate"]

BORDERS = {
    "black": cv2.BORDER_CONSTANT,
    "replicate": cv2.BORDER_REPLICATE,
    "reflect": cv2.BORDER_REFLECT_101,
}
SHIFT, SCALE, DEGREES, PERSPECTIVE = 0.15, 0.2, 8.0, 1e-4
GOOD_PX = 10.0


@dataclass(frozen=True)
class Estimate:
    """A method's answer: the homography (None if it has none), and whether it stands by it."""

    homography: Array | None
    passed: bool
    reason: str = ""


@dataclass(frozen=True)
class Trial:
    """One known homography and what a method made of it.

    Attributes:
        scene, method, border: names.
        error_px: mean distance of the infrared picture's four corners from where they belong,
            pixels of the visible picture; inf without an answer.
        passed: the method's own gate let it pass.
        seconds: time that the method took.
        reason: why it did not pass.
        offset_px: (4, 2) where the recording's own infrared corners come to lie, less where the
            recording has them; None without an answer. What is the same in all trials of a scene
            is above all the recording's (depth, lenses, its own registration), the rest is noise.
    """

    scene: str
    method: str
    border: str
    error_px: float
    passed: bool
    seconds: float
    reason: str
    offset_px: list[list[float]] | None = None


@dataclass(frozen=True)
class LandmarkRow:
    """Landmarks of one unregistered pair.

    Attributes:
        pair, method: names.
        error_px: mean distance between the mapped infrared landmarks and the visible ones.
        best_px: the same for the homography fitted to these landmarks by least squares: what no
            homography can better by much, since the scene has depth.
        passed: the method's own gate let it pass.
    """

    pair: str
    method: str
    error_px: float
    best_px: float
    passed: bool


def ours(pairs: Sequence[ImagePair]) -> Estimate:
    """``edge-sdk calibrate register`` with the built-in matcher."""
    result = register(pairs)
    return Estimate(result.homography, result.passed, "; ".join(result.faults))


METHODS: dict[str, Method] = {
    "edge-sdk": ours,
    "SIFT + MAGSAC++": lambda pairs: _bare(sift_magsac(pairs)),
    "ECC": lambda pairs: _bare(ecc(pairs)),
}


def random_homography(rng: np.random.Generator, size: tuple[int, int]) -> Array:
    """Shift up to 15 % of width and height, scale 0.8 to 1.2, rotation up to 8 degrees and
    perspective up to 1e-4 a pixel, all uniform and about the picture's centre."""
    width, height = size
    centre = np.array([[1, 0, (width - 1) / 2], [0, 1, (height - 1) / 2], [0, 0, 1.0]])
    shift = rng.uniform(-SHIFT, SHIFT, 2) * size
    scale, angle = rng.uniform(1 - SCALE, 1 + SCALE), np.radians(rng.uniform(-DEGREES, DEGREES))
    tilt = rng.uniform(-PERSPECTIVE, PERSPECTIVE, 2)
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    inner = np.array([[c, -s, shift[0]], [s, c, shift[1]], [tilt[0], tilt[1], 1.0]])
    return np.asarray(centre @ inner @ np.linalg.inv(centre))


def corner_error_px(found: Array | None, truth: Array, ir_size: tuple[int, int]) -> float:
    """See ``Trial.error_px``."""
    if found is None or homography_fault(found, ir_size) is not None:
        return float("inf")
    corners = _corners(ir_size)
    apart = apply(found, corners) - apply(truth, corners)
    return float(np.linalg.norm(apart, axis=1).mean())


def offset_and_spread_px(trials: Sequence[Trial]) -> tuple[float, float]:
    """What the answers have in common, and how far they are from it; nan for fewer than two.

    With d the ``Trial.offset_px`` and m their mean over the trials: mean |m| over the corners, and
    mean |d - m| over trials and corners.
    """
    offsets = [trial.offset_px for trial in trials if trial.offset_px is not None]
    if len(offsets) < 2:
        return float("nan"), float("nan")
    every = np.asarray(offsets, np.float64)
    common = every.mean(axis=0)
    return (
        float(np.linalg.norm(common, axis=-1).mean()),
        float(np.linalg.norm(every - common, axis=-1).mean()),
    )


def run_trials(
    root: Path,
    methods: Sequence[str],
    trials: int,
    pairs: int,
    borders: Sequence[str],
    seed: int,
    only: Sequence[str],
) -> Iterator[Trial]:
    """Every method on every scene, ``trials`` known homographies each."""
    for name, ir, visible in _recordings(root):
        if only and not any(part in name for part in only):
            continue
        sampled = sample_recordings(ir, visible, pairs)
        size = sampled[0].ir_size
        for index in range(trials):
            warp = random_homography(np.random.default_rng(seed + index), size)
            border = borders[index % len(borders)]
            moved = [
                ImagePair(
                    _warped(pair.ir, warp, BORDERS[border]),
                    pair.visible,
                    pair.picture,
                )
                for pair in sampled
            ]
            truth = stretch(size, sampled[0].visible_size) @ np.linalg.inv(warp)
            for method in methods:
                start = time.monotonic()
                answer = METHODS[method](moved)
                seconds = time.monotonic() - start
                error = corner_error_px(answer.homography, truth, size)
                offset = None
                if np.isfinite(error) and answer.homography is not None:
                    corners = _corners(size)
                    moved_px = apply(answer.homography @ warp, corners)
                    own_px = apply(stretch(size, sampled[0].visible_size), corners)
                    offset = (moved_px - own_px).tolist()
                yield Trial(
                    name, method, border, error, answer.passed, seconds, answer.reason, offset
                )


def run_landmarks(root: Path, methods: Sequence[str]) -> Iterator[LandmarkRow]:
    """Every method on every unregistered pair with landmarks."""
    for file in sorted((root / "registration").glob("*/landmarks.json")):
        points = json.loads(file.read_text())
        ir_px, visible_px = (np.asarray(points[key], np.float64) for key in ("ir_px", "visible_px"))
        ir, visible = (next(file.parent.glob(f"{name}.*")) for name in ("ir", "visible"))
        pair = sample_recordings(ir, visible, 1)
        best, _ = cv2.findHomography(ir_px, visible_px, 0)

        def error(homography: Array | None, a: Array = ir_px, b: Array = visible_px) -> float:
            if homography is None:
                return float("inf")
            return float(np.linalg.norm(apply(homography, a) - b, axis=1).mean())

        floor = error(np.asarray(best, np.float64))
        for method in methods:
            answer = METHODS[method](pair)
            yield LandmarkRow(
                file.parent.name, method, error(answer.homography), floor, answer.passed
            )


def _corners(size: tuple[int, int]) -> Array:
    x, y = size[0] - 1.0, size[1] - 1.0
    return np.array([[0.0, 0.0], [x, 0.0], [0.0, y], [x, y]])


def _warped(image: NDArray[np.float32], warp: Array, border: int) -> NDArray[np.float32]:
    size = image.shape[1], image.shape[0]
    return np.asarray(cv2.warpPerspective(image, warp, size, borderMode=border), np.float32)


def _bare(homography: Array | None) -> Estimate:
    return Estimate(homography, homography is not None)


def _recordings(root: Path) -> Iterator[tuple[str, Path, Path]]:
    found = False
    for folder in sorted((root / "videos").glob("*/")) + sorted((root / "frames").glob("*/")):
        for ir, visible in (("ir.mp4", "visible.mp4"), ("ir", "visible")):
            if (folder / ir).exists() and (folder / visible).exists():
                found = True
                yield f"{folder.parent.name}/{folder.name}", folder / ir, folder / visible
    if not found and not (root / "registration").is_dir():
        raise ConfigError(
            f"{root} has neither videos/<scene>/{{ir,visible}}.mp4, frames/<scene>/{{ir,visible}}/ "
            "nor registration/<pair>/landmarks.json; give a folder that has"
        )


def _trial_table(trials: Sequence[Trial]) -> Table:
    table = Table(title="known homographies: mean corner error, pixels", box=None)
    for name in ("method", "scene", "trials", "median", "90 %", "worst", "< 10 px", "passed"):
        table.add_column(name, justify="left" if name in ("method", "scene") else "right")
    for name in ("> 10 px passed", "common offset", "spread", "seconds"):
        table.add_column(name, justify="right")
    table.caption = (
        "common offset: what all answers of a scene share, above all the recording's own "
        "misregistration; spread: mean distance of the answers from that"
    )
    for method in dict.fromkeys(t.method for t in trials):
        mine = [t for t in trials if t.method == method]
        scenes = list(dict.fromkeys(t.scene for t in mine))
        for scene in [*scenes, "all"]:
            rows = [t for t in mine if scene in (t.scene, "all")]
            errors = np.array([t.error_px for t in rows])
            wrong = sum(t.passed and t.error_px > GOOD_PX for t in rows)
            parts = [
                offset_and_spread_px([t for t in rows if t.scene == one])
                for one in (scenes if scene == "all" else [scene])
            ]
            common, spread = np.mean(parts, axis=0)
            table.add_row(
                method,
                scene,
                str(len(rows)),
                f"{np.median(errors):.1f}",
                f"{np.quantile(errors, 0.9, method='higher'):.1f}",
                f"{errors.max():.1f}",
                f"{np.mean(errors < GOOD_PX):.0%}",
                f"{np.mean([t.passed for t in rows]):.0%}",
                str(wrong),
                _number(common),
                _number(spread),
                f"{np.median([t.seconds for t in rows]):.1f}",
            )
    return table


def _number(value: float) -> str:
    return f"{value:.1f}" if np.isfinite(value) else "-"


def _landmark_table(rows: Sequence[LandmarkRow]) -> Table:
    table = Table(title="landmarks of single unregistered pairs: mean error, pixels", box=None)
    methods = list(dict.fromkeys(row.method for row in rows))
    for name in ("pair", *methods, "best homography"):
        table.add_column(name, justify="right")
    for pair in dict.fromkeys(row.pair for row in rows):
        mine = {row.method: row for row in rows if row.pair == pair}
        cells = [f"{r.error_px:.1f}" + ("" if r.passed else " (refused)") for r in mine.values()]
        table.add_row(pair, *cells, f"{next(iter(mine.values())).best_px:.2f}")
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.registration", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the layout above")
    parser.add_argument("--trials", type=int, default=5, help="homographies a scene")
    parser.add_argument("--pairs", type=int, default=20, help="pairs a registration")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--method", action="append", choices=list(METHODS), default=None)
    parser.add_argument("--border", action="append", choices=list(BORDERS), default=None)
    parser.add_argument("--only", action="append", default=[], help="part of a scene's name")
    parser.add_argument("--json", type=Path, default=None, help="write every trial to this file")
    given = parser.parse_args(arguments)
    console = Console(width=150)
    methods, borders = given.method or list(METHODS), given.border or list(BORDERS)
    try:
        trials, landmarks = [], []
        for trial in run_trials(
            given.data, methods, given.trials, given.pairs, borders, given.seed, given.only
        ):
            trials.append(trial)
            state = "passed" if trial.passed else f"refused: {trial.reason or 'no answer'}"
            console.print(
                f"{trial.scene} {trial.border} {trial.method}: {trial.error_px:.1f} px, "
                f"{trial.seconds:.1f} s, {state}",
                soft_wrap=True,
            )
        if not given.only:
            landmarks = list(run_landmarks(given.data, methods))
    except (ConfigError, CalibrationError) as error:
        print(f"error: {error}")
        return 2
    if trials:
        console.print(_trial_table(trials))
    if landmarks:
        console.print(_landmark_table(landmarks))
    if given.json is not None:
        values = {
            "trials": [asdict(t) for t in trials],
            "landmarks": [asdict(r) for r in landmarks],
        }
        given.json.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
