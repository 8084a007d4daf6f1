"""Names of pixel formats, as rig files have them, and the kernel's codes for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["FORMATS", "Layout", "PixelFormat", "code_text", "format_of_code", "format_of_name"]

Layout = Literal["mono8", "mono16", "packed_yuv", "nv12", "rgb", "jpeg"]


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """A pixel format that edge_sdk decodes.

    Attributes:
        name: as in a rig file.
        code: the kernel's 32-bit code, its FourCC.
        layout: how the pixels lie in memory.
        bits: significant bits of a value, 8 to 16.
        row_bytes_per_px: bytes of one pixel in a row of the (first) plane; 0 for compressed ones.
        aliases: other names by which it can be asked for.
    """

    name: str
    code: int
    layout: Layout
    bits: int = 8
    row_bytes_per_px: int = 1
    aliases: tuple[str, ...] = ()


def _code(text: str, big_endian: bool = False) -> int:
    """FourCC: four characters, the first in the low byte; bit 31 marks big-endian variants."""
    value = sum(ord(c) << (8 * i) for i, c in enumerate(text.ljust(4)))
    return value | (1 << 31) if big_endian else value


FORMATS: tuple[PixelFormat, ...] = (
    PixelFormat("Y16", _code("Y16"), "mono16", 16, 2),
    PixelFormat("Y16_BE", _code("Y16", big_endian=True), "mono16", 16, 2),
    PixelFormat("Y14", _code("Y14"), "mono16", 14, 2),
    PixelFormat("Y12", _code("Y12"), "mono16", 12, 2),
    PixelFormat("Y10", _code("Y10"), "mono16", 10, 2),
    PixelFormat("GREY", _code("GREY"), "mono8", 8, 1, ("Y8", "GRAY8")),
    PixelFormat("YUYV", _code("YUYV"), "packed_yuv", 8, 2, ("YUY2",)),
    PixelFormat("UYVY", _code("UYVY"), "packed_yuv", 8, 2),
    PixelFormat("NV12", _code("NV12"), "nv12"),
    PixelFormat("BGR24", _code("BGR3"), "rgb", 8, 3, ("BGR3",)),
    PixelFormat("RGB24", _code("RGB3"), "rgb", 8, 3, ("RGB3",)),
    PixelFormat("MJPG", _code("MJPG"), "jpeg", 8, 0, ("MJPEG",)),
    PixelFormat("JPEG", _code("JPEG"), "jpeg", 8, 0),
)
"""Best first where nothing is asked for and the driver has set something else."""

_BY_NAME = {name: f for f in FORMATS for name in (f.name, *f.aliases)}
_BY_CODE = {f.code: f for f in FORMATS}


def format_of_name(name: str) -> PixelFormat | None:
    """The format that a rig file calls so, whatever the case; None if there is none."""
    return _BY_NAME.get(name.upper())


def format_of_code(code: int) -> PixelFormat | None:
    """The format with the kernel's code; None if edge_sdk does not decode it."""
    return _BY_CODE.get(code)


def code_text(code: int) -> str:
    """The kernel's code as text: our name where we have one, else its four characters."""
    known = _BY_CODE.get(code)
    if known is not None:
        return known.name
    characters = (chr((code >> shift) & 0x7F) for shift in (0, 8, 16, 24))
    text = "".join(c if c.isprintable() else "?" for c in characters).rstrip()
    return f"{text}_BE" if code >> 31 else text
