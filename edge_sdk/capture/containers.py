"""Is a video file shorter than its own container says? AVI, MP4/MOV and Matroska/WebM."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, NamedTuple

__all__ = ["Extent", "measure_extent"]

_EBML_ID = b"\x1a\x45\xdf\xa3"
_SEGMENT_ID = b"\x18\x53\x80\x67"


# What a file of the ISO base media family, or an older QuickTime file, begins with.
_FIRST_BOXES = frozenset({b"ftyp", b"styp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot"})


class Extent(NamedTuple):
    """What a container says about its own length.

    Attributes:
        missing_bytes: announced beyond the end of the file; 0 if there are none.
        counts_all_frames: False if the file is a row of fragments, each with its own frame count,
            so that nothing tells how many frames the lost fragments had.
    """

    missing_bytes: int
    counts_all_frames: bool


def measure_extent(path: Path) -> Extent:
    """Compare a file with the sizes that its outermost elements state.

    A frame count is no proof of a cut: a trimmed MP4 hides frames behind its edit list, and for
    Matroska the count is guessed from the duration. The sizes are exact: RIFF chunks (AVI), boxes
    (ISO/IEC 14496-12, section 4.2), and the Segment (RFC 9559). A container of another kind, or
    one whose writer never filled in the size, misses 0 bytes.

    Raises:
        OSError: the file cannot be read.
    """
    size = path.stat().st_size
    end, fragmented = 0, False
    with path.open("rb") as file:
        head = file.read(8)
        if head[:4] == b"RIFF":
            end = _riff_end(file, size)
        elif head[:4] == _EBML_ID:
            end = _segment_end(file)
        elif head[4:] in _FIRST_BOXES:
            end, fragmented = _boxes_end(file, size)
    return Extent(max(0, end - size), not fragmented)


def _riff_end(file: BinaryIO, size: int) -> int:
    """An AVI above 1 GB is a row of RIFF chunks; each is padded to an even length."""
    end = start = 0
    while start + 8 <= size:
        file.seek(start)
        header = file.read(8)
        length = int.from_bytes(header[4:], "little")
        if header[:4] != b"RIFF" or length == 0:
            break
        end = start + 8 + length
        start = end + length % 2
    return end


def _boxes_end(file: BinaryIO, size: int) -> tuple[int, bool]:
    end, fragmented = 0, False
    while end + 8 <= size:
        file.seek(end)
        header = file.read(16)
        length = int.from_bytes(header[:4], "big")
        if length == 1:
            length = int.from_bytes(header[8:16], "big")
        if length < 8:
            break
        fragmented = fragmented or header[4:8] == b"moof"
        end += length
    return end, fragmented


def _segment_end(file: BinaryIO) -> int:
    file.seek(4)
    header_length = _read_vint(file)
    if header_length is None:
        return 0
    file.seek(header_length, 1)
    if file.read(4) != _SEGMENT_ID:
        return 0
    length = _read_vint(file)
    return 0 if length is None else file.tell() + length


def _read_vint(file: BinaryIO) -> int | None:
    """Variable-size integer of RFC 8794, section 4; None if it is absent or says "unknown"."""
    first = file.read(1)
    if not first or first[0] == 0:
        return None
    length = 9 - first[0].bit_length()
    data = first + file.read(length - 1)
    value_bits = (1 << 7 * length) - 1
    value = int.from_bytes(data, "big") & value_bits
    return None if value == value_bits or len(data) < length else value
