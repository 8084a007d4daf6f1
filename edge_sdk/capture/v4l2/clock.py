"""What a driver says about a frame's number and time, made into numbers that can be trusted."""

from __future__ import annotations

from collections import Counter

__all__ = ["SequenceCounter", "StampClock"]

_WRAP = 1 << 32
_FLAG_MONOTONIC = 0x2000
_FLAG_CLOCK = 0xE000
_FLAG_START_OF_EXPOSURE = 0x10000
_FLAG_SOURCE = 0x70000

_AHEAD_NS = 1_000_000_000
"""A stamp that is further ahead than this is of another clock, not late by a glitch."""
_BEHIND_NS = 5_000_000_000
"""A frame that waited in the queue for so long would have been drained."""


class SequenceCounter:
    """The driver's 32-bit frame number as one that never wraps, repeats or runs back.

    Args:
        counts: ``"lost by the driver"`` and ``"sequence out of order"`` are counted here.
    """

    def __init__(self, counts: Counter[str]) -> None:
        self._counts = counts
        self._raw: int | None = None
        self._value = -1

    def restart(self) -> None:
        """The stream starts anew: the next number follows the last one, whatever it is."""
        self._raw = None

    def __call__(self, raw: int) -> int:
        """Number of the frame that the driver calls ``raw`` (0 to 2**32 - 1)."""
        if self._raw is None:
            self._value = raw if self._value < 0 else self._value + 1
        else:
            step = (raw - self._raw) % _WRAP
            if step == 0 or step > _WRAP // 2:
                # A driver that counts anew or not at all; how many were lost cannot be known.
                self._counts["sequence out of order"] += 1
                step = 1
            elif step > 1:
                self._counts["lost by the driver"] += step - 1
            self._value += step
        self._raw = raw
        return self._value


class StampClock:
    """The driver's time stamp as nanoseconds of ``CLOCK_MONOTONIC`` at the start of the exposure.

    - A stamp at the start of the exposure (``V4L2_BUF_FLAG_TSTAMP_SRC_SOE``) is kept.
    - A stamp at the end of the frame is taken back by one frame period, the most that exposure and
      readout take together in a camera that runs at its rate. Without a known period it is kept.
    - A stamp that is not of ``CLOCK_MONOTONIC`` by its flags is replaced by the time of arrival,
      taken back likewise.
    - A stamp up to 1 s ahead of now is a glitch: it becomes now.
    - A stamp further ahead, or more than 5 s behind (a wrapped counter, another clock), is moved by
      the smallest difference to now that this clock has shown. Steps between frames stay exact.

    Args:
        counts: every correction but the frame period is counted here.
        period_ns: nanoseconds from frame to frame; None if the driver does not tell.
    """

    def __init__(self, counts: Counter[str], period_ns: int | None) -> None:
        self._counts = counts
        self._back_ns = period_ns or 0
        self._shift_ns: int | None = None

    def __call__(self, stamp_ns: int, flags: int, now_ns: int) -> int:
        """Time of a frame.

        Args:
            stamp_ns: what the driver says, nanoseconds, of any size and sign.
            flags: of ``struct v4l2_buffer``.
            now_ns: ``time.monotonic_ns()`` when the frame was dequeued.
        """
        if flags & _FLAG_CLOCK != _FLAG_MONOTONIC:
            self._counts["time of arrival used"] += 1
            return now_ns - self._back_ns
        if flags & _FLAG_SOURCE != _FLAG_START_OF_EXPOSURE:
            stamp_ns -= self._back_ns
        ahead_ns = stamp_ns - now_ns
        if -_BEHIND_NS <= ahead_ns <= _AHEAD_NS:
            self._shift_ns = None
            if ahead_ns > 0:
                self._counts["time stamp ahead"] += 1
                return now_ns
            return stamp_ns
        self._counts["time stamp of another clock"] += 1
        shift_ns = self._shift_ns
        if shift_ns is None or not -_BEHIND_NS <= ahead_ns + shift_ns <= 0:
            shift_ns = -ahead_ns
        self._shift_ns = shift_ns
        return stamp_ns + shift_ns
