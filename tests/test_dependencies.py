"""A small system without the libraries that OpenCV needs: one line, not a traceback."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from edge_sdk.dependencies import explain_import_error

MISSING = "libGL.so.1: cannot open shared object file: No such file or directory"


@pytest.fixture
def without_libgl(tmp_path):
    """An environment in which ``import cv2`` fails as it does without libgl1."""
    (tmp_path / "cv2").mkdir()
    (tmp_path / "cv2/__init__.py").write_text(f"raise ImportError({MISSING!r})\n")
    paths = [str(tmp_path), *([os.environ["PYTHONPATH"]] if "PYTHONPATH" in os.environ else [])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths)}


@pytest.mark.parametrize(
    "command",
    [["doctor"], ["demo"], ["run", "--ir", "a", "--visible", "b"], ["bench"]],
    ids=lambda command: command[0],
)
def test_every_command_says_what_to_install(without_libgl, command):
    found = subprocess.run(
        [sys.executable, "-m", "edge_sdk.cli", *command],
        env=without_libgl,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert found.returncode == 2 and found.stdout == ""
    assert found.stderr.count("\n") == 1
    assert "libGL.so.1 is missing; install it with: apt install libgl1" in found.stderr


def test_robot_code_gets_an_error_of_ours(without_libgl):
    code = (
        "import edge_sdk\n"
        "for make in (edge_sdk.FusionPipeline, edge_sdk.FusionPipeline.simulated):\n"
        "    try: make()\n"
        "    except edge_sdk.DependencyError as error: print(error)\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        env=without_libgl,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert found.stdout.count("apt install libgl1") == 2


def test_other_failures():
    absent = ImportError("No module named 'cv2'", name="cv2")
    assert "pip install opencv-python" in str(explain_import_error(absent))
    unknown = ImportError("libodd.so.7: cannot open shared object file")
    assert "libodd.so.7 is missing; install the package" in str(explain_import_error(unknown))
    assert explain_import_error(ImportError("No module named 'foo'", name="foo")) is None
