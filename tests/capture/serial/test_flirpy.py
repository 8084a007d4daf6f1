"""An independent client, flirpy, against the simulated Boson.

flirpy needs an older numpy than the SDK, so that it gets an environment of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edge_sdk.capture.serial import FfcMode, GainMode, SimulatedBoson

CLIENT = """
import json, sys, time
from flirpy.camera.boson import Boson

camera = Boson(port=sys.argv[1])
found = {
    "camera_serial": camera.get_camera_serial(),
    "sensor_serial": camera.get_sensor_serial(),
    "part_number": camera.get_part_number(),
    "firmware": camera.get_firmware_revision(),
    "temperature_c": camera.get_fpa_temperature(),
    "state_before": camera.get_ffc_state(),
}
camera.do_ffc()
found["state_during"] = camera.get_ffc_state()
deadline_s = time.monotonic() + 30
while camera.get_ffc_state() == 2 and time.monotonic() < deadline_s:
    time.sleep(0.05)
found["state_after"] = camera.get_ffc_state()
camera.set_ffc_manual()
camera.set_gain_mode(1)
camera.set_ffc_frame_threshold(0x8E9EAE)
found["period_s"] = camera.get_ffc_frame_threshold()
camera.close()
print(json.dumps(found))
"""


def run(*command: str, timeout_s: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)


@pytest.fixture(scope="module")
def flirpy_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An interpreter that has flirpy."""
    folder = tmp_path_factory.mktemp("flirpy")
    python = str(folder / "bin" / "python")
    try:
        made = run(sys.executable, "-m", "venv", str(folder), timeout_s=120)
        if made.returncode == 0:
            made = run(python, "-m", "pip", "install", "-q", "flirpy", "numpy<2.4", timeout_s=300)
    except subprocess.TimeoutExpired as error:
        pytest.skip(f"flirpy could not be installed in time: {error}")
    if made.returncode != 0:
        reason = (made.stderr or made.stdout).strip().splitlines() or ["no output"]
        pytest.skip(f"flirpy could not be installed: {reason[-1]}")
    return python


@pytest.mark.slow
def test_flirpy_reads_and_controls_the_simulated_boson(flirpy_python: str, tmp_path: Path) -> None:
    client = tmp_path / "client.py"
    client.write_text(CLIENT)
    # Numbers that need stuffing, a duration that flirpy sees the shutter closed in.
    simulated = SimulatedBoson(
        camera_serial=0x8E9EAEAE,
        sensor_serial=0x12349E81,
        firmware=(2, 0, 16432),
        fpa_temperature_c=38.2,
        ffc_duration_s=2.0,
    )
    with simulated:
        done = run(flirpy_python, "-W", "ignore", str(client), simulated.port, timeout_s=120)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "camera_serial": 0x8E9EAEAE,
        "sensor_serial": 0x12349E81,
        "part_number": "20640A032-6IAAX".ljust(20, "\0"),
        "firmware": [2, 0, 16432],
        "temperature_c": 38.2,
        "state_before": 0,
        "state_during": 2,
        "state_after": 3,
        "period_s": 0x8E9EAE,
    }
    # flirpy warns about every wrong checksum.
    assert "Invalid checksum" not in done.stderr
    assert simulated.ffc_mode is FfcMode.MANUAL
    assert simulated.gain_mode is GainMode.LOW
    assert simulated.ffc_count == 1
    assert simulated.bad_requests == 0
