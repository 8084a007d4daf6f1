"""Every fault of the wire ends, within a bound, in one named error; afterwards all is well."""

from __future__ import annotations

import contextlib
import os
import threading
import tty

import pytest

from edge_sdk.capture.serial import (
    BosonCore,
    Fault,
    FfcMode,
    FfcState,
    SimulatedBoson,
    SimulatedTau2,
    Tau2Core,
    open_core,
)
from edge_sdk.errors import (
    ConfigError,
    CoreRejectedError,
    DeviceNotFoundError,
    SerialError,
    SerialProtocolError,
    SerialTimeoutError,
)

from .conftest import Bench, hurried, make_bench, wait_until, within_bound

NAMED = {
    Fault.MUTE: SerialTimeoutError,
    Fault.LATE: SerialTimeoutError,
    Fault.TRUNCATED: SerialTimeoutError,
    Fault.WRONG_CRC: SerialProtocolError,
    Fault.WRONG_SEQUENCE: SerialProtocolError,
    Fault.WRONG_FUNCTION: SerialProtocolError,
    Fault.ERROR_CODE: CoreRejectedError,
}
HARMLESS = [Fault.GARBAGE, Fault.FRAGMENTED, Fault.STRAY_ZERO]


def skip_what_the_protocol_has_not(bench: Bench, fault: Fault) -> None:
    if isinstance(bench.simulated, SimulatedTau2) and fault is Fault.WRONG_SEQUENCE:
        with pytest.raises(ConfigError, match="cannot suffer"):
            bench.simulated.inject(fault)
        pytest.skip("a Tau 2 has no sequence numbers")


def test_every_fault_is_covered_here() -> None:
    assert set(NAMED) | set(HARMLESS) == set(Fault)


@pytest.mark.parametrize("fault", list(NAMED))
def test_a_fault_becomes_its_named_error_and_the_core_is_healthy_after(
    bench: Bench, fault: Fault
) -> None:
    skip_what_the_protocol_has_not(bench, fault)
    bench.simulated.fpa_temperature_c = 21.5
    with bench.core() as core:
        assert core.get_fpa_temperature_c() == 21.5
        bench.simulated.inject(fault, delay_s=0.5)
        with hurried(core), pytest.raises(NAMED[fault]) as caught:
            within_bound(core.get_fpa_temperature_c)
        assert type(caught.value) is NAMED[fault]
        message = str(caught.value)
        assert bench.simulated.port in message
        assert "get focal-plane temperature" in message
        bench.simulated.fpa_temperature_c = 22.5
        assert within_bound(core.get_fpa_temperature_c) == 22.5


@pytest.mark.parametrize("fault", [fault for fault in NAMED if fault is not Fault.ERROR_CODE])
def test_a_retry_gets_over_a_fault(bench: Bench, fault: Fault) -> None:
    skip_what_the_protocol_has_not(bench, fault)
    with bench.core(retries=3) as core:
        core.get_ffc_state()
        core._timeout_s = 0.15
        asked = bench.simulated.requests[bench.temperature_function]
        bench.simulated.inject(fault, delay_s=0.2)
        assert within_bound(core.get_fpa_temperature_c) == 38.0
        assert bench.simulated.requests[bench.temperature_function] - asked >= 2


@pytest.mark.parametrize("fault", HARMLESS)
def test_a_harmless_fault_costs_no_second_request(bench: Bench, fault: Fault) -> None:
    with bench.core() as core:
        core.get_ffc_mode()
        bench.simulated.requests.clear()
        bench.simulated.inject(fault)
        assert within_bound(core.get_fpa_temperature_c) == 38.0
        assert sum(bench.simulated.requests.values()) == 1


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_the_number_of_attempts_is_the_one_that_was_set(retries: int) -> None:
    with (
        SimulatedBoson() as simulated,
        BosonCore(simulated.port, timeout_s=0.05, retries=retries) as core,
    ):
        simulated.inject(Fault.MUTE, 100)
        with pytest.raises(SerialTimeoutError, match=f"attempt {retries + 1}, the last"):
            within_bound(core.get_ffc_mode)
        wait_until(lambda: simulated.requests[0x00050013] >= retries + 1)
        assert simulated.requests[0x00050013] == retries + 1


def test_an_error_code_is_explained_and_not_retried(bench: Bench, protocol: str) -> None:
    code, meaning = (0x0162, "bad payload") if protocol == "boson" else (0x0A, "not enabled")
    with bench.core(retries=3) as core:
        core.get_ffc_state()
        bench.simulated.requests.clear()
        bench.simulated.inject(Fault.ERROR_CODE, code=code)
        with pytest.raises(CoreRejectedError, match=meaning):
            core.set_ffc_mode(FfcMode.AUTOMATIC)
        assert sum(bench.simulated.requests.values()) == 1
        assert bench.simulated.ffc_mode is FfcMode.MANUAL
        bench.simulated.inject(Fault.ERROR_CODE, code=0x0B)
        with pytest.raises(CoreRejectedError, match="unknown code"):
            core.get_ffc_state()


def test_a_late_reply_is_never_taken_for_the_answer_to_the_next_request(bench: Bench) -> None:
    """The late reply has the function and the length of the next one, and another value."""
    bench.simulated.fpa_temperature_c = 10.0
    with bench.core() as core:
        assert core.get_fpa_temperature_c() == 10.0
        for round_ in range(1, 6):
            bench.simulated.inject(Fault.LATE, delay_s=0.25)
            with hurried(core, 0.1), pytest.raises(SerialTimeoutError):
                within_bound(core.get_fpa_temperature_c)
            # The reply that is under way still says what the temperature was.
            bench.simulated.fpa_temperature_c = 10.0 + round_
            assert within_bound(core.get_fpa_temperature_c) == 10.0 + round_


