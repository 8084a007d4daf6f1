"""Recordings that the tests write for themselves."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_sdk.capture.files import RecordedCamera
from edge_sdk.frames import Frame, Image

MS = 1_000_000
WIDTH, HEIGHT = 96, 64
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
needs_recordings = pytest.mark.skipif(not SHARED.is_dir(), reason=f"no real recordings at {SHARED}")


def grey_image(k: int) -> Image:
    """(H, W) uint8 with some texture, different for each k."""
    rng = np.random.default_rng(k)
    coarse = rng.integers(40, 200, (HEIGHT // 8, WIDTH // 8), np.uint8)
    return cv2.resize(coarse, (WIDTH, HEIGHT))


def colour_image(k: int) -> Image:
    """(H, W, 3) uint8 BGR."""
    return np.dstack([grey_image(100 * k + c) for c in range(3)])


def write_video(path: Path, images: list[Image], fourcc: str = "FFV1", fps: float = 25) -> Path:
    size = images[0].shape[1::-1]
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*fourcc), fps, size)
    assert writer.isOpened()
    for image in images:
        writer.write(image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2BGR))
    writer.release()
    return path


def cut(path: Path, part: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    return path


def read_all(camera: RecordedCamera) -> list[Frame]:
    frames = []
    while (frame := camera.read()) is not None:
        frames.append(frame)
    return frames


def write_av(path: Path, pts_ms: list[int], codec: str, pixels: str, **options: str) -> Path:
    """A video with exactly these presentation times; grey16 images count up from 1000."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pixels
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for k, pts in enumerate(pts_ms):
            if pixels == "gray16le":
                image = np.full((HEIGHT, WIDTH), 1000 + k, np.uint16)
                frame = av.VideoFrame.from_ndarray(image, format="gray16le")
            else:
                frame = av.VideoFrame.from_ndarray(colour_image(k), format="bgr24")
            frame.pts, frame.time_base = pts, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
