"""Pictures of both cameras that belong together: by name, or by time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from edge_sdk.capture.folder import read_image
from edge_sdk.errors import SourceError
from edge_sdk.frames import Image

from .pictures import picture_files

__all__ = ["PicturePair", "read_pairs"]

PicturePair = tuple[str, Image, Image]
"""Name of the pair, infrared picture, visible picture."""

_TOLERANCE_NS = 20_000_000


def read_pairs(ir: str, visible: str, most: int = 60) -> Iterator[PicturePair | SourceError]:
    """Pairs of pictures, evenly chosen if there are many.

    Pictures (folders, patterns, files) are paired by the stem of their names, else by the number
    in it (``ir_0001`` with ``rgb_0001``), else by order if there are as many of both. Videos are
    paired by time.

    Args:
        ir, visible: patterns, folders, pictures or videos.
        most: how many pairs to use.

    Yields:
        pairs, or why one could not be read.

    Raises:
        SourceError: there is nothing there, or nothing belongs together.
    """
    ir_files, visible_files = picture_files(ir), picture_files(visible)
    if (ir_files is None) != (visible_files is None):
        raise SourceError(f"{ir} and {visible}: one is a video, the other is not")
    if ir_files is None or visible_files is None:
        yield from _by_time(ir, visible, most)
        return
    pairs = _by_name(
        {name: path for name, path in ir_files}, {name: path for name, path in visible_files}
    )
    if len(pairs) > most:
        pairs = [pairs[round(k * (len(pairs) - 1) / (most - 1))] for k in range(most)]
    for ir_path, visible_path in pairs:
        try:
            yield ir_path.name, read_image(ir_path), read_image(visible_path)
        except SourceError as error:
            yield error


def _by_name(ir: dict[str, Path], visible: dict[str, Path]) -> list[tuple[Path, Path]]:
    for key in (_stem, _number):
        left = {key(name): path for name, path in ir.items()}
        right = {key(name): path for name, path in visible.items()}
        common = [k for k in left if k is not None and k in right]
        unique = len(left) == len(ir) and len(right) == len(visible)
        if unique and len(common) >= max(1, min(len(ir), len(visible)) // 2):
            return [(left[k], right[k]) for k in common]
    if len(ir) == len(visible):
        return list(zip(ir.values(), visible.values(), strict=True))
    raise SourceError(
        f"{len(ir)} infrared and {len(visible)} visible pictures do not belong together by name "
        f"({next(iter(ir))}, {next(iter(visible))}) nor by number; give pairs the same name"
    )


def _stem(name: str) -> str | None:
    return Path(name).stem.casefold()


def _number(name: str) -> str | None:
    runs = re.findall(r"\d+", Path(name).stem)
    return str(int(runs[-1])) if runs else None


def _by_time(ir: str, visible: str, most: int) -> Iterator[PicturePair | SourceError]:
    from edge_sdk.capture.files import open_recording
    from edge_sdk.capture.recorded_pairs import pair_recordings

    with (
        open_recording(ir, "ir", allow_colour=True) as left,
        open_recording(visible, "visible") as right,
    ):
        count = min(left.frame_count or most, right.frame_count or most)
        step = max(1, count // most)
        for index, pair in enumerate(pair_recordings(left, right, _TOLERANCE_NS)):
            if index % step == 0 and index // step < most:
                assert pair.ir is not None and pair.visible is not None
                yield f"pair {index}", pair.ir.image, pair.visible.image
