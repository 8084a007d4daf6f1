"""Every command of both protocols, against the simulated cores."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from edge_sdk.capture.serial import (
    BosonCore,
    FfcMode,
    FfcState,
    GainMode,
    InfraredCore,
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
    SerialTimeoutError,
)

from .conftest import Bench, hurried, make_bench


@pytest.fixture
def core(bench: Bench) -> Iterator[BosonCore | Tau2Core]:
    with bench.core() as opened:
        yield opened


def test_open_core_gives_the_core_of_that_protocol(bench: Bench, protocol: str) -> None:
    with open_core(protocol, bench.simulated.port, timeout_s=5.0, retries=1) as core:
        assert isinstance(core, InfraredCore)
        assert core.protocol == protocol
        assert core.identify().camera_serial == bench.simulated.camera_serial
    assert core.closed


def test_identify_boson() -> None:
    simulated = SimulatedBoson(
        camera_serial=0x8E9EAE01, sensor_serial=0xFFFFFFFF, firmware=(3, 0, 24118)
    )
    with simulated, open_core("boson", simulated.port, timeout_s=5.0) as core:
        identity = core.identify()
    assert identity.protocol == "boson"
    assert identity.camera_serial == 0x8E9EAE01
    assert identity.sensor_serial == 0xFFFFFFFF
    assert identity.part_number == "20640A032-6IAAX"
    assert identity.firmware == "3.0.24118"


def test_identify_tau2() -> None:
    simulated = SimulatedTau2(camera_serial=0x6E00000B, sensor_serial=7, revision=(13, 1, 7, 21))
    with simulated, open_core("tau2", simulated.port, timeout_s=5.0) as core:
        identity = core.identify()
    assert (identity.camera_serial, identity.sensor_serial) == (0x6E00000B, 7)
    assert identity.part_number is None
    assert identity.firmware == "13.1 / 7.21"


@pytest.mark.parametrize("temperature_c", [38.0, -5.5, 0.0, 85.3, -40.0])
def test_temperature_is_signed_tenths(
    bench: Bench, core: BosonCore | Tau2Core, temperature_c: float
) -> None:
    bench.simulated.fpa_temperature_c = temperature_c
    assert core.get_fpa_temperature_c() == temperature_c


@pytest.mark.parametrize("temperature_c", [35.25, -12.07])
def test_housing_temperature_of_a_tau2(temperature_c: float) -> None:
    simulated = SimulatedTau2(housing_temperature_c=temperature_c)
    with simulated, Tau2Core(simulated.port, timeout_s=5.0) as core:
        assert core.get_housing_temperature_c() == temperature_c


def test_modes_are_set_and_persist_over_a_new_connection(bench: Bench, protocol: str) -> None:
    ffc_modes = set(FfcMode) - ({FfcMode.SHUTTER_TEST} if protocol == "tau2" else set())
    gain_modes = set(GainMode) - ({GainMode.DUAL} if protocol == "tau2" else set())
    for ffc_mode in ffc_modes:
        with bench.core() as core:
            core.set_ffc_mode(ffc_mode)
        with bench.core() as core:
            assert core.get_ffc_mode() is ffc_mode
        assert bench.simulated.ffc_mode is ffc_mode
    for gain_mode in gain_modes:
        with bench.core() as core:
            core.set_gain_mode(gain_mode)
        with bench.core() as core:
            assert core.get_gain_mode() is gain_mode
        assert bench.simulated.gain_mode is gain_mode


def test_period_and_delta_round_to_what_the_core_holds(
    bench: Bench, core: BosonCore | Tau2Core
) -> None:
    for period_s in (0, 1, 300, 2184):
        core.set_ffc_period_s(period_s)
        assert core.get_ffc_period_s() == pytest.approx(period_s, abs=1e-9)
    core.set_ffc_period_s(10.4)
    step_s = 1.0 if core.protocol == "boson" else 1 / 30
    assert abs(core.get_ffc_period_s() - 10.4) <= step_s / 2
    for delta_c in (0.0, 0.1, 0.7, 2.3, 6553.5):
        core.set_ffc_temperature_delta_c(delta_c)
        assert core.get_ffc_temperature_delta_c() == pytest.approx(delta_c, abs=1e-9)
        assert bench.simulated.ffc_temperature_delta_c == pytest.approx(delta_c, abs=1e-9)


@pytest.mark.parametrize("words", [1, 2])
def test_an_older_tau_holds_one_period_and_a_tau2_two(words: int) -> None:
    simulated = SimulatedTau2(words=words, ffc_period_s=60.0)
    with simulated, Tau2Core(simulated.port, timeout_s=5.0) as core:
        assert core.get_ffc_period_s() == 60.0
        core.set_ffc_period_s(90.0)
        assert simulated.ffc_period_s == 90.0


def test_a_pal_tau2_counts_25_frames_a_second() -> None:
    simulated = SimulatedTau2(frame_rate_hz=25.0, ffc_period_s=60.0)
    with simulated, Tau2Core(simulated.port, timeout_s=5.0, frame_rate_hz=25.0) as core:
        assert core.get_ffc_period_s() == 60.0


def test_ffc_runs_and_ends(protocol: str, clock: list[float]) -> None:
    bench = make_bench(protocol, clock=lambda: clock[0], ffc_duration_s=0.5)
    with bench.simulated, bench.core() as core:
        assert core.get_ffc_state() is FfcState.NONE
        core.run_ffc()
        assert core.get_ffc_state() is FfcState.IN_PROGRESS
        clock[0] += 0.4
        assert core.get_ffc_state() is FfcState.IN_PROGRESS
        clock[0] += 0.2
        done = FfcState.COMPLETE if protocol == "boson" else FfcState.NONE
        assert core.get_ffc_state() is done
    assert bench.simulated.ffc_count == 1
    assert bench.simulated.requests[bench.ffc_function] == 1


def test_ffc_is_desired_after_the_period_and_after_a_drift(
    protocol: str, clock: list[float]
) -> None:
    bench = make_bench(protocol, clock=lambda: clock[0], ffc_period_s=100.0)
    with bench.simulated as simulated, bench.core() as core:
        assert core.get_ffc_desired() is False
        clock[0] += 100.0
        assert core.get_ffc_desired() is True
        core.run_ffc()
        assert core.get_ffc_desired() is False
        simulated.fpa_temperature_c += 3.0
        assert core.get_ffc_desired() is True
        core.set_ffc_temperature_delta_c(5.0)
        assert core.get_ffc_desired() is False


def test_automatic_mode_warns_then_closes_the_shutter_by_itself(clock: list[float]) -> None:
    bench = make_bench(
        "boson",
        clock=lambda: clock[0],
        ffc_mode=FfcMode.AUTOMATIC,
        ffc_period_s=100.0,
        ffc_warning_s=2.0,
        ffc_duration_s=0.5,
    )
    with bench.simulated as simulated, bench.core() as core:
        seen = []
        for step_s in (0.0, 100.0, 1.0, 1.0, 0.5):
            clock[0] += step_s
            seen.append(core.get_ffc_state())
        assert simulated.ffc_count == 1
    assert seen == [
        FfcState.NONE,
        FfcState.IMMINENT,
        FfcState.IMMINENT,
        FfcState.IN_PROGRESS,
        FfcState.COMPLETE,
    ]


def test_frame_count_grows_and_a_reboot_starts_it_over(clock: list[float]) -> None:
    bench = make_bench("boson", clock=lambda: clock[0], frame_rate_hz=60.0, reboot_s=2.0)
    with bench.simulated, bench.core() as core:
        assert isinstance(core, BosonCore)
        clock[0] += 10.0
        assert core.get_frame_count() == 600
        core.set_ffc_mode(FfcMode.EXTERNAL)
        assert core.reboot() is True
        with hurried(core), pytest.raises(SerialTimeoutError):
            core.get_frame_count()
        clock[0] += 3.0
        core.reconnect()
        assert core.get_frame_count() == 180
        assert core.get_ffc_mode() is FfcMode.MANUAL


@pytest.mark.parametrize("value", [-1, math.nan, math.inf, 1e12, "10", None, True])
def test_a_period_or_delta_out_of_range_is_refused_before_anything_is_sent(
    bench: Bench, core: BosonCore | Tau2Core, value: Any
) -> None:
    with pytest.raises(ConfigError, match="FFC period"):
        core.set_ffc_period_s(value)
    with pytest.raises(ConfigError, match="FFC temperature delta"):
        core.set_ffc_temperature_delta_c(value)
    assert not bench.simulated.requests


@pytest.mark.parametrize("mode", ["automatic", 1, None, GainMode.HIGH, []])
def test_a_wrong_mode_is_refused_before_anything_is_sent(
    bench: Bench, core: BosonCore | Tau2Core, mode: Any
) -> None:
    with pytest.raises(ConfigError, match="choose one of"):
        core.set_ffc_mode(mode)
    assert not bench.simulated.requests


def test_modes_that_a_tau2_has_not_are_named() -> None:
    with SimulatedTau2() as simulated, Tau2Core(simulated.port, timeout_s=5.0) as core:
        with pytest.raises(ConfigError, match=r"Tau 2 has no mode .*DUAL"):
            core.set_gain_mode(GainMode.DUAL)
        with pytest.raises(ConfigError, match=r"Tau 2 has no mode .*SHUTTER_TEST"):
            core.set_ffc_mode(FfcMode.SHUTTER_TEST)


@pytest.mark.parametrize(
    "options",
    [
        {"timeout_s": 0},
        {"timeout_s": -1},
        {"timeout_s": math.nan},
        {"timeout_s": "1"},
        {"retries": -1},
        {"retries": 1.5},
        {"baudrate": 0},
        {"baudrate": "fast"},
    ],
)
def test_senseless_options_are_refused(protocol: str, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        open_core(protocol, "/dev/null", **options)


def test_the_bound_of_a_request_counts_every_wait(bench: Bench, protocol: str) -> None:
    waits_per_attempt = 2 if protocol == "tau2" else 1
    for timeout_s, retries in ((1.0, 0), (0.5, 3)):
        bound_s = bench.core(timeout_s=timeout_s, retries=retries).worst_case_s
        assert bound_s >= waits_per_attempt * (retries + 1) * timeout_s


def test_an_unknown_protocol_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="boson, tau2"):
        open_core("lepton", "/dev/null")


def test_two_threads_get_each_their_own_answers(bench: Bench) -> None:
    """Without the lock one thread would read the other's reply, or half of it."""
    bench.simulated.fpa_temperature_c = 21.5
    bench.simulated.ffc_temperature_delta_c = 4.5
    wrong: list[object] = []
    with bench.core() as core:

        def ask(method: str, expected: float) -> None:
            for _ in range(200):
                try:
                    found = getattr(core, method)()
                except Exception as error:
                    found = error
                if found != expected:
                    wrong.append(found)

        threads = [
            threading.Thread(target=ask, args=("get_fpa_temperature_c", 21.5)),
            threading.Thread(target=ask, args=("get_ffc_temperature_delta_c", 4.5)),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60.0)
            assert not thread.is_alive()
    assert wrong == []
    assert bench.simulated.bad_requests == 0


