"""Where fused frames go: a video file, or a folder of lossless images."""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import TracebackType
from typing import Protocol

import cv2

from edge_sdk.capture.folder import IMAGE_SUFFIXES
from edge_sdk.errors import ConfigError
from edge_sdk.frames import FusedFrame, Image

__all__ = ["FolderOutput", "Output", "VideoOutput", "check_writable", "is_folder", "open_output"]

CODECS = {".mp4": "mp4v", ".m4v": "mp4v", ".mov": "mp4v", ".mkv": "mp4v", ".avi": "MJPG"}


class Output(Protocol):
    """Something that takes pictures in order."""

    written: int

    def write(self, image: Image, fused: FusedFrame) -> None: ...

    def close(self) -> None: ...

    def __enter__(self) -> Output: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class _Closing:
    """Closes at the end of a ``with`` block, whatever ended it."""

    written = 0

    def close(self) -> None:
        raise NotImplementedError

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class VideoOutput(_Closing):
    """A video file of constant frame rate; opened when the first picture shows the size.

    An odd width or height grows by a column at the right or a row at the bottom, which repeats the
    edge: these codecs halve the colour, and OpenCV would cut the last one off.

    Args:
        path: its suffix chooses the container: ``.mp4``, ``.m4v``, ``.mov``, ``.mkv``, ``.avi``.
        fps: frames per second.
        real_time: play as fast as it happened, as the pictures' time stamps tell: a picture that
            comes late is preceded by repetitions of the one before, one that comes a whole frame
            too early is left out. False: one frame for every picture.

    Attributes:
        written: frames in the file.
        repeated, left_out: of them repetitions; pictures that are not among them.

    Raises:
        ConfigError: the suffix is none of these, or the file cannot be written.
    """

    def __init__(self, path: Path, fps: float, real_time: bool = False) -> None:
        if path.suffix.lower() not in CODECS:
            raise ConfigError(
                f"output {path}: must end in {', '.join(CODECS)} for a video, or in / for a folder"
            )
        _make_folder(path.parent)
        check_writable(path.parent, f"output {path}")
        self._path, self._fps = path, fps
        self._writer: cv2.VideoWriter | None = None
        self._clock = _PlayingClock(fps) if real_time else None
        self._last: Image | None = None
        self.repeated = self.left_out = 0

    def write(self, image: Image, fused: FusedFrame) -> None:
        """Append a picture (H, W, 3) uint8 BGR; all must have the size of the first."""
        image = _even(image)
        if self._writer is None:
            codec = cv2.VideoWriter.fourcc(*CODECS[self._path.suffix.lower()])
            height, width = image.shape[:2]
            self._writer = cv2.VideoWriter(str(self._path), codec, self._fps, (width, height))
            if not self._writer.isOpened():
                raise ConfigError(
                    f"output {self._path}: cannot write a video of {width}x{height} there; "
                    "is the folder writable?"
                )
        if self._clock is not None:
            missing = self._clock.missing(fused.timestamp_ns, self.written)
            if missing < 0:
                self.left_out += 1
                return
            if self._last is not None:
                for _ in range(missing):
                    self._writer.write(self._last)
                self.written += missing
                self.repeated += missing
            self._last = image.copy()
        self._writer.write(image)
        self.written += 1

    def close(self) -> None:
        if self._writer is not None:
            self._writer.release()
            self._writer = None
            self._check()

    def _check(self) -> None:
        """FFmpeg does not tell of a full disk: look whether the last frame is there."""
        capture = cv2.VideoCapture(str(self._path))
        found = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if capture.isOpened() else 0
        capture.release()
        if found < self.written:
            raise ConfigError(
                f"output {self._path}: only {found} of {self.written} frames could be written; "
                "is the disk full?"
            )

    def __enter__(self) -> VideoOutput:
        return self


class _PlayingClock:
    """How many frames a video of constant rate lacks when the next picture comes.

    A whole frame of play is allowed either way, since time stamps jitter. Steps back and steps of
    more than a minute are jumps of a clock: the picture then follows the one before.
    """

    _LONGEST_NS = 60_000_000_000

    def __init__(self, fps: float) -> None:
        self._fps = fps
        self._last_ns: int | None = None
        self._elapsed_ns = 0

    def missing(self, timestamp_ns: int, written: int) -> int:
        """Repetitions due before the picture of this time; -1: it comes too early."""
        if self._last_ns is not None and timestamp_ns > self._last_ns:
            step_ns = timestamp_ns - self._last_ns
            self._elapsed_ns += step_ns if step_ns < self._LONGEST_NS else 0
        self._last_ns = timestamp_ns
        late = self._elapsed_ns * self._fps / 1e9 - written
        return -1 if late <= -1 else max(0, int(late))


class FolderOutput(_Closing):
    """One lossless PNG a frame, with the visible frame's name, or a running number without one.

    Attributes:
        found: how many pictures lay in the folder before.

    Raises:
        ConfigError: the folder cannot be made or written to.
    """

    def __init__(self, path: Path) -> None:
        _make_folder(path)
        check_writable(path, f"output {path}/")
        self._path = path
        self._older = {file.name for file in path.iterdir() if _is_picture(file)}
        self.found = len(self._older)

    @property
    def older(self) -> int:
        """How many of the pictures found are still there: none of ours replaced them."""
        return len(self._older)

    def write(self, image: Image, fused: FusedFrame) -> None:
        """Write a picture (H, W, 3) uint8 BGR.

        Raises:
            ConfigError: the file cannot be written.
        """
        stem = Path(fused.name).stem if fused.name else f"{fused.index:06d}"
        target = self._path / f"{stem}.png"
        if not cv2.imwrite(str(target), image, [cv2.IMWRITE_PNG_COMPRESSION, 1]):
            raise ConfigError(f"output {target}: cannot be written; is the folder writable?")
        self._older.discard(target.name)
        self.written += 1

    def close(self) -> None:
        """Nothing is held open."""

    def __enter__(self) -> FolderOutput:
        return self


def open_output(path: str | Path, fps: float, real_time: bool = False) -> Output:
    """A folder if ``path`` ends in a slash, is one already or has no suffix; else a video file.

    Args:
        path: where.
        fps, real_time: of a video, see :class:`VideoOutput`.
    """
    if not str(path):
        raise ConfigError("output: must not be empty; give a video file, or a FOLDER/")
    if is_folder(path):
        return FolderOutput(Path(path))
    return VideoOutput(Path(path), fps, real_time)


def is_folder(path: str | Path) -> bool:
    """Whether :func:`open_output` takes ``path`` for a folder."""
    return str(path).endswith("/") or Path(path).is_dir() or not Path(path).suffix


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"output folder {path}: cannot be made ({error.strerror})") from None


def check_writable(folder: Path, what: str) -> None:
    """Refuse a folder in which no file can be made; tried, since permissions do not tell all.

    Args:
        folder: it is there.
        what: what the message calls the output.

    Raises:
        ConfigError: no file can be made there.
    """
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigError(
            f"{what}: the folder {folder} cannot be written to ({error.strerror}); give another one"
        ) from None


def _is_picture(file: Path) -> bool:
    return file.suffix.lower() in IMAGE_SUFFIXES and file.is_file()


def _even(image: Image) -> Image:
    """The picture with an even width and height, its edge repeated where it must grow."""
    height, width = image.shape[:2]
    if height % 2 == 0 and width % 2 == 0:
        return image
    border = cv2.BORDER_REPLICATE
    return cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, border)
