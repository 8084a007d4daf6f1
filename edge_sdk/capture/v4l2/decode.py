"""The bytes of a kernel buffer made into an image, in one pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_sdk.capture.v4l2.fourcc import PixelFormat
from edge_sdk.capture.v4l2.jpeg import decode_jpeg
from edge_sdk.capture.v4l2.pool import ArrayPool

__all__ = ["DamagedError", "Decoder", "Raw"]

Raw = NDArray[np.uint8]

_YUV_TO_BGR = {"YUYV": cv2.COLOR_YUV2BGR_YUY2, "UYVY": cv2.COLOR_YUV2BGR_UYVY}
_YUV_LUMA_BYTE = {"YUYV": 0, "UYVY": 1}


class DamagedError(Exception):
    """The buffer does not hold a whole frame; the camera drops and counts it."""


class Decoder:
    """Decodes the buffers of one stream.

    YUV is taken as BT.601 with limited range, which is what OpenCV and USB cameras use; its luma is
    handed out as it is.

    Args:
        pixel_format: of the stream.
        width, height: pixels.
        row_bytes: bytes from one row to the next, ``bytesperline``; 0: rows follow each other.
        mono: give one channel, the luma, also where the format has colour.
        pool: where images are put.
    """

    def __init__(
        self,
        pixel_format: PixelFormat,
        width: int,
        height: int,
        row_bytes: int,
        mono: bool,
        pool: ArrayPool,
    ) -> None:
        self._format = pixel_format
        self._width, self._height = width, height
        self._line = width * pixel_format.row_bytes_per_px
        self._stride = max(row_bytes, self._line)
        self._mono = mono
        self._pool = pool
        ways: dict[str, Callable[[Raw], NDArray[Any]]] = {
            "mono8": self._mono8,
            "mono16": self._mono16,
            "packed_yuv": self._packed_yuv,
            "nv12": self._nv12,
            "rgb": self._rgb,
            "jpeg": self._jpeg,
        }
        self._decode = ways[pixel_format.layout]

    @property
    def size_bytes(self) -> int:
        """Bytes of a whole frame; 1 for compressed formats. The last row needs no padding."""
        if self._format.layout == "jpeg":
            return 1
        rows = self._height + (self._height + 1) // 2 * (self._format.layout == "nv12")
        return self._stride * (rows - 1) + self._line

    def __call__(self, data: Raw) -> NDArray[Any]:
        """(H, W) uint8 or uint16, or (H, W, 3) uint8 BGR. ``data`` is (N,) uint8, not kept.

        Raises:
            DamagedError: too few bytes, or a JPEG that is incomplete, corrupt or of another size.
        """
        if data.size < self.size_bytes:
            raise DamagedError(f"{data.size} bytes of {self.size_bytes}")
        return self._decode(data)

    def _rows(self, data: Raw, first: int = 0, rows: int | None = None) -> Raw:
        """(rows, bytes of a row's pixels), a view."""
        rows = self._height if rows is None else rows
        return np.lib.stride_tricks.as_strided(
            data[first * self._stride :], (rows, self._line), (self._stride, 1), writeable=False
        )

    def _grey(self) -> NDArray[Any]:
        return self._pool.take((self._height, self._width), np.uint8)

    def _colour(self) -> NDArray[Any]:
        return self._pool.take((self._height, self._width, 3), np.uint8)

    def _mono8(self, data: Raw) -> NDArray[Any]:
        out = self._grey()
        np.copyto(out, self._rows(data))
        return out

    def _mono16(self, data: Raw) -> NDArray[Any]:
        out = self._pool.take((self._height, self._width), np.uint16)
        order = ">u2" if self._format.name.endswith("_BE") else "<u2"
        np.copyto(out, self._rows(data).view(order))
        return out

    def _packed_yuv(self, data: Raw) -> NDArray[Any]:
        pairs = self._rows(data).reshape(self._height, self._width, 2)
        if self._mono:
            out = self._grey()
            np.copyto(out, pairs[:, :, _YUV_LUMA_BYTE[self._format.name]])
            return out
        return cv2.cvtColor(pairs, _YUV_TO_BGR[self._format.name], dst=self._colour())

    def _nv12(self, data: Raw) -> NDArray[Any]:
        luma = self._rows(data)
        if self._mono:
            out = self._grey()
            np.copyto(out, luma)
            return out
        chroma = self._rows(data, self._height, self._height // 2)
        chroma = chroma.reshape(self._height // 2, self._width // 2, 2)
        return cv2.cvtColorTwoPlane(luma, chroma, cv2.COLOR_YUV2BGR_NV12, dst=self._colour())

    def _rgb(self, data: Raw) -> NDArray[Any]:
        pixels = self._rows(data).reshape(self._height, self._width, 3)
        blue_first = self._format.name == "BGR24"
        if self._mono:
            code = cv2.COLOR_BGR2GRAY if blue_first else cv2.COLOR_RGB2GRAY
            return cv2.cvtColor(pixels, code, dst=self._grey())
        out = self._colour()
        if blue_first:
            np.copyto(out, pixels)
            return out
        return cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR, dst=out)

    def _jpeg(self, data: Raw) -> NDArray[Any]:
        out = self._grey() if self._mono else self._colour()
        reason = decode_jpeg(data, out)
        if reason is not None:
            raise DamagedError(reason)
        return out
