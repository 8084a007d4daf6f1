"""Video files, decoded by the FFmpeg inside OpenCV."""

from __future__ import annotations

import math
from pathlib import Path

import cv2

from edge_sdk.capture.containers import measure_extent
from edge_sdk.capture.quiet import quiet_opencv, silence_ffmpeg
from edge_sdk.capture.stored import StoredImage, TimeSource
from edge_sdk.errors import DependencyError, SourceError

__all__ = ["VideoReader"]

silence_ffmpeg()

# For a file whose header states no frame rate and whose frames carry no times.
_FALLBACK_FPS = 30.0

# FFmpeg's name for little-endian 16-bit grey, as CAP_PROP_CODEC_PIXEL_FORMAT gives it.
_GREY16_FORMAT = int.from_bytes(b"Y1\x00\x10", "little")


class VideoReader:
    """Frames of one video file, in order of presentation.

    Images are (H, W, 3) uint8 BGR; a 16-bit grey video (for instance FFV1 ``gray16le``) gives
    (H, W) uint16. Times are those of the container, counted from its first frame. Where the time
    does not advance (raw streams, all zeros, a step back) a frame is put 1 / fps after the one
    before it.

    Args:
        path: an existing file.
        fps: replaces the times of the container by index / fps.

    Raises:
        SourceError: the file is empty, cut off, or nothing that FFmpeg can decode.
        DependencyError: OpenCV was built without FFmpeg.
    """

    names: tuple[str, ...] | None = None
    numbers: tuple[int, ...] | None = None

    def __init__(self, path: Path, fps: float | None) -> None:
        self._path = path
        try:
            self._size_bytes = path.stat().st_size
            self._missing_bytes, self._counts_all_frames = measure_extent(path)
        except OSError as error:
            raise SourceError(f"cannot read the video {path}: {error.strerror}") from error
        if self._size_bytes == 0:
            raise SourceError(f"the video {path} is empty (0 bytes): record or copy it again")
        if not cv2.videoio_registry.hasBackend(cv2.CAP_FFMPEG):
            raise DependencyError(
                f"the video {path} needs an OpenCV with FFmpeg, and OpenCV {cv2.__version__} was "
                "built without it: pip install opencv-python-headless, or give a folder of images"
            )
        with quiet_opencv():
            self._capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
        if not self._capture.isOpened():
            self._capture.release()
            raise SourceError(self._why_not_open())
        if int(self._capture.get(cv2.CAP_PROP_CODEC_PIXEL_FORMAT)) == _GREY16_FORMAT:
            self._capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)
        stated_fps = self._capture.get(cv2.CAP_PROP_FPS)
        has_rate = math.isfinite(stated_fps) and stated_fps > 0
        self._made_up_times = fps is not None
        self.fps: float = fps or (stated_fps if has_rate else _FALLBACK_FPS)
        self.time_source: TimeSource = "fps" if fps is not None else "container"
        count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.frame_count: int | None = int(count) if math.isfinite(count) and count > 0 else None
        self._index = 0
        self._last_ns = -1

    def read(self) -> StoredImage | None:
        """Next frame; None at the end.

        Raises:
            SourceError: the end came early because the file is cut off.
        """
        with quiet_opencv():
            ok, image = self._capture.read()
        if not ok:
            self._check_complete()
            return None
        timestamp_ns = self._timestamp_ns()
        frame = StoredImage(image, timestamp_ns, self._index, None, f"frame {self._index}")
        self._last_ns = timestamp_ns
        self._index += 1
        return frame

    def close(self) -> None:
        self._capture.release()

    def _timestamp_ns(self) -> int:
        if self._made_up_times:
            return round(self._index * 1e9 / self.fps)
        position_ms = self._capture.get(cv2.CAP_PROP_POS_MSEC)
        timestamp_ns = round(position_ms * 1e6) if math.isfinite(position_ms) else -1
        if timestamp_ns > self._last_ns:
            return timestamp_ns
        return 0 if self._index == 0 else self._last_ns + round(1e9 / self.fps)

    def _check_complete(self) -> None:
        stated = self.frame_count if self._counts_all_frames else None
        if self._missing_bytes == 0 or (stated is not None and self._index >= stated):
            return
        of_stated = "" if stated is None else f" of {stated}"
        raise SourceError(
            f"the video {self._path} is truncated: {self._index}{of_stated} frames could be read, "
            f"the file ends {self._missing_bytes} bytes early; copy or record it again"
        )

    def _why_not_open(self) -> str:
        if self._missing_bytes:
            return (
                f"cannot open the video {self._path}: it is truncated, the file ends "
                f"{self._missing_bytes} bytes early and its index is lost; copy or record it again"
            )
        return (
            f"cannot open {self._path} as a video: its {self._size_bytes} bytes are in no format "
            "that FFmpeg can decode, or the recording was never finished; give a video file or a "
            "folder of images"
        )
