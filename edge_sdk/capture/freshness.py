"""Is this picture new, or the last one once more?"""

from __future__ import annotations

import zlib

import numpy as np

from edge_sdk.frames import FrameFlags, Image

__all__ = ["FreezeWatch", "FreshnessCheck"]

ROW_STEP = 16
NEW_TO_TRUST = 8
"""So many new pictures in a row show that the sensor has noise."""
REPEATS_TO_DOUBT = 4
"""Repetitions after which a source without noise counts as repeating."""


class FreshnessCheck:
    """Compares every picture with the one before it, byte by byte.

    A real sensor never delivers the same bytes twice, since it has noise. So a camera whose last
    pictures all differed is found repeating at the first repetition. A source that never showed
    noise (a test pattern, a drawn scene, a heavily compressed or very dark picture) may
    legitimately stand still for a few frames: it is found repeating after four repetitions.
    Pictures of one grey level (a closed lens cap, a black night in 8 bit) are never held against a
    camera.

    Only every 16th row is compared as long as these differ, which takes some 0.1 ms at 1920x1080;
    the whole picture is compared by its checksum when they agree. No picture is kept, since drivers
    may use their buffers again.
    """

    def __init__(self) -> None:
        self.repeats = 0
        """How many times the last picture was repeated."""
        self._rows: Image | None = None
        self._checksum: int | None = None
        self._new_in_a_row = 0
        self._noisy = False

    def update(self, image: Image) -> bool:
        """Take in the next picture; True if it has to be taken for a repetition."""
        same = self._same(image)
        if same is None:
            return False
        if not same:
            self.repeats = 0
            self._new_in_a_row += 1
            self._noisy = self._noisy or self._new_in_a_row >= NEW_TO_TRUST
            return False
        self.repeats += 1
        self._new_in_a_row = 0
        return self._noisy or self.repeats >= REPEATS_TO_DOUBT

    def _same(self, image: Image) -> bool | None:
        """None for a picture of one grey level, which tells nothing."""
        rows = image[::ROW_STEP]
        before = self._rows
        same = (
            before is not None
            and before.shape == rows.shape
            and before.dtype == rows.dtype
            and np.array_equal(before, rows)
        )
        if not same:
            self._rows = rows.copy()
            self._checksum = None
            return False
        if rows.min() == rows.max():
            self.repeats = 0
            return None
        checksum = zlib.crc32(np.ascontiguousarray(image).data)
        known, self._checksum = self._checksum, checksum
        return known is None or known == checksum


class FreezeWatch:
    """How long a camera has repeated one picture. A closed shutter is no freeze."""

    def __init__(self) -> None:
        self._check = FreshnessCheck()
        self._since_s: float | None = None
        self._new_s: float | None = None

    @property
    def repeats(self) -> int:
        """How many times the last picture was repeated."""
        return self._check.repeats

    def judge(self, image: Image, flags: FrameFlags, now_s: float) -> tuple[bool, float]:
        """Take in the next picture.

        Returns:
            whether it has to be taken for a repetition, and for how long, in seconds, the picture
            has been repeated by now; 0 while the shutter is closed.
        """
        stale = self._check.update(image)
        if not self._check.repeats or FrameFlags.SHUTTER in flags:
            self._since_s, self._new_s = None, now_s
        elif self._since_s is None:
            self._since_s = self._new_s
        return stale, now_s - self._since_s if stale and self._since_s is not None else 0.0

    def on_reopened(self, now_s: float) -> None:
        """The camera was opened again: the time counts anew, the picture is still known."""
        if self._since_s is not None:
            self._since_s = now_s
