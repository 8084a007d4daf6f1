"""Frame pairs to register: sampled uniformly from recordings, or taken live from a rig."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_sdk.calibration_file import CalibrationCameras, CameraCalibration
from edge_sdk.config import RigConfig
from edge_sdk.errors import ConfigError, SourceError
from edge_sdk.frames import Frame, FrameFlags, FramePair, Image

if TYPE_CHECKING:
    from edge_sdk.live import LivePairs

__all__ = ["ImagePair", "sample_recordings", "sample_rig", "thin_out", "undistorted"]

Float = NDArray[np.float32]

_PERCENTILES = 0.5, 99.5
_PATIENCE_S = 10.0
_UNUSABLE = FrameFlags.SHUTTER | FrameFlags.STALE | FrameFlags.DAMAGED


@dataclass(frozen=True)
class ImagePair:
    """An infrared and a visible picture of one moment.

    Attributes:
        ir: (H, W) float32, 0..255.
        visible: (H, W) float32 luma, 0..255.
        picture: (H, W, 3) uint8 BGR, the visible picture for people and for learned matchers.
    """

    ir: Float
    visible: Float
    picture: Image

    @classmethod
    def of(cls, ir: Image, visible: Image) -> ImagePair:
        """From images as cameras give them.

        Args:
            ir: (H, W) uint8, or uint16 of any range: the range from the 0.5th to the 99.5th
                percentile becomes 0..255.
            visible: (H, W) or (H, W, 3) BGR uint8.
        """
        thermal = ir.astype(np.float32)
        if ir.dtype != np.uint8:
            low, high = np.percentile(thermal, _PERCENTILES)
            thermal = np.clip((thermal - low) * (255 / max(float(high - low), 1e-6)), 0, 255)
        picture = visible if visible.ndim == 3 else cv2.cvtColor(visible, cv2.COLOR_GRAY2BGR)
        luma = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32)
        return cls(np.asarray(thermal, np.float32), luma, picture)

    @property
    def ir_size(self) -> tuple[int, int]:
        """(width, height) of the infrared picture."""
        return self.ir.shape[1], self.ir.shape[0]

    @property
    def visible_size(self) -> tuple[int, int]:
        """(width, height) of the visible picture."""
        return self.visible.shape[1], self.visible.shape[0]

    def ir_picture(self) -> Image:
        """(H, W) uint8, the infrared picture for people and for learned matchers."""
        return np.asarray(np.clip(np.rint(self.ir), 0, 255), np.uint8)


def sample_recordings(
    ir: str | Path,
    visible: str | Path,
    count: int = 20,
    *,
    fps: float | None = None,
    allow_gaps: bool = False,
    tolerance_ms: float = 20.0,
) -> list[ImagePair]:
    """Pairs evenly spread over two recordings: videos, folders of images, or single images.

    Frames are paired as the pipeline pairs them. A recording with fewer pairs gives all it has.

    Args:
        ir, visible: the recordings.
        count: how many pairs, 1 or more.
        fps, allow_gaps: see :func:`edge_sdk.capture.files.open_recording`.
        tolerance_ms: largest difference in time of a pair.

    Raises:
        SourceError: a recording cannot be read, both are the same, or nothing pairs.
        ConfigError: ``count`` is not at least 1.
    """
    from edge_sdk.capture.files import open_recording, same_source
    from edge_sdk.capture.recorded_pairs import pair_recordings

    if same_source(ir, visible):
        raise SourceError(f"ir and visible are the same recording: {ir}; give one of each camera")
    with ExitStack() as stack:
        cameras = []
        for path, name in ((ir, "ir"), (visible, "visible")):
            camera = open_recording(path, name, fps=fps, allow_gaps=allow_gaps)
            stack.callback(camera.close)
            cameras.append(camera)
        pairs = pair_recordings(cameras[0], cameras[1], round(tolerance_ms * 1e6))
        return _converted(thin_out(_usable(pairs), count), f"{ir} and {visible}")


def sample_rig(config: RigConfig, count: int = 20, seconds: float = 20.0) -> list[ImagePair]:
    """Pairs from the cameras of a rig file, evenly spread over ``seconds`` if they are live.

    Raises:
        SourceError: a camera cannot be opened or delivers nothing.
        ConfigError: the rig cannot be opened, or ``count`` is not at least 1.
    """
    from edge_sdk.capture.pairing import Pairer
    from edge_sdk.capture.recorded_pairs import pair_recordings
    from edge_sdk.events import EventHub
    from edge_sdk.live import LivePairs
    from edge_sdk.rig import open_cameras
    from edge_sdk.stats import StatsRecorder

    ir, visible, _ = open_cameras(config)
    tolerance_ns = round(config.pairing.tolerance_ms * 1e6)
    with ExitStack() as stack:
        if ir.live:
            stats = StatsRecorder()
            events = EventHub(lambda name: stats.count(stats.events, name))
            live = LivePairs(ir, visible, Pairer(tolerance_ns), stats, events)
            live.start()
            stack.callback(live.stop)
            pairs: Iterable[FramePair] = _for_seconds(live, seconds, count)
        else:
            for camera in (ir, visible):
                stack.callback(camera.close)
                camera.open()
            pairs = pair_recordings(ir, visible, tolerance_ns)
        return _converted(thin_out(_usable(pairs), count), "the cameras of the rig")


def thin_out(items: Iterable[FramePair], count: int) -> list[FramePair]:
    """``count`` of the items, evenly spread, without knowing how many there are.

    Keeps every n-th item and doubles n whenever twice ``count`` are kept, so that memory is bounded
    for a recording of any length.

    Raises:
        ConfigError: ``count`` is not at least 1.
    """
    if count < 1:
        raise ConfigError(f"the number of pairs must be at least 1, found {count}")
    kept: list[FramePair] = []
    every = 1
    for index, item in enumerate(items):
        if index % every == 0:
            kept.append(item)
            if len(kept) > 2 * count:
                kept = kept[::2]
                every *= 2
    chosen = np.linspace(0, len(kept) - 1, min(count, len(kept))).round().astype(int)
    return [kept[i] for i in chosen]


def undistorted(pairs: Sequence[ImagePair], cameras: CalibrationCameras) -> list[ImagePair]:
    """The pairs without lens distortion: pixels K (x/z, y/z, 1) of the same camera matrices.

    Raises:
        CalibrationError: the calibration is for other image sizes.
    """
    ir = _Undistortion(cameras.ir)
    visible = _Undistortion(cameras.visible)
    return [ImagePair(ir(p.ir), visible(p.visible), visible(p.picture)) for p in pairs]


class _Undistortion:
    def __init__(self, camera: CameraCalibration) -> None:
        k, size = camera.matrix, camera.size
        if camera.model == "fisheye":
            maps = cv2.fisheye.initUndistortRectifyMap(
                k, camera.coefficients, np.eye(3), k, size, cv2.CV_32FC1
            )
        else:
            maps = cv2.initUndistortRectifyMap(
                k, camera.coefficients, np.eye(3), k, size, cv2.CV_32FC1
            )
        self._maps = maps

    def __call__(self, image: Image) -> Image:
        return np.asarray(cv2.remap(image, self._maps[0], self._maps[1], cv2.INTER_LINEAR))


def _usable(pairs: Iterable[FramePair]) -> Iterator[FramePair]:
    """Pairs of which both frames are there and neither is frozen or damaged."""
    for pair in pairs:
        frames: list[Frame | None] = [pair.ir, pair.visible]
        if all(frame is not None and not frame.flags & _UNUSABLE for frame in frames):
            yield pair


def _for_seconds(live: LivePairs, seconds: float, count: int) -> Iterator[FramePair]:
    """The newest pair at each of ``count`` evenly spread moments."""
    start = time.monotonic()
    for index in range(count):
        wait = start + index * seconds / max(count - 1, 1) - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        newest = live.get(_PATIENCE_S)
        if newest is None:
            return
        yield newest.pair


def _converted(pairs: Sequence[FramePair], source: str) -> list[ImagePair]:
    if not pairs:
        raise SourceError(f"no usable pair of frames in {source}: every frame lacks its partner")
    converted = []
    for pair in pairs:
        assert pair.ir is not None and pair.visible is not None
        converted.append(ImagePair.of(pair.ir.image, pair.visible.image))
    return converted
