"""The examples run as their first lines say."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"


def _run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)


def test_detect_and_track_on_the_simulated_rig(tmp_path):
    result = _run(
        EXAMPLES / "detect_and_track.py", "--frames", 20, "--output", f"{tmp_path / 'out'}/"
    )
    assert result.returncode == 0, result.stderr
    assert "20 frames fused" in result.stdout and "track 1: first seen" in result.stdout
    assert len(list((tmp_path / "out").glob("*.png"))) == 20


def test_detect_and_track_tells_of_a_missing_file():
    result = _run(EXAMPLES / "detect_and_track.py", "--ir", "no.mp4", "--visible", "none.mp4")
    assert result.returncode == 2 and result.stderr.startswith("error: ")


def test_detect_and_track_wants_both_recordings():
    for one in ("--ir", "--visible"):
        result = _run(EXAMPLES / "detect_and_track.py", one, "x.mp4", "--frames", 2)
        assert result.returncode == 2 and "give both --ir and --visible" in result.stderr


def test_robot_loop_tells_of_a_missing_rig_file():
    result = _run(EXAMPLES / "robot_loop.py", "nothere.yaml")
    assert result.returncode == 2 and "Traceback" not in result.stderr
    assert result.stderr.startswith("error: ") and "nothere.yaml" in result.stderr


def test_ctrl_c_ends_the_examples(tmp_path):
    rig = tmp_path / "rig.yaml"
    rig.write_text("cameras:\n  ir: {driver: simulated}\n  visible: {driver: simulated}\n")
    for arguments, code in (
        (("robot_loop.py", rig), 130),
        (("detect_and_track.py", "--rig", rig, "--output", tmp_path / "o"), 0),
    ):
        command = [sys.executable, "-u", str(EXAMPLES / arguments[0]), *map(str, arguments[1:])]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        ) as process:
            assert process.stdout is not None and process.stderr is not None
            deadline = time.monotonic() + 120
            if code == 130:
                assert process.stdout.readline()
            while code == 0 and not list(tmp_path.glob("o/*.png")):
                assert time.monotonic() < deadline and process.poll() is None
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            out, error = process.communicate(timeout=60)
        assert process.returncode == code and "Traceback" not in error, error
        assert code == 130 or "frames fused" in out


def test_robot_loop():
    result = _run(EXAMPLES / "robot_loop.py")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert len(lines) == 90 and {"STOP", "go"} >= {line.split()[2] for line in lines}
