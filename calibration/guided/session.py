"""A guided capture from start to end."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge_sdk.capture.camera import Camera
from edge_sdk.errors import ConfigError
from edge_sdk.frames import Image
from edge_sdk.outputs import check_writable

from ..targets import Findings, draw
from ..targets.prepare import grey, to_8_bit
from .collector import Collector, Verdict
from .newest import NewestFrames
from .web import WebView

__all__ = ["guide", "live_picture"]

_SHOW_S = 0.2


def guide(
    camera: Camera,
    collector: Collector,
    web: WebView | None = None,
    folder: Path | None = None,
    limit_s: float = 600.0,
    progress: Callable[[Collector, Verdict], None] | None = None,
) -> Findings | None:
    """Collect views until there are enough, the recording ends, time is up, or Ctrl-C.

    Args:
        camera: to open and read.
        collector: with the target; keeps the views.
        web: page to show the live picture on.
        folder: every view taken is saved here as PNG (16 bit stays 16 bit), and the live picture
            with what is missing as ``live.png``.
        limit_s: longest time.
        progress: called after every frame.

    Returns:
        the views; None if there are none.

    Raises:
        SourceError: the camera fails or delivers nothing.
        ConfigError: the folder cannot be written to.
    """
    if folder is not None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as fault:
            raise ConfigError(f"{folder}: cannot be made: {fault.strerror}") from fault
        check_writable(folder, str(folder))
    deadline = time.monotonic() + limit_s
    shown_s = 0.0
    try:
        with NewestFrames(camera) as frames:
            while not collector.done and time.monotonic() < deadline:
                frame = frames.read()
                if frame is None:
                    break
                verdict = collector.offer(frame.image)
                if progress is not None:
                    progress(collector, verdict)
                if verdict.taken and folder is not None:
                    _save(folder / f"{collector.observations[-1].name}.png", frame.image)
                now = time.monotonic()
                if verdict.taken or collector.done or now - shown_s > _SHOW_S:
                    shown_s = now
                    _show(collector, frame.image, verdict, web, folder)
    except KeyboardInterrupt:
        if not collector.observations:
            raise
    if not collector.observations:
        return None
    first = collector.observations[0]
    return Findings(collector.target, first.image_size, list(collector.observations), [])


def _show(
    collector: Collector, image: Image, verdict: Verdict, web: WebView | None, folder: Path | None
) -> None:
    if web is None and folder is None:
        return
    picture = live_picture(collector, image, verdict)
    if web is not None:
        web.show(picture, state_of(collector, verdict))
    if folder is not None:
        _save(folder / "live.png", picture)


def state_of(collector: Collector, verdict: Verdict) -> dict[str, Any]:
    """What the page shows beside the picture."""
    return {
        "views": len(collector.observations),
        "coverage": round(collector.coverage.share, 3),
        "missing": collector.missing(),
        "last": verdict.reason,
        "done": collector.done,
    }


def live_picture(collector: Collector, image: Image, verdict: Verdict) -> Image:
    """The frame with the corners found, parts without corners in red, and what to do next."""
    if verdict.observation is not None:
        picture = draw(image, verdict.observation)
    else:
        picture = cv2.cvtColor(to_8_bit(grey(image)), cv2.COLOR_GRAY2BGR)
    height, width = picture.shape[:2]
    if collector.observations:
        counts = collector.coverage.counts.astype(np.float32)
        empty = cv2.resize((counts == 0).astype(np.uint8), (width, height), interpolation=0)
        tint = picture.astype(np.float32)
        tint[empty > 0] = 0.75 * tint[empty > 0] + 0.25 * np.array([60, 60, 255], np.float32)
        picture = np.clip(tint, 0, 255).astype(np.uint8)
    if width < 480:
        scale = int(np.ceil(480 / width))
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
    hints = collector.missing()
    lines = [f"{len(collector.observations)} views. {verdict.reason}", *hints[:2]]
    for row, line in enumerate(lines):
        at = (8, 20 + 20 * row)
        for colour, thick in (((0, 0, 0), 3), ((255, 255, 255), 1)):
            cv2.putText(
                picture, line, at, cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, thick, cv2.LINE_AA
            )
    return picture


def _save(path: Path, picture: Image) -> None:
    ok, data = cv2.imencode(".png", picture)
    partial = path.with_name(path.name + ".partial")
    try:
        if not ok:
            raise ConfigError(f"{path}: a picture of shape {picture.shape} cannot be saved as PNG")
        partial.write_bytes(data.tobytes())
        partial.replace(path)
    except OSError as fault:
        raise ConfigError(f"{path}: cannot be written: {fault.strerror}") from fault
