"""From scenes to scores: fuse every frame, score it against the clean sources, average."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks import metrics
from benchmarks.methods import Method
from benchmarks.metrics import Grey, grey
from benchmarks.sequences import Scene
from edge_sdk.errors import ConfigError, SourceError

__all__ = [
    "METRICS",
    "MethodFuser",
    "ReadyMade",
    "Row",
    "Scores",
    "score_change",
    "score_frame",
    "score_scenes",
]

METRICS = (
    *("EN", "MI", "SF", "SD", "VIF", "VIF_ir", "VIF_vis", "SSIM", "SSIM_ir", "SSIM_vis"),
    *("Qabf", "TC", "VC", "FLK"),
)
"""Names of all scores, in the order of the tables."""

Picture = NDArray[np.uint8]
Scores = dict[str, float]


def score_frame(fused: Grey, ir: Grey, visible: Grey) -> Scores:
    """All metrics of a single frame, see :mod:`benchmarks.metrics`.

    Args:
        fused: (H, W) uint8.
        ir: (H, W) uint8, clean.
        visible: (H, W) uint8, clean.

    Returns:
        Name to value for all of ``METRICS`` but VC and FLK; ``nan`` where one is not defined.
    """
    vif_ir, vif_vis = metrics.vif(ir, fused), metrics.vif(visible, fused)
    ssim_ir, ssim_vis = metrics.ssim(ir, fused), metrics.ssim(visible, fused)
    return {
        "EN": metrics.entropy(fused),
        "MI": metrics.mutual_information(fused, ir) + metrics.mutual_information(fused, visible),
        "SF": metrics.spatial_frequency(fused),
        "SD": metrics.standard_deviation(fused),
        "VIF": (vif_ir + vif_vis) / 2,
        "VIF_ir": vif_ir,
        "VIF_vis": vif_vis,
        "SSIM": (ssim_ir + ssim_vis) / 2,
        "SSIM_ir": ssim_ir,
        "SSIM_vis": ssim_vis,
        "Qabf": metrics.qabf(fused, ir, visible),
        "TC": metrics.target_contrast(fused, ir),
    }


def score_change(
    fused: tuple[Grey, Grey], ir: tuple[Grey, Grey], visible: tuple[Grey, Grey]
) -> Scores:
    """VC and FLK of two successive frames; each argument is (previous, current), (H, W) uint8."""
    return {
        "VC": metrics.variation_consistency(fused, ir, visible),
        "FLK": metrics.flicker(fused, ir, visible),
    }


class Fuser(Protocol):
    """Where the fused picture of a frame comes from."""

    def reset(self) -> None: ...

    def fuse(self, frame: Mapping[str, Picture]) -> Picture: ...


class ReadyMade:
    """The frame was fused before and was read from a file."""

    def reset(self) -> None:
        """Nothing to forget."""

    def fuse(self, frame: Mapping[str, Picture]) -> Picture:
        """Return the picture of role ``"fused"``."""
        return frame["fused"]


class MethodFuser:
    """A method fuses the inputs now.

    Args:
        name: what messages call it.
        method: see :class:`benchmarks.methods.Method`.
    """

    def __init__(self, name: str, method: Method) -> None:
        self._name = name
        self._method = method

    def reset(self) -> None:
        """Begin a sequence."""
        self._method.reset()

    def fuse(self, frame: Mapping[str, Picture]) -> Picture:
        """Fuse the pictures of the roles ``"ir_input"`` and ``"visible_input"``.

        Raises:
            ConfigError: the method returned something else than a picture of the input's size.
        """
        visible = frame["visible_input"]
        # copies, because a method may work in place and the frame is scored afterwards
        fused = self._method.step(grey(frame["ir_input"]).copy(), visible.copy())
        if fused.shape != visible.shape or fused.dtype != np.uint8:
            raise ConfigError(
                f"method '{self._name}' returned {fused.shape} {fused.dtype} for a visible frame "
                f"of {visible.shape} uint8; it must return BGR of that shape and dtype"
            )
        return fused


@dataclass
class Row:
    """Scores of one method on one scene, or on a group of scenes.

    Attributes:
        condition: ``"clean"`` or ``"degraded"``; ``""`` for frames that were fused before.
        group: see :class:`benchmarks.sequences.Scene`.
        sequence: name of the scene; ``""`` for all scenes of the group together.
        method: name of the method.
        frames: number of frames that were scored.
    """

    condition: str
    group: str
    sequence: str
    method: str
    frames: int = 0
    _sums: dict[str, float] = field(default_factory=dict, repr=False)
    _counts: dict[str, int] = field(default_factory=dict, repr=False)

    def add(self, scores: Mapping[str, float]) -> None:
        """Take the scores of one frame, or of one change, into the averages; skip ``nan``."""
        for name, value in scores.items():
            if not math.isnan(value):
                self._sums[name] = self._sums.get(name, 0.0) + value
                self._counts[name] = self._counts.get(name, 0) + 1

    def merge(self, other: Row) -> None:
        """Take all frames of another row into the averages."""
        self.frames += other.frames
        for name, value in other._sums.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
            self._counts[name] = self._counts.get(name, 0) + other._counts[name]

    @property
    def scores(self) -> Scores:
        """Averages over the frames on which a metric is defined, ``nan`` if there is none."""
        return {
            name: self._sums[name] / self._counts[name] if name in self._sums else float("nan")
            for name in METRICS
        }


def score_scenes(
    scenes: Sequence[Scene],
    fusers: Mapping[str, Fuser],
    *,
    condition: str = "",
    on_frame: Callable[[], object] = lambda: None,
) -> list[Row]:
    """Score every method on every scene.

    Args:
        scenes: what to score on; each begins with ``reset()``, a still is a sequence of one frame.
        fusers: name of the method to where its pictures come from.
        condition: goes into the rows.
        on_frame: called after each frame, for a progress bar.

    Returns:
        A row for each scene and method, then a row for each group and method in which every frame
        has the same weight.

    Raises:
        SourceError: frames cannot be read, are too small, or their sizes differ.
        EdgeSdkError: whatever a method finds wrong.
    """
    rows: list[Row] = []
    totals: dict[tuple[str, str], Row] = {}
    for scene in scenes:
        for row in _score_scene(scene, fusers, condition, on_frame):
            rows.append(row)
            total = totals.setdefault(
                (row.group, row.method), Row(condition, row.group, "", row.method)
            )
            total.merge(row)
    return rows + list(totals.values())


def _score_scene(
    scene: Scene, fusers: Mapping[str, Fuser], condition: str, on_frame: Callable[[], object]
) -> list[Row]:
    rows = {name: Row(condition, scene.group, scene.name, name) for name in fusers}
    earlier: dict[str, Grey] = {}
    for index, frame in enumerate(scene.frames()):
        ir, visible = grey(frame["ir"]), grey(frame["visible"])
        if min(ir.shape) < metrics.SMALLEST_SIDE_PX:
            raise SourceError(
                f"sequence '{scene.name}': frames of {ir.shape[1]}x{ir.shape[0]} pixels are too "
                f"small, VIF needs {metrics.SMALLEST_SIDE_PX} on each side"
            )
        greys = {"ir": ir, "visible": visible}
        for name, fuser in fusers.items():
            if index == 0 or not scene.temporal:
                fuser.reset()
            fused = grey(fuser.fuse(frame))
            row = rows[name]
            row.frames += 1
            row.add(score_frame(fused, ir, visible))
            if scene.temporal and index > 0:
                row.add(
                    score_change(
                        (earlier[f"fused {name}"], fused),
                        (earlier["ir"], ir),
                        (earlier["visible"], visible),
                    )
                )
            greys[f"fused {name}"] = fused
        earlier = greys
        on_frame()
    return list(rows.values())
