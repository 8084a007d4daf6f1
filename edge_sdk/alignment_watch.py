"""What a pipeline does about its alignment while it runs: watch, tell, and, if asked, repair."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sdk.calibration_file import Calibration
from edge_sdk.config import AlignmentConfig
from edge_sdk.errors import CalibrationError, EdgeSdkError
from edge_sdk.events import EventHub, EventKind
from edge_sdk.frames import FrameFlags, FramePair, FusedFrame, Image
from edge_sdk.health import AlignmentHealth, AlignmentMonitor

__all__ = ["AlignmentWatch"]

_log = logging.getLogger(__name__)

Array = NDArray[np.float64]

KEPT_PAIRS = 12
KEEP_EVERY_NS = 500_000_000
FIRST_WAIT_NS = 30 * 1_000_000_000
LONGEST_WAIT_NS = 600 * 1_000_000_000
UNUSABLE = FrameFlags.SHUTTER | FrameFlags.STALE | FrameFlags.DAMAGED


@dataclass(frozen=True)
class _Current:
    """The alignment in use, as the repair needs it."""

    homography: Array
    calibration: Calibration | None


class AlignmentWatch:
    """Feeds an :class:`AlignmentMonitor`, emits ``misaligned``, and may register anew.

    With ``alignment.reregister`` twelve pairs, half a second apart, are collected after an alarm
    and registered in a thread of their own by the calibration tools, if these are installed. The
    new alignment is used only if it passes their quality gate and fits clearly better than the one
    in use; either way an event says what was done. The calibration file is left as it is. What was
    in vain is tried again after half a minute, then after twice as long each time, up to ten
    minutes: it takes a core for seconds.

    Args:
        config: the rig file's section.
        events: told.
        current: returns the homography (infrared to visible, undistorted pixels) and calibration
            in use, or None while there is none.
        apply: takes a new homography into use; called in the thread that calls :meth:`observe`.
    """

    def __init__(
        self,
        config: AlignmentConfig,
        events: EventHub,
        current: Callable[[], tuple[Array, Calibration | None] | None],
        apply: Callable[[Array], None],
    ) -> None:
        self._monitor = AlignmentMonitor(config.max_shift_px) if config.monitor else None
        self._repairs = config.reregister
        self._events = events
        self._current = current
        self._apply = apply
        self._told = False
        self._pairs: deque[tuple[Image, Image]] = deque(maxlen=KEPT_PAIRS)
        self._kept_ns = -KEEP_EVERY_NS
        self._repair: threading.Thread | None = None
        self._answer: tuple[Array | None, str] | None = None
        self._is_stale = False
        self._wait_ns = FIRST_WAIT_NS
        self._not_before_ns: int | None = None
        self.health: AlignmentHealth | None = None

    def observe(self, pair: FramePair, fused: FusedFrame, valid: Image | None) -> None:
        """Look at one frame; at most a few hundred microseconds on average.

        Args:
            pair: as the cameras gave it.
            fused: what was made of it.
            valid: (H, W) bool, where the infrared covers the grid; None for everywhere.
        """
        if self._monitor is None or fused.ir is None or fused.visible is None:
            return
        self._take_answer(fused.timestamp_ns)
        if pair.ir is None or pair.visible is None:
            return
        if (pair.ir.flags | pair.visible.flags) & UNUSABLE:
            return
        health = self._monitor.update(fused.ir, fused.visible, fused.timestamp_ns, valid)
        if health is not None:
            self.health = health
            self._tell(health)
        if self._repairs and self._told and self._repair is None and self._may_try(pair):
            self._collect(pair)

    def reset(self) -> None:
        """Forget what was seen: the alignment was changed on purpose."""
        if self._monitor is not None:
            self._monitor.reset()
        self._pairs.clear()
        self._told = False
        self._wait_ns, self._not_before_ns = FIRST_WAIT_NS, None
        self.health = None
        self._is_stale = self._repair is not None

    def close(self, timeout_s: float) -> None:
        """Wait for a registration that runs; it is a daemon thread and left alone after that."""
        if self._repair is not None:
            self._repair.join(timeout_s)

    def _tell(self, health: AlignmentHealth) -> None:
        if health.misaligned and not self._told:
            x, y = health.shift_px
            turned = f"and turned by {health.roll_deg:.1f} degrees " if health.roll_deg else ""
            self._events.emit(
                EventKind.MISALIGNED,
                f"the pictures have been {health.distance_px:.0f} px apart ({x:+.0f}, {y:+.0f}) "
                f"{turned}"
                "for seconds: was the rig knocked, or is all of the scene at another distance? "
                "Register again (edge-sdk calibrate register), or set alignment.distance_m",
            )
        if not health.misaligned:
            self._pairs.clear()
            self._wait_ns, self._not_before_ns = FIRST_WAIT_NS, None
        self._told = health.misaligned

    def _may_try(self, pair: FramePair) -> bool:
        """Whether the wait after the last attempt is over, or time has jumped backwards."""
        if self._not_before_ns is None:
            return True
        left = self._not_before_ns - pair.timestamp_ns
        return not 0 < left <= LONGEST_WAIT_NS

    def _collect(self, pair: FramePair) -> None:
        assert pair.ir is not None and pair.visible is not None
        if 0 <= pair.timestamp_ns - self._kept_ns < KEEP_EVERY_NS:
            return
        self._kept_ns = pair.timestamp_ns
        self._pairs.append((pair.ir.image.copy(), pair.visible.image.copy()))
        now = self._current()
        if len(self._pairs) < KEPT_PAIRS or now is None:
            return
        pairs, self._pairs = list(self._pairs), deque(maxlen=KEPT_PAIRS)
        self._repair = threading.Thread(
            target=self._register, args=(pairs, _Current(*now)), name="edge_sdk align", daemon=True
        )
        self._repair.start()

    def _register(self, pairs: list[tuple[Image, Image]], current: _Current) -> None:
        homography = None
        try:
            from edge_sdk.cli.calibrate import workshop

            registration: Any = workshop("registration")
            found = registration.recheck(
                [registration.ImagePair.of(ir, visible) for ir, visible in pairs],
                current.homography,
                None if current.calibration is None else current.calibration.cameras,
            )
            homography, message = (found.homography if found.better else None), found.message
        except EdgeSdkError as error:
            message = str(error)
        except Exception as error:  # in a thread nobody would see it
            _log.exception("registration in the background failed")
            message = f"{type(error).__name__}: {error}"
        self._answer = homography, message

    def _take_answer(self, now_ns: int) -> None:
        answer = self._answer
        if answer is None:
            return
        homography, message = answer
        self._answer = self._repair = None
        if self._is_stale:  # found against an alignment that somebody has replaced since
            self._is_stale = False
            return
        if homography is not None:
            try:
                self._apply(homography)
            except CalibrationError as error:  # not the robot's mistake, so not in its loop
                homography, message = None, str(error)
        if homography is not None:
            self.reset()
            message = f"aligned anew: {message}; the calibration file is as it was"
        else:
            message = f"not aligned anew: {message}"
            self._not_before_ns = now_ns + self._wait_ns
            self._wait_ns = min(2 * self._wait_ns, LONGEST_WAIT_NS)
        self._events.emit(EventKind.MISALIGNED, message)
