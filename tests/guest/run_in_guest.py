"""Runs a command in a throw-away QEMU guest whose kernel has virtual cameras.

    python -m tests.guest.run_in_guest -- CMD ARGS...

The command gets this process's working directory and environment; its stdout, stderr and exit
status come back. 125 means that the guest failed or ran out of time.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from tests.guest.initramfs import initramfs

__all__ = ["guest_folder", "main"]

CAMERAS = "n_devs=2 node_types=0x1,0x1 num_inputs=1,1 input_types=0x00,0x00 num_outputs=0,0"
"""Two webcams, without tuner and output."""
FAILED = 125


def guest_folder() -> Path:
    """Where ``setup_guest.sh`` puts QEMU and the kernel: kept from run to run."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("EDGE_SDK_GUEST") or cache / "edge_sdk" / "guest")


def main() -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--cameras", default=CAMERAS, help="options of the module vivid")
    parser.add_argument("--memory", type=int, default=1024, help="MiB")
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds")
    parser.add_argument("--console", type=Path, help="file for the guest's kernel log")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    exports = "".join(
        f"export {name}={shlex.quote(value)}\n"
        for name, value in os.environ.items()
        if re.fullmatch(r"[A-Za-z_]\w*", name)
    )
    here = shlex.quote(os.getcwd())
    script = f"{exports}cd {here} || exit 126\nexec {shlex.join(options.command)}\n"
    with tempfile.TemporaryDirectory(prefix="guest-") as folder:
        console = options.console or Path(folder, "console")
        archive = Path(folder, "initrd")
        root = guest_folder()
        modules = {"vivid": options.cameras}
        archive.write_bytes(initramfs(root / "q/bin/busybox", root / "k", modules, script))
        status = _boot(root, archive, console.absolute(), options.memory, options.timeout)
        if status is None and console.exists():
            sys.stderr.write(console.read_text(errors="replace")[-3000:])
    return FAILED if status is None else status


def _boot(root: Path, archive: Path, console: Path, memory: int, timeout_s: float) -> int | None:
    """Exit status of the command; None if the guest did not come so far."""
    arguments, ends = _arguments(root, archive, console, memory)
    libraries = f"{root}/q/usr/lib/x86_64-linux-gnu:{root}/q/lib/x86_64-linux-gnu"
    machine = subprocess.Popen(
        arguments,
        stdin=subprocess.DEVNULL,
        pass_fds=[writing for _, writing in ends.values()],
        env={**os.environ, "LD_LIBRARY_PATH": libraries},
    )
    for _, writing in ends.values():
        os.close(writing)
    status = bytearray()
    sinks: dict[str, Callable[[bytes], object]] = {
        "out": _sink(sys.stdout.buffer),
        "err": _sink(sys.stderr.buffer),
        "rc": status.extend,
    }
    threads = [
        threading.Thread(target=_pump, args=(ends[name][0], sink)) for name, sink in sinks.items()
    ]
    for thread in threads:
        thread.start()
    try:
        machine.wait(timeout_s)
    except subprocess.TimeoutExpired:
        print(f"run_in_guest: no end after {timeout_s:g} s, guest ended", file=sys.stderr)
    finally:
        machine.kill()
        machine.wait()
        for thread in threads:
            thread.join()
    return int(status) if status.strip() else None


def _arguments(
    root: Path, archive: Path, console: Path, memory: int
) -> tuple[list[str], dict[str, tuple[int, int]]]:
    """QEMU's command line, and name -> (reading, writing) end of the pipes that it writes to."""
    share = root / "q/usr/share"
    words = f"""
        {root}/q/usr/bin/qemu-system-x86_64 -L {share}/qemu -L {share}/seabios
        -nodefaults -no-user-config -display none -no-reboot
        -M q35 -smp {os.cpu_count()} -m {memory} -accel tcg,thread=multi -cpu max
        -kernel {root}/k/vmlinux -initrd {archive} -serial file:{console}
        -fsdev local,id=root,path=/,security_model=none,multidevs=remap,readonly=on
        -device virtio-9p-pci,fsdev=root,mount_tag=root -device virtio-serial-pci
    """.split()
    words += ["-append", "console=ttyS0 quiet loglevel=4 panic=-1 reboot=t mitigations=off"]
    ends = {}
    for number, name in enumerate(("out", "err", "rc"), 1):
        ends[name] = os.pipe()
        words += ["-add-fd", f"fd={ends[name][1]},set={number}"]
        words += ["-chardev", f"file,id={name},path=/dev/fdset/{number},append=on"]
        words += ["-device", f"virtserialport,chardev={name},name={name}"]
    return words, ends


def _pump(reading: int, write: Callable[[bytes], object]) -> None:
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        while data := pipe.read(65536):
            write(data)


def _sink(stream: BinaryIO) -> Callable[[bytes], object]:
    def write(data: bytes) -> None:
        stream.write(data)
        stream.flush()

    return write


if __name__ == "__main__":
    sys.exit(main())