def test_a_tau2_does_not_mistake_one_sensor_for_another_after_a_stall() -> None:
    """Same function, same length, no sequence number: only order tells them apart."""
    bench = make_bench("tau2", housing_temperature_c=50.0, fpa_temperature_c=38.0)
    with bench.simulated, bench.core() as core:
        assert isinstance(core, Tau2Core)
        assert core.get_fpa_temperature_c() == 38.0
        for _ in range(5):
            bench.simulated.inject(Fault.LATE, delay_s=0.25)
            with hurried(core, 0.1), pytest.raises(SerialTimeoutError):
                within_bound(core.get_fpa_temperature_c)
            assert within_bound(core.get_housing_temperature_c) == 50.0


def test_a_late_reply_is_passed_over_while_the_right_one_is_waited_for(bench: Bench) -> None:
    """With retries the caller sees nothing of the stall but the time."""
    with bench.core(retries=3) as core:
        core.get_ffc_state()
        for round_ in range(1, 4):
            bench.simulated.inject(Fault.LATE, delay_s=0.25)
            with hurried(core, 0.2):
                assert within_bound(core.get_fpa_temperature_c) == 38.0
            bench.simulated.ffc_temperature_delta_c = float(round_)
            assert within_bound(core.get_ffc_temperature_delta_c) == float(round_)


def test_replies_to_an_earlier_owner_of_the_port_are_not_taken(bench: Bench) -> None:
    bench.simulated.ffc_temperature_delta_c = 2.0
    for value in (3.0, 4.0, 5.0):
        with bench.core() as first:
            if isinstance(bench.simulated, SimulatedTau2):
                first.get_ffc_state()
            bench.simulated.inject(Fault.LATE, delay_s=0.25)
            with hurried(first, 0.1), pytest.raises(SerialTimeoutError):
                first.get_ffc_temperature_delta_c()
        bench.simulated.ffc_temperature_delta_c = value
        with bench.core() as second:
            assert within_bound(second.get_ffc_temperature_delta_c) == value


def test_ffc_is_never_sent_twice(bench: Bench) -> None:
    with bench.core(retries=3) as core:
        core.get_ffc_state()
        bench.simulated.inject(Fault.MUTE)
        with hurried(core, 0.1), pytest.raises(SerialTimeoutError, match="not repeated, and may"):
            within_bound(core.run_ffc)
        assert bench.simulated.requests[bench.ffc_function] == 1
        assert bench.simulated.ffc_count == 1
        # The bound of all attempts is spent on waiting for the one.
        bench.simulated.inject(Fault.LATE, delay_s=0.7)
        with hurried(core, 0.5):
            within_bound(core.run_ffc)
        assert bench.simulated.ffc_count == 2


def test_a_reboot_that_is_not_acknowledged_is_told() -> None:
    with SimulatedBoson(reboot_s=0.0) as simulated:
        with BosonCore(simulated.port, timeout_s=5.0, retries=0) as core:
            simulated.inject(Fault.MUTE)
            with hurried(core):
                assert within_bound(core.reboot) is False
            assert simulated.requests[0x00050010] == 1
            simulated.inject(Fault.ERROR_CODE)
            with pytest.raises(CoreRejectedError):
                core.reboot()
        with pytest.raises(SerialError, match="not open"):
            core.reboot()


def test_a_reply_of_the_wrong_length_is_named() -> None:
    with SimulatedBoson() as simulated, BosonCore(simulated.port, timeout_s=5.0) as core:
        simulated._functions[0x00050030] = lambda data: b"\x01"
        with pytest.raises(SerialProtocolError, match="1 bytes of data instead of 2"):
            core.get_fpa_temperature_c()
        simulated._functions[0x0005000C] = lambda data: b"\x00\x09"
        with pytest.raises(SerialProtocolError, match="mode 9, which is unknown"):
            core.get_ffc_state()


def test_a_pulled_cable_is_named_and_reconnect_brings_the_core_back(bench: Bench) -> None:
    simulated = bench.simulated
    with bench.core() as core:
        assert core.get_ffc_state() is FfcState.NONE
        simulated.unplug()
        with pytest.raises(SerialError, match="went away") as caught:
            within_bound(core.get_ffc_state)
        assert not isinstance(caught.value, SerialTimeoutError)
        with pytest.raises(SerialError, match=r"not open: it went away.*reconnect\(\)"):
            core.get_ffc_state()
        assert not core.closed
        with pytest.raises(DeviceNotFoundError):
            core.reconnect()
        simulated.plug_in()
        core.reconnect()
        assert core.get_ffc_state() is FfcState.NONE


def test_a_port_that_babbles_without_end_does_not_hang_a_request(protocol: str) -> None:
    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    stop = threading.Event()

    def babble() -> None:
        while not stop.is_set():
            with contextlib.suppress(BlockingIOError):
                os.write(master, b"\x8e\x00\x6e\x12\x9e\x81\xae" * 50)
            stop.wait(0.001)

    thread = threading.Thread(target=babble)
    thread.start()
    try:
        with (
            open_core(protocol, os.ttyname(slave), timeout_s=0.3, retries=1) as core,
            pytest.raises(SerialProtocolError),
        ):
            within_bound(core.get_ffc_desired)
    finally:
        stop.set()
        thread.join()
        os.close(master)
        os.close(slave)
