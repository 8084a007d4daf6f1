"""What the readers of recordings hand to ``RecordedCamera``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from edge_sdk.frames import Image

__all__ = ["Reader", "StoredImage", "TimeSource"]

TimeSource = Literal["container", "timestamps.csv", "fps", "default fps"]
"""Where the time stamps of a recording come from. With ``"fps"`` (chosen by the user) and
``"default fps"`` they are made up from the position of the frame."""


@dataclass(frozen=True, slots=True)
class StoredImage:
    """One image as it is stored.

    Attributes:
        image: (H, W) or (H, W, 3) BGR, uint8 or uint16.
        timestamp_ns: time in the recording's own clock.
        sequence: number of the frame, from 0; a gap means frames that are not there.
        name: file name, for a folder.
        label: what an error message calls it.
    """

    image: Image
    timestamp_ns: int
    sequence: int
    name: str | None
    label: str


class Reader(Protocol):
    """A recording being read once from start to end."""

    fps: float
    time_source: TimeSource
    frame_count: int | None
    names: tuple[str, ...] | None
    numbers: tuple[int, ...] | None

    def read(self) -> StoredImage | None: ...

    def close(self) -> None: ...
