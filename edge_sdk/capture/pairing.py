"""Two live streams in, pairs of the same moment out, with the skew of every pair."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Sequence
from typing import Literal

from edge_sdk.capture.matching import match, nearest
from edge_sdk.capture.pairing_stats import CameraDrops, PairingStats
from edge_sdk.errors import ConfigError
from edge_sdk.frames import Frame, FrameFlags, FramePair

__all__ = ["CameraDrops", "Cause", "Pairer", "PairingStats"]

Cause = Literal["no_partner", "out_of_order", "duplicate", "damaged", "overflow", "clock_jump"]

# A period is known after this many steps; the shortest of the last ones counts.
_STEPS_TO_KNOW = 3
_STEPS_KEPT = 8


class _Stream:
    """Frames of one camera that wait, and what is known of its clock."""

    def __init__(self, drops: CameraDrops) -> None:
        self.drops = drops
        self.pending: deque[Frame] = deque()
        self.steps_ns: deque[int] = deque(maxlen=_STEPS_KEPT)
        self.last_ns: int | None = None
        self.absent = False
        self.forget()

    def forget(self) -> None:
        """The clock starts anew; only ``last_ns`` is kept, which shows the next jump."""
        self.steps_ns.clear()
        self.first_ns: int | None = None
        self.usable_ns: int | None = None
        self.seen_ns: int | None = None
        """No frame up to this time can come any more."""
        self.expired_ns: int | None = None
        """Time of the last frame that the other camera has passed."""
        self.alone_since_ns: int | None = None
        """Time of the last frame that paired, or of the first one since a start or a pause."""

    def next_ns(self, eager: bool) -> int:
        """Earliest time that the next frame can have (``eager``: is expected to have)."""
        assert self.seen_ns is not None
        if eager and len(self.steps_ns) >= _STEPS_TO_KNOW:
            return self.seen_ns + min(self.steps_ns) * 3 // 4
        return self.seen_ns + 1


class Pairer:
    """Pairs frames of a live rig by time. Push them as they arrive, from one thread.

    Which pairs: smallest skew first, each frame at most once, none beyond the tolerance, in order
    (see ``matching``). An infrared frame at 20 and one at 35 ms make a visible frame at 33 ms pair
    with the one at 35.

    When: a pair leaves as soon as no better partner can come for either frame, that is when each
    camera has been seen at a time as far beyond the partner as the skew is large. If ``eager``,
    also when each camera's next frame is expected beyond that time: 3/4 of the shortest of its last
    8 periods after its last frame. So cameras of one rate pair without delay while the skew is
    below 3/8 of the period; otherwise a pair waits for one more frame.

    How long: a frame is dropped once the other camera has passed it by the tolerance. If the other
    camera delivers nothing, ``single_after_ns`` bounds the wait, and turns the waiting frames into
    pairs with one side None; so no frame waits for more than that and the tolerance. If both
    deliver but nothing has paired for ``single_after_ns``, the visible frames leave so (one camera
    only, since a picture that changes between the two is of no use), until there is a pair.

    Clocks: a step back of more than ``jump_ns``, or a step ahead that large which also leaves the
    other camera that far behind, is a jump. What waits is then paired as well as it can be, the
    rest dropped, and pairing starts anew; by the stamps alone, a pause of both looks the same.
    A smaller step back is a frame out of order.

    Args:
        tolerance_ns: largest ``|skew|`` of a pair, inclusive.
        max_pending: frames that may wait in each camera, a bound of the memory. It must cover what
            one camera delivers while the other is on its way: (difference of the delays) x (frame
            rate). The default is half a second at 120 frames/s.
        single_after_ns: deliver frames without a partner once the other camera has shown no usable
            frame for this long (at least the tolerance). None: such frames are dropped.
        jump_ns: see above. Choose it above the longest regular period.
        eager: False waits for proof instead of expectation; slower, and exact for any stream.
        on_unpaired: called with every frame that is dropped, and why.

    Raises:
        ConfigError: an argument is out of range.
    """

    def __init__(
        self,
        tolerance_ns: int,
        *,
        max_pending: int = 64,
        single_after_ns: int | None = None,
        jump_ns: int = 1_000_000_000,
        eager: bool = True,
        on_unpaired: Callable[[Frame, Cause], None] | None = None,
    ) -> None:
        if tolerance_ns < 0:
            raise ConfigError(f"tolerance_ns must be 0 or more, but got {tolerance_ns}")
        if max_pending < 1:
            raise ConfigError(f"max_pending must be 1 or more, but got {max_pending}")
        if single_after_ns is not None and single_after_ns < tolerance_ns:
            raise ConfigError(
                f"single_after_ns must be at least the tolerance ({tolerance_ns}), but got "
                f"{single_after_ns}: a frame would be given up while its partner can still come"
            )
        if jump_ns <= tolerance_ns:
            raise ConfigError(
                f"jump_ns must be above the tolerance ({tolerance_ns}), but got {jump_ns}"
            )
        self._tolerance_ns = tolerance_ns
        self._max_pending = max_pending
        self._single_after_ns = single_after_ns
        self._jump_ns = jump_ns
        self._eager = eager
        self._on_unpaired = on_unpaired
        self._stats = PairingStats()
        self._unpaired_skew_ns: int | None = None
        self._ir = _Stream(self._stats.ir)
        self._visible = _Stream(self._stats.visible)

    @property
    def tolerance_ns(self) -> int:
        """Largest ``|skew|`` of a pair."""
        return self._tolerance_ns

    @property
    def single_after_ns(self) -> int | None:
        """After so long without a partner a frame is delivered alone; None: never."""
        return self._single_after_ns

    @property
    def unpaired_skew_ns(self) -> int | None:
        """Visible minus infrared time of the frames that came nearest to a pair, since the last
        pair; None if there is nothing to tell."""
        return self._unpaired_skew_ns

    @property
    def clock_jumps(self) -> int:
        """Jumps of either clock so far."""
        return self._stats.clock_jumps

    @property
    def stats(self) -> PairingStats:
        """A copy of the counters as they are now."""
        return copy.deepcopy(self._stats)

    def push(self, frame: Frame, jumped: bool | None = None) -> list[FramePair]:
        """Take in one frame; returns the pairs that are now certain, oldest first.

        Args:
            frame: the next one of either camera.
            jumped: whether its camera's clock has jumped since the frame before, if that is known
                from elsewhere (:class:`~edge_sdk.capture.clocks.ClockWatch`); None to judge by the
                stamps alone.

        Raises:
            ConfigError: the frame's camera is neither ``"ir"`` nor ``"visible"``.
        """
        stream, other = self._streams(frame.camera)
        self._stats.count_received(frame.camera)
        pairs: list[FramePair] = []
        step_ns = None if stream.last_ns is None else frame.timestamp_ns - stream.last_ns
        if jumped is None:
            jumped = step_ns is not None and self._is_jump(step_ns, frame.timestamp_ns, other)
        if jumped:
            self._stats.clock_jumps += 1
            # If the other camera jumped first, this one only follows it into the new time.
            if stream.seen_ns is not None:
                pairs += self._start_anew("clock_jump")
        elif step_ns is not None and step_ns <= 0:
            self._drop(stream, frame, "out_of_order" if step_ns else "duplicate")
            return pairs
        elif step_ns is not None:
            stream.steps_ns.append(step_ns)
        paused = step_ns is not None and step_ns > (self._single_after_ns or step_ns)
        if stream.alone_since_ns is None or paused:
            stream.alone_since_ns = frame.timestamp_ns
        stream.last_ns = stream.seen_ns = frame.timestamp_ns
        if stream.first_ns is None:
            stream.first_ns = frame.timestamp_ns
        if FrameFlags.DAMAGED in frame.flags:
            self._drop(stream, frame, "damaged")
        else:
            stream.pending.append(frame)
            stream.usable_ns = frame.timestamp_ns
        pairs += self._settle()
        pairs += self._release_singles(stream, other)
        if len(stream.pending) > self._max_pending:
            pairs += self._pair_up(self._ir.pending, self._visible.pending)
            while len(stream.pending) > self._max_pending:
                self._drop(stream, stream.pending.popleft(), "overflow")
        return pairs

    def skip(self, frame: Frame) -> None:
        """Count a frame whose time is in doubt, and forget it: it takes no part in the pairing."""
        stream, _ = self._streams(frame.camera)
        self._stats.count_received(frame.camera)
        self._drop(stream, frame, "clock_jump")

    def note_time(self, camera: str, timestamp_ns: int) -> list[FramePair]:
        """Say that no frame of ``camera`` up to this time can come; returns the certain pairs."""
        stream, _ = self._streams(camera)
        if stream.seen_ns is None or stream.seen_ns < timestamp_ns:
            stream.seen_ns = timestamp_ns
        return self._settle()

    def set_absent(self, camera: str, absent: bool) -> list[FramePair]:
        """Say that ``camera`` delivers nothing for now, or does again.

        As long as it is absent the other camera's frames leave at once, without a partner, if
        ``single_after_ns`` allows that at all. Returns what leaves now.
        """
        stream, other = self._streams(camera)
        stream.absent = absent
        return self._release_singles(other, stream) if absent else []

    def flush(self) -> list[FramePair]:
        """End of the streams: pair what waits, drop the rest; then ready for new streams."""
        pairs = self._start_anew("no_partner")
        self._ir.last_ns = self._visible.last_ns = None
        return pairs

    def _streams(self, camera: str) -> tuple[_Stream, _Stream]:
        if camera == "ir":
            return self._ir, self._visible
        if camera == "visible":
            return self._visible, self._ir
        raise ConfigError(
            f'a frame of camera "{camera}" cannot be paired: name the cameras "ir" and "visible"'
        )

    def _is_jump(self, step_ns: int, timestamp_ns: int, other: _Stream) -> bool:
        if step_ns < -self._jump_ns:
            return True
        # Where the other camera shows the same time, this one has only paused.
        return step_ns > self._jump_ns and (
            other.last_ns is None or timestamp_ns - other.last_ns > self._jump_ns
        )

    def _start_anew(self, cause: Cause) -> list[FramePair]:
        pairs = self._pair_up(self._ir.pending, self._visible.pending)
        for stream in (self._ir, self._visible):
            while stream.pending:
                self._drop(stream, stream.pending.popleft(), cause)
            stream.forget()
        self._unpaired_skew_ns = None
        return pairs

    def _settle(self) -> list[FramePair]:
        pairs: list[FramePair] = []
        while True:
            self._expire(self._ir, self._visible)
            pairs += self._expire(self._visible, self._ir)
            certain = self._find_certain()
            if certain is None:
                return pairs
            # Older frames can only pair among themselves any more: a later partner would cross.
            pairs += self._pair_up(
                [f for f in self._ir.pending if f.timestamp_ns <= certain[0].timestamp_ns],
                [f for f in self._visible.pending if f.timestamp_ns <= certain[1].timestamp_ns],
            )

    def _expire(self, stream: _Stream, other: _Stream) -> list[FramePair]:
        """Give up the frames that can find no partner any more; returns those to show alone."""
        alone: list[FramePair] = []
        while stream.pending and other.seen_ns is not None:
            oldest = stream.pending[0]
            if other.seen_ns < oldest.timestamp_ns + self._tolerance_ns or (
                nearest(oldest, other.pending, self._tolerance_ns) is not None
            ):
                break
            stream.pending.popleft()
            stream.expired_ns = oldest.timestamp_ns
            if stream is self._visible:
                self._note_unpaired(oldest.timestamp_ns)
            if stream is self._visible and self._is_alone(oldest.timestamp_ns):
                self._stats.single_visible += 1
                alone.append(FramePair(ir=None, visible=oldest))
            else:
                self._drop(stream, oldest, "no_partner")
        return alone

    def _note_unpaired(self, visible_ns: int) -> None:
        near_ns = [frame.timestamp_ns for frame in self._ir.pending]
        if self._ir.expired_ns is not None:
            near_ns.append(self._ir.expired_ns)
        skews_ns = [visible_ns - ir_ns for ir_ns in near_ns]
        if self._unpaired_skew_ns is not None:
            skews_ns.append(self._unpaired_skew_ns)
        self._unpaired_skew_ns = min(skews_ns, key=abs, default=None)

    def _is_alone(self, visible_ns: int) -> bool:
        """Whether both cameras have long delivered without a pair."""
        ir, visible, after_ns = self._ir, self._visible, self._single_after_ns
        if after_ns is None or visible.alone_since_ns is None:
            return False
        assert ir.seen_ns is not None and visible.seen_ns is not None
        # Infrared that is further ahead leaves alone already, see _release_singles.
        return visible_ns - visible.alone_since_ns > after_ns >= ir.seen_ns - visible.seen_ns

    def _find_certain(self) -> tuple[Frame, Frame] | None:
        """A pair of which each is the other's nearest and will stay so, None if there is none."""
        for ir in self._ir.pending:
            visible = nearest(ir, self._visible.pending, self._tolerance_ns)
            if visible is None:
                continue
            if nearest(visible, self._ir.pending, self._tolerance_ns) is not ir:
                continue
            skew_ns = abs(visible.timestamp_ns - ir.timestamp_ns)
            if (
                self._visible.next_ns(self._eager) >= ir.timestamp_ns + skew_ns
                and self._ir.next_ns(self._eager) >= visible.timestamp_ns + skew_ns
            ):
                return ir, visible
        return None

    def _pair_up(self, ir: Sequence[Frame], visible: Sequence[Frame]) -> list[FramePair]:
        """Pair within these waiting frames; what is older than the last pair is dropped."""
        matches = match(list(ir), list(visible), self._tolerance_ns)
        pairs = [FramePair(a, b, b.timestamp_ns - a.timestamp_ns) for a, b in matches]
        for pair in pairs:
            self._stats.count_pair(pair)
            self._unpaired_skew_ns = None
        self._remove_up_to(self._ir, [a for a, _ in matches])
        self._remove_up_to(self._visible, [b for _, b in matches])
        return pairs

    def _remove_up_to(self, stream: _Stream, paired: list[Frame]) -> None:
        for partner in paired:
            stream.alone_since_ns = partner.timestamp_ns
            while (frame := stream.pending.popleft()) is not partner:
                self._drop(stream, frame, "no_partner")

    def _release_singles(self, stream: _Stream, other: _Stream) -> list[FramePair]:
        if self._single_after_ns is None or not stream.pending:
            return []
        heard_ns = stream.first_ns if other.usable_ns is None else other.usable_ns
        assert heard_ns is not None
        silent_ns = stream.pending[-1].timestamp_ns - heard_ns
        if not other.absent and silent_ns <= self._single_after_ns:
            return []
        pairs = self._pair_up(self._ir.pending, self._visible.pending)
        if stream is self._ir:
            self._stats.single_ir += len(stream.pending)
            pairs += [FramePair(ir=frame, visible=None) for frame in stream.pending]
        else:
            self._stats.single_visible += len(stream.pending)
            pairs += [FramePair(ir=None, visible=frame) for frame in stream.pending]
        stream.pending.clear()
        return pairs

    def _drop(self, stream: _Stream, frame: Frame, cause: Cause) -> None:
        setattr(stream.drops, cause, getattr(stream.drops, cause) + 1)
        if self._on_unpaired is not None:
            self._on_unpaired(frame, cause)
