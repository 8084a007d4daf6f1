"""Both protocols, each with its simulated core on a pseudo-terminal."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from edge_sdk.capture.serial import (
    BosonCore,
    FfcMode,
    SimulatedBoson,
    SimulatedTau2,
    Tau2Core,
)
from edge_sdk.capture.serial.link import SerialCore

BOUND_S = 20.0
"""Far beyond what any call here may take: a test that reaches it hangs."""


@dataclass
class Bench:
    """A simulated core, and how to make a client for it."""

    simulated: SimulatedBoson | SimulatedTau2
    client: type[BosonCore] | type[Tau2Core]
    temperature_function: int
    ffc_function: int

    def core(self, **options: Any) -> BosonCore | Tau2Core:
        return self.client(self.simulated.port, **{"timeout_s": 5.0, "retries": 0, **options})


def make_bench(protocol: str, **state: Any) -> Bench:
    state = {"ffc_mode": FfcMode.MANUAL, **state}
    if protocol == "boson":
        return Bench(SimulatedBoson(**state), BosonCore, 0x00050030, 0x00050007)
    return Bench(SimulatedTau2(**state), Tau2Core, 0x20, 0x0C)


@pytest.fixture(params=["boson", "tau2"])
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def bench(protocol: str) -> Iterator[Bench]:
    made = make_bench(protocol)
    with made.simulated:
        yield made


@pytest.fixture
def clock() -> list[float]:
    """One number: the seconds that ``lambda: clock[0]`` tells."""
    return [1000.0]


@contextlib.contextmanager
def hurried(core: SerialCore, timeout_s: float = 0.3) -> Iterator[None]:
    """Meanwhile the core waits less, for a reply that will not come."""
    patient_s, core._timeout_s = core._timeout_s, timeout_s
    yield
    core._timeout_s = patient_s


def within_bound(call: Callable[[], Any]) -> Any:
    """The result of ``call``, or what it raises; fails if it hangs."""
    pool = concurrent.futures.ThreadPoolExecutor(max_workers=1)
    try:
        return pool.submit(call).result(timeout=BOUND_S)
    except concurrent.futures.TimeoutError:
        pytest.fail(f"the call did not end within {BOUND_S} s")
    finally:
        pool.shutdown(wait=False)


def wait_until(condition: Callable[[], bool]) -> None:
    """Return when ``condition`` holds; fails if it never does."""
    pause = threading.Event()
    for _ in range(int(BOUND_S / 0.005)):
        if condition():
            return
        pause.wait(0.005)
    pytest.fail(f"nothing happened within {BOUND_S} s")


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))
