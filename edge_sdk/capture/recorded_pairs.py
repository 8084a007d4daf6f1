"""Pairs of two recordings, by time or by the names of the files."""

from __future__ import annotations

import copy
import dataclasses
import sys
from collections.abc import Hashable, Iterator, Sequence
from pathlib import PurePath

from edge_sdk.capture.camera import Camera
from edge_sdk.capture.files import RecordedCamera
from edge_sdk.capture.pairing import CameraDrops, Pairer, PairingStats
from edge_sdk.errors import ConfigError, SourceError
from edge_sdk.frames import Frame, FramePair

__all__ = ["RecordedPairs", "pair_recordings"]

_NEVER_NS = sys.maxsize


def pair_recordings(ir_camera: Camera, visible_camera: Camera, tolerance_ns: int) -> RecordedPairs:
    """All pairs of two opened recordings, in order, at the pace of the reader.

    By time, with the rule of :class:`Pairer`, always waiting for certainty. The look-ahead is the
    tolerance plus one frame.

    Two folders of which one or both have no recorded times are paired by name instead, unless the
    user gave them different frame rates: by file stem if at least half of the stems of the smaller
    folder are in the other; else, if no stem is in both, by the number in the names in the same
    way (``ir_0001`` with ``vis_0001``); else by order, which needs equal counts. A time that was
    made up then gives way to the partner's, so that the skew is 0, and the tolerance does not
    matter.

    Args:
        ir_camera: open, named ``"ir"``; not live. It stays the caller's to close.
        visible_camera: likewise, named ``"visible"``.
        tolerance_ns: largest ``|skew|`` of a pair, inclusive.

    Returns:
        An iterator with ``stats``, which are complete at its end.

    Raises:
        ConfigError: a camera is live or has another name, or a folder without times needs its
            ``fps`` to be paired with a recording that has times.
        SourceError: the names of two folders do not fit. While iterating: a recording is damaged
            (raised after all pairs that could still be made), or no pair was found at all.
    """
    return RecordedPairs(ir_camera, visible_camera, tolerance_ns)


class RecordedPairs(Iterator[FramePair]):
    """Iterator over the pairs of two recordings; see :func:`pair_recordings`."""

    def __init__(self, ir_camera: Camera, visible_camera: Camera, tolerance_ns: int) -> None:
        for camera, name in ((ir_camera, "ir"), (visible_camera, "visible")):
            if camera.name != name or camera.live:
                kind = "live" if camera.live else "recorded"
                raise ConfigError(
                    f'the {name} recording must be a recorded camera named "{name}", but got the '
                    f'{kind} camera "{camera.name}" (Pairer pairs live cameras)'
                )
        self._ir = ir_camera
        self._visible = visible_camera
        self._tolerance_ns = tolerance_ns
        self._own_stats = PairingStats()
        self._pairer = Pairer(tolerance_ns, max_pending=sys.maxsize, jump_ns=_NEVER_NS, eager=False)
        keys = _name_keys(ir_camera, visible_camera)
        self._by_name = keys is not None
        self._pairs = self._pair_by_time() if keys is None else self._pair_by_name(*keys)

    @property
    def stats(self) -> PairingStats:
        """A copy of the counters as they are now; frames left over are ``no_partner``."""
        return copy.deepcopy(self._own_stats) if self._by_name else self._pairer.stats

    def __next__(self) -> FramePair:
        return next(self._pairs)

    def _pair_by_time(self) -> Iterator[FramePair]:
        ir, visible = _Ahead(self._ir), _Ahead(self._visible)
        while ir.frame is not None or visible.frame is not None:
            first, second = (ir, visible) if ir.time_ns <= visible.time_ns else (visible, ir)
            assert first.frame is not None
            if second.error is not None and first.time_ns - second.last_ns > self._tolerance_ns:
                break
            # What the other recording still holds is not older than the frame that it shows.
            yield from self._pairer.note_time(second.camera.name, second.time_ns - 1)
            yield from self._pairer.push(first.frame)
            first.advance()
        yield from self._pairer.flush()
        error = ir.error or visible.error
        if error is not None:
            raise error
        if self._pairer.stats.paired == 0:
            raise SourceError(
                f"no frame of the two recordings is within {self._tolerance_ns / 1e6:g} ms of "
                f"another: infrared runs from {ir.span}, visible from {visible.span}; record both "
                "with one clock, or give the same fps to both"
            )

    def _pair_by_name(
        self, ir_keys: dict[str, Hashable], visible_keys: dict[str, Hashable]
    ) -> Iterator[FramePair]:
        stats = self._own_stats
        ir_is_timed = getattr(self._ir, "time_source", None) == "timestamps.csv"
        common = set(ir_keys.values()) & set(visible_keys.values())
        while True:
            ir = self._next_named(self._ir, ir_keys, common, stats.ir)
            visible = self._next_named(self._visible, visible_keys, common, stats.visible)
            if ir is None or visible is None:
                return
            if ir_is_timed:
                visible = dataclasses.replace(visible, timestamp_ns=ir.timestamp_ns)
            else:
                ir = dataclasses.replace(ir, timestamp_ns=visible.timestamp_ns)
            pair = FramePair(ir, visible)
            stats.count_pair(pair)
            yield pair

    def _next_named(
        self, camera: Camera, keys: dict[str, Hashable], common: set[Hashable], drops: CameraDrops
    ) -> Frame | None:
        while (frame := camera.read()) is not None:
            self._own_stats.count_received(camera.name)
            assert frame.name is not None
            if keys[frame.name] in common:
                return frame
            drops.no_partner += 1
        return None


