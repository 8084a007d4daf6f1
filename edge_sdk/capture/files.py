"""Recorded cameras: a video file or a folder of images behind the ``Camera`` protocol."""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np

from edge_sdk.capture.folder import IMAGE_SUFFIXES, FolderReader
from edge_sdk.capture.stored import Reader, StoredImage, TimeSource
from edge_sdk.capture.video import VideoReader
from edge_sdk.errors import ConfigError, SourceError
from edge_sdk.frames import Frame, Image

__all__ = [
    "RecordedCamera",
    "check_is_infrared",
    "looks_like_colour",
    "open_recording",
    "same_source",
]

# Mean over the pixels of max(B, G, R) - min(B, G, R). Grey thermal video that went through a
# yuv420p codec reaches 3.0 (rounding of the chroma shifts all pixels alike); visible video begins
# at about 8 on a night street; pseudo-colour palettes are far above.
COLOUR_LEVELS = 5.0

_INFRARED_PROBE_FRAMES = 5


def open_recording(
    path: str | os.PathLike[str],
    camera: str,
    *,
    fps: float | None = None,
    allow_gaps: bool = False,
    allow_colour: bool = False,
) -> RecordedCamera:
    """Open a recording of one camera: a video file, a folder of images, or a single image.

    Args:
        path: any video that FFmpeg decodes, or a folder of png, tif, jpg, bmp, webp, pgm.
        camera: name that the frames carry, ``"ir"`` or ``"visible"`` in a two-camera rig.
        fps: frames per second, instead of the recorded times. Needed where the recording has
            none and 30 frames/s is wrong.
        allow_gaps: accept a numbered folder with missing numbers; each missing image is then a gap
            in ``sequence`` and in time. For the exact rule see ``FolderReader``.
        allow_colour: accept colour (also pseudo-colour) as infrared and use its luma.

    Returns:
        The opened camera. Every frame of ``"ir"`` is (H, W) uint8, or uint16 where the recording
        is 16-bit grey; every frame of ``"visible"`` is (H, W, 3) uint8 BGR. Time stamps start at 0
        unless the folder has a ``timestamps.csv``.

    Raises:
        SourceError: missing, empty, damaged, or not what ``camera`` says.
        ConfigError: ``fps`` is not a positive number.
        DependencyError: a video, and this OpenCV was built without FFmpeg.
    """
    if fps is not None and not (math.isfinite(fps) and fps > 0):
        raise ConfigError(f"fps must be a positive number of frames per second, but got {fps}")
    recorded = RecordedCamera(
        path, camera, fps=fps, allow_gaps=allow_gaps, allow_colour=allow_colour
    )
    recorded.open()
    return recorded