def test_a_closed_core_says_so(bench: Bench) -> None:
    core = bench.core()
    with pytest.raises(SerialError, match="not open"):
        core.get_ffc_state()
    core.open()
    core.open()
    core.close()
    core.close()
    with pytest.raises(SerialError, match=r"it was closed; call open\(\)"):
        core.get_ffc_state()
    with pytest.raises(SerialError, match="not reconnected"):
        core.reconnect()
    core.open()
    assert core.get_ffc_state() is FfcState.NONE
    core.close()


def test_a_failed_open_can_be_tried_again(protocol: str) -> None:
    bench = make_bench(protocol)
    with bench.simulated as simulated:
        core = bench.core()
        simulated.unplug()
        with pytest.raises(DeviceNotFoundError):
            core.open()
        assert core.closed
        simulated.plug_in()
        with core:
            assert core.get_ffc_state() is FfcState.NONE


def test_unknown_functions_and_wrong_lengths_get_the_codes_of_the_real_core() -> None:
    """Asked below the public methods, which never send such a thing."""
    from edge_sdk.capture.serial.link import Command

    with SimulatedBoson() as boson, BosonCore(boson.port, timeout_s=5.0) as core:
        for function, data, code in (
            (0x0005FFFF, b"", "0x0161 .bad command"),
            (0x00050012, b"\0", "0x017d .too few"),
            (0x00050012, b"\0" * 5, "0x017e .too many"),
            (0x00050012, b"\0\0\0\x09", "0x0203 .value out of range"),
        ):
            with pytest.raises(CoreRejectedError, match=code):
                core._call(Command("probe", function), data)
    with SimulatedTau2() as tau2, Tau2Core(tau2.port, timeout_s=5.0) as tau2_core:
        for function, data, code in (
            (0x77, b"", "0x06 .undefined function"),
            (0x0B, b"\0" * 6, "0x09 .wrong byte count"),
            (0x0B, b"\0\x09", "0x03 .value out of range"),
        ):
            with pytest.raises(CoreRejectedError, match=code):
                tau2_core._call(Command("probe", function), data)
