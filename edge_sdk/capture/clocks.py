"""Do the time stamps of both cameras belong to one clock? Judged by when the frames arrive."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace

from edge_sdk.errors import ConfigError
from edge_sdk.events import EventKind
from edge_sdk.frames import Frame, FrameFlags

__all__ = ["ClockNews", "ClockWatch", "Judged"]

_FRAMES_TO_KNOW = 8
"""A camera's usual delay is known after so many frames; the first ones may come out of a queue."""
_FRAMES_TO_RESYNC = 3
_DRIFT_NS_PER_S = 1_000_000
"""The usual delay may rise so fast: crystals differ by some 0.1 ms/s."""
_UNKNOWN_NS = 500_000_000
"""Delays of two cameras that never paired may differ so much without any clock being wrong."""
_SAME_NS = 50_000_000
_LATE = 5
"""So many times the patience, and frames are not late any more: their clock is wrong."""


@dataclass(frozen=True, slots=True)
class ClockNews:
    """Something that is worth an event."""

    kind: EventKind
    message: str
    camera: str


@dataclass(frozen=True, slots=True)
class Judged:
    """A frame and what its time stamp tells.

    Attributes:
        frame: the frame; its stamp corrected, and flagged ``RETIMED``, if its clock is wrong.
        jumped: its clock has jumped since the frame before.
        corrected: the correction of a clock has just changed: times before do not compare.
        news: what to tell, if anything.
    """

    frame: Frame
    jumped: bool = False
    corrected: bool = False
    news: ClockNews | None = None


@dataclass
class _Clock:
    """Delays are arrival minus the camera's own stamp."""

    usual_ns: int | None = None
    """The shortest delay since the clock last changed."""
    paired_ns: int | None = None
    """The usual delay while the camera's own stamps paired."""
    offset_ns: int = 0
    """Added to the stamps."""
    frames: int = 0
    stamp_ns: int = 0
    arrival_ns: int = 0
    recent: deque[tuple[int, int]] = field(default_factory=deque)
    """(arrival, delay) of the last frames."""
    suspect: bool = False
    """A stamp went back, or further ahead than ever: no frame that comes late looks so."""

    def jump_ns(self, stamp_ns: int, delay_ns: int, least_ns: int) -> int:
        """How far the clock has jumped ahead (positive) or back; 0 if it has not.

        A frame that comes late, or after a pause, is no jump: only a stamp before the last one, or
        one further ahead of its arrival than ever, is.
        """
        if self.usual_ns is None:
            return 0
        ahead_ns = self.usual_ns - delay_ns
        if ahead_ns > least_ns and self.frames >= _FRAMES_TO_KNOW:
            return ahead_ns
        return ahead_ns if stamp_ns - self.stamp_ns < -least_ns else 0

    def note(
        self, stamp_ns: int, arrival_ns: int, jumped: bool, memory_ns: int, same_ns: int
    ) -> None:
        delay_ns = arrival_ns - stamp_ns
        if self.usual_ns is not None:
            ahead = self.usual_ns - delay_ns > same_ns and self.frames >= _FRAMES_TO_KNOW
            self.suspect |= jumped or ahead or stamp_ns - self.stamp_ns < -same_ns
        if jumped or self.usual_ns is None:
            self.usual_ns, self.frames = delay_ns, 0
            self.recent.clear()
        else:
            passed_s = (arrival_ns - self.arrival_ns) / 1e9
            self.usual_ns = min(delay_ns, self.usual_ns + round(passed_s * _DRIFT_NS_PER_S))
        self.frames += 1
        self.stamp_ns, self.arrival_ns = stamp_ns, arrival_ns
        self.recent.append((arrival_ns, delay_ns))
        self.forget(arrival_ns - memory_ns)

    def forget(self, before_ns: int) -> None:
        while self.recent and self.recent[0][0] < before_ns:
            self.recent.popleft()

    def recent_ns(self) -> int:
        """The shortest recent delay."""
        return min(delay_ns for _, delay_ns in self.recent)


