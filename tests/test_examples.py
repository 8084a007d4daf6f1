"""The examples run as their first lines say."""

from __future__ import annotations

import os
import subprocess
import sys
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


def test_robot_loop():
    result = _run(EXAMPLES / "robot_loop.py")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert len(lines) == 90 and {"STOP", "go"} >= {line.split()[2] for line in lines}
