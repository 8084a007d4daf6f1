"""Where the calibration commands find their workshop: in a checkout, and nowhere else by name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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
