"""Formats, rates, controls and two cameras at once, with the kernel's virtual cameras.

Runs inside the guest: see ``tests/guest/test_guest.py``.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator

import numpy as np
import pytest
from typer.testing import CliRunner

from edge_sdk.capture.v4l2 import V4L2Camera, list_devices
from edge_sdk.capture.v4l2.controls import get_control, list_controls
from edge_sdk.cli import _register, app
from edge_sdk.errors import ConfigError, DeviceNotFoundError, SourceError
from tests.guest.inside import vivid
from tests.guest.inside.vivid import assert_bars, control_set, read_good


@pytest.fixture(autouse=True)
def leak_check() -> Iterator[None]:
    with vivid.nothing_left():
        yield


def new_camera(**settings: object) -> V4L2Camera:
    start = {"format": "Y16", "width": 640, "height": 480, "fps": 30.0}
    return V4L2Camera("ir", vivid.NAMES[0], **start | settings)


@pytest.mark.parametrize("mono", [False, True])
@pytest.mark.parametrize(
    ("name", "white"),
    [
        ("Y16", 48640),
        ("Y16_BE", 48640),
        ("Y12", 3040),
        ("Y10", 760),
        ("GREY", 190),
        ("YUYV", 191),
        ("UYVY", 191),
        ("NV12", 191),
        ("BGR24", 191),
        ("RGB24", 191),
    ],
)
def test_every_format(name: str, white: int, mono: bool) -> None:
    """OpenCV's first conversion compiles kernels, hence the time."""
    with new_camera(format=name, mono=mono, fps=15.0) as camera:
        frame = camera.read(5.0)
        assert frame is not None
        image = frame.image
        deep = name.startswith("Y1")
        assert image.dtype == (np.uint16 if deep else np.uint8)
        colour = not mono and name in ("YUYV", "UYVY", "NV12", "BGR24", "RGB24")
        assert image.shape == ((480, 640, 3) if colour else (480, 640))
        if mono and name in ("YUYV", "UYVY", "NV12"):
            # Luma as it is: limited range, 16 + 219 * (luma of the bar).
            rgb = np.array(vivid.BARS_BGR, float)[:, ::-1] / 255
            luma = 16 + 219 * rgb @ np.array([0.299, 0.587, 0.114])
            np.testing.assert_allclose(vivid.bars(image), luma, atol=2)
        else:
            if mono and name in ("BGR24", "RGB24"):
                luma = np.array(vivid.BARS_BGR, float) @ np.array([0.114, 0.587, 0.299])
                np.testing.assert_allclose(vivid.bars(image), luma, atol=2)
            else:
                assert_bars(image)
            assert abs(np.mean(vivid.bars(image)[0]) - white) <= max(1, white // 200)


@pytest.mark.parametrize("fps", [5.0, 30.0, 60.0])
def test_rates(fps: float) -> None:
    """Loosely above, since an emulated machine is slow; the period of the numbers is exact."""
    with new_camera(height=360, fps=fps) as camera:
        assert camera.granted is not None and camera.granted.fps == fps
        assert camera.period_ns == round(1e9 / fps)
        read_good(camera, 2)
        frames = read_good(camera, max(8, round(fps / 2)))
        made = frames[-1].sequence - frames[0].sequence
        seconds = (frames[-1].timestamp_ns - frames[0].timestamp_ns) / 1e9
        assert made / seconds == pytest.approx(fps, rel=0.1)
        assert len(frames) / made > 0.2


def test_two_cameras_at_once() -> None:
    ir = new_camera()
    visible = V4L2Camera(
        "visible", vivid.NAMES[1], format="YUYV", width=1920, height=1080, fps=30.0, mono=True
    )
    with ir, visible:
        for camera in (ir, visible):
            camera.read(5.0)
        # The best of a few, since other work on the host halts an emulated machine.
        best = max(_slower_rate(ir, visible) for _ in range(4))
    print(f"frames/s of the slower one: {best:.1f}")
    assert best >= 15


def _slower_rate(*cameras: V4L2Camera) -> float:
    """Frames per second of the slower camera, over a second and a half."""
    counts = dict.fromkeys((camera.name for camera in cameras), 0)
    start = time.monotonic()
    while time.monotonic() - start < 1.5:
        for camera in cameras:
            frame = camera.read(1.0)
            assert frame is not None and frame.camera == camera.name
            counts[camera.name] += 1
    return min(counts.values()) / (time.monotonic() - start)


def test_stamps_are_at_the_start_of_the_exposure_whatever_the_driver_tells() -> None:
    """vivid's stamp at the end of the frame is 0.9 periods after that of the start."""
    ages = []
    for source in (0, 1):
        with control_set(vivid.TIME_SOURCE, source), new_camera(fps=10.0) as camera:
            read_good(camera, 2)
            frames = [(read_good(camera, 1)[0], time.monotonic_ns()) for _ in range(8)]
            ages.append([now_ns - frame.timestamp_ns for frame, now_ns in frames])
            assert not any("time" in cause for cause in camera.counts)
    end, start = (np.median(age) / 1e6 for age in ages)
    assert 0 <= start < 100
    assert abs(end - start) < 60


def test_what_waited_is_not_delivered() -> None:
    with new_camera() as camera:
        read_good(camera, 3)
        time.sleep(1.0)
        now_ns = time.monotonic_ns()
        frame = camera.read()
        assert frame is not None
        assert now_ns - frame.timestamp_ns < 150_000_000
        assert camera.counts["stale"] >= 2


def test_images_that_are_kept_do_not_change() -> None:
    with new_camera() as camera:
        frames = read_good(camera, 6)
        copies = [frame.image.copy() for frame in frames]
        read_good(camera, 12)
        for frame, copy in zip(frames, copies, strict=True):
            np.testing.assert_array_equal(frame.image, copy)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"format": "MJPG"}, ["asked for MJPG", "offers YUYV", "format:"]),
        ({"width": 600, "height": 512}, ["asked for Y16 600x512", "grants Y16 640x", "1920x1080"]),
        ({"fps": 33.0}, ["asked for 33 frames/s", "grants", "30, 40"]),
    ],
)
def test_what_is_not_granted(settings: dict[str, object], words: list[str]) -> None:
    camera = new_camera(**settings)
    for _ in range(2):
        with pytest.raises(SourceError) as caught:
            camera.open()
        for word in (*words, "allow_adjusted", vivid.NODES[0]):
            assert word in str(caught.value), str(caught.value)
        assert (vivid.mappings(), vivid.descriptors()) == (0, 0)
    with new_camera(**settings, allow_adjusted=True) as adjusted:
        assert adjusted.granted is not None
        assert len(adjusted.granted.adjusted) == 1
        assert words[0] in adjusted.granted.adjusted[0]
        assert adjusted.read(5.0) is not None


