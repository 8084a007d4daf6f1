"""The simulated cores themselves: what robot makers lean on in their own tests."""

from __future__ import annotations

import functools
import os
import struct
import threading
from pathlib import Path

import pytest
import serial

import edge_sdk.capture.serial as package
from edge_sdk.capture.serial import Fault, FfcMode, SimulatedBoson, SimulatedTau2
from edge_sdk.capture.serial.boson import FslpFrame, decode_fslp, encode_fslp, stuff
from edge_sdk.capture.serial.crc import crc16_boson
from edge_sdk.capture.serial.tau2 import Tau2Frame, decode_tau2, encode_tau2
from edge_sdk.errors import ConfigError

from .conftest import Bench, make_bench, open_descriptors, wait_until

REQUEST = 0xFFFFFFFF


def converse(port: str, request: bytes, reply_bytes: int, timeout_s: float = 5.0) -> bytes:
    """A client that knows nothing: sends, and reads so many bytes."""
    with serial.Serial(port, 921600, timeout=timeout_s) as device:
        device.write(request)
        return bytes(device.read(reply_bytes))


def test_boson_golden_conversation() -> None:
    with SimulatedBoson(fpa_temperature_c=38.0) as simulated:
        request = bytes.fromhex("8E 00 00000001 00050030 FFFFFFFF 4966 AE")
        reply = bytes.fromhex("8E 00 00000001 00050030 00000000 017C BDCE AE")
        assert converse(simulated.port, request, len(reply)) == reply
        request = encode_fslp(FslpFrame(1, 0x00050007, REQUEST))
        reply = bytes.fromhex("8E 00 00000001 00050007 00000000 BB93 AE")
        assert converse(simulated.port, request, len(reply)) == reply
        simulated.fpa_temperature_c = -5.5
        request = encode_fslp(FslpFrame(1, 0x00050030, REQUEST))
        assert decode_fslp(converse(simulated.port, request, 19)).data == b"\xff\xc9"


def test_tau2_golden_conversation() -> None:
    """FLIR Tau User's Manual TAU-0035-00-10, table B-5: set the FFC mode to automatic, get it."""
    with SimulatedTau2(ffc_mode=FfcMode.MANUAL) as simulated:
        automatic = bytes.fromhex("6E 00 00 0B 0002 0F08 0001 1021")
        assert converse(simulated.port, automatic, len(automatic)) == automatic
        assert simulated.ffc_mode is FfcMode.AUTOMATIC
        get = bytes.fromhex("6E 00 00 0B 0000 2F4A 0000")
        assert converse(simulated.port, get, len(automatic)) == automatic


def test_a_tau2_bears_a_stray_zero_after_each_request() -> None:
    no_op = encode_tau2(Tau2Frame(0x00))
    with SimulatedTau2() as simulated:
        for _ in range(3):
            assert converse(simulated.port, no_op + b"\0", len(no_op)) == no_op
        assert simulated.requests[0] == 3


def test_a_boson_bears_clients_that_stuff_the_data_only() -> None:
    """Header and checksum raw, sequence 0; the checksum often holds a marker."""
    with SimulatedBoson() as simulated, serial.Serial(simulated.port, timeout=5.0) as device:
        special_checksums = 0
        periods = [*range(0x8E9EAE00, 0x8E9EAE00 + 600)]
        for period in periods:
            data = struct.pack(">I", period)
            body = struct.pack(">BIII", 0, 0, 0x0005000A, REQUEST)
            checksum = crc16_boson(body + data).to_bytes(2, "big")
            special_checksums += any(byte in b"\x8e\x9e\xae" for byte in checksum)
            device.write(b"\x8e" + body + stuff(data) + checksum + b"\xae")
            reply = decode_fslp(device.read_until(b"\xae"))
            assert (reply.sequence, reply.function, reply.status) == (0, 0x0005000A, 0)
            assert simulated.ffc_period_s == period
        assert special_checksums > 5
        assert simulated.bad_requests == 0


def test_requests_in_one_write_are_answered_in_order(bench: Bench, protocol: str) -> None:
    if protocol == "boson":
        functions = [0x00050002, 0x00050055, 0x00050015]
        wires = [encode_fslp(FslpFrame(9, function, REQUEST)) for function in functions]
        with serial.Serial(bench.simulated.port, timeout=5.0) as device:
            device.write(b"".join(wires))
            found = [decode_fslp(device.read_until(b"\xae")).function for _ in functions]
    else:
        functions = [0x0A, 0x00, 0x0B]
        sizes = [12, 10, 12]
        wires = [encode_tau2(Tau2Frame(function)) for function in functions]
        with serial.Serial(bench.simulated.port, timeout=5.0) as device:
            device.write(b"".join(wires))
            found = [decode_tau2(device.read(size)).function for size in sizes]
    assert found == functions


def test_a_damaged_or_incomplete_request_gets_no_answer_and_is_counted(
    bench: Bench, protocol: str
) -> None:
    good = (
        encode_fslp(FslpFrame(1, 0x00050030, REQUEST))
        if protocol == "boson"
        else encode_tau2(Tau2Frame(0x20, b"\0\0"))
    )

    def counted(count: int) -> bool:
        return bench.simulated.bad_requests == count

    damaged = good[:4] + bytes((good[4] ^ 1,)) + good[5:]
    for count, bad in enumerate((damaged, good[:-4]), start=1):
        assert converse(bench.simulated.port, bad, 1, timeout_s=0.1) == b""
        wait_until(functools.partial(counted, count))
    assert not bench.simulated.requests
    assert len(converse(bench.simulated.port, good, 12)) == 12


def test_faults_come_in_the_order_they_were_injected(bench: Bench, protocol: str) -> None:
    request = (
        encode_fslp(FslpFrame(1, 0x00050007, REQUEST))
        if protocol == "boson"
        else encode_tau2(Tau2Frame(0x0C))
    )
    good = converse(bench.simulated.port, request, 17 if protocol == "boson" else 10)
    bench.simulated.inject(Fault.STRAY_ZERO)
    bench.simulated.inject(Fault.TRUNCATED, 2)
    assert converse(bench.simulated.port, request, len(good) + 2) == b"\0" + good + b"\0"
    for _ in range(2):
        truncated = converse(bench.simulated.port, request, len(good), timeout_s=0.3)
        assert truncated == good[: len(good) // 2]
    assert converse(bench.simulated.port, request, len(good)) == good
    assert bench.simulated.requests[bench.ffc_function] == 5


def test_it_leaves_no_thread_no_descriptor_and_no_file(protocol: str) -> None:
    before = open_descriptors(), threading.active_count()
    bench = make_bench(protocol)
    for _ in range(3):
        with bench.simulated as simulated:
            port = Path(simulated.port)
            assert port.exists()
            simulated.unplug()
            assert not os.path.lexists(port)
            simulated.plug_in()
            simulated.plug_in()
            assert port.exists()
        assert not port.parent.exists()
    assert (open_descriptors(), threading.active_count()) == before


def test_without_a_with_statement_there_is_no_port(protocol: str) -> None:
    with pytest.raises(ConfigError, match="with statement"):
        _ = make_bench(protocol).simulated.port


def test_everything_exported_is_there_and_listed_once() -> None:
    assert sorted(package.__all__) == dir(package)
    for name in package.__all__:
        assert getattr(package, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'Lepton'"):
        _ = package.Lepton
