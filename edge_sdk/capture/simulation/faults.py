"""Faults that a simulated camera can be told to have, to test what a pipeline does about them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from edge_sdk.errors import ConfigError

__all__ = ["FAULT_KINDS", "Fault", "FaultPlan"]

FAULT_KINDS = ("freeze", "disconnect", "silence", "damaged", "exposure_jump", "clock_jump")


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong with one camera for a while.

    Attributes:
        kind: one of

            - ``"freeze"``: the image repeats, unflagged, while sequence and time go on;
            - ``"disconnect"``: ``read`` raises ``DisconnectedError``, and ``open`` raises
              ``DeviceNotFoundError`` until the fault is over;
            - ``"silence"``: no frames come, ``read`` raises ``StreamTimeoutError``;
            - ``"damaged"``: the lower part of the image is garbage, flagged ``DAMAGED``;
            - ``"exposure_jump"``: grey levels are multiplied by ``amount`` (2.2 if None), or
              ``amount`` (600 if None) counts are added to the infrared;
            - ``"clock_jump"``: ``amount`` seconds (2 if None) are added to the time stamps.
        start_s: seconds after the camera's start.
        duration_s: how long it lasts, seconds.
        amount: see ``kind``; None for the default.

    Raises:
        ConfigError: a value is out of its range.
    """

    kind: str
    start_s: float
    duration_s: float
    amount: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in FAULT_KINDS:
            raise ConfigError(f"fault kind is {self.kind!r}; use one of {', '.join(FAULT_KINDS)}")
        for name, value, low in (
            ("start_s", self.start_s, 0.0),
            ("duration_s", self.duration_s, 0),
        ):
            if not _is_number(value) or value < low:
                raise ConfigError(
                    f"{name} of the fault {self.kind!r} is {value!r}; use a number of seconds >= 0"
                )
        if self.duration_s == 0.0:
            raise ConfigError(f"duration_s of the fault {self.kind!r} is 0; use a number above 0")
        if self.amount is None:
            return
        if self.kind not in ("exposure_jump", "clock_jump"):
            raise ConfigError(
                f"amount of the fault {self.kind!r} is {self.amount!r}; only exposure_jump and "
                "clock_jump have one, leave it out"
            )
        if not _is_number(self.amount):
            raise ConfigError(f"amount of the fault {self.kind!r} is {self.amount!r}; use a number")

    @property
    def start_ns(self) -> int:
        """Start, in nanoseconds after the camera's start."""
        return round(self.start_s * 1e9)

    @property
    def stop_ns(self) -> int:
        """End (exclusive), in nanoseconds after the camera's start."""
        return round((self.start_s + self.duration_s) * 1e9)


class FaultPlan:
    """The faults of one camera."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._faults = tuple(faults)

    def add(self, fault: Fault) -> None:
        """Plan one more fault."""
        # One assignment, so that a reader in another thread sees the old or the new plan.
        self._faults = (*self._faults, fault)

    def at(self, kind: str, time_ns: int) -> Fault | None:
        """The fault of ``kind`` at ``time_ns`` after the start, or None."""
        for fault in self._faults:
            if fault.kind == kind and fault.start_ns <= time_ns < fault.stop_ns:
                return fault
        return None

    def first(self, kind: str, start_ns: int, stop_ns: int) -> int | None:
        """When the first fault of ``kind`` within a span of time begins; None if there is none."""
        begins = [
            max(fault.start_ns, start_ns)
            for fault in self._faults
            if fault.kind == kind and fault.start_ns < stop_ns and fault.stop_ns > start_ns
        ]
        return min(begins, default=None)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
