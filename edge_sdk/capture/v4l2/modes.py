"""Format, size and rate: what a driver offers, what is asked, what it grants."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from edge_sdk.capture.v4l2.driver import CAPTURE, GONE, explain, linuxpy
from edge_sdk.capture.v4l2.fourcc import FORMATS, PixelFormat, code_text, format_of_code
from edge_sdk.errors import SourceError

__all__ = ["Granted", "Wanted", "format_codes", "frame_rates", "frame_sizes", "negotiate"]

_log = logging.getLogger(__name__)

_PROGRESSIVE = (0, 1, 4)
"""``V4L2_FIELD_ANY``, ``NONE`` and ``INTERLACED``: buffers that hold whole frames."""
_CAN_SET_RATE = 0x1000
_RATE_TOLERANCE = 0.01
"""29.97 frames/s are what is meant by 30."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of a driver; None leaves a value as the driver has it. See ``V4L2Config``."""

    pixel_format: PixelFormat | None = None
    size: tuple[int, int] | None = None
    fps: float | None = None
    allow_adjusted: bool = False


@dataclass(frozen=True, slots=True)
class Granted:
    """What a driver will deliver.

    Attributes:
        pixel_format: see :data:`FORMATS`.
        width, height: pixels.
        row_bytes: from one row to the next; 0 if the driver does not tell.
        fps: frames per second; None if the driver does not tell.
        adjusted: where this is not what was asked; empty unless ``allow_adjusted``.
    """

    pixel_format: PixelFormat
    width: int
    height: int
    row_bytes: int
    fps: float | None
    adjusted: tuple[str, ...] = ()

    def __str__(self) -> str:
        rate = "" if self.fps is None else f" at {self.fps:g} frames/s"
        return f"{self.pixel_format.name} {self.width}x{self.height}{rate}"


def negotiate(fd: int, path: str, wanted: Wanted) -> Granted:
    """Set format, size and rate, and compare with what the driver made of it.

    Raises:
        SourceError: the driver offers or grants something else, and ``allow_adjusted`` is false;
            the message has both, and what is offered.
        DisconnectedError: the device went away.
    """
    d = linuxpy()
    adjusted: list[str] = []
    try:
        current = d.get_raw_format(fd, CAPTURE).fmt.pix
        pixel_format = _choose_format(fd, path, wanted, current.pixelformat, adjusted)
        width, height = wanted.size or (current.width, current.height)
        pix = _set_format(d, fd, path, pixel_format, width, height)
        pixel_format = _compare_format(fd, path, wanted, pixel_format, pix, adjusted)
        fps = _set_rate(d, fd, path, wanted, adjusted)
    except OSError as error:
        raise explain(error, path, "set to the format") from error
    for text in adjusted:
        _log.warning("%s: %s", path, text)
    return Granted(pixel_format, pix.width, pix.height, pix.bytesperline, fps, tuple(adjusted))


def _choose_format(
    fd: int, path: str, wanted: Wanted, current: int, adjusted: list[str]
) -> PixelFormat:
    offered = format_codes(fd)
    now = format_of_code(current)
    names = ", ".join(code_text(code) for code in offered) or "nothing that it tells"
    if wanted.pixel_format is None:
        if now is not None:
            return now
        raise SourceError(
            f"{path} is set to {code_text(current)}, which edge_sdk does not decode; set 'format:' "
            f"to one of what it offers: {_usable(offered) or 'none that edge_sdk decodes'}"
        )
    if wanted.pixel_format.code in offered or not offered:
        return wanted.pixel_format
    text = f"format: asked for {wanted.pixel_format.name}, but the camera offers {names}"
    other = now or next((f for f in FORMATS if f.code in offered), None)
    if wanted.allow_adjusted and other is not None:
        adjusted.append(f"{text}; {other.name} is used")
        return other
    raise SourceError(
        f"{path}: {text}; set 'format:' to one that edge_sdk decodes "
        f"({_usable(offered) or 'there is none'}), or allow_adjusted: true"
    )


def _usable(codes: Iterable[int]) -> str:
    return ", ".join(f.name for f in map(format_of_code, codes) if f is not None)


def _set_format(d: Any, fd: int, path: str, wanted: PixelFormat, width: int, height: int) -> Any:
    request = d.raw.v4l2_format()
    request.type = CAPTURE
    pix = request.fmt.pix
    pix.width, pix.height, pix.pixelformat, pix.field = width, height, wanted.code, 1
    try:
        d.set_raw_format(fd, request)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise SourceError(
            f"{path} refuses {wanted.name} {width}x{height}; sizes that it offers in "
            f"{wanted.name}: {_size_texts(fd, wanted.code)}"
        ) from error
    return pix


