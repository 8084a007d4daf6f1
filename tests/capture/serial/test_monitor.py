"""The shutter's watcher: sees every FFC, outlives every fault, leaves nothing behind."""

from __future__ import annotations

import math
import threading
from typing import Any

import pytest

from edge_sdk.capture.serial import Fault, FfcMode, FfcMonitor, FfcStatus
from edge_sdk.errors import ConfigError

from .conftest import Bench, hurried, make_bench, open_descriptors, wait_until


def monitor_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "FfcMonitor"]


def test_before_the_first_poll_nothing_is_claimed(bench: Bench) -> None:
    assert FfcMonitor(bench.core()).state() == FfcStatus(
        in_progress=False,
        imminent=False,
        desired=False,
        temperature_c=None,
        age_s=math.inf,
        healthy=False,
        error=None,
    )


def test_it_follows_an_ffc_from_start_to_end(protocol: str, clock: list[float]) -> None:
    bench = make_bench(protocol, clock=lambda: clock[0], fpa_temperature_c=21.5)
    told: list[bool] = []
    with bench.simulated, bench.core() as core:
        watcher = FfcMonitor(core, 0.005, on_change=lambda status: told.append(status.in_progress))
        with watcher as monitor:
            wait_until(lambda: monitor.state().healthy)
            status = monitor.state()
            assert (status.in_progress, status.desired, status.error) == (False, False, None)
            assert status.temperature_c == 21.5
            assert 0.0 <= status.age_s < math.inf
            core.run_ffc()
            wait_until(lambda: monitor.state().in_progress)
            clock[0] += 1.0
            wait_until(lambda: not monitor.state().in_progress)
    assert told == [False, True, False]


def test_desired_imminent_and_temperature_are_followed(clock: list[float]) -> None:
    bench = make_bench("boson", clock=lambda: clock[0], ffc_period_s=100.0, ffc_warning_s=10.0)
    with bench.simulated as simulated, bench.core() as core, FfcMonitor(core, 0.005) as monitor:
        simulated.fpa_temperature_c = -5.5
        simulated.ffc_temperature_delta_c = 0.0
        wait_until(lambda: monitor.state().temperature_c == -5.5)
        assert not monitor.state().desired
        clock[0] += 101.0
        wait_until(lambda: monitor.state().desired)
        simulated.ffc_mode = FfcMode.AUTOMATIC
        wait_until(lambda: monitor.state().imminent)
        clock[0] += 11.0
        wait_until(lambda: monitor.state().in_progress and not monitor.state().imminent)


def test_only_the_state_is_polled_while_the_shutter_is_closed(clock: list[float]) -> None:
    bench = make_bench("boson", clock=lambda: clock[0])
    with bench.simulated as simulated, bench.core() as core:
        core.run_ffc()
        with FfcMonitor(core, 0.005):
            wait_until(lambda: simulated.requests[0x0005000C] > 5)
            assert simulated.requests[bench.temperature_function] == 0


@pytest.mark.parametrize("fault", [Fault.MUTE, Fault.WRONG_CRC, Fault.ERROR_CODE, Fault.TRUNCATED])
def test_it_survives_a_fault_and_says_so(bench: Bench, fault: Fault) -> None:
    with bench.core() as core, hurried(core, 0.05), FfcMonitor(core, 0.005) as monitor:
        wait_until(lambda: monitor.state().healthy)
        bench.simulated.inject(fault, 10_000)
        wait_until(lambda: not monitor.state().healthy)
        assert bench.simulated.port in (monitor.state().error or "")
        bench.simulated.clear_faults()
        core._timeout_s = 5.0
        wait_until(lambda: monitor.state().healthy)
        assert monitor.state().error is None


def test_it_survives_a_pulled_cable(bench: Bench) -> None:
    with bench.core() as core, FfcMonitor(core, 0.005, stale_after_s=0.1) as monitor:
        for _ in range(2):
            wait_until(lambda: monitor.state().healthy)
            bench.simulated.unplug()
            wait_until(lambda: "no serial port" in (monitor.state().error or ""))
            assert not monitor.state().healthy
            bench.simulated.plug_in()
        wait_until(lambda: monitor.state().healthy)
        assert monitor_threads()


