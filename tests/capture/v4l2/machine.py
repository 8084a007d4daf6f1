"""A machine's ``/sys`` and ``/dev`` in a temporary folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass
class Machine:
    """Folders as the kernel and udev lay them out; nodes are plain files."""

    root: Path

    def __post_init__(self) -> None:
        (self.sysfs / "class" / "video4linux").mkdir(parents=True)
        self.dev.mkdir()

    @property
    def sysfs(self) -> Path:
        return self.root / "sys"

    @property
    def dev(self) -> Path:
        return self.root / "dev"

    def usb(self, port: str, model: str, serial: str | None, maker: str = "Maker") -> Path:
        """A USB device; ``port`` is like ``1-1.2``."""
        texts = {"idVendor": "09cb", "idProduct": "4007", "manufacturer": maker, "product": model}
        folder = self.sysfs / "devices" / "pci0000:00" / "usb1" / port
        folder.mkdir(parents=True)
        for name, text in {**texts, **({"serial": serial} if serial else {})}.items():
            (folder / name).write_text(f"{text}\n")
        return folder

    def video(self, number: int, parent: Path, name: str, index: int = 0) -> str:
        """A node of an interface of a USB device, or of a platform device; returns its path."""
        folder = parent / "video4linux" / f"video{number}"
        folder.mkdir(parents=True)
        (folder / "name").write_text(f"{name}\n")
        (folder / "index").write_text(f"{index}\n")
        (folder / "device").symlink_to(parent)
        driver = self.sysfs / "bus" / "drivers" / "uvcvideo"
        driver.mkdir(parents=True, exist_ok=True)
        if not (parent / "driver").exists():
            (parent / "driver").symlink_to(driver)
        (self.sysfs / "class" / "video4linux" / f"video{number}").symlink_to(folder)
        node = self.dev / f"video{number}"
        node.touch()
        return str(node)

    def tty(self, interface: Path, name: str, usb_serial: bool = False) -> str:
        """A port of an interface, laid out as cdc_acm does, or as USB serial adapters do."""
        (interface / (name if usb_serial else "") / "tty" / name).mkdir(parents=True)
        (self.dev / name).touch()
        return str(self.dev / name)

    def link(self, kind: str, name: str, node: str) -> str:
        """``kind`` is by-id or by-path."""
        folder = self.dev / "v4l" / kind
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(f"../../{Path(node).name}")
        return str(folder / name)
