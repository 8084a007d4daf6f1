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
_STEPS_TO_KNOW = 3
_STEPS_KEPT = 8
"""The usual step from stamp to stamp is the median of the last ones."""
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
        doubtful: do not pair this frame: its clock may have stepped, by so little that it would
            pair with a frame of another moment.
        news: what to tell, if anything.
    """

    frame: Frame
    jumped: bool = False
    corrected: bool = False
    doubtful: bool = False
    news: ClockNews | None = None


@dataclass
class _Clock:
    """Delays are arrival minus the camera's own stamp."""

    usual_ns: int | None = None
    """The shortest delay since the clock last changed."""
    paired_ns: int | None = None
    """The shortest recent delay when a pair was last relied upon, as if ``offset_ns`` were 0."""
    offset_ns: int = 0
    """Added to the stamps."""
    frames: int = 0
    stamp_ns: int = 0
    arrival_ns: int = 0
    recent: deque[tuple[int, int]] = field(default_factory=deque)
    """(arrival, delay) of the last frames, since the last stamp that made the clock suspect."""
    steps_ns: deque[int] = field(default_factory=lambda: deque(maxlen=_STEPS_KEPT))
    suspect: bool = False
    """A stamp was odd, and it is not decided yet what that meant; see ``odd_ns``."""
    unseen: int = 0
    """So many frames more must come before the delays tell whether the clock has moved."""

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

    def odd_ns(self, stamp_ns: int, arrival_ns: int) -> int:
        """How far the stamp steps ahead (positive) or back beyond what rate and arrival explain.

        A frame that is read late has a stamp of the usual step; so has one whose delay changes with
        the exposure. After a pause the arrival has made the same step. Both are 0 here.
        """
        step_ns = stamp_ns - self.stamp_ns
        if self.usual_ns is None:
            return 0
        if len(self.steps_ns) < _STEPS_TO_KNOW:
            return min(0, step_ns)
        irregular_ns = step_ns - sorted(self.steps_ns)[len(self.steps_ns) // 2]
        gained_ns = step_ns - (arrival_ns - self.arrival_ns)
        if irregular_ns < 0:
            return min(0, max(irregular_ns, gained_ns))
        # A lost frame after one that came late gains too, but not below the usual delay.
        return max(0, min(irregular_ns, gained_ns, self.usual_ns - (arrival_ns - stamp_ns)))

    def note(
        self, stamp_ns: int, arrival_ns: int, jumped: bool, memory_ns: int, least_ns: int
    ) -> bool:
        """Take in a frame; says whether its stamp is odd by more than ``least_ns``."""
        delay_ns = arrival_ns - stamp_ns
        odd_ns = self.odd_ns(stamp_ns, arrival_ns)
        odd = jumped or abs(odd_ns) > least_ns
        if odd:
            self.suspect = True
            self.recent.clear()  # delays before and after do not compare
        if jumped or self.usual_ns is None or odd_ns < -least_ns:
            self.usual_ns, self.frames = delay_ns, 0
        else:
            passed_s = (arrival_ns - self.arrival_ns) / 1e9
            self.usual_ns = min(delay_ns, self.usual_ns + round(passed_s * _DRIFT_NS_PER_S))
            if stamp_ns > self.stamp_ns:
                self.steps_ns.append(stamp_ns - self.stamp_ns)
        self.frames += 1
        self.stamp_ns, self.arrival_ns = stamp_ns, arrival_ns
        self.recent.append((arrival_ns, delay_ns))
        self.forget(arrival_ns - memory_ns)
        return odd

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
    not would leave the cameras apart for ever, or, worse, make them pair with frames of another
    moment: of cameras of one rate some frame is always near. So pairs are relied upon only until a
    stamp is odd, one that neither the camera's rate nor a late arrival explains. From then on the
    frames' delays tell, for ``resync_after_ns``. If those of one camera have moved against those of
    the other, its stamps are corrected by that difference; if not, its clock is trusted again.
    Without an odd stamp, and without any pair, the same happens after five times as long, since a
    busy machine makes frames late too.

    Frames of a corrected clock carry ``FrameFlags.RETIMED``; their skew is an estimate, as good as
    the times of arrival are steady. So do those of a clock that seems to have moved, until that is
    decided; if it is by less than ``jump_ns``, they are not to be paired meanwhile. When the
    camera's own stamps fit again, the correction ends.

    Args:
        tolerance_ns: of the pairing; clocks that moved by less than twice that, or than 50 ms, are
            left as they are (after an odd stamp: by less than 3/5 of it). Of cameras that have
            never paired, the delays must differ by more than 500 ms: below that, one may be slower
            without a wrong clock.
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
        self._moved_ns = self._same_ns * 3 // 5
        self._odd_ns = self._same_ns // 2
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
        doubted, suspected = self.in_doubt, clock.suspect
        odd = clock.note(stamp_ns, arrival_ns, jump_ns != 0, self._patience_ns, self._odd_ns)
        if self._unpaired_since_ns is None:
            self._unpaired_since_ns = self._looked_ns = arrival_ns
        news, corrected = None, False
        if odd:
            corrected = self._end_correction(clock)
            if not doubted:
                self._looked_ns = arrival_ns
            if not suspected:  # only then, or a clock that is always odd would never pair
                clock.unseen = _FRAMES_TO_RESYNC
        if jump_ns:
            clock.unseen = 0
            self._unpaired_since_ns = self._looked_ns = arrival_ns
            text = f"time stamps jumped by {jump_ns / 1e9:+.3f} s; pairing starts anew"
            news = ClockNews(EventKind.CLOCK_JUMP, text, frame.camera)
        elif corrected:
            news = _fits_again(frame.camera)
        elif arrival_ns - self._looked_ns > self._patience_ns:
            self._looked_ns = arrival_ns
            news = self._look(arrival_ns, arrival_ns - self._unpaired_since_ns)
            corrected = news is not None
        apart_ns = self._apart_ns() if clock.suspect else 0
        doubtful = clock.suspect and (
            clock.unseen > 0 or self._moved_ns < apart_ns <= self._jump_ns
        )
        clock.unseen = max(0, clock.unseen - 1)
        if clock.offset_ns or apart_ns > self._moved_ns:
            frame = replace(
                frame,
                timestamp_ns=stamp_ns + clock.offset_ns,
                flags=frame.flags | FrameFlags.RETIMED,
            )
        return Judged(frame, jump_ns != 0, corrected, doubtful, news)

    @property
    def in_doubt(self) -> bool:
        """Whether a clock has shown an odd stamp, and it is not decided yet what that meant."""
        return any(clock.suspect for clock in self._clocks.values())

    def paired(self, arrival_ns: int) -> None:
        """Say that the cameras paired just now."""
        # In doubt no pair tells anything: its frames may be older than the step, or of two moments.
        if self.in_doubt:
            return
        self._unpaired_since_ns = arrival_ns
        if all(clock.recent for clock in self._clocks.values()):
            for clock in self._clocks.values():
                clock.paired_ns = clock.recent_ns() - clock.offset_ns

    def _own_ns(self) -> dict[str, int]:
        """By how much the delays of the cameras' own stamps have moved since they paired."""
        known = self._known()
        return {
            name: clock.recent_ns() - ((clock.paired_ns or 0) if known else 0)
            for name, clock in self._clocks.items()
        }

    def _known(self) -> bool:
        return all(clock.paired_ns is not None for clock in self._clocks.values())

    def _apart_ns(self) -> int:
        """How far the clocks seem to have moved apart; 0 as long as that is not known."""
        clocks = self._clocks.values()
        if not self._known() or any(len(clock.recent) < _FRAMES_TO_RESYNC for clock in clocks):
            return 0
        own_ns = self._own_ns()
        moved_ns = [own_ns[name] - clock.offset_ns for name, clock in self._clocks.items()]
        return abs(moved_ns[0] - moved_ns[1])

    def _end_correction(self, clock: _Clock) -> bool:
        """After a jump: the clock may be where it was when its own stamps paired."""
        if not clock.offset_ns or clock.paired_ns is None or clock.usual_ns is None:
            return False
        if abs(clock.usual_ns - clock.paired_ns) > self._same_ns:
            return False
        clock.offset_ns = 0
        return True

    def _look(self, arrival_ns: int, unpaired_ns: int) -> ClockNews | None:
        """Begin, change or end a correction, or a doubt, if that is due."""
        for clock in self._clocks.values():
            clock.forget(arrival_ns - self._patience_ns)
            if len(clock.recent) < _FRAMES_TO_RESYNC:
                return None
        own_ns = self._own_ns()
        for name, clock in self._clocks.items():
            # Less than what begins a correction, or one of a step that large would come and go.
            if clock.offset_ns and abs(own_ns["ir"] - own_ns["visible"]) <= self._odd_ns:
                self._trust_all()
                clock.offset_ns = 0
                return _fits_again(name)
        if unpaired_ns <= self._patience_ns:
            return None
        return self._correct(own_ns, unpaired_ns > _LATE * self._patience_ns)

    def _correct(self, own_ns: dict[str, int], long: bool) -> ClockNews | None:
        """``own_ns``: by how much the delays of the cameras' own stamps have moved."""
        moved_ns = {name: own_ns[name] - self._clocks[name].offset_ns for name in own_ns}
        apart_ns = abs(moved_ns["ir"] - moved_ns["visible"])
        least_ns = self._moved_ns if self.in_doubt else self._same_ns
        if apart_ns <= (least_ns if self._known() else _UNKNOWN_NS):
            self._trust_all()
            return None
        wrong = max(moved_ns, key=lambda name: (self._clocks[name].suspect, abs(moved_ns[name])))
        other = "visible" if wrong == "ir" else "ir"
        clock = self._clocks[wrong]
        if not (clock.suspect or clock.offset_ns or long):
            return None
        self._trust_all()
        clock.offset_ns += moved_ns[wrong] - moved_ns[other]
        if abs(clock.offset_ns) <= self._odd_ns and self._known():
            clock.offset_ns = 0
            return _fits_again(wrong)
        return ClockNews(
            EventKind.RESYNCED,
            f"by the times of arrival in the last {self._patience_ns / 1e9:g} s its clock is off: "
            f"its stamps are corrected by {clock.offset_ns / 1e9:+.3f} s from now on",
            wrong,
        )

    def _trust_all(self) -> None:
        for clock in self._clocks.values():
            clock.suspect = False


def _fits_again(camera: str) -> ClockNews:
    return ClockNews(EventKind.RESYNCED, "the camera's own time stamps fit again", camera)
