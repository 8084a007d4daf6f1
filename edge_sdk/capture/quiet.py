"""Keeps the chatter of OpenCV and FFmpeg off the terminal of the robot.

A damaged file makes FFmpeg's decoders and OpenCV's readers write lines of their own to standard
error. What is wrong with a file is told by one ``SourceError`` instead.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2

__all__ = ["quiet_opencv", "silence_ffmpeg"]

_AV_LOG_QUIET = "-8"
_SILENT = 0
"""``cv2.utils.logging.LOG_LEVEL_SILENT``"""

_lock = threading.Lock()
_depth = 0
_level_before = 0


def silence_ffmpeg() -> None:
    """Switch off the log of the FFmpeg inside OpenCV; what the user has set already stays.

    OpenCV reads the variable once, when the first video of the process is opened for reading or for
    writing: call this before. It is called when ``edge_sdk.capture.video`` is imported.
    """
    if "OPENCV_FFMPEG_DEBUG" not in os.environ:
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", _AV_LOG_QUIET)


@contextmanager
def quiet_opencv() -> Iterator[None]:
    """Within the block OpenCV logs nothing; afterwards its level is what it was before.

    The level belongs to the process, so blocks of several threads share one: the first to enter
    saves it and the last to leave puts it back.
    """
    global _depth, _level_before
    with _lock:
        if _depth == 0:
            _level_before = _set_level(_SILENT)
        _depth += 1
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if _depth == 0:
                _set_level(_level_before)


def _set_level(level: int) -> int:
    """Returns the level before. OpenCV of a distribution may have the older functions."""
    logging = getattr(cv2.utils, "logging", None)
    if logging is not None:
        return int(logging.setLogLevel(level))
    old: Any = cv2
    before = int(old.getLogLevel())
    old.setLogLevel(level)
    return before
