"""Control of infrared cores over their serial port: FLIR Boson and FLIR Tau 2.

::

    with open_core("boson", "/dev/ttyACM0") as core, FfcMonitor(core) as monitor:
        print(core.identify())
        core.run_ffc()
        monitor.state().in_progress     # True while the shutter is closed

``SimulatedBoson`` and ``SimulatedTau2`` stand in for a core where there is none.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge_sdk.capture.serial.boson import BosonCore
    from edge_sdk.capture.serial.core import (
        CORE_PROTOCOLS,
        CoreIdentity,
        FfcMode,
        FfcState,
        GainMode,
        InfraredCore,
        open_core,
    )
    from edge_sdk.capture.serial.monitor import FfcMonitor, FfcStatus
    from edge_sdk.capture.serial.port import PortInfo, list_serial_ports
    from edge_sdk.capture.serial.simulator import Fault
    from edge_sdk.capture.serial.simulator_boson import SimulatedBoson
    from edge_sdk.capture.serial.simulator_tau2 import SimulatedTau2
    from edge_sdk.capture.serial.tau2 import Tau2Core

__all__ = [
    "CORE_PROTOCOLS",
    "BosonCore",
    "CoreIdentity",
    "Fault",
    "FfcMode",
    "FfcMonitor",
    "FfcState",
    "FfcStatus",
    "GainMode",
    "InfraredCore",
    "PortInfo",
    "SimulatedBoson",
    "SimulatedTau2",
    "Tau2Core",
    "list_serial_ports",
    "open_core",
]

_HOME = {
    "CORE_PROTOCOLS": "core",
    "BosonCore": "boson",
    "CoreIdentity": "core",
    "Fault": "simulator",
    "FfcMode": "core",
    "FfcMonitor": "monitor",
    "FfcState": "core",
    "FfcStatus": "monitor",
    "GainMode": "core",
    "InfraredCore": "core",
    "PortInfo": "port",
    "SimulatedBoson": "simulator_boson",
    "SimulatedTau2": "simulator_tau2",
    "Tau2Core": "tau2",
    "list_serial_ports": "port",
    "open_core": "core",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
