from __future__ import annotations

import sys
import threading
import time
from collections import Counter

import pytest

from edge_sdk import ConfigError, EventKind, FusionPipeline
from edge_sdk.config import FusionConfig
from edge_sdk.events import MAX_WAITING, EventHub


@pytest.fixture
def counted():
    return Counter()


@pytest.fixture
def hub(counted):
    return EventHub(lambda name: counted.update([name]))


def test_events_are_told_in_order_with_all_they_hold(hub, counted):
    told = []
    hub.subscribe(told.append)
    before_ns = time.monotonic_ns()
    hub.emit("lost", "pulled", "ir")
    hub.emit(EventKind.MISALIGNED, "12 px off")
    assert hub.flush(5)
    assert [(e.kind, e.camera, e.message) for e in told] == [
        (EventKind.LOST, "ir", "pulled"),
        (EventKind.MISALIGNED, None, "12 px off"),
    ]
    assert told[0].kind == "lost" and before_ns <= told[0].timestamp_ns <= told[1].timestamp_ns
    assert counted == {"ir lost": 1, "misaligned": 1}
    assert not any(t.name == "edge_sdk events" for t in threading.enumerate())


def test_a_callback_that_raises_is_counted_and_stops_nobody(hub, counted):
    told = []
    hub.subscribe(lambda event: 1 / 0)
    hub.subscribe(told.append)
    hub.emit("back", "is here", "ir")
    assert hub.flush(5) and len(told) == 1
    assert counted["event callback failed"] == 1


@pytest.mark.parametrize("leave", [sys.exit, lambda: (_ for _ in ()).throw(KeyboardInterrupt)])
def test_a_callback_that_wants_to_end_the_program_ends_no_delivery(hub, counted, leave):
    told = []
    hub.subscribe(lambda event: leave() if event.message == "first" else None)
    hub.subscribe(told.append)
    hub.emit("lost", "first", "ir")
    assert hub.flush(5)
    hub.emit("back", "second", "ir")
    assert hub.flush(5) and [event.message for event in told] == ["first", "second"]
    assert counted["event callback failed"] == 1


def test_a_callback_that_hangs_stops_neither_emit_nor_memory(hub, counted):
    release = threading.Event()
    hub.subscribe(lambda event: release.wait(20))
    start_s = time.monotonic()
    for _ in range(MAX_WAITING + 50):
        hub.emit("lost", "again", "ir")
    assert time.monotonic() - start_s < 2
    assert 45 <= counted["event not told"] <= 50
    assert not hub.flush(0.05)
    release.set()
    assert hub.flush(10)


def test_unsubscribe(hub):
    told = []
    stop = hub.subscribe(told.append)
    hub.emit("lost", "a", "ir")
    hub.flush(5)
    stop()
    stop()
    hub.emit("lost", "b", "ir")
    assert hub.flush(5) and len(told) == 1


def test_mistakes(hub):
    with pytest.raises(ConfigError, match="needs a callable, found 3"):
        hub.subscribe(3)
    with pytest.raises(ConfigError, match="event kind 'gone': allowed: lost, back, frozen"):
        hub.emit("gone", "?")


def test_the_pipeline_tells_and_counts():
    pipeline = FusionPipeline(fusion=FusionConfig(threads=1))
    told = []
    pipeline.subscribe(told.append)
    event = pipeline.emit("misaligned", "9 px off at the left edge")
    pipeline.close()
    assert told == [event] and pipeline.stats().events == {"misaligned": 1}
