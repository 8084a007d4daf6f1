"""Motion JPEG, frame by frame: whole, or told to be damaged.

simplejpeg is used where it is installed (it comes with the ``v4l2`` extra): it decodes into an
array that is there already, and it says when libjpeg met corrupt data, which OpenCV keeps to
itself.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_sdk.capture.quiet import quiet_opencv

__all__ = ["decode_jpeg"]

_START, _END = b"\xff\xd8", b"\xff\xd9"


@cache
def _simplejpeg() -> Any:
    """The module, or None where it is not installed."""
    try:
        import simplejpeg
    except ImportError:
        return None
    return simplejpeg


def decode_jpeg(data: NDArray[np.uint8], out: NDArray[np.uint8]) -> str | None:
    """Decode one JPEG into ``out``, (H, W) luma or (H, W, 3) BGR.

    Args:
        data: (N,) uint8; bytes after the end marker are ignored, since cameras pad their frames.

    Returns:
        None if the picture is whole, otherwise what is wrong with it.
    """
    raw = data.tobytes()
    # Within the compressed data the byte FF is always followed by 00, so that this is the marker.
    end = raw.rfind(_END)
    if not raw.startswith(_START) or end < 0:
        return f"{len(raw)} bytes that do not begin and end as a JPEG"
    raw = raw[: end + 2]
    library = _simplejpeg()
    return _decode_opencv(raw, out) if library is None else _decode_strictly(library, raw, out)


def _decode_strictly(library: Any, raw: bytes, out: NDArray[np.uint8]) -> str | None:
    try:
        height, width, _, _ = library.decode_jpeg_header(raw, strict=True)
        if (height, width) != out.shape[:2]:
            return _other_size(width, height, out)
        space = "GRAY" if out.ndim == 2 else "BGR"
        library.decode_jpeg(raw, colorspace=space, strict=True, buffer=out)
    except ValueError as error:
        return str(error)
    return None


def _decode_opencv(raw: bytes, out: NDArray[np.uint8]) -> str | None:
    kind = cv2.IMREAD_GRAYSCALE if out.ndim == 2 else cv2.IMREAD_COLOR
    with quiet_opencv():
        image = cv2.imdecode(np.frombuffer(raw, np.uint8), kind | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        return "OpenCV cannot decode the JPEG"
    if image.shape != out.shape:
        return _other_size(image.shape[1], image.shape[0], out)
    np.copyto(out, image)
    return None


def _other_size(width: int, height: int, out: NDArray[np.uint8]) -> str:
    return f"the JPEG is {width}x{height}, the stream {out.shape[1]}x{out.shape[0]}"
