"""Tracks as a CSV file."""

from __future__ import annotations

import csv
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from edge_sdk.errors import ConfigError
from edge_sdk.frames import FusedFrame

__all__ = ["TrackWriter"]

HEADER = ("timestamp_ns", "frame", "track_id", "label", "score", "x1", "y1", "x2", "y2")


class TrackWriter:
    """Writes one row per track and frame; a frame without tracks adds none.

    Columns: ``timestamp_ns`` and ``frame`` (``FusedFrame.index``) of the fused frame, ``track_id``,
    ``label``, ``score`` (0 to 1), and the box ``x1 y1 x2 y2`` in pixels of the fused image. Each
    row is on disk before the next frame comes, so that a crash loses none.

    Args:
        path: an existing file is replaced; missing folders are made.

    Raises:
        ConfigError: the file cannot be written.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("w", encoding="utf-8", newline="", buffering=1)
            self._rows = csv.writer(self._file, lineterminator="\n")
            self._rows.writerow(HEADER)
        except OSError as error:
            raise ConfigError(
                f"tracks file {self.path}: cannot be written ({error.strerror}); name a file in a "
                "folder that you may write to"
            ) from error

    def write(self, fused: FusedFrame) -> None:
        """Append the tracks of one frame.

        Raises:
            ConfigError: the file is closed, or the disk is full.
        """
        if self._file.closed:
            raise ConfigError(f"tracks file {self.path}: is closed; write before close()")
        try:
            for track in fused.tracks:
                self._rows.writerow(
                    [
                        fused.timestamp_ns,
                        fused.index,
                        track.track_id,
                        track.label,
                        f"{track.score:.4f}",
                        *(f"{value:.2f}" for value in track.box),
                    ]
                )
        except OSError as error:
            raise ConfigError(
                f"tracks file {self.path}: writing failed ({error.strerror})"
            ) from error

    def close(self) -> None:
        """Close the file; may be called twice. What could not be written was told before."""
        with suppress(OSError):
            self._file.close()

    def __enter__(self) -> TrackWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