class RecordedCamera:
    """A recording that is read like a camera. Use :func:`open_recording`.

    Attributes:
        path: what was opened.
        size: (width, height) in pixels.
        dtype: of the images, uint8 or uint16.
        fps: frames per second, nominal: of the container, of the user, or the median of the table.
        frame_count: images of the folder, or what the container states (for Matroska an estimate
            from the duration); None if it states nothing.
        names: file names in order of the frames, for a folder; None for a video.
        numbers: the numbers in the names, if these are a consecutive numbering; otherwise None.
        time_source: where the time stamps come from.
    """

    path: Path
    size: tuple[int, int]
    dtype: np.dtype[np.generic]
    fps: float
    frame_count: int | None
    names: tuple[str, ...] | None
    numbers: tuple[int, ...] | None
    time_source: TimeSource

    def __init__(
        self,
        path: str | os.PathLike[str],
        camera: str,
        *,
        fps: float | None,
        allow_gaps: bool,
        allow_colour: bool,
    ) -> None:
        self.path = Path(path).expanduser()
        self._name = camera
        self._fps = fps
        self._allow_gaps = allow_gaps
        self._allow_colour = allow_colour
        self._reader: Reader | None = None
        self._ahead: deque[StoredImage | SourceError] = deque()

    @property
    def name(self) -> str:
        return self._name

    @property
    def live(self) -> bool:
        """False: the recording waits for its reader."""
        return False

    def open(self) -> None:
        """Start at the first frame; nothing happens if the recording is open already."""
        if self._reader is not None:
            return
        reader = self._open_reader()
        try:
            self._ahead = self._probe(reader)
            first = self._ahead[0]
            assert isinstance(first, StoredImage)
            image = self._convert(first)
            if self._name == "ir" and not self._allow_colour:
                stored = [item for item in self._ahead if isinstance(item, StoredImage)]
                check_is_infrared((item.image for item in stored), str(self.path))
        except BaseException:
            reader.close()
            raise
        self._shape = image.shape
        self.size = (image.shape[1], image.shape[0])
        self.dtype = image.dtype
        self.fps = reader.fps
        self.frame_count = reader.frame_count
        self.names = reader.names
        self.numbers = reader.numbers
        self.time_source = reader.time_source
        self._reader = reader

    def read(self, timeout_s: float = 1.0) -> Frame | None:
        """Next frame; None at the end. A file never makes its reader wait for ``timeout_s``.

        Raises:
            SourceError: an image is damaged or differs from the first one in size, channels or
                depth (the message names it, the next call goes on with the next image); or the
                recording ended early; or it is closed.
        """
        if self._reader is None:
            raise SourceError(f"the recording {self.path} is closed: call open() before read()")
        item = self._ahead.popleft() if self._ahead else self._reader.read()
        if item is None:
            return None
        if isinstance(item, SourceError):
            raise item
        image = self._convert(item)
        if image.shape != self._shape or image.dtype != self.dtype:
            raise SourceError(
                f"{item.label} of {self.path} is {_describe(image.shape, image.dtype)}, but the "
                f"recording began with {_describe(self._shape, self.dtype)}: all frames must agree"
            )
        return Frame(image, item.timestamp_ns, item.sequence, self._name, name=item.name)

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
        self._reader = None
        self._ahead = deque()

    def __enter__(self) -> RecordedCamera:
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _open_reader(self) -> Reader:
        if self.path.is_dir() or (
            self.path.is_file() and self.path.suffix.lower() in IMAGE_SUFFIXES
        ):
            return FolderReader(self.path, self._fps, self._allow_gaps)
        if self.path.is_file():
            return VideoReader(self.path, self._fps)
        found = "is neither a file nor a folder" if self.path.exists() else "does not exist"
        raise SourceError(
            f"cannot open the recording {self.path}: it {found}; give a video file or a folder of "
            "images"
        )

    def _probe(self, reader: Reader) -> deque[StoredImage | SourceError]:
        """First frames. An error behind the first one waits until ``read`` comes to it."""
        ahead: deque[StoredImage | SourceError] = deque()
        while len(ahead) < (_INFRARED_PROBE_FRAMES if self._name == "ir" else 1):
            try:
                item = reader.read()
            except SourceError as error:
                if not ahead:
                    raise
                ahead.append(error)
                break
            if item is None:
                break
            ahead.append(item)
        if not ahead:
            raise SourceError(f"no frame of {self.path} can be decoded: record or copy it again")
        return ahead

    def _convert(self, item: StoredImage) -> Image:
        image = item.image
        if self._name == "visible":
            if image.dtype != np.uint8:
                raise SourceError(
                    f"{item.label} of {self.path} is 16-bit grey, which only an infrared camera "
                    "delivers: are the infrared and the visible input swapped?"
                )
            return image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
        if self._name == "ir" and image.ndim == 3:
            return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        return image


def looks_like_colour(image: Image) -> bool:
    """True if the image has three channels that disagree by more than a codec's rounding.

    Args:
        image: (H, W) or (H, W, 3) uint8.
    """
    if image.ndim == 2:
        return False
    disagreement = image.max(axis=2) - image.min(axis=2)
    return float(disagreement.mean()) > COLOUR_LEVELS


def check_is_infrared(images: Iterable[Image], source: str) -> None:
    """Refuse an infrared input that is really a colour video, by its first frames.

    :func:`open_recording` does this for every recording of ``"ir"``.

    Args:
        images: (H, W) or (H, W, 3) BGR, as they were stored.
        source: what the message calls the input.

    Raises:
        SourceError: more than half of the images are colour.
    """
    votes = [looks_like_colour(image) for image in images]
    if 2 * sum(votes) > len(votes):
        raise SourceError(
            f"the infrared input looks like a colour video: {source}. Give the infrared recording "
            "(is the visible one given twice, or are the two swapped?). A pseudo-colour palette "
            "is refused as well: record white-hot grey, or accept its luma with --allow-colour (in "
            "Python and in rig files: allow_colour)"
        )


def same_source(a: str | os.PathLike[str], b: str | os.PathLike[str]) -> bool:
    """True if both paths lead to one file or folder (also through links); False if either does
    not exist."""
    try:
        return os.path.samefile(Path(a).expanduser(), Path(b).expanduser())
    except OSError:
        return False


def _describe(shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> str:
    kind = "colour" if len(shape) == 3 else "grey"
    return f"{shape[1]}x{shape[0]} {dtype} {kind}"