def test_a_dead_port_does_not_flag_frames_for_ever(bench: Bench) -> None:
    bench.simulated.ffc_duration_s = 3600.0
    told: list[bool] = []
    with bench.core() as core:
        watcher = FfcMonitor(core, 0.005, stale_after_s=0.2)
        watcher.add_callback(lambda status: told.append(status.in_progress))
        with watcher as monitor:
            core.run_ffc()
            wait_until(lambda: monitor.state().in_progress)
            bench.simulated.unplug()
            wait_until(lambda: not monitor.state().in_progress)
            assert not monitor.state().healthy
            assert monitor.state().age_s > 0.2
            wait_until(lambda: told[-1] is False)
        bench.simulated.plug_in()


def test_a_core_that_its_owner_closed_is_left_alone(bench: Bench) -> None:
    core = bench.core()
    core.open()
    with FfcMonitor(core, 0.005) as monitor:
        wait_until(lambda: monitor.state().healthy)
        core.close()
        wait_until(lambda: not monitor.state().healthy)
        before = sum(bench.simulated.requests.values())
        threading.Event().wait(0.2)
        assert core.closed and not core._port.is_open
        assert sum(bench.simulated.requests.values()) == before
        core.open()
        wait_until(lambda: monitor.state().healthy)
    core.close()


def test_a_callback_that_fails_stops_neither_the_others_nor_the_thread(bench: Bench) -> None:
    told: list[FfcStatus] = []

    def fail(status: FfcStatus) -> None:
        raise ZeroDivisionError

    with bench.core() as core:
        monitor = FfcMonitor(core, 0.005, on_change=fail)
        monitor.add_callback(told.append)
        with monitor:
            wait_until(lambda: len(told) == 1)
            core.run_ffc()
            wait_until(lambda: len(told) >= 2)
            assert told[1].in_progress


def test_a_core_that_raises_anything_does_not_end_the_thread() -> None:
    class Broken:
        closed = False
        worst_case_s = 0.1
        polls = 0

        def get_ffc_state(self) -> None:
            self.polls += 1
            raise ZeroDivisionError("not on the list")

        def reconnect(self) -> None:
            raise RuntimeError("neither")

    broken: Any = Broken()
    with FfcMonitor(broken, 0.005) as monitor:
        wait_until(lambda: broken.polls >= 3)
        assert not monitor.state().healthy
        assert monitor_threads()
    assert not monitor_threads()


def test_start_and_stop_leave_no_thread_and_no_descriptor(bench: Bench) -> None:
    with bench.core() as core:
        before = open_descriptors()
        monitor = FfcMonitor(core, 0.005)
        for _ in range(5):
            monitor.start()
            monitor.start()
            assert len(monitor_threads()) == 1
            wait_until(lambda: monitor.state().healthy)
            assert monitor.stop() is True
            assert monitor.stop() is True
            assert not monitor_threads()
        assert open_descriptors() == before


def test_stop_is_bounded_though_the_core_stalls(bench: Bench) -> None:
    with bench.core() as core:
        core.get_ffc_state()
        bench.simulated.inject(Fault.LATE, delay_s=1.0)
        monitor = FfcMonitor(core, 0.005)
        requests = sum(bench.simulated.requests.values())
        monitor.start()
        wait_until(lambda: sum(bench.simulated.requests.values()) > requests)
        assert monitor.stop(timeout_s=0.0) is False
        with pytest.raises(ConfigError, match="has not stopped yet"):
            monitor.start()
        assert monitor.stop() is True
        assert not monitor_threads()


def test_stop_from_a_callback_ends_the_thread(bench: Bench) -> None:
    with bench.core() as core:
        monitor = FfcMonitor(core, 0.005)
        monitor.add_callback(lambda status: monitor.stop())
        monitor.start()
        wait_until(lambda: not monitor_threads())
        monitor.start()
        wait_until(lambda: not monitor.state().in_progress)
        assert monitor.stop() is True


@pytest.mark.parametrize(
    ("interval_s", "stale_after_s"),
    [(0, None), (-1, None), (math.nan, None), ("1", None), (0.5, 0.1), (0.5, math.nan)],
)
def test_senseless_numbers_are_refused(bench: Bench, interval_s: Any, stale_after_s: Any) -> None:
    with pytest.raises(ConfigError, match="_s must be"):
        FfcMonitor(bench.core(), interval_s, stale_after_s=stale_after_s)
