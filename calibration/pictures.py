"""Pictures to calibrate from: a glob pattern, a folder, a file, or a video."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from pathlib import Path

from edge_sdk.capture.files import open_recording
from edge_sdk.capture.folder import IMAGE_SUFFIXES, image_files, read_image
from edge_sdk.errors import SourceError
from edge_sdk.frames import Image

__all__ = ["picture_files", "read_pictures"]

_MOST = 80


def read_pictures(
    source: str, camera: str, most: int = _MOST
) -> Iterator[tuple[str, Image | SourceError]]:
    """Pictures of one camera, evenly chosen if there are many.

    Args:
        source: a pattern (``'shots/*.png'``), a folder, one picture, or a video.
        camera: ``"ir"`` or ``"visible"``.
        most: how many pictures to use.

    Yields:
        name, and the picture or why it cannot be read.

    Raises:
        SourceError: there is nothing there.
    """
    files = picture_files(source)
    if files is None:
        yield from _frames(Path(source).expanduser(), camera, most)
        return
    for name, file in files if len(files) <= most else _evenly(files, most):
        try:
            yield name, read_image(file)
        except SourceError as error:
            yield name, error


def picture_files(source: str) -> list[tuple[str, Path]] | None:
    """(name, file) of each picture, in order; None for a video.

    Raises:
        SourceError: there is nothing there.
    """
    path = Path(source).expanduser()
    if path.is_dir():
        files = image_files(path)
        if not files:
            raise SourceError(
                f"no pictures in {path}; known are {', '.join(sorted(IMAGE_SUFFIXES))}"
            )
    elif path.is_file():
        if path.suffix.lower() not in IMAGE_SUFFIXES:
            return None
        files = [path]
    else:
        found = sorted(glob.glob(os.path.expanduser(source), recursive=True))
        files = [Path(f) for f in found if Path(f).suffix.lower() in IMAGE_SUFFIXES]
        if not files:
            raise SourceError(
                f"--images {source}: no such file or folder, and no picture matches it as a "
                "pattern (quote patterns: 'shots/*.png')"
            )
    names = [file.name for file in files]
    unique = len(set(names)) == len(names)
    return [(file.name if unique else str(file), file) for file in files]


def _evenly(items: list[tuple[str, Path]], most: int) -> list[tuple[str, Path]]:
    return [items[round(k * (len(items) - 1) / (most - 1))] for k in range(most)]


def _frames(path: Path, camera: str, most: int) -> Iterator[tuple[str, Image | SourceError]]:
    with open_recording(path, camera, allow_colour=True) as recording:
        count = recording.frame_count or most
        step = max(1, count // most)
        index = 0
        while True:
            frame = recording.read()
            if frame is None:
                return
            if index % step == 0 and index // step < most:
                yield f"{path.name}#{index}", frame.image
            index += 1
