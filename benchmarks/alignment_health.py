"""The alignment monitor on real recordings: as they are, and knocked in the middle.

::

    python -m benchmarks.alignment_health --data FOLDER

FOLDER holds ``videos/<scene>/{ir,visible}.mp4`` of registered cameras. Every recording is played
forwards and backwards for ``--seconds``; from the middle on the infrared is moved by a known knock.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from edge_sdk.errors import ConfigError, SourceError
from edge_sdk.frames import Image
from edge_sdk.health import AlignmentMonitor

__all__ = ["KNOCKS", "Knock", "Replay", "main", "read_pairs", "replay"]

SIZE = (640, 480)
EVERY = 4
"""As in the pipeline: one of so many frames is looked at."""


@dataclass(frozen=True)
class Knock:
    """How the infrared camera is moved: pixels of the aligned picture, degrees about its centre."""

    x_px: float = 0.0
    y_px: float = 0.0
    roll_deg: float = 0.0

    def __str__(self) -> str:
        if self.roll_deg:
            return f"roll {self.roll_deg:g} deg"
        return f"({self.x_px:+g}, {self.y_px:+g}) px" if self.x_px or self.y_px else "none"

    def matrix(self) -> NDArray[np.float64]:
        """(2, 3) affine, for OpenCV."""
        centre = ((SIZE[0] - 1) / 2, (SIZE[1] - 1) / 2)
        matrix = np.asarray(cv2.getRotationMatrix2D(centre, self.roll_deg, 1.0), np.float64)
        matrix[:, 2] += self.x_px, self.y_px
        return matrix


KNOCKS = (
    Knock(),
    Knock(x_px=3),
    Knock(y_px=-3),
    Knock(x_px=6),
    Knock(y_px=-6),
    Knock(x_px=8, y_px=8),
    Knock(roll_deg=0.5),
    Knock(roll_deg=1.0),
    Knock(roll_deg=2.0),
)


@dataclass(frozen=True)
class Replay:
    """One recording with one knock.

    Attributes:
        scene, knock: names.
        certain: share of the answers that had enough structure to say anything.
        before_px: largest shift that was answered before the knock.
        after_px: median shift that was answered later than 4 s after it.
        alarm_before: an alarm before the knock: a false one.
        alarm_after_s: time from the knock to the alarm, None without one.
    """

    scene: str
    knock: str
    certain: float
    before_px: float
    after_px: float
    alarm_before: bool
    alarm_after_s: float | None


def read_pairs(folder: Path) -> tuple[list[tuple[Image, Image]], float]:
    """Every fourth pair of a recording as (H, W) uint8 grey in 640 x 480, and their rate in 1/s.

    Raises:
        SourceError: a video cannot be opened, or the two hold no pair.
    """
    videos = [cv2.VideoCapture(str(folder / name)) for name in ("ir.mp4", "visible.mp4")]
    pairs: list[tuple[Image, Image]] = []
    fps = videos[0].get(cv2.CAP_PROP_FPS) or 30.0
    index = 0
    try:
        while all(video.grab() for video in videos):
            if index % EVERY == 0:
                ir, visible = (
                    cv2.resize(cv2.cvtColor(video.retrieve()[1], cv2.COLOR_BGR2GRAY), SIZE)
                    for video in videos
                )
                pairs.append((np.asarray(ir, np.uint8), np.asarray(visible, np.uint8)))
            index += 1
    finally:
        for video in videos:
            video.release()
    if len(pairs) < 2:
        raise SourceError(f"{folder}: ir.mp4 and visible.mp4 hold no pairs of frames")
    return pairs, fps / EVERY


def replay(
    scene: str,
    pairs: Sequence[tuple[Image, Image]],
    rate: float,
    knock: Knock,
    seconds: float,
) -> Replay:
    """Play ``pairs`` to and fro for ``seconds`` of their own time, knocked from the middle on."""
    monitor = AlignmentMonitor(every=1)
    to_and_fro = [*range(len(pairs)), *range(len(pairs) - 2, 0, -1)]
    at_s = seconds / 2
    matrix = knock.matrix()
    answers = []
    for index in range(round(seconds * rate)):
        time_s = index / rate
        ir, visible = pairs[to_and_fro[index % len(to_and_fro)]]
        if time_s >= at_s and str(knock) != "none":
            moved = cv2.warpAffine(ir, matrix, SIZE, borderMode=cv2.BORDER_REFLECT_101)
            ir = np.asarray(moved, np.uint8)
        health = monitor.update(ir, visible, round(time_s * 1e9))
        if health is not None:
            answers.append((time_s, health))
    before = [h for t, h in answers if t < at_s]
    late = [h for t, h in answers if t >= at_s + 4 and h.certain]
    alarms = [t - at_s for t, h in answers if t >= at_s and h.misaligned]
    return Replay(
        scene,
        str(knock),
        float(np.mean([h.certain for _, h in answers])),
        max((h.distance_px for h in before if h.certain), default=float("nan")),
        float(np.median([h.distance_px for h in late])) if late else float("nan"),
        any(h.misaligned for h in before),
        alarms[0] if alarms else None,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.alignment_health", description=__doc__
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the layout above")
    parser.add_argument("--seconds", type=float, default=40.0, help="of each replay")
    parser.add_argument("--json", type=Path, default=None, help="write every replay to this file")
    given = parser.parse_args(arguments)
    replays: list[Replay] = []
    try:
        folders = sorted(path.parent for path in given.data.glob("videos/*/ir.mp4"))
        if not folders:
            raise ConfigError(f"{given.data} has no videos/<scene>/ir.mp4; give a folder that has")
        for folder in folders:
            pairs, rate = read_pairs(folder)
            replays += [replay(folder.name, pairs, rate, k, given.seconds) for k in KNOCKS]
    except (ConfigError, SourceError) as error:
        print(f"error: {error}")
        return 2
    table = Table(title="alignment monitor: recordings, knocked in the middle", box=None)
    for name in ("scene", "knock", "certain", "before px", "after px", "alarm"):
        table.add_column(name, justify="left" if name in ("scene", "knock") else "right")
    for one in replays:
        alarm = "no" if one.alarm_after_s is None else f"after {one.alarm_after_s:.1f} s"
        table.add_row(
            one.scene,
            one.knock,
            f"{one.certain:.0%}",
            f"{one.before_px:.1f}",
            f"{one.after_px:.1f}",
            "FALSE, before" if one.alarm_before else alarm,
        )
    Console(width=120).print(table)
    if given.json is not None:
        given.json.write_text(json.dumps([asdict(r) for r in replays], indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