def test_nothing_asked_takes_what_is_set() -> None:
    with new_camera(format="GREY", height=360, fps=25.0):
        pass
    with V4L2Camera("ir", vivid.NODES[0]) as camera:
        assert str(camera.granted) == "GREY 640x360 at 25 frames/s"


def test_controls() -> None:
    asked = {
        "brightness": 33,
        "gain_automatic": False,
        "gain": 17,
        "horizontal_flip": True,
        "menu": 4,
        "test_pattern": "75% Colorbar",
        "integer_64_bits": 2**40,
        "bitmask": 0x80002000,
        "string": "abcd",
        "button": True,
    }
    usual = {"brightness": 128, "gain_automatic": True, "horizontal_flip": False}
    with new_camera(controls=asked) as camera:
        fd = os.open(camera.path, os.O_RDWR)
        try:
            known = {control.name: control for control in list_controls(fd)}
            found = {name: get_control(fd, known[name]) for name in asked if name != "button"}
        finally:
            os.close(fd)
        wanted = asked | {"test_pattern": 0}
        del wanted["button"]
        assert found == wanted
        frame = camera.read()
        assert frame is not None
        assert vivid.bars(frame.image)[0] < 45000, "darker"
    with new_camera(controls=usual) as camera:
        read_good(camera, 2)


