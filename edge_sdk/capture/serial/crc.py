"""The two checksums of the FLIR cores: CRC-16, polynomial 0x1021, not reflected, no final xor."""

from __future__ import annotations

import binascii

__all__ = ["crc16_boson", "crc16_tau2"]

_BOSON_INITIAL = 0x1D0F
_TAU2_INITIAL = 0x0000


def crc16_boson(data: bytes) -> int:
    """Checksum of a Boson (FSLP) frame, channel to data, before stuffing; initial value 0x1D0F.

    Returns:
        0 to 0xFFFF; ``b"123456789"`` gives 0xE5CC.
    """
    return binascii.crc_hqx(data, _BOSON_INITIAL)


def crc16_tau2(data: bytes) -> int:
    """Checksum of a Tau 2 header or data block; initial value 0.

    Returns:
        0 to 0xFFFF; ``b"123456789"`` gives 0x31C3, nothing gives 0.
    """
    return binascii.crc_hqx(data, _TAU2_INITIAL)
