"""Our V4L2 driver with a real kernel's cameras.

A small machine is booted under emulation, with a kernel that has virtual cameras which can fail in
every way; the checks in ``inside`` run in it. It needs apt on Debian (once, to fetch QEMU and the
kernel) and two to three minutes for each boot.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.guest.run_in_guest import guest_folder

pytestmark = pytest.mark.guest

ROOT = Path(__file__).parents[2]
SETUP_TIMEOUT_S = 300
GUEST_TIMEOUT_S = 420


@pytest.fixture(scope="module")
def guest() -> Path:
    """Folder with QEMU and the kernel."""
    folder = guest_folder()
    if (folder / "k" / "vmlinux").exists():
        return folder
    if platform.machine() != "x86_64" or shutil.which("apt-get") is None:
        pytest.skip("the guest's packages come from apt of Debian on x86-64, which is not here")
    command = [str(ROOT / "tests" / "guest" / "setup_guest.sh"), str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SETUP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        pytest.skip(f"the guest's packages could not be fetched within {SETUP_TIMEOUT_S} s")
    if done.returncode != 0:
        pytest.skip(f"the guest's packages could not be fetched: {done.stderr.strip()[-300:]}")
    return folder


@pytest.mark.parametrize("checks", ["cameras", "faults", "pipeline"])
def test_in_guest(guest: Path, checks: str) -> None:
    """All checks of one file of ``inside`` in one boot: a button of vivid's stays armed until it is
    consumed, also across processes, so that each boot starts afresh."""
    command = [sys.executable, "-m", "tests.guest.run_in_guest", "--timeout", str(GUEST_TIMEOUT_S)]
    command += ["--", sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-o", "addopts="]
    command += ["-q", "-rA", f"tests/guest/inside/check_{checks}.py"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "EDGE_SDK_GUEST": str(guest),
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=GUEST_TIMEOUT_S + 60,
    )
    print(done.stdout[-8000:])
    assert done.returncode == 0, f"{done.stdout[-8000:]}\n{done.stderr[-4000:]}"
    assert " passed" in done.stdout and " skipped" not in done.stdout
