"""Where the calibration commands find their workshop: in a checkout, and nowhere else by name."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import edge_sdk

ROOT = Path(edge_sdk.__file__).resolve().parent.parent


def test_a_robots_own_calibration_module_is_left_alone(tmp_path):
    (tmp_path / "calibration.py").write_text("MINE = True\n")
    code = (
        "import calibration\n"
        "from edge_sdk.cli.calibrate import workshop\n"
        "assert calibration.MINE\n"
        "print(workshop('targets').__file__)\n"
        "assert workshop('targets').__name__ == 'edge_sdk_calibration.targets'\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": f"{tmp_path}:{ROOT}"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert found.returncode == 0, found.stderr
    assert Path(found.stdout.strip()) == ROOT / "calibration" / "targets" / "__init__.py"


def test_an_installation_without_the_tools_says_so(tmp_path):
    code = (
        "import edge_sdk.cli.calibrate as c\n"
        "from pathlib import Path\n"
        "from edge_sdk.errors import DependencyError\n"
        f"c._PACKAGES = Path({str(tmp_path)!r})\n"
        "try:\n"
        "    c.workshop('targets')\n"
        "except DependencyError as e:\n"
        "    print(e)\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "not installed" in found.stdout and "Traceback" not in found.stderr


@pytest.mark.slow
def test_the_wheel_carries_the_tools_under_a_name_of_their_own(tmp_path):
    site = tmp_path / "site"
    source = tmp_path / "source"
    shutil.copytree(
        ROOT, source, ignore=shutil.ignore_patterns(".git", "*.egg-info", "build", "runs")
    )
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", site, source]
    subprocess.run([str(part) for part in install], check=True, timeout=600)
    assert not (site / "calibration").exists()
    code = "from edge_sdk.cli import main; main(['calibrate', 'check', 'nothing.yaml'])"
    found = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert found.returncode == 2 and "calibration file not found" in found.stderr
    code = (
        "from edge_sdk.cli.calibrate import workshop as w\n"
        "for m in ('check', 'formats', 'guided', 'intrinsics', 'pairs', 'pictures', 'report',\n"
        "          'rig', 'stereo', 'targets', 'registration'):\n"
        "    print(w(m).__file__)\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert found.returncode == 0, found.stderr
    assert all(line.startswith(str(site)) for line in found.stdout.split())
