"""One pair on its way to a fused frame: alignment, tone, fusion, hooks."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_sdk.alignment import Aligner
from edge_sdk.calibration_file import Calibration, read_calibration
from edge_sdk.config import AlignmentConfig, FusionConfig, ToneConfig
from edge_sdk.errors import ConfigError
from edge_sdk.frames import Frame, FrameFlags, FramePair, FusedFrame, Hook, Image, Track
from edge_sdk.fusion import Fuser
from edge_sdk.radiometry import RadiometricImage, Radiometry
from edge_sdk.stats import StatsRecorder
from edge_sdk.tone import ToneMapper

__all__ = ["PairProcessor"]

HELD = FrameFlags.SHUTTER | FrameFlags.STALE
RIM_PX = 24.0
"""Over so many pixels, on either side, goes the passage where the infrared's picture ends."""
HOLD_NS = 5_000_000_000
"""A shutter that stays closed for longer leaves the visible camera alone."""


@dataclass(frozen=True, slots=True)
class _Infrared:
    """The last infrared picture of the scene: aligned, toned, and its counts."""

    timestamp_ns: int
    toned: Image
    radiometric: RadiometricImage | None


class PairProcessor:
    """Turns pairs into fused frames; keeps what lasts from one to the next.

    The alignment tables and the engine are made when the first pair shows the images' sizes.
    """

    def __init__(
        self,
        alignment: AlignmentConfig,
        tone: ToneConfig,
        fusion: FusionConfig,
        hooks: Sequence[Hook],
        stats: StatsRecorder,
        calibration: Calibration | None = None,
        radiometry: Radiometry | None = None,
    ) -> None:
        for hook in hooks:
            if not callable(hook):
                raise ConfigError(f"hooks: must be callables, found {hook!r}")
        self._alignment = alignment
        if calibration is None and alignment.calibration is not None:
            calibration = read_calibration(alignment.calibration)
        self._calibration = calibration
        self._aligner: Aligner | None = None
        self._lone: Aligner | None = None
        self._valid: Image | None = None
        self._rim: tuple[Image, Image] | None = None
        self._tone = ToneMapper(**tone.model_dump())
        self.fuser = Fuser(**fusion.model_dump())
        self._hooks = tuple(hooks)
        self._stats = stats
        self._index = 0
        self._was_shut = False
        self._radiometry = radiometry
        self._good: _Infrared | None = None

    def __call__(
        self, pair: FramePair, arrival_ns: int | None = None, reasons: tuple[str, ...] = ()
    ) -> FusedFrame:
        """Fuse one pair.

        Args:
            pair: the frames.
            arrival_ns: when it was there, ``time.monotonic_ns()``; None for now.
            reasons: why a frame is missing, where more is known; added to ``degraded``.
        """
        stats = self._stats
        start = time.monotonic_ns() if arrival_ns is None else arrival_ns
        pair, reasons = _without_damaged(pair, reasons)
        with stats.stage("align"):
            ir, visible = self._align(pair.ir, pair.visible)
        shut = pair.ir is not None and FrameFlags.SHUTTER in pair.ir.flags
        radiometric = None
        if ir is not None and pair.ir is not None:
            with stats.stage("tone"):
                ir, radiometric = self._to_display(ir, pair.ir, visible is None)
        if self._was_shut and not shut:
            self.fuser.reset("shutter")  # the correction has changed the column stripes
        self._was_shut = shut

        if pair.ir is not None and ir is None:
            pair, reasons = replace(pair, ir=None, skew_ns=0), ("ir shutter", *reasons)
        degraded = (*_degraded(pair), *reasons)
        result = None
        with stats.stage("fuse"):
            if ir is not None and visible is not None:
                result = self.fuser.step(self._filled(ir, visible), visible, pair.timestamp_ns)
                image = self._without_rim(result.image, visible)
            elif visible is not None:
                image = visible.copy()
            else:
                assert ir is not None
                image = cv2.cvtColor(ir, cv2.COLOR_GRAY2BGR)
        reset = None if result is None else result.reset
        newest = pair.visible if pair.visible is not None else pair.ir
        assert newest is not None
        fused = FusedFrame(
            image=image,
            ir=ir,
            visible=visible,
            timestamp_ns=pair.timestamp_ns,
            skew_ns=pair.skew_ns,
            degraded=degraded,
            index=self._index,
            reset=reset is not None,
            name=newest.name,
            radiometric=radiometric,
            restored_ir=None if result is None else result.restored_ir,
            restored_visible=None if result is None else result.restored_visible,
        )
        self._index += 1
        with stats.stage("hooks"):
            for hook in self._hooks:
                fused.tracks.extend(_tracks_of(hook, hook(fused)))
        fused.latency_ns = time.monotonic_ns() - start
        stats.add_latency("total", fused.latency_ns / 1e9)
        stats.pair(pair.skew_ns if ir is not None and visible is not None else None)
        stats.fused()
        for reason in degraded:
            stats.count(stats.degraded, reason)
        if reset is not None:
            stats.count(stats.resets, reset)
        if self.fuser.engine is not None and stats.engine is None:
            engine = self.fuser.engine
            stats.engine = f"{engine.name} {engine.precision} on {engine.device}"
        return fused

    def prepare(self) -> None:
        """Build the engine now, and warm it: cameras that run already would wait for it.

        Raises:
            EngineError: no engine can run the model here.
        """
        if self.fuser.engine is None:
            width, height = self._alignment.size
            self.fuser.prepare(height, width)

    @property
    def valid(self) -> Image | None:
        """(H, W) bool, where the infrared covers the grid; None for everywhere."""
        return self._valid

    @property
    def alignment(self) -> tuple[NDArray[np.float64], Calibration | None] | None:
        """Homography in use and the calibration that it belongs to; None before the first pair."""
        if self._aligner is None:
            return None
        return self._aligner.homography, self._calibration

    def set_homography(self, homography: NDArray[np.float64]) -> None:
        """Align by this homography from now on; see :meth:`Aligner.set_homography`."""
        if self._aligner is not None:
            self._aligner.set_homography(homography)
            self._realigned()

    def set_distance(self, distance_m: float) -> None:
        """Align objects at this distance from now on; see :meth:`Aligner.set_distance`."""
        if self._aligner is not None:
            self._aligner.set_distance(distance_m)
            self._realigned()
        else:  # raises what would be raised later, in the middle of the robot's loop
            sizes = _calibrated_sizes(self._calibration) or ((4, 3), (4, 3))
            Aligner(self._calibration, *sizes, self._alignment.size, distance_m)
        self._alignment = self._alignment.model_copy(update={"distance_m": distance_m})

    def _realigned(self) -> None:
        """Forget what lies in the old alignment: the averages would be blurred for a second."""
        self._update_valid()
        self._good = None
        self.fuser.reset("alignment")

    def _to_display(
        self, counts: Image, frame: Frame, alone: bool
    ) -> tuple[Image | None, RadiometricImage | None]:
        """Tone an aligned picture; while the shutter is closed, the last one before it.

        None if the shutter is closed and there is none, or it is too old; unless it is ``alone``.
        """
        now_ns = frame.timestamp_ns
        hold = bool(frame.flags & HELD)
        toned = self._tone.step(counts, now_ns, hold=hold, valid=self._valid)
        good = self._good
        if FrameFlags.SHUTTER in frame.flags:
            fresh = good is not None and 0 <= now_ns - good.timestamp_ns <= HOLD_NS
            if fresh and good is not None and good.toned.shape == toned.shape:
                return good.toned.copy(), good.radiometric
            return (toned if alone else None), None
        radiometric = None
        if self._radiometry is not None and counts.dtype == np.uint16:
            radiometric = RadiometricImage(counts, self._valid, self._radiometry)
        # A copy: the other one is handed out, and hooks may draw on it.
        self._good = _Infrared(now_ns, toned.copy(), radiometric)
        return toned, radiometric

    def _align(self, ir: Frame | None, visible: Frame | None) -> tuple[Image | None, Image | None]:
        ir_image = None if ir is None else ir.image
        visible_image = None if visible is None else visible.image
        aligner = self._aligner
        if aligner is None:
            sizes = _calibrated_sizes(self._calibration)
            if ir_image is not None and visible_image is not None:
                sizes = _size(ir_image), _size(visible_image)
            if sizes is not None:
                aligner = self._aligner = self._aligner_for(*sizes)
                self._update_valid()
            else:  # the other camera is not there yet; registered, it has the same view
                there = ir_image if ir_image is not None else visible_image
                assert there is not None
                aligner = self._lone
                if aligner is None or not aligner.is_for(there):
                    aligner = self._lone = self._aligner_for(_size(there), _size(there))
        ir_image, visible_image = aligner.align(ir_image, visible_image)
        return ir_image, _in_colour(visible_image)

    def _aligner_for(self, ir: tuple[int, int], visible: tuple[int, int]) -> Aligner:
        return Aligner(
            self._calibration, ir, visible, self._alignment.size, self._alignment.distance_m
        )

    def _update_valid(self) -> None:
        assert self._aligner is not None
        mask = self._aligner.valid_mask
        self._valid = None if mask.all() else mask
        self._rim = None if mask.all() else _rim(mask)

    def _filled(self, ir: Image, visible: Image) -> Image:
        """The infrared, with the visible's luma where it has no picture: nothing is cold there."""
        if self._valid is None:
            return ir
        luma = cv2.cvtColor(visible, cv2.COLOR_BGR2GRAY)
        return np.asarray(cv2.copyTo(ir, self._valid.view(np.uint8), luma))

    def _without_rim(self, fused: Image, visible: Image) -> Image:
        """The fused picture, going over to the visible and back where the infrared ends.

        Its field of view is seldom the visible's; without that its border would be a hard step.
        """
        if self._rim is None:
            return fused
        of_fused, of_visible = self._rim
        # In bytes, which is faster than cv2.blendLinear in float.
        fused = cv2.multiply(fused, of_fused, scale=1 / 255)
        return np.asarray(cv2.add(fused, cv2.multiply(visible, of_visible, scale=1 / 255)))