class ClockWatch:
    """Finds clocks that jump, and makes cameras pair again whose clock has jumped for good.

    A stamp comes before its arrival by a delay that hardly changes. Against its shortest value a
    pause, or a frame that was read late, is told from a jump, which needs one camera only.

    A clock that comes back by itself (one wrong stamp) costs the frames in between. One that does
    not would leave the cameras apart for ever. So, when both have delivered for ``resync_after_ns``
    without one pair, and the delays of one have moved against those of the other, its stamps are
    corrected from then on by that difference. It must have shown a stamp that no delay explains
    (one that goes back, or too far ahead); without one, it takes five times as long, since a busy
    machine makes frames late too. Such frames carry ``FrameFlags.RETIMED``: their skew is an
    estimate, as good as the times of arrival are steady. When the camera's own stamps fit again,
    the correction ends.

    Args:
        tolerance_ns: of the pairing; clocks that moved by less than twice that, or than 50 ms, are
            left as they are. Of cameras that have never paired, the delays must differ by more than
            500 ms: below that, one may be slower without a wrong clock.
        jump_ns: steps above this are jumps.
        resync_after_ns: see above.

    Raises:
        ConfigError: an argument is not positive.
    """

    def __init__(
        self,
        tolerance_ns: int,
        *,
        jump_ns: int = 1_000_000_000,
        resync_after_ns: int = 2_000_000_000,
    ) -> None:
        values = {
            "tolerance_ns": tolerance_ns,
            "jump_ns": jump_ns,
            "resync_after_ns": resync_after_ns,
        }
        for name, value in values.items():
            if value <= 0:
                raise ConfigError(f"{name} must be above 0, but got {value}")
        self._same_ns = max(2 * tolerance_ns, _SAME_NS)
        self._jump_ns = jump_ns
        self._patience_ns = resync_after_ns
        self._clocks = {"ir": _Clock(), "visible": _Clock()}
        self._unpaired_since_ns: int | None = None
        self._looked_ns = 0

    def take(self, frame: Frame, arrival_ns: int) -> Judged:
        """Judge the next frame of either camera; ``arrival_ns`` is ``time.monotonic_ns()``."""
        clock = self._clocks[frame.camera]
        stamp_ns = frame.timestamp_ns
        jump_ns = clock.jump_ns(stamp_ns, arrival_ns - stamp_ns, self._jump_ns)
        clock.note(stamp_ns, arrival_ns, jump_ns != 0, self._patience_ns, self._same_ns)
        if self._unpaired_since_ns is None:
            self._unpaired_since_ns = self._looked_ns = arrival_ns
        news, corrected = None, False
        if jump_ns:
            self._unpaired_since_ns = self._looked_ns = arrival_ns
            corrected = self._end_correction(clock)
            text = f"time stamps jumped by {jump_ns / 1e9:+.3f} s; pairing starts anew"
            news = ClockNews(EventKind.CLOCK_JUMP, text, frame.camera)
        elif arrival_ns - self._looked_ns > self._patience_ns:
            self._looked_ns = arrival_ns
            news = self._look(arrival_ns, arrival_ns - self._unpaired_since_ns)
            corrected = news is not None
        if clock.offset_ns:
            frame = replace(
                frame,
                timestamp_ns=stamp_ns + clock.offset_ns,
                flags=frame.flags | FrameFlags.RETIMED,
            )
        return Judged(frame, jump_ns != 0, corrected, news)

    def paired(self, arrival_ns: int) -> None:
        """Say that the cameras paired just now."""
        self._unpaired_since_ns = arrival_ns
        for clock in self._clocks.values():
            if not clock.offset_ns:
                clock.paired_ns, clock.suspect = clock.usual_ns, False

    def _end_correction(self, clock: _Clock) -> bool:
        """After a jump: the clock may be where it was when its own stamps paired."""
        if not clock.offset_ns or clock.paired_ns is None or clock.usual_ns is None:
            return False
        if abs(clock.usual_ns - clock.paired_ns) > self._same_ns:
            return False
        clock.offset_ns = 0
        return True

    def _look(self, arrival_ns: int, unpaired_ns: int) -> ClockNews | None:
        """Begin, change or end a correction, if that is due."""
        for clock in self._clocks.values():
            clock.forget(arrival_ns - self._patience_ns)
            if len(clock.recent) < _FRAMES_TO_RESYNC:
                return None
        known = all(clock.paired_ns is not None for clock in self._clocks.values())
        own_ns = {
            name: clock.recent_ns() - ((clock.paired_ns or 0) if known else 0)
            for name, clock in self._clocks.items()
        }
        for name, clock in self._clocks.items():
            if clock.offset_ns and abs(own_ns["ir"] - own_ns["visible"]) <= self._same_ns:
                clock.offset_ns = 0
                return ClockNews(EventKind.RESYNCED, "the camera's own time stamps fit again", name)
        if unpaired_ns <= self._patience_ns:
            return None
        return self._correct(own_ns, known, unpaired_ns > _LATE * self._patience_ns)

    def _correct(self, own_ns: dict[str, int], known: bool, long: bool) -> ClockNews | None:
        """``own_ns``: by how much the delays of the cameras' own stamps have moved."""
        moved_ns = {name: own_ns[name] - self._clocks[name].offset_ns for name in own_ns}
        apart_ns = abs(moved_ns["ir"] - moved_ns["visible"])
        if apart_ns <= (self._same_ns if known else _UNKNOWN_NS):
            return None
        wrong = max(moved_ns, key=lambda name: abs(moved_ns[name]))
        other = "visible" if wrong == "ir" else "ir"
        clock = self._clocks[wrong]
        if not (clock.suspect or long):
            return None
        clock.offset_ns += moved_ns[wrong] - moved_ns[other]
        return ClockNews(
            EventKind.RESYNCED,
            f"no pair for {self._patience_ns / 1e9:g} s, and by the times of arrival its clock is "
            f"off: its stamps are corrected by {clock.offset_ns / 1e9:+.3f} s from now on",
            wrong,
        )