def _compare_format(
    fd: int, path: str, wanted: Wanted, asked: PixelFormat, pix: Any, adjusted: list[str]
) -> PixelFormat:
    granted = format_of_code(pix.pixelformat)
    size = (pix.width, pix.height)
    asked_size = wanted.size or size
    if pix.field not in _PROGRESSIVE:
        raise SourceError(
            f"{path} delivers half frames (interlaced, field order {pix.field}); set the camera or "
            "capture card to a progressive mode"
        )
    if granted is asked and size == asked_size:
        return granted
    text = (
        f"asked for {asked.name} {asked_size[0]}x{asked_size[1]}, but the driver grants "
        f"{code_text(pix.pixelformat)} {size[0]}x{size[1]}"
    )
    if granted is None or not wanted.allow_adjusted:
        raise SourceError(
            f"{path}: {text}; sizes that it offers in {asked.name}: {_size_texts(fd, asked.code)}; "
            "ask for one of these, or allow_adjusted: true"
        )
    adjusted.append(text)
    return granted


def _set_rate(d: Any, fd: int, path: str, wanted: Wanted, adjusted: list[str]) -> float | None:
    asked = wanted.fps
    settable = False
    try:
        # Some drivers grant a rate without the flag that says so: asking is the only proof.
        settable = bool(d.get_parm(fd, CAPTURE).parm.capture.capability & _CAN_SET_RATE)
        if asked is not None:
            d.set_fps(fd, CAPTURE, asked)
    except OSError as error:
        if error.errno in GONE or error.errno == errno.EBUSY:
            raise
        if asked is None:
            return None
    granted = _rate(d, fd)
    if asked is None or (granted is not None and abs(granted / asked - 1.0) <= _RATE_TOLERANCE):
        return granted
    text = f"asked for {asked:g} frames/s, but the driver grants " + (
        f"{granted:g}" if granted is not None else "no rate"
    )
    if wanted.allow_adjusted:
        adjusted.append(text)
        return granted
    pix = d.get_raw_format(fd, CAPTURE).fmt.pix
    rates = ", ".join(frame_rates(fd, pix.pixelformat, pix.width, pix.height)) or "not told"
    more = "" if settable else "; this driver cannot change its rate"
    raise SourceError(
        f"{path}: {text}{more}; rates that it offers in {code_text(pix.pixelformat)} "
        f"{pix.width}x{pix.height}: {rates}; ask for one of these, or allow_adjusted: true"
    )


def _rate(d: Any, fd: int) -> float | None:
    try:
        interval = d.get_parm(fd, CAPTURE).parm.capture.timeperframe
    except OSError as error:
        if error.errno in GONE:
            raise
        return None
    if interval.numerator == 0 or interval.denominator == 0:
        return None
    return float(interval.denominator / interval.numerator)


def format_codes(fd: int) -> list[int]:
    """Codes of the formats that a node offers, in its order, also those that we do not decode."""
    d = linuxpy()
    request = d.raw.v4l2_fmtdesc()
    request.type = CAPTURE
    # linuxpy's own list leaves out codes that it does not know.
    return [int(f.pixelformat) for f in d.iter_read(fd, d.IOC.ENUM_FMT, request)]


def frame_sizes(fd: int, code: int) -> list[tuple[int, int]]:
    """(width, height) that a node offers in a format; of a range, its two ends."""
    d = linuxpy()
    request = d.raw.v4l2_frmsizeenum()
    request.pixel_format = code
    found = []
    for size in d.iter_read(fd, d.IOC.ENUM_FRAMESIZES, request):
        if size.type == 1:
            found.append((int(size.m1.discrete.width), int(size.m1.discrete.height)))
        else:
            span = size.m1.stepwise
            found.append((int(span.min_width), int(span.min_height)))
            found.append((int(span.max_width), int(span.max_height)))
    return found


def frame_rates(fd: int, code: int, width: int, height: int) -> list[str]:
    """Frames per second that a node offers, as text, lowest first: ``29.97``; of a range, both
    ends: ``1-60``."""
    d = linuxpy()
    request = d.raw.v4l2_frmivalenum()
    request.pixel_format, request.width, request.height = code, width, height
    found = []
    for interval in d.iter_read(fd, d.IOC.ENUM_FRAMEINTERVALS, request):
        if interval.type == 1:
            ends = [interval.discrete]
        else:
            ends = [interval.stepwise.max, interval.stepwise.min]
        rates = [f"{e.denominator / e.numerator:.4g}" for e in ends if e.numerator]
        found.append("-".join(rates))
    return sorted(found, key=lambda text: float(text.split("-")[0] or 0))


def _size_texts(fd: int, code: int) -> str:
    return ", ".join(f"{w}x{h}" for w, h in frame_sizes(fd, code)) or "not told"