def _size(image: Image) -> tuple[int, int]:
    return image.shape[1], image.shape[0]


def _calibrated_sizes(
    calibration: Calibration | None,
) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """(width, height) of the infrared and the visible images that it was made for."""
    if calibration is None:
        return None
    return calibration.cameras.ir.size, calibration.cameras.visible.size


def _rim(valid: Image) -> tuple[Image, Image]:
    """Weights of the fused picture and of the visible near ``valid``'s rim.

    (H, W, 3) uint8 each, in 255ths; together 255.
    """
    inside = valid.astype(np.uint8)
    # Pixels beside the rim have a distance of 1, from either side.
    distance = sum(cv2.distanceTransform(side, cv2.DIST_L2, 5) for side in (inside, 1 - inside))
    weight = np.rint(np.clip((distance - 1.0) / RIM_PX, 0.0, 1.0) * 255).astype(np.uint8)
    weight = cv2.merge([weight] * 3)
    return weight, 255 - weight


def _in_colour(image: Image | None) -> Image | None:
    """A camera without colour (GREY, GRAY8) gives one channel; fusion and users want BGR."""
    if image is None or image.ndim == 3:
        return image
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR))


def _degraded(pair: FramePair) -> tuple[str, ...]:
    reasons = []
    for camera, frame in (("ir", pair.ir), ("visible", pair.visible)):
        if frame is None:
            reasons.append(f"{camera} missing")
            continue
        if FrameFlags.SHUTTER in frame.flags:
            reasons.append(f"{camera} shutter")
        if FrameFlags.STALE in frame.flags:
            reasons.append(f"{camera} stale")
        if FrameFlags.RETIMED in frame.flags:
            reasons.append(f"{camera} clock")
        if FrameFlags.DAMAGED in frame.flags:
            reasons.append(f"{camera} damaged")
    return tuple(reasons)


def _without_damaged(
    pair: FramePair, reasons: tuple[str, ...]
) -> tuple[FramePair, tuple[str, ...]]:
    """A damaged frame counts as missing; of two there is nothing better, so that both stay."""
    ir, visible = pair.ir, pair.visible
    bad_ir, bad_visible = (
        frame is not None and FrameFlags.DAMAGED in frame.flags for frame in (ir, visible)
    )
    if bad_ir and visible is not None and not bad_visible:
        return replace(pair, ir=None, skew_ns=0), ("ir damaged", *reasons)
    if bad_visible and ir is not None and not bad_ir:
        return replace(pair, visible=None, skew_ns=0), ("visible damaged", *reasons)
    return pair, reasons


def _tracks_of(hook: Hook, answer: Iterable[Track] | None) -> list[Track]:
    if answer is None:
        return []
    tracks = list(answer) if isinstance(answer, Iterable) else [answer]
    for track in tracks:
        if not isinstance(track, Track):
            raise ConfigError(
                f"hook {getattr(hook, '__name__', type(hook).__name__)}: must return None or a "
                f"list of edge_sdk.Track objects, found {type(track).__name__}"
            )
    return tracks
