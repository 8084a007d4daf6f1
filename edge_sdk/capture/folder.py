"""Folders of images as recordings: order, numbering, time stamps."""

from __future__ import annotations

import csv
import re
import zlib
from itertools import pairwise
from pathlib import Path
from statistics import median

import cv2
import numpy as np

from edge_sdk.capture.quiet import quiet_opencv
from edge_sdk.capture.stored import StoredImage, TimeSource
from edge_sdk.errors import SourceError
from edge_sdk.frames import Image

__all__ = ["DEFAULT_FPS", "IMAGE_SUFFIXES", "FolderReader", "image_files", "read_image"]

IMAGE_SUFFIXES = frozenset({".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp", ".webp", ".pgm"})
DEFAULT_FPS = 30.0
TIMESTAMPS_FILE = "timestamps.csv"


class FolderReader:
    """Images of one folder, in natural order (``2.png`` before ``10.png``).

    Numbering: the names are a consecutive numbering if they differ in exactly one run of digits
    and at least half of the steps between neighbours are 1. Then the number gives the place in
    time: a missing number is a gap in ``sequence`` and in time. All other names (``00036N``,
    ``00040N``, ``00047N``; ``lake``, ``road``) are in plain order without gaps.

    Time stamps: ``timestamps.csv`` in the folder if it is there, a table with the header
    ``name,timestamp_ns`` and one row an image, in order of time. Otherwise place / fps.

    Args:
        path: an existing folder, or one image file.
        fps: replaces the recorded times, if there are any, by place / fps.
        allow_gaps: accept images that are missing from the numbering or from the table.

    Raises:
        SourceError: no images; a gap; the table does not fit the images.
    """

    def __init__(self, path: Path, fps: float | None, allow_gaps: bool) -> None:
        self._folder = path
        try:
            files = image_files(path)
        except OSError as error:
            raise SourceError(f"cannot read the folder {path}: {error.strerror}") from error
        table_path = path / TIMESTAMPS_FILE
        self.time_source: TimeSource = "default fps" if fps is None else "fps"
        times_ns: list[int] | None = None
        places = list(range(len(files)))
        if fps is None and table_path.is_file():
            self.time_source = "timestamps.csv"
            table = _read_table(table_path)
            _check_table(table, files, table_path, allow_gaps)
            by_name = {file.name: file for file in files}
            places = [row for row, name in enumerate(table) if name in by_name]
            files = [by_name[name] for name in table if name in by_name]
            times_ns = [table[file.name] for file in files]
        self._files = files
        numbers = consecutive_numbers([file.stem for file in files])
        if numbers is not None and times_ns is None and not allow_gaps:
            _check_no_gap(numbers, files)
        if numbers is not None:
            places = [number - numbers[0] for number in numbers]
        self.numbers = None if numbers is None else tuple(numbers)
        self.names: tuple[str, ...] | None = tuple(file.name for file in files)
        self.frame_count: int | None = len(files)
        self.fps: float = fps or _rate_of(times_ns) or DEFAULT_FPS
        self._sequences = places
        self._times_ns = times_ns or [round(place * 1e9 / self.fps) for place in places]
        self._index = 0

    def read(self) -> StoredImage | None:
        """Next image; None at the end.

        Raises:
            SourceError: the image is damaged or of a kind that no camera makes; the call after
                it goes on with the next one.
        """
        index = self._index
        if index == len(self._files):
            return None
        self._index += 1
        file = self._files[index]
        return StoredImage(
            read_image(file), self._times_ns[index], self._sequences[index], file.name, file.name
        )

    def close(self) -> None:
        """Nothing is held open between two images."""


def natural_key(name: str) -> tuple[list[tuple[int, str]], str]:
    """Sorts ``2.png`` before ``10.png``; upper and lower case alike."""
    runs = re.split(r"(\d+)", name.casefold())
    return [(int(run), "") if run.isdecimal() else (-1, run) for run in runs], name


def consecutive_numbers(stems: list[str]) -> list[int] | None:
    """Numbers of names that are a consecutive numbering (see ``FolderReader``), otherwise None."""
    if len(stems) < 2:
        return None
    split = [re.split(r"([0-9]+)", stem) for stem in stems]
    if len({len(runs) for runs in split}) != 1:
        return None
    columns = list(zip(*split, strict=True))
    varying = [k for k, column in enumerate(columns) if len(set(column)) > 1]
    # re.split puts the digits at the odd places.
    if len(varying) != 1 or varying[0] % 2 == 0:
        return None
    numbers = [int(run) for run in columns[varying[0]]]
    steps = [b - a for a, b in pairwise(numbers)]
    if min(steps) < 1 or 2 * steps.count(1) < len(steps):
        return None
    return numbers


