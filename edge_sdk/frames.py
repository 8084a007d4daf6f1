"""The few types that every room speaks: ``Frame``, ``FramePair``, ``Track``, ``FusedFrame``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Flag, auto
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

if TYPE_CHECKING:
    from edge_sdk.radiometry import RadiometricImage

__all__ = ["Frame", "FrameFlags", "FramePair", "FusedFrame", "Hook", "Image", "Track"]

Image = NDArray[Any]


class FrameFlags(Flag):
    """What is known to be wrong with a frame; ``FrameFlags.NONE`` for a good one."""

    NONE = 0
    DAMAGED = auto()
    """The driver or the decoder says that the content is incomplete."""
    SHUTTER = auto()
    """Taken while the flat-field correction (FFC) shutter was closed: the image is frozen."""
    STALE = auto()
    """The content is a repetition of an earlier frame."""
    RETIMED = auto()
    """The camera's clock does not fit the other one's: the stamp was corrected by the arrival, or
    will be if the next two seconds confirm it."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One image of one camera.

    Attributes:
        image: (H, W) for one channel, (H, W, 3) BGR for colour; uint8, or uint16 for raw infrared.
        timestamp_ns: time in nanoseconds of ``CLOCK_MONOTONIC`` (or of the recording), at the start
            of the exposure where the source knows it.
        sequence: counts up by one for each frame that the camera made; a gap means lost frames.
        camera: name of the camera, ``"ir"`` or ``"visible"`` in a two-camera rig.
        flags: see :class:`FrameFlags`.
        name: file name that the frame was read from, if it was read from a folder.
    """

    image: Image
    timestamp_ns: int
    sequence: int
    camera: str
    flags: FrameFlags = FrameFlags.NONE
    name: str | None = None


@dataclass(frozen=True, slots=True)
class FramePair:
    """An infrared and a visible frame of (nearly) the same moment.

    Attributes:
        ir: the infrared frame; None if the pair was made without it (see ``FusedFrame.degraded``).
        visible: the visible frame; None likewise. At least one of the two is there.
        skew_ns: ``visible.timestamp_ns - ir.timestamp_ns``; 0 if one is missing.
    """

    ir: Frame | None
    visible: Frame | None
    skew_ns: int = 0

    def __post_init__(self) -> None:
        if self.ir is None and self.visible is None:
            raise ValueError("a FramePair needs at least one frame, both are None")

    @property
    def timestamp_ns(self) -> int:
        """Time of the visible frame, or of the infrared one if there is no visible frame."""
        frame = self.visible if self.visible is not None else self.ir
        assert frame is not None
        return frame.timestamp_ns


@dataclass(frozen=True, slots=True)
class Track:
    """One object followed through time.

    Attributes:
        track_id: stays the same while the object is followed; counts from 1.
        box: (x1, y1, x2, y2) in pixels of the fused image, x2 and y2 exclusive.
        label: class name, for instance ``"person"`` or ``"warm"``.
        score: confidence of the detector, 0 to 1.
    """

    track_id: int
    box: tuple[float, float, float, float]
    label: str
    score: float


@dataclass(slots=True)
class FusedFrame:
    """What a robot gets: one fused image and all that belongs to it.

    Attributes:
        image: (H, W, 3) uint8 BGR, the fused picture.
        ir: (H, W) uint8, the infrared in the same pixel grid, toned for display; None if missing.
        visible: (H, W, 3) uint8 BGR in the same pixel grid; None if missing.
        timestamp_ns: time of the visible frame (of the infrared one without it).
        skew_ns: visible minus infrared time.
        latency_ns: from the pair's arrival in the pipeline to this object.
        tracks: objects that the hooks returned, in pixels of ``image``.
        degraded: why the picture is less than a fusion of two good frames; empty if it is not.
        index: counts the frames that the pipeline has fused, from 0.
        reset: True if the recurrent state was reset before this frame (start, gap, scene cut).
        name: file name of the visible (or only) frame, if it was read from a folder.
        radiometric: what :attr:`ir_celsius` is made of.
        restored_ir, restored_visible: (H, W) uint8, the sources as the network restores them
            (denoised, sharpened), in the same pixel grid; None unless ``fusion.restored`` is set
            in the rig file and both cameras were there.
    """

    image: Image
    ir: Image | None
    visible: Image | None
    timestamp_ns: int
    skew_ns: int
    latency_ns: int = 0
    tracks: list[Track] = field(default_factory=list)
    degraded: tuple[str, ...] = ()
    index: int = 0
    reset: bool = False
    name: str | None = None
    radiometric: RadiometricImage | None = field(default=None, repr=False)
    restored_ir: Image | None = field(default=None, repr=False)
    restored_visible: Image | None = field(default=None, repr=False)

    @property
    def ir_celsius(self) -> NDArray[Any] | None:
        """Temperatures, (H, W) float32 degrees Celsius in the grid of ``image``, computed anew.

        NaN where the infrared camera does not see. None unless the rig file has the section
        ``radiometry`` and the camera delivers 16 bit. While the shutter is closed (``degraded``),
        those of the last good infrared frame.
        """
        return None if self.radiometric is None else self.radiometric.celsius()


Hook = Callable[[FusedFrame], "Iterable[Track] | None"]
"""Called with every fused frame; what it returns is appended to ``fused.tracks``."""
