"""A camera's controls (exposure, gain, ...) by name: listed, set, read back."""

from __future__ import annotations

import errno
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge_sdk.capture.v4l2.driver import GONE, explain, linuxpy
from edge_sdk.errors import ConfigError, SourceError

__all__ = ["Control", "ControlValue", "apply_controls", "get_control", "list_controls"]

_log = logging.getLogger(__name__)

ControlValue = bool | int | float | str
_DISABLED, _READ_ONLY, _WRITE_ONLY = 0x1, 0x4, 0x40
_KINDS = {
    1: "integer",
    2: "boolean",
    3: "menu",
    4: "button",
    5: "integer",
    7: "text",
    8: "bitmask",
    9: "menu",
}
_INTEGER_64, _TEXT, _MENU, _INTEGER_MENU = 5, 7, 3, 9


@dataclass(frozen=True, slots=True)
class Control:
    """One control of a camera.

    Attributes:
        name: as in a rig file: the driver's name in lower case with ``_`` for all but letters and
            digits, for instance ``exposure_time_absolute``.
        kind: ``integer``, ``boolean``, ``menu``, ``button``, ``text`` or ``bitmask``.
        minimum, maximum, step, default: of an integer; of a menu, numbers of its items.
        items: of a menu, number -> text.
    """

    name: str
    kind: str
    minimum: int
    maximum: int
    step: int
    default: int
    flags: int
    items: Mapping[int, str]
    info: Any
    """linuxpy's ``v4l2_query_ext_ctrl``."""

    @property
    def allowed(self) -> str:
        """What it can be set to, as text."""
        if self.items:
            return ", ".join(f"{number} ({text})" for number, text in self.items.items())
        if self.kind == "boolean":
            return "true, false"
        if self.kind == "button":
            return "true"
        if self.kind == "text":
            return f"text of {self.minimum} to {self.maximum} characters"
        step = f" in steps of {self.step}" if self.step > 1 else ""
        return f"{self.minimum} to {self.maximum}{step}"


def list_controls(fd: int) -> list[Control]:
    """Controls of an open node that a rig file can set, in the driver's order."""
    d = linuxpy()
    found = []
    for info in d.iter_read_controls(fd):
        kind = _KINDS.get(info.type)
        if kind is None or info.nr_of_dims or info.flags & _DISABLED:
            continue
        name = re.sub(r"[^a-z0-9]+", "_", info.name.decode(errors="replace").lower()).strip("_")
        found.append(
            Control(
                name,
                kind,
                info.minimum,
                info.maximum,
                info.step,
                info.default_value,
                info.flags,
                _menu(d, fd, info) if kind == "menu" else {},
                info,
            )
        )
    return found


def get_control(fd: int, control: Control) -> int | str:
    """Present value, as the driver has it. A text comes as ``str``."""
    d = linuxpy()
    if control.info.type in (_INTEGER_64, _TEXT):
        value: int | str = d.get_controls_values(fd, [control.info])[0]
        return value
    # The kernel's value is signed; that of a bitmask is not.
    number = int(d.get_control(fd, control.info.id))
    return number & 0xFFFFFFFF if control.kind == "bitmask" else number


def apply_controls(
    fd: int, path: str, wanted: Mapping[str, ControlValue], allow_adjusted: bool = False
) -> tuple[str, ...]:
    """Set controls by name and read them back.

    Switches (booleans and menus, for instance automatic exposure) are set before numbers, since
    many numbers can be set only while their automatic is off.

    Returns:
        Where the driver took another value than asked; empty unless ``allow_adjusted``.

    Raises:
        ConfigError: the camera has no such control (the message lists those that it has), or the
            value is out of its range.
        SourceError: the driver refuses it, or takes another value and ``allow_adjusted`` is false.
        DisconnectedError: the device went away.
    """
    if not wanted:
        return ()
    try:
        known = {control.name: control for control in list_controls(fd)}
        plan = []
        for name, value in wanted.items():
            if name not in known:
                raise ConfigError(
                    f"{path} has no control {name!r}; it has: {', '.join(known) or 'none'}"
                )
            plan.append((known[name], _checked(path, known[name], value)))
        plan.sort(key=lambda step: step[0].kind not in ("boolean", "menu"))
        adjusted = [text for step in plan if (text := _set(fd, path, *step)) is not None]
    except OSError as error:
        raise explain(error, path, "asked for its controls") from error
    for text in adjusted:
        if not allow_adjusted:
            raise SourceError(f"{path}: {text}; ask for that, or allow_adjusted: true")
        _log.warning("%s: %s", path, text)
    return tuple(adjusted)


def _set(fd: int, path: str, control: Control, value: int | str) -> str | None:
    d = linuxpy()
    try:
        if control.info.type in (_INTEGER_64, _TEXT):
            d.set_controls_values(fd, [(control.info, value)])
        else:
            number = int(value)
            d.set_control(
                fd, control.info.id, number - (1 << 32) if number > 0x7FFFFFFF else number
            )
    except OSError as error:
        if error.errno in GONE:
            raise
        hint = ""
        if error.errno in (errno.EACCES, errno.EBUSY, errno.EINVAL, errno.EIO):
            hint = ", often because an automatic governs it; switch that off first"
        raise SourceError(
            f"{path} refuses control {control.name} = {value!r} ({error.strerror}){hint}; allowed: "
            f"{control.allowed}"
        ) from error
    if control.kind == "button" or control.flags & _WRITE_ONLY:
        return None
    found = get_control(fd, control)
    if found == value:
        return None
    return f"control {control.name}: asked for {value!r}, but the driver has {found!r}"


def _checked(path: str, control: Control, value: ControlValue) -> int | str:
    if control.flags & _READ_ONLY:
        raise ConfigError(f"{path}: control {control.name} cannot be set, only read")
    wrong = ConfigError(
        f"{path}: control {control.name} cannot be {value!r}; allowed: {control.allowed}"
    )
    if control.kind == "text":
        if not isinstance(value, str) or not control.minimum <= len(value) <= control.maximum:
            raise wrong
        return value
    if isinstance(value, str):
        numbers = [n for n, text in control.items.items() if text.casefold() == value.casefold()]
        if not numbers:
            raise wrong
        return numbers[0]
    number = int(value)
    if number != value:
        raise wrong
    if control.kind == "button":
        return number
    low, high = (0, 0xFFFFFFFF) if control.kind == "bitmask" else (control.minimum, control.maximum)
    if not low <= number <= high or (control.items and number not in control.items):
        raise wrong
    return number


def _menu(d: Any, fd: int, info: Any) -> dict[int, str]:
    """Numbers of a menu may have gaps."""
    items = {}
    for number in range(info.minimum, info.maximum + 1):
        entry = d.raw.v4l2_querymenu()
        entry.id, entry.index = info.id, number
        try:
            d.ioctl(fd, d.IOC.QUERYMENU, entry)
        except OSError as error:
            if error.errno in GONE:
                raise
            continue
        integer = info.type == _INTEGER_MENU
        items[number] = str(entry.m1.value) if integer else entry.m1.name.decode(errors="replace")
    return items
