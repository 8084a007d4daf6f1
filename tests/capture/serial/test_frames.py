"""The bytes on the wire, against golden frames and a second implementation of the checksum."""

from __future__ import annotations

import random

import pytest

from edge_sdk.capture.serial.boson import (
    FslpFrame,
    FslpReader,
    decode_fslp,
    encode_fslp,
    stuff,
    unstuff,
)
from edge_sdk.capture.serial.crc import crc16_boson, crc16_tau2
from edge_sdk.capture.serial.link import Damaged
from edge_sdk.capture.serial.tau2 import Tau2Frame, Tau2Reader, decode_tau2, encode_tau2
from edge_sdk.errors import SerialProtocolError

REQUEST = 0xFFFFFFFF
BOSON_GOLDEN = [
    (FslpFrame(1, 0x00050030, REQUEST), "8E 00 00000001 00050030 FFFFFFFF 4966 AE"),
    (FslpFrame(1, 0x00050030, 0, b"\x01\x7c"), "8E 00 00000001 00050030 00000000 017C BDCE AE"),
    (FslpFrame(1, 0x00050007, 0), "8E 00 00000001 00050007 00000000 BB93 AE"),
]
# FLIR Tau User's Manual TAU-0035-00-10, table B-5.
TAU2_GOLDEN = [
    (Tau2Frame(0x0B, b"\x00\x01"), "6E 00 00 0B 0002 0F08 0001 1021"),
    (Tau2Frame(0x0B), "6E 00 00 0B 0000 2F4A 0000"),
]


def crc16_bitwise(data: bytes, register: int) -> int:
    """CRC-16, polynomial x^16 + x^12 + x^5 + 1, most significant bit first, bit by bit."""
    for byte in data:
        for bit in range(7, -1, -1):
            feedback = (register >> 15) ^ (byte >> bit & 1)
            register = (register << 1) & 0xFFFF
            if feedback:
                register ^= 0x1021
    return register


def test_checksums_have_their_published_check_values() -> None:
    assert crc16_boson(b"123456789") == 0xE5CC
    assert crc16_tau2(b"123456789") == 0x31C3
    assert crc16_tau2(b"") == 0


def test_checksums_agree_with_a_bitwise_one() -> None:
    source = random.Random(1)
    for length in (1, 2, 6, 13, 64):
        data = source.randbytes(length)
        assert crc16_boson(data) == crc16_bitwise(data, 0x1D0F)
        assert crc16_tau2(data) == crc16_bitwise(data, 0)


@pytest.mark.parametrize(("frame", "wire"), BOSON_GOLDEN)
def test_boson_golden_frames(frame: FslpFrame, wire: str) -> None:
    assert encode_fslp(frame) == bytes.fromhex(wire)
    assert decode_fslp(bytes.fromhex(wire)) == frame
    assert FslpReader().feed(bytes.fromhex(wire)) == [frame]


@pytest.mark.parametrize(("frame", "wire"), TAU2_GOLDEN)
def test_tau2_golden_frames(frame: Tau2Frame, wire: str) -> None:
    assert encode_tau2(frame) == bytes.fromhex(wire)
    assert decode_tau2(bytes.fromhex(wire)) == frame
    assert Tau2Reader().feed(bytes.fromhex(wire)) == [frame]


def test_the_three_special_bytes_are_stuffed_and_no_others() -> None:
    assert stuff(b"\x8e\x9e\xae") == b"\x9e\x81\x9e\x91\x9e\xa1"
    for byte in set(range(256)) - {0x8E, 0x9E, 0xAE}:
        assert stuff(bytes((byte,))) == bytes((byte,))


def test_stuffing_round_trip_over_all_pairs_of_bytes() -> None:
    everything = b"".join(bytes((first, second)) for first in range(256) for second in range(256))
    stuffed = stuff(everything)
    assert b"\x8e" not in stuffed and b"\xae" not in stuffed
    assert unstuff(stuffed) == everything


@pytest.mark.parametrize("bad", [b"\x9e", b"\x9e\x00", b"\x01\x9e\x82", b"\x9e\x9e\x91"])
def test_an_escape_that_escapes_nothing_is_named(bad: bytes) -> None:
    with pytest.raises(SerialProtocolError, match="9E is followed by"):
        unstuff(bad)


