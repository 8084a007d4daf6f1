"""Draws tracks into pictures for people to look at; nothing here changes a fused frame."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from edge_sdk.errors import ConfigError
from edge_sdk.frames import FusedFrame, Image
from edge_sdk.tracking._optional import load

__all__ = ["SideBySide", "TrackOverlay", "draw_tracks"]

# Light enough for black letters; neighbours in the list are far apart in hue, so that ids that
# appear together look different.
COLORS = [
    "#ffd400",
    "#00e5ff",
    "#ff6ec7",
    "#7cff4f",
    "#ff9a3c",
    "#9db4ff",
    "#ff7a7a",
    "#37f0b0",
    "#e6ff5c",
    "#d19bff",
    "#5ad1ff",
    "#ffb8a0",
]
DARK = (16, 16, 16)
LIGHT = (235, 235, 235)
WARNING = (60, 190, 255)


class TrackOverlay:
    """Draws boxes, labels and trails; keeps the trails from frame to frame.

    Colours go by track id. Lines have a dark rim, so that they show on dark and on bright ground.

    Args:
        trails: draw where the feet of each track were.
        labels: write ``#id label score`` above each box.
        warnings: write the reasons of ``fused.degraded`` at the bottom.
        trail_frames: length of a trail in frames.

    Raises:
        DependencyError: ``supervision`` is not installed.
    """

    def __init__(
        self,
        *,
        trails: bool = True,
        labels: bool = True,
        warnings: bool = True,
        trail_frames: int = 45,
    ) -> None:
        if trail_frames < 2:
            raise ConfigError(f"trail_frames must be 2 or more, but got {trail_frames}")
        self._sv = load("supervision", "TrackOverlay")
        self._trails = trails
        self._labels = labels
        self._warnings = warnings
        self._trail_frames = trail_frames
        self._height = 0
        self._annotators: list[tuple[Any, bool]] = []
        self._last_ns: int | None = None

    def draw(self, fused: FusedFrame) -> Image:
        """A new (H, W, 3) uint8 BGR picture with the tracks of ``fused``."""
        if fused.image.shape[0] != self._height:
            self._height = fused.image.shape[0]
            self.reset()
        elif self._last_ns is not None and fused.timestamp_ns < self._last_ns:
            self.reset()
        self._last_ns = fused.timestamp_ns

        picture = np.array(fused.image)
        tracks = [track for track in fused.tracks if track.box[0] <= track.box[2]]
        found = self._sv.Detections(
            xyxy=np.array([track.box for track in tracks], dtype=np.float32).reshape(-1, 4),
            confidence=np.array([track.score for track in tracks], dtype=np.float32),
            tracker_id=np.array([track.track_id for track in tracks], dtype=int),
        )
        for annotator, takes_labels in self._annotators:
            if takes_labels:
                texts = [f"#{t.track_id} {t.label} {t.score:.2f}" for t in tracks]
                annotator.annotate(picture, found, labels=texts)
            else:
                annotator.annotate(picture, found)
        if self._warnings and fused.degraded:
            _write(picture, ", ".join(fused.degraded), (8, picture.shape[0] - 8), WARNING)
        return picture

    def reset(self) -> None:
        """Forget the trails."""
        self._annotators = self._make_annotators(self._height)

    def _make_annotators(self, height: int) -> list[tuple[Any, bool]]:
        sv = self._sv
        line = max(1, round(height / 320))
        bright = sv.ColorPalette.from_hex(COLORS)
        rim = sv.Color(*DARK)
        by_id = sv.ColorLookup.TRACK
        made: list[tuple[Any, bool]] = []
        for color, thickness in ((rim, line + 2), (bright, line)):
            made.append((sv.BoxAnnotator(color, thickness, by_id), False))
        if self._trails:
            for color, thickness in ((rim, line + 2), (bright, line)):
                trace = sv.TraceAnnotator(
                    color=color,
                    position=sv.Position.BOTTOM_CENTER,
                    trace_length=self._trail_frames,
                    thickness=thickness,
                    color_lookup=by_id,
                )
                made.append((trace, False))
        if self._labels:
            label = sv.LabelAnnotator(
                color=bright,
                color_lookup=by_id,
                text_color=rim,
                text_scale=_text_scale(height),
                text_padding=max(2, height // 160),
                smart_position=True,
            )
            made.append((label, True))
        return made


def draw_tracks(fused: FusedFrame, *, labels: bool = True, warnings: bool = True) -> Image:
    """One frame's boxes as a new (H, W, 3) uint8 BGR picture.

    Trails need the frames before: use one :class:`TrackOverlay` for a video.

    Raises:
        DependencyError: ``supervision`` is not installed.
    """
    return TrackOverlay(trails=False, labels=labels, warnings=warnings).draw(fused)


class SideBySide:
    """Infrared, visible and fused beside each other, each with its name above it."""

    def compose(self, fused: FusedFrame, image: Image | None = None) -> Image:
        """(H + caption, 3 W, 3) uint8 BGR, with H and W of ``fused.image``.

        Args:
            fused: a missing camera leaves its panel dark.
            image: (H, W, 3) uint8 in the place of ``fused.image``, for instance with tracks.
        """
        shown = fused.image if image is None else image
        height, width = fused.image.shape[:2]
        if shown.shape != fused.image.shape:
            raise ConfigError(
                f"image must have the shape of fused.image, {fused.image.shape}, but got "
                f"{shown.shape}"
            )
        bar = max(14, height // 16)
        picture = np.full((height + bar, 3 * width, 3), DARK, dtype=np.uint8)
        panels = (("infrared", fused.ir), ("visible", fused.visible), ("fused", shown))
        for column, (name, panel) in enumerate(panels):
            left = column * width
            if panel is None:
                name += ": missing"
            else:
                color = cv2.cvtColor(panel, cv2.COLOR_GRAY2BGR) if panel.ndim == 2 else panel
                picture[bar:, left : left + width] = color
            _write(picture, name, (left + bar // 3, bar - bar // 4), LIGHT, height)
        return picture


def _text_scale(height: int) -> float:
    return max(0.35, 0.45 * height / 480)


def _write(
    picture: Image,
    text: str,
    origin: tuple[int, int],
    color: tuple[int, int, int],
    height: int | None = None,
) -> None:
    """Text with a dark rim, its baseline at ``origin``."""
    scale = _text_scale(picture.shape[0] if height is None else height)
    weight = max(1, round(2 * scale))
    for ink, thickness in ((DARK, weight + 2), (color, weight)):
        cv2.putText(
            picture, text, origin, cv2.FONT_HERSHEY_SIMPLEX, scale, ink, thickness, cv2.LINE_AA
        )