def read_image(path: Path) -> Image:
    """One image: (H, W) uint8 or uint16, or (H, W, 3) uint8 BGR.

    Raises:
        SourceError: it cannot be read, is damaged, or has another depth.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SourceError(f"cannot read the image {path}: {error.strerror}") from error
    # libpng and libjpeg write their complaints to standard error, past every log level, and
    # libjpeg fills up what is missing with grey: such files are found before they get there.
    image = None if _is_damaged(data) else _decode(data)
    if image is None:
        raise SourceError(
            f"the image {path} ({len(data)} bytes) is damaged or no image: remove or replace it"
        )
    if image.dtype == np.uint8 or (image.dtype == np.uint16 and image.ndim == 2):
        return image
    kind = "colour" if image.ndim == 3 else "grey"
    raise SourceError(
        f"the image {path} is {image.dtype} {kind}: convert it to 8-bit grey or colour, or to "
        "16-bit grey"
    )


def _decode(data: bytes) -> Image | None:
    try:
        with quiet_opencv():
            return cv2.imdecode(
                np.frombuffer(data, np.uint8), cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR
            )
    except cv2.error:
        return None


def _is_damaged(data: bytes) -> bool:
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return not _is_png_complete(data)
    if data.startswith(b"\xff\xd8"):
        # Within the coded data 0xff is stuffed, so the last "start of scan" and "end of image"
        # are real markers even where a thumbnail precedes or a second picture follows.
        return data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda")
    return len(data) == 0


def _is_png_complete(data: bytes) -> bool:
    """Walks the chunks up to IEND and checks their CRC (ISO/IEC 15948, section 5.3)."""
    start = 8
    while start + 12 <= len(data):
        end = start + 8 + int.from_bytes(data[start : start + 4], "big")
        if zlib.crc32(data[start + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            return False
        if data[start + 4 : start + 8] == b"IEND":
            return True
        start = end + 4
    return False


def image_files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    visible = [file for file in path.iterdir() if not file.name.startswith(".")]
    files = [file for file in visible if file.suffix.lower() in IMAGE_SUFFIXES and file.is_file()]
    files.sort(key=lambda file: natural_key(file.name))
    if not files:
        raise SourceError(
            f"the folder {path} has no images (looked for {', '.join(sorted(IMAGE_SUFFIXES))}; "
            f"it has {len(visible)} other entries): give the folder that holds the frames"
        )
    by_stem: dict[str, Path] = {}
    for file in files:
        other = by_stem.setdefault(file.stem, file)
        if other is not file:
            raise SourceError(
                f"the folder {path} has {other.name} and {file.name}: two images of one name, "
                "remove one of them"
            )
    return files


def _check_no_gap(numbers: list[int], files: list[Path]) -> None:
    for before, after, file in zip(numbers, numbers[1:], files, strict=False):
        if after - before > 1:
            missing = numbers[-1] - numbers[0] + 1 - len(numbers)
            raise SourceError(
                f"the folder {file.parent} has a gap: number {before + 1} is missing after "
                f"{file.name} ({missing} missing in all); add the images, or accept the gap with "
                "--allow-gaps (in Python and in rig files: allow_gaps); the frames after it keep "
                "their place in time"
            )


def _read_table(path: Path) -> dict[str, int]:
    times_ns: dict[str, int] = {}
    last_ns: int | None = None
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for row in csv.DictReader(file):
                name, text = row.get("name"), row.get("timestamp_ns")
                if name is None or text is None:
                    raise SourceError(f"{path} needs the columns name,timestamp_ns in every row")
                timestamp_ns = int(text)
                if name in times_ns or (last_ns is not None and timestamp_ns <= last_ns):
                    raise SourceError(
                        f"{path}: the row {name},{timestamp_ns} is a repetition or not later than "
                        "the row before it: each image once, in order of time"
                    )
                times_ns[name] = last_ns = timestamp_ns
    except (OSError, ValueError, csv.Error) as error:
        raise SourceError(f"cannot read {path}: {error}") from error
    return times_ns


def _check_table(
    table: dict[str, int], files: list[Path], table_path: Path, allow_gaps: bool
) -> None:
    for file in files:
        if file.name not in table:
            raise SourceError(f"{table_path} has no row for {file.name}: add it")
    names = {file.name for file in files}
    for name in table:
        if name not in names and not allow_gaps:
            raise SourceError(
                f"{table_path} lists {name}, which is not in the folder: add the image, or accept "
                "the gap with --allow-gaps (in Python and in rig files: allow_gaps)"
            )


def _rate_of(times_ns: list[int] | None) -> float | None:
    if times_ns is None or len(times_ns) < 2:
        return None
    return 1e9 / median(b - a for a, b in pairwise(times_ns))