def test_boson_round_trip_whatever_header_data_and_checksum_need_stuffing() -> None:
    source = random.Random(2)
    special = b"\x8e\x9e\xae\x81\x91\xa1"
    stuffed_checksums = 0
    for _ in range(2000):
        data = bytes(source.choices(special, k=source.randrange(0, 24)))
        sequence = int.from_bytes(bytes(source.choices(special, k=4)), "big")
        frame = FslpFrame(sequence, source.getrandbits(32), source.getrandbits(32), data)
        wire = encode_fslp(frame)
        assert wire.count(0x8E) == wire.count(0xAE) == 1
        assert decode_fslp(wire) == frame
        stuffed_checksums += wire[-3] in b"\x81\x91\xa1" and wire[-4] == 0x9E
    assert stuffed_checksums > 0


@pytest.mark.parametrize("split", range(1, 40))
def test_readers_take_frames_in_any_pieces(split: int) -> None:
    boson = FslpFrame(0x8E9EAE00, 0x00050004, 0, b"\x8e\x9e\xae" * 6)
    wire = encode_fslp(boson)
    reader = FslpReader()
    assert reader.feed(wire[:split]) + reader.feed(wire[split:] + wire) == [boson, boson]
    tau2 = Tau2Frame(0x04, b"\x6e\x00\x00\x0b\x6e\x6e\x00\x01")
    wire = encode_tau2(tau2)
    tau2_reader = Tau2Reader()
    assert tau2_reader.feed(wire[:split]) + tau2_reader.feed(wire[split:] + wire) == [tau2, tau2]


def test_readers_find_a_frame_behind_a_broken_one() -> None:
    good = encode_fslp(FslpFrame(7, 0x00050030, 0, b"\x01\x02"))
    items = FslpReader().feed(b"\xae\x12" + good[:9] + good)
    assert items == [decode_fslp(good)]
    good_tau2 = encode_tau2(Tau2Frame(0x20, b"\x01\x02"))
    found = Tau2Reader().feed(b"\x00\x12" + good_tau2[:9] + good_tau2)
    assert [item for item in found if not isinstance(item, Damaged)] == [decode_tau2(good_tau2)]


def test_any_single_byte_changed_is_never_taken_for_a_good_frame() -> None:
    boson, tau2 = FslpFrame(5, 0x00050055, 0, b"\0\0\0\1"), Tau2Frame(0x0D, b"\x23\x28\x23\x28")
    for at in range(len(encode_fslp(boson))):
        for change in (0x01, 0x80, 0xFF):
            wire = bytearray(encode_fslp(boson))
            wire[at] ^= change
            assert boson not in FslpReader().feed(bytes(wire))
            with pytest.raises(SerialProtocolError):
                decode_fslp(bytes(wire))
    for at in range(len(encode_tau2(tau2))):
        for change in (0x01, 0x80, 0xFF):
            wire = bytearray(encode_tau2(tau2))
            wire[at] ^= change
            assert tau2 not in Tau2Reader().feed(bytes(wire))
            with pytest.raises(SerialProtocolError):
                decode_tau2(bytes(wire))


@pytest.mark.parametrize("wire", [b"", b"\x8e", b"\x8e\xae", b"\x8e\x00\xae", b"\x00" * 20])
def test_what_is_no_boson_frame_is_named(wire: bytes) -> None:
    with pytest.raises(SerialProtocolError):
        decode_fslp(wire)


@pytest.mark.parametrize("wire", [b"", b"\x6e", b"\x6e" * 10, b"\x00" * 20])
def test_what_is_no_tau2_frame_is_named(wire: bytes) -> None:
    with pytest.raises(SerialProtocolError):
        decode_tau2(wire)


def test_readers_hold_a_bounded_amount_of_garbage() -> None:
    boson, tau2 = FslpReader(), Tau2Reader()
    garbage = b"\x8e" + b"\x55" * 100_000 + b"\x6e\x55"
    assert boson.feed(garbage) == []
    assert all(isinstance(item, Damaged) for item in tau2.feed(garbage + b"\x55" * 100))
    assert boson.rest_bytes == len(garbage)
    # What is longer than any frame was given up before its end came.
    assert boson.feed(b"\xae") == []
    good = encode_fslp(FslpFrame(1, 2, 3))
    assert boson.feed(good) == [decode_fslp(good)]
