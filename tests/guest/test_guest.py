"""Our V4L2 driver with a real kernel's cameras.

A small machine is booted under emulation, with a kernel that has virtual cameras which can fail in
every way; the checks in ``inside`` run in it. It needs apt on Debian (once, to fetch QEMU and the
kernel) and two to three minutes for each boot.
"""

from __future__ import annotations

import os
import platform
import re
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
    consumed, also across processes, so that each boot starts afresh.

    Checks are of time, too, and a busy host halts an emulated machine: what fails is run once more
    in another boot, and has failed if it fails there.
    """
    done = boot(guest, [f"tests/guest/inside/check_{checks}.py"])
    assert " passed" in done.stdout or " failed" in done.stdout, report(done)
    assert " skipped" not in done.stdout, report(done)
    if done.returncode != 0:
        print(report(done))
        failed = re.findall(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
        assert failed, report(done)
        again = boot(guest, failed)
        assert again.returncode == 0, report(again)


def boot(guest: Path, what: list[str]) -> subprocess.CompletedProcess[str]:
    """Run pytest in a fresh guest."""
    command = [sys.executable, "-m", "tests.guest.run_in_guest", "--timeout", str(GUEST_TIMEOUT_S)]
    command += ["--", sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-o", "addopts="]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "EDGE_SDK_GUEST": str(guest),
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.run(
        [*command, "-q", "-rfE", *what],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=GUEST_TIMEOUT_S + 60,
    )


def report(done: subprocess.CompletedProcess[str]) -> str:
    """The end of what a guest wrote."""
    return f"{done.stdout[-8000:]}\n{done.stderr[-4000:]}"
