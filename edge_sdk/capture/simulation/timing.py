"""When frames are taken, which are lost, and when the shutter closes: pure functions of the index.

All times here are nanoseconds after the start of the rig.
"""

from __future__ import annotations

from edge_sdk.capture.simulation.rand import signed, unit

__all__ = ["FrameClock", "ShutterPlan"]


class FrameClock:
    """Times of a camera's frames.

    Args:
        fps: frames per second.
        offset_ns: time of the first frame.
        jitter_ns: largest deviation from even spacing.
        drop_probability: share of frames that are lost.
        seed, stream: what the deviations and losses are drawn from.
    """

    def __init__(
        self,
        fps: float,
        offset_ns: int,
        jitter_ns: int,
        drop_probability: float,
        seed: int,
        stream: int,
    ) -> None:
        self._period_ns = 1e9 / fps
        self._offset_ns = offset_ns
        self._jitter_ns = jitter_ns
        self._drop_probability = drop_probability
        self._seed = seed
        self._stream = stream

    @property
    def period_ns(self) -> float:
        """Mean time between two frames."""
        return self._period_ns

    def time_ns(self, index: int) -> int:
        """When frame ``index`` is taken; grows with the index."""
        even = self._offset_ns + round(index * self._period_ns)
        if self._jitter_ns == 0:
            return even
        return even + round(self._jitter_ns * signed(self._seed, self._stream, 1, index))

    def dropped(self, index: int) -> bool:
        """True if frame ``index`` is taken but lost on its way."""
        if self._drop_probability == 0.0:
            return False
        return unit(self._seed, self._stream, 2, index) < self._drop_probability

    def first_from(self, time_ns: int) -> int:
        """The first index whose frame is taken at ``time_ns`` or later."""
        guess = int((time_ns - self._offset_ns - self._jitter_ns) / self._period_ns) - 1
        index = max(0, guess)
        while self.time_ns(index) < time_ns:
            index += 1
        return index


class ShutterPlan:
    """When the flat-field correction of the infrared camera takes place.

    Args:
        period_s: time between two corrections; None for none.
        duration_s: how long the shutter is closed.
    """

    def __init__(self, period_s: float | None, duration_s: float) -> None:
        self._period_ns = None if period_s is None else round(period_s * 1e9)
        self._duration_ns = round(duration_s * 1e9)

    def closed_since(self, time_ns: int) -> int | None:
        """When the shutter closed, if it is closed at ``time_ns``; None if it is open."""
        if self._period_ns is None or time_ns < self._period_ns:
            return None
        start = time_ns // self._period_ns * self._period_ns
        return start if time_ns - start < self._duration_ns else None

    def correction(self, time_ns: int) -> tuple[int, int]:
        """Number of corrections made until ``time_ns``, and nanoseconds since the last one.

        The camera has corrected itself when it starts; that one is number 0.
        """
        if self._period_ns is None or time_ns < self._period_ns:
            return 0, max(0, time_ns)
        return divmod(time_ns, self._period_ns)
