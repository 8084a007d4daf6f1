"""What happens to the cameras while a pipeline runs, told to whoever wants to know."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from edge_sdk.errors import ConfigError

__all__ = ["Event", "EventHub", "EventKind", "EventSource"]

_log = logging.getLogger(__name__)

MAX_WAITING = 256


class EventKind(str, Enum):
    """Kinds of events; each equals its text: ``event.kind == "lost"``."""

    LOST = "lost"
    """A camera went away, or its driver failed; it is being reopened."""
    BACK = "back"
    """A camera that was lost, silent, frozen or hung delivers good frames again."""
    FROZEN = "frozen"
    """A camera repeats one picture; it counts as missing until the picture changes."""
    TIMEOUT = "timeout"
    """A camera delivers nothing."""
    HUNG = "hung"
    """A call into a camera's driver does not return; the pipeline goes on without it."""
    SHUTTER = "shutter"
    """The infrared core's shutter has closed: its picture is held."""
    FFC = "ffc"
    """A flat-field correction was started by the pipeline, or could not be."""
    SERIAL = "serial"
    """The infrared core's control port does not answer, or answers again."""
    CLOCK_JUMP = "clock jump"
    """A camera's time stamps have jumped; pairing starts anew."""
    RESYNCED = "resynced"
    """The cameras did not pair any more: the stamps of one are corrected by their arrival."""
    UNPAIRED = "unpaired"
    """Both cameras deliver, but no frames near enough in time: visible is shown alone."""
    BANDWIDTH = "bandwidth"
    """A camera could not stream because its bus has no room for it."""
    MISALIGNED = "misaligned"
    """The pictures do not lie on each other any more."""

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    Attributes:
        timestamp_ns: when it was noticed, ``time.monotonic_ns()``.
        kind: see :class:`EventKind`.
        camera: ``"ir"`` or ``"visible"``; None if it concerns both.
        message: one sentence for people: what was found.
    """

    timestamp_ns: int
    kind: EventKind
    camera: str | None
    message: str

    @property
    def name(self) -> str:
        """Camera and kind, as the counters of ``pipeline.stats().events`` are named."""
        return f"{self.camera} {self.kind}" if self.camera else str(self.kind)


class EventHub:
    """Hands events to subscribers in a thread of its own, which lives only while events wait.

    A callback that raises, be it ``SystemExit``, is logged and counted; one that is slow delays the
    other callbacks, and nothing else: at most 256 events wait, older ones are dropped and counted.

    Args:
        count: called with the name of every event, and with ``"event callback failed"`` and
            ``"event not told"``.
    """

    def __init__(self, count: Callable[[str], None]) -> None:
        self._count = count
        self._changed = threading.Condition()
        self._callbacks: tuple[Callable[[Event], object], ...] = ()
        self._waiting: deque[Event] = deque()
        self._teller: threading.Thread | None = None

    def subscribe(self, callback: Callable[[Event], object]) -> Callable[[], None]:
        """Call ``callback(event)`` for every event from now on.

        Returns:
            a function that ends the subscription.

        Raises:
            ConfigError: ``callback`` cannot be called.
        """
        if not callable(callback):
            raise ConfigError(f"subscribe: needs a callable, found {callback!r}")
        with self._changed:
            self._callbacks = (*self._callbacks, callback)

        def unsubscribe() -> None:
            with self._changed:
                kept = list(self._callbacks)
                if callback in kept:
                    kept.remove(callback)
                self._callbacks = tuple(kept)

        return unsubscribe

    def emit(self, kind: EventKind | str, message: str, camera: str | None = None) -> Event:
        """Count and log an event, and tell the subscribers soon. Never waits for them.

        Raises:
            ConfigError: there is no such kind.
        """
        try:
            kind = EventKind(kind)
        except ValueError:
            known = ", ".join(known.value for known in EventKind)
            raise ConfigError(f"event kind {kind!r}: allowed: {known}") from None
        event = Event(time.monotonic_ns(), kind, camera, message)
        self._count(event.name)
        _log.warning("%s: %s", event.name, message)
        with self._changed:
            if self._callbacks:
                self._enqueue(event)
        return event

    def flush(self, timeout_s: float) -> bool:
        """Wait until all events are told; False if that takes longer than ``timeout_s``."""
        with self._changed:
            if threading.current_thread() is self._teller:
                return False
            return self._changed.wait_for(lambda: self._teller is None, timeout_s)

    def _enqueue(self, event: Event) -> None:
        if len(self._waiting) >= MAX_WAITING:
            self._waiting.popleft()
            self._count("event not told")
        self._waiting.append(event)
        if self._teller is None:
            self._teller = threading.Thread(target=self._tell, name="edge_sdk events", daemon=True)
            self._teller.start()

    def _tell(self) -> None:
        while True:
            with self._changed:
                if not self._waiting:
                    self._teller = None
                    self._changed.notify_all()
                    return
                event, callbacks = self._waiting.popleft(), self._callbacks
            for callback in callbacks:
                try:
                    callback(event)
                except BaseException:  # not even sys.exit() in a callback may silence the others
                    self._count("event callback failed")
                    _log.exception("a callback for events failed on %s", event.name)


class EventSource:
    """What has an :class:`EventHub` and lets its users hear and tell events."""

    _events: EventHub

    def subscribe(self, callback: Callable[[Event], object]) -> Callable[[], None]:
        """Call ``callback(event)`` for everything that happens to the cameras from now on.

        It is called in a thread of its own, so that it may be slow; what it raises is logged and
        counted. Returns a function that ends the subscription.
        """
        return self._events.subscribe(callback)

    def emit(self, kind: EventKind | str, message: str, camera: str | None = None) -> Event:
        """Tell the subscribers of something, and count it in ``stats().events``.

        Args:
            kind: see :class:`edge_sdk.events.EventKind`.
            message: one sentence: what was found.
            camera: ``"ir"``, ``"visible"`` or None.
        """
        return self._events.emit(kind, message, camera)