class _Ahead:
    """One frame of look-ahead; an error of the recording ends it and is kept for later."""

    def __init__(self, camera: Camera) -> None:
        self.camera = camera
        self.error: SourceError | None = None
        self.first_ns: int | None = None
        self.last_ns = 0
        self.advance()

    def advance(self) -> None:
        try:
            self.frame = self.camera.read()
        except SourceError as error:
            self.frame, self.error = None, error
        if self.frame is not None:
            self.last_ns = self.frame.timestamp_ns
            self.first_ns = self.last_ns if self.first_ns is None else self.first_ns

    @property
    def time_ns(self) -> int:
        return _NEVER_NS if self.frame is None else self.frame.timestamp_ns

    @property
    def span(self) -> str:
        if self.first_ns is None:
            return "no frame to no frame"
        return f"{self.first_ns / 1e9:.3f} s to {self.last_ns / 1e9:.3f} s"


def _name_keys(
    ir: Camera, visible: Camera
) -> tuple[dict[str, Hashable], dict[str, Hashable]] | None:
    """What pairs two folders by name: file name -> key; None if time pairs the recordings."""
    recorded = [camera for camera in (ir, visible) if isinstance(camera, RecordedCamera)]
    made_up = [camera for camera in recorded if camera.time_source in ("fps", "default fps")]
    names = [camera.names for camera in recorded if camera.names is not None]
    same_rate = len({camera.fps for camera in made_up}) == 1
    if len(names) == 2 and same_rate:
        keys = _agreeing_keys(recorded[0], recorded[1])
        return (
            dict(zip(names[0], keys[0], strict=True)),
            dict(zip(names[1], keys[1], strict=True)),
        )
    for camera in made_up:
        if camera.time_source == "default fps":
            raise ConfigError(
                f"the folder {camera.path} has no time stamps and is to be paired by time: say "
                "its frame rate with --fps (in Python and in rig files: fps), or add a "
                "timestamps.csv"
            )
    return None


def _agreeing_keys(
    ir: RecordedCamera, visible: RecordedCamera
) -> tuple[Sequence[Hashable], Sequence[Hashable]]:
    assert ir.names is not None and visible.names is not None
    stems = _stems(ir.names), _stems(visible.names)
    common = len(set(stems[0]) & set(stems[1]))
    smaller = min(len(stems[0]), len(stems[1]))
    if 2 * common >= smaller:
        order = [[stem for stem in own if stem in other] for own, other in (stems, stems[::-1])]
        if order[0] != order[1]:
            raise SourceError(
                f"{ir.path} and {visible.path} hold the same names in another order of time: "
                "correct the timestamps.csv, or add one to the other folder"
            )
        return stems
    if common:
        raise SourceError(
            f"only {common} of {smaller} file names of {ir.path} and {visible.path} agree: give "
            "the images of one moment the same name, or add a timestamps.csv to both folders"
        )
    if ir.numbers is not None and visible.numbers is not None:
        common = len(set(ir.numbers) & set(visible.numbers))
        if 2 * common >= smaller:
            return ir.numbers, visible.numbers
    if len(ir.names) != len(visible.names):
        raise SourceError(
            f"{ir.path} has {len(ir.names)} images and {visible.path} has {len(visible.names)}, "
            "and their names do not say which belong together: give the images of one moment the "
            "same name, or add a timestamps.csv to both folders"
        )
    return range(len(ir.names)), range(len(visible.names))


def _stems(names: tuple[str, ...]) -> list[str]:
    return [PurePath(name).stem for name in names]