@pytest.mark.parametrize(
    ("controls", "kind", "words"),
    [
        ({"exposure": 5}, ConfigError, ["no control 'exposure'", "brightness", "gain"]),
        ({"brightness": 256}, ConfigError, ["cannot be 256", "0 to 255"]),
        ({"brightness": 1.5}, ConfigError, ["cannot be 1.5"]),
        ({"brightness": "bright"}, ConfigError, ["cannot be 'bright'"]),
        ({"test_pattern": "a cat"}, ConfigError, ["cannot be 'a cat'", "75% Colorbar"]),
        ({"string": "too long a text"}, ConfigError, ["text of 2 to 4 characters"]),
        ({"read_only_integer_32_bits": 5}, ConfigError, ["cannot be set"]),
    ],
)
def test_bad_controls(controls: dict[str, object], kind: type, words: list[str]) -> None:
    camera = new_camera(controls=controls)
    with pytest.raises(kind) as caught:
        camera.open()
    for word in words:
        assert word in str(caught.value)


def test_a_second_program_is_told_to_be_second() -> None:
    with new_camera() as first, pytest.raises(SourceError, match="another program uses it"):
        read_good(first, 2)
        new_camera(format="GREY").open()


def test_opened_and_closed_many_times() -> None:
    camera = new_camera(height=360)
    for _ in range(15):
        with camera:
            assert camera.read() is not None
            # Python's mmap keeps a descriptor of its own.
            assert vivid.descriptors() == 1 + vivid.mappings() >= 3
        assert (vivid.mappings(), vivid.descriptors()) == (0, 0)


def test_close_ends_a_read_of_another_thread() -> None:
    camera = new_camera()
    camera.open()
    with control_set(vivid.DROPPED_PERCENT, 100):
        timer = vivid.threading.Timer(0.3, camera.close)
        timer.start()
        start = time.monotonic()
        with pytest.raises(SourceError, match="was closed while another thread used it"):
            while True:
                camera.read(5.0)
        assert time.monotonic() - start < 1.5
        timer.join()


def test_devices_command() -> None:
    _register()
    result = CliRunner().invoke(app, ["devices", "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)["cameras"]
    assert [c["node"]["path"] for c in found] == list(vivid.NODES)
    assert [c["identities"][0] for c in found] == list(vivid.NAMES)
    formats = {f["format"]: f for f in found[0]["formats"]}
    assert len(formats) > 80
    assert {name for name, f in formats.items() if f["usable"]} == {
        *("Y16", "Y16_BE", "Y12", "Y10", "GREY", "YUYV", "UYVY", "NV12", "BGR24", "RGB24")
    }
    sizes = {(s["width"], s["height"]): s["fps"] for s in formats["Y16"]["sizes"]}
    assert sizes[(1920, 1080)][-1] == "30" and "12.5" in sizes[(640, 480)]
    text = CliRunner().invoke(app, ["devices"]).output
    assert "device: name:vivid-000-vid-cap" in text and "1920x1080 at 1, 2, 4" in text
    assert all(not report.problem for report in list_devices())


def test_every_identity_opens_its_camera() -> None:
    for report in list_devices():
        for identity in report.identities:
            with V4L2Camera("ir", identity, format="Y16", width=640, height=480) as camera:
                assert camera.path == report.node.path
    with pytest.raises(DeviceNotFoundError, match="name:vivid-001-vid-cap"):
        V4L2Camera("ir", "name:vivid-002-vid-cap").open()
