"""Follows detections through time with ByteTrack, in seconds instead of frames."""

from __future__ import annotations

import inspect
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edge_sdk.errors import ConfigError, DependencyError
from edge_sdk.frames import FusedFrame, Track
from edge_sdk.tracking._optional import load
from edge_sdk.tracking.detections import CLASS_NAME, Detections
from edge_sdk.tracking.detector import Detector

__all__ = ["TrackingHook"]

REFERENCE_FPS = 30.0
"""The unit of the library's motion model and of its lost-track buffer; not a real frame rate."""
HOLD_ON = ("shutter", "ir stale")


@dataclass(slots=True)
class _Memory:
    """What the library's tracker does not keep about a track."""

    seen_ns: int
    score: float
    votes: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    @property
    def label(self) -> str:
        return max(self.votes, key=self.votes.__getitem__)


class TrackingHook:
    """A pipeline hook: ``hook(fused)`` detects, and returns the tracks of that frame.

    The tracker is ByteTrack (Zhang et al., ECCV 2022) of the ``trackers`` package, fed with the
    real time between frames, so that 5, 30 and irregular frames a second behave alike:

    - ``fused.timestamp_ns`` goes into every update. The library scales the transition and the noise
      of its Kalman filter by the time since the last one, and counts lost time in seconds.
    - Boxes are compared by their overlap after widening them by the time since the last update
      (half of their size at most), since a new track has no speed yet and a walking person moves
      by half their width in 0.2 s (buffered IoU, Yang et al., WACV 2023).
    - Frames whose infrared is frozen (``hold_on``) are not looked at: the last tracks are returned
      as they are, and the time does not count as lost, up to ``max_hold_s``. The first good frame
      then sees the motion of the whole gap.
    - Frames without an infrared image are looked at as usual: a detector that finds nothing there
      lets the tracks coast until ``max_lost_s``.

    The box of a track is that of the detection. For ``coast_s`` after its last detection a track
    is still reported, at the predicted place and with a falling score. Its label is the one that
    its detections bore most, weighted by score.

    Ids count from 1 in each instance. When time goes backwards, or by more than ``max_lost_s``
    without any frame, all tracks are forgotten and ids count on, so that no id ever names two
    objects; :meth:`reset` starts again at 1.

    Args:
        detector: anything with ``detect(fused) -> Detections``.
        max_lost_s: a track that is not seen for so long ends.
        min_hits: detections in consecutive frames before a track is reported; at least two are
            needed whatever is asked.
        new_track_score: score from which an unmatched detection starts a track.
        high_score: score from which a detection is matched in the first round; those below may
            only continue tracks that the first round left.
        min_iou: overlap, after widening, from which a detection may belong to a track.
        coast_s: for how long a track without a detection is still reported.
        hold_on: a frame is held if one of these texts is in one of the reasons of
            ``fused.degraded``.
        max_hold_s: how long tracks survive such frames without ageing.

    Raises:
        ConfigError: a value is outside its range.
        DependencyError: ``trackers`` is not installed, or too old to know about time.
    """

    def __init__(
        self,
        detector: Detector,
        *,
        max_lost_s: float = 1.0,
        min_hits: int = 3,
        new_track_score: float = 0.45,
        high_score: float = 0.45,
        min_iou: float = 0.1,
        coast_s: float = 0.2,
        hold_on: tuple[str, ...] = HOLD_ON,
        max_hold_s: float = 3.0,
    ) -> None:
        if not isinstance(detector, Detector):
            raise ConfigError(
                f"detector must have a method detect(fused), but got {type(detector).__name__}"
            )
        for name, value, low, high in (
            ("max_lost_s", max_lost_s, 0.01, 3600.0),
            ("min_hits", min_hits, 1, 1000),
            ("new_track_score", new_track_score, 0.0, 1.0),
            ("high_score", high_score, 0.0, 1.0),
            ("min_iou", min_iou, 0.0, 1.0),
            ("coast_s", coast_s, 0.0, max_lost_s),
            ("max_hold_s", max_hold_s, 0.0, 3600.0),
        ):
            if not low <= value <= high:
                raise ConfigError(f"{name} must be from {low:g} to {high:g}, but got {value!r}")
        self.detector = detector
        self.max_lost_s = max_lost_s
        self.coast_s = coast_s
        self.hold_on = tuple(hold_on)
        self.max_hold_s = max_hold_s
        trackers = load("trackers", "TrackingHook")
        update = trackers.ByteTrackTracker.update
        if not hasattr(trackers, "BIoU") or "timestamp" not in inspect.signature(update).parameters:
            raise DependencyError(
                "TrackingHook needs a version of 'trackers' whose trackers take time stamps; "
                'update it with: pip install --upgrade "edge-sdk[track]"'
            )
        self._overlap = trackers.BIoU(buffer_ratio=0.0)
        self._tracker = trackers.ByteTrackTracker(
            # The library's unit is 1/30 s whatever the frame rate; rounded up to whole ones.
            lost_track_buffer=int(np.ceil(max_lost_s * REFERENCE_FPS)),
            frame_rate=REFERENCE_FPS,
            track_activation_threshold=new_track_score,
            minimum_consecutive_frames=min_hits,
            minimum_iou_threshold=min_iou,
            high_conf_det_threshold=high_score,
            iou=self._overlap,
        )
        self._memory: dict[int, _Memory] = {}
        self._id_offset = 1
        self._highest_id = 0
        self._forget()

    def reset(self) -> None:
        """Forget all tracks; the next one gets id 1. For another recording or another robot."""
        self._highest_id = 0
        self._forget()

    def _forget(self) -> None:
        self._tracker.reset()
        self._memory.clear()
        self._id_offset = self._highest_id + 1
        self._frame_ns: int | None = None
        self._start_ns = 0
        self._update_ns: int | None = None
        self._held_s = 0.0
        self._last: list[Track] = []

    def __call__(self, fused: FusedFrame) -> list[Track]:
        """Tracks of this frame, in pixels of ``fused.image``, oldest id first.

        A frame with the time stamp of the one before is not looked at: the answer is the same.
        """
        now_ns = fused.timestamp_ns
        before_ns = self._frame_ns
        if before_ns == now_ns:
            return list(self._last)
        if before_ns is not None:
            step_s = (now_ns - before_ns) / 1e9
            if step_s < 0.0 or step_s > self.max_lost_s:
                self._forget()
                before_ns = None
        self._frame_ns = now_ns
        if any(word in reason for reason in fused.degraded for word in self.hold_on):
            return self._hold(now_ns, before_ns)
        self._last = self._follow(self.detector.detect(fused), now_ns, fused.image.shape)
        return list(self._last)

    def _hold(self, now_ns: int, before_ns: int | None) -> list[Track]:
        if before_ns is not None:
            self._held_s += (now_ns - before_ns) / 1e9
        if self._held_s > self.max_hold_s:
            self._last = []
        return list(self._last)

    def _follow(self, detections: Detections, now_ns: int, shape: tuple[int, ...]) -> list[Track]:
        if self._update_ns is None:
            self._start_ns = self._update_ns = now_ns
        self._overlap.buffer_ratio = min(0.5, (now_ns - self._update_ns) / 1e9)
        credit_s = min(self._held_s, self.max_hold_s)
        for tracklet in self._tracker.tracks:
            tracklet.time_since_update_seconds -= credit_s
        found = self._tracker.update(
            detections.to_supervision(), timestamp=(now_ns - self._start_ns) / 1e9
        )
        self._update_ns, self._held_s = now_ns, 0.0

        tracks: list[Track] = []
        rows: list[tuple[Any, ...]] = []
        if len(found):  # without detections the library leaves the columns out
            columns = found.tracker_id, found.confidence, found.data[CLASS_NAME], found.xyxy
            rows = list(zip(*(np.asarray(column).tolist() for column in columns), strict=True))
        for number, score, name, xyxy in rows:
            if number < 0:
                continue
            track_id = number + self._id_offset
            memory = self._memory.setdefault(track_id, _Memory(now_ns, score))
            memory.seen_ns, memory.score = now_ns, score
            memory.votes[name] += score
            x1, y1, x2, y2 = xyxy
            tracks.append(Track(track_id, (x1, y1, x2, y2), memory.label, score))
            self._highest_id = max(self._highest_id, track_id)
        tracks += self._coasting({track.track_id for track in tracks}, now_ns, shape)
        return sorted(tracks, key=lambda track: track.track_id)

    def _coasting(self, seen: set[int], now_ns: int, shape: tuple[int, ...]) -> list[Track]:
        alive: Any = self._tracker.tracked_objects
        ids = [number + self._id_offset for number in alive.tracker_id.tolist()]
        self._memory = {key: self._memory[key] for key in ids if key in self._memory}
        height, width = shape[:2]
        tracks = []
        for track_id, xyxy in zip(ids, alive.xyxy, strict=True):
            memory = self._memory.get(track_id)
            if track_id in seen or memory is None:
                continue
            age_s = (now_ns - memory.seen_ns) / 1e9
            if age_s > self.coast_s:
                continue
            x1, x2 = np.clip(xyxy[[0, 2]], 0, width).tolist()
            y1, y2 = np.clip(xyxy[[1, 3]], 0, height).tolist()
            if x2 - x1 >= 2.0 and y2 - y1 >= 2.0:
                score = memory.score * (1.0 - age_s / self.max_lost_s)
                tracks.append(Track(track_id, (x1, y1, x2, y2), memory.label, score))
        return tracks
