"""The first file system of the guest: busybox, kernel modules, and a script that starts a command.

The guest's root is the host's own root over 9p, read-only, under a tmpfs overlay: the same Python,
virtual environment and working tree at the same paths, and nothing that is written there survives.
"""

from __future__ import annotations

import lzma
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

__all__ = ["initramfs"]

EARLY = ("virtio_pci", "virtio_console", "9pnet_virtio", "9p", "overlay")
"""Modules that are needed to reach the root; the others are loaded from there."""

INIT = """#!/bin/busybox sh
export PATH=/bin
/bin/busybox --install -s /bin
mkdir -p /proc /sys /dev /ro /rw /new
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm; mount -t devpts devpts /dev/pts; mount -t tmpfs shm /dev/shm
while read -r name args; do insmod /m/$name $args || echo "insmod $name failed"; done < /m/early
mount -t tmpfs rw /rw; mkdir /rw/u /rw/w
mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=512000,cache=loose root /ro
mount -t overlay -o lowerdir=/ro,upperdir=/rw/u,workdir=/rw/w overlay /new
for d in proc sys dev; do mkdir -p /new/$d; mount --move /$d /new/$d; done
mkdir -p /new/run; mount -t tmpfs run /new/run
while read -r name args; do insmod /m/$name $args || echo "insmod $name failed"; done < /m/late
cp /cmd /new/run/cmd; ip link set lo up
for p in /new/sys/class/virtio-ports/*; do
    read -r name < $p/name && ln -s /new/dev/${p##*/} /port-$name
done
echo "guest: ready at $(cut -d' ' -f1 /new/proc/uptime) s"
chroot /new /bin/sh /run/cmd </new/dev/null >/port-out 2>/port-err
echo $? > /port-rc
reboot -f
"""


def initramfs(busybox: Path, kernel: Path, modules: Mapping[str, str], command: str) -> bytes:
    """An archive for QEMU's ``-initrd``.

    Args:
        busybox: a static one.
        kernel: folder with ``lib/modules``.
        modules: name -> options of those to load before the command.
        command: shell script to run in the guest.
    """
    files: dict[str, tuple[int, bytes]] = {d: (0o040755, b"") for d in ("bin", "m")}
    files["bin/busybox"] = (0o100755, busybox.read_bytes())
    files["init"] = (0o100755, INIT.encode())
    files["cmd"] = (0o100755, command.encode())
    early = _with_dependencies(kernel, EARLY)
    late = _with_dependencies(kernel, modules)
    for label, chosen in (("early", early), ("late", {n: late[n] for n in late if n not in early})):
        lines = "".join(f"{name} {modules.get(name, '')}\n" for name in chosen)
        files[f"m/{label}"] = (0o100644, lines.encode())
        files |= {f"m/{name}": (0o100644, data) for name, data in chosen.items()}
    return _cpio(files)


def _with_dependencies(kernel: Path, names: Iterable[str]) -> dict[str, bytes]:
    """Name -> content of the modules and all that they depend on, dependencies first."""
    where = {
        path.name.split(".")[0].replace("-", "_"): path
        for path in (kernel / "lib/modules").rglob("*.ko*")
    }
    found: dict[str, bytes] = {}

    def add(name: str) -> None:
        name = name.replace("-", "_")
        if name in found or name not in where:  # not there: it is built in
            return
        data = where[name].read_bytes()
        if where[name].suffix == ".xz":
            data = lzma.decompress(data)
        depends = re.search(rb"\0depends=([^\0]*)\0", data)
        for other in depends[1].decode().split(",") if depends else []:
            add(other)
        found[name] = data

    for name in names:
        add(name)
    return found


def _cpio(files: Mapping[str, tuple[int, bytes]]) -> bytes:
    """A newc archive of name -> (mode, content)."""
    out = bytearray()
    for inode, (name, (mode, data)) in enumerate([*files.items(), ("TRAILER!!!", (0, b""))], 1):
        raw = name.encode() + b"\0"
        head = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(raw), 0)
        out += b"070701" + b"".join(b"%08X" % value for value in head) + raw
        out += b"\0" * (-len(out) % 4) + data
        out += b"\0" * (-len(out) % 4)
    return bytes(out)
