"""Every fault that the kernel's virtual camera can have, and that it is overcome.

Runs inside the guest: see ``tests/guest/test_guest.py``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from edge_sdk.capture.v4l2 import V4L2Camera
from edge_sdk.capture.v4l2.clock import StampClock
from edge_sdk.errors import DisconnectedError, SourceError, StreamTimeoutError
from tests.guest.inside import vivid
from tests.guest.inside.vivid import control_set, later, read_good, reopen, set_control

BOUND_S = 0.5
"""What a caller allows one ``read``."""
SLACK_S = 1.0
"""What an emulated machine with busy cores may add."""


@pytest.fixture(autouse=True)
def leak_check() -> Iterator[None]:
    with vivid.nothing_left():
        yield


def new_camera(name: str = vivid.NAMES[0], **settings: object) -> V4L2Camera:
    return V4L2Camera(
        "ir", name, **{"format": "Y16", "width": 640, "height": 480, "fps": 30.0} | settings
    )


@pytest.fixture
def camera(leak_check: None) -> Iterator[V4L2Camera]:
    """An open camera that has shown that it works; it must work at the end, too."""
    camera = new_camera()
    with camera:
        read_good(camera, 5)
        yield camera
        read_good(camera, 10)


def bounded_read(camera: V4L2Camera) -> None:
    start = time.monotonic()
    try:
        camera.read(BOUND_S)
    finally:
        assert time.monotonic() - start < BOUND_S + SLACK_S


def test_half_of_the_buffers_dropped(camera: V4L2Camera) -> None:
    before = camera.counts.get("lost by the driver", 0)
    with control_set(vivid.DROPPED_PERCENT, 50):
        frames = read_good(camera, 30)
    gaps = frames[-1].sequence - frames[0].sequence - (len(frames) - 1)
    assert gaps > 5
    assert camera.counts["lost by the driver"] - before >= gaps


def test_all_buffers_dropped(camera: V4L2Camera) -> None:
    with control_set(vivid.DROPPED_PERCENT, 100):
        with pytest.raises(StreamTimeoutError):
            while True:
                bounded_read(camera)
        cpu_s, wall_s = time.process_time(), time.monotonic()
        for _ in range(3):
            with pytest.raises(StreamTimeoutError, match="no good frame within"):
                bounded_read(camera)
        cpu_s, wall_s = time.process_time() - cpu_s, time.monotonic() - wall_s
        assert wall_s >= 3 * BOUND_S * 0.9
        assert cpu_s < 0.5 * wall_s, "waiting must not spin"


def test_error_flag(camera: V4L2Camera) -> None:
    before = camera.counts
    frames = read_good(camera, 2)
    set_control(vivid.ERROR_FLAG)
    frames += read_good(camera, 15)
    after = camera.counts
    assert after.get("damaged", 0) - before.get("damaged", 0) == 1
    steps = [b.sequence - a.sequence for a, b in pairwise(frames)]
    assert max(steps) >= 2, "the damaged frame leaves a gap"


@pytest.mark.parametrize("fault", [vivid.REQBUFS_ERROR, vivid.QBUF_ERROR, vivid.STREAMON_ERROR])
def test_open_survives_an_error_that_passes(fault: int) -> None:
    camera = new_camera()
    set_control(fault)
    with camera:
        read_good(camera, 10)
        assert camera.counts["driver asked again"] >= 1


def test_qbuf_errors_while_streaming(camera: V4L2Camera) -> None:
    """More of them than there are buffers."""
    for _ in range(6):
        set_control(vivid.QBUF_ERROR)
        read_good(camera, 3)
    assert camera.counts["buffer refused"] == 6


def test_fatal_error(camera: V4L2Camera) -> None:
    for number in (1, 2, 3):
        later(0.1, vivid.FATAL_ERROR).join()
        read_good(camera, 10)
        assert camera.counts["stream restarted"] == number


def test_fatal_error_while_waiting(camera: V4L2Camera) -> None:
    with control_set(vivid.DROPPED_PERCENT, 100):
        timer = later(0.2, vivid.FATAL_ERROR)
        with pytest.raises(StreamTimeoutError):
            while True:
                bounded_read(camera)
        timer.join()
    assert camera.counts["stream restarted"] == 1


@pytest.mark.parametrize("delay_s", [0.0, 0.25])
def test_disconnect_and_return(camera: V4L2Camera, delay_s: float) -> None:
    frames = read_good(camera, 2)
    timer = later(delay_s, vivid.DISCONNECT)
    start = time.monotonic()
    with pytest.raises(DisconnectedError, match="went away"):
        while True:
            bounded_read(camera)
    noticed_s = time.monotonic() - start - delay_s
    assert noticed_s < BOUND_S + SLACK_S
    timer.join()
    assert (vivid.mappings(), vivid.descriptors()) == (0, 0), "released at once"
    with pytest.raises(SourceError, match="not open: it went away"):
        camera.read(0.1)
    back_s = reopen(camera)
    again = read_good(camera, 5)
    assert again[0].sequence > frames[-1].sequence
    print(f"noticed after {noticed_s:.2f} s, back {back_s:.2f} s later")


def test_disconnect_while_nothing_is_read(camera: V4L2Camera) -> None:
    set_control(vivid.DISCONNECT)
    time.sleep(0.3)
    with pytest.raises(DisconnectedError):
        bounded_read(camera)
    reopen(camera)


def test_disconnect_of_a_camera_that_delivers_nothing(camera: V4L2Camera) -> None:
    set_control(vivid.DROPPED_PERCENT, 100)
    timer = later(0.2, vivid.DISCONNECT)
    with pytest.raises(DisconnectedError):
        for _ in range(5):
            try:
                bounded_read(camera)
            except StreamTimeoutError:
                continue
    timer.join()
    reopen(camera)
    set_control(vivid.DROPPED_PERCENT, 0)


def test_disconnect_is_survived_by_the_other_camera(camera: V4L2Camera) -> None:
    """Both nodes are of one device in vivid's eyes, but only one is pulled."""
    with new_camera(vivid.NAMES[1]) as other:
        read_good(other, 3)
        set_control(vivid.DISCONNECT)
        with pytest.raises(DisconnectedError):
            while True:
                bounded_read(camera)
        read_good(other, 10)
        reopen(camera)
        read_good(other, 3)


def test_close_after_disconnect_never_raises_and_node_returns() -> None:
    camera = new_camera()
    camera.open()
    read_good(camera, 2)
    set_control(vivid.DISCONNECT)
    camera.close()
    camera.close()
    end = time.monotonic() + 5
    while not Path(vivid.NODES[0]).is_char_device():
        assert time.monotonic() < end
        time.sleep(0.05)
    reopen(camera)
    read_good(camera, 5)
    camera.close()


def test_sequence_wraps() -> None:
    with control_set(vivid.WRAP_SEQUENCE, 1):
        camera = new_camera(height=360, fps=120.0)
        with camera:
            frames = read_good(camera, 2)
            first = frames[0].sequence
            assert first >= 2**32 - 128
            while frames[-1].sequence < 2**32 + 20:
                frames += read_good(camera, 1)
            lost = frames[-1].sequence - first - (len(frames) - 1)
            assert 0 <= lost < 200
            assert camera.counts.get("lost by the driver", 0) >= lost


@pytest.mark.parametrize(("kind", "seconds"), [(1, 18.0), (2, 3.0)])
def test_time_wraps(kind: int, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """1: 2**63 ns, 16 s after the start, where the driver's seconds turn negative; 2: 2**31 s."""
    raw: list[int] = []
    kept = StampClock.__call__

    def record(clock: StampClock, stamp_ns: int, flags: int, now_ns: int) -> int:
        raw.append(stamp_ns)
        return kept(clock, stamp_ns, flags, now_ns)

    monkeypatch.setattr(StampClock, "__call__", record)
    with control_set(vivid.WRAP_TIME, kind), new_camera(fps=10.0) as camera:
        end = time.monotonic() + seconds
        frames = read_good(camera, 2)
        while time.monotonic() < end:
            frames = [frames[-1], *read_good(camera, 1)]
            assert frames[1].timestamp_ns > frames[0].timestamp_ns
        assert camera.counts["time stamp of another clock"] == len(raw)
    if kind == 1:
        assert max(raw) > 2**62 and min(raw) < 0
    else:
        assert min(raw) > 2**30 * 10**9


def test_healthy_camera_has_nothing_to_count(camera: V4L2Camera) -> None:
    """The tests above count faults, not noise."""
    read_good(camera, 20)
    noise = {"stale", "lost by the driver", "sequence out of order"}
    assert set(camera.counts) <= noise
