"""What can be told of the camera without a kernel; the rest is in ``tests/guest``."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from edge_sdk.capture import Camera
from edge_sdk.capture.v4l2 import V4L2Camera
from edge_sdk.capture.v4l2.driver import explain, open_node
from edge_sdk.config import rig_from_dict
from edge_sdk.errors import (
    BandwidthError,
    ConfigError,
    DependencyError,
    DeviceNotFoundError,
    DisconnectedError,
    SourceError,
)
from edge_sdk.rig import open_cameras


def test_follows_the_protocol() -> None:
    camera = V4L2Camera("ir", "serial:0")
    assert isinstance(camera, Camera)
    assert (camera.name, camera.live, camera.period_ns, camera.granted) == ("ir", True, None, None)


def test_nothing_is_imported_before_a_camera_is_opened() -> None:
    code = (
        "import sys; from edge_sdk import config, rig; from edge_sdk.capture import v4l2; "
        "v4l2.V4L2Camera('ir', '/dev/video0'); print([m for m in sys.modules if 'linuxpy' in m])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("device", ["serial:no such camera", "/dev/video4711"])
def test_absent_device_is_told_at_once_and_again(device: str) -> None:
    camera = V4L2Camera("ir", device)
    start = time.monotonic()
    for _ in range(2):
        with pytest.raises(DeviceNotFoundError, match="cameras found here"):
            camera.open()
        with pytest.raises(SourceError, match="is not open"):
            camera.read(0.1)
        camera.close()
    assert time.monotonic() - start < 2


def test_missing_package_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "linuxpy.video.device", None)
    with pytest.raises(DependencyError, match=r'pip install "edge-sdk\[v4l2\]"'):
        V4L2Camera("ir", "serial:0").open()


def test_bad_arguments() -> None:
    with pytest.raises(ConfigError, match="'H264' is not known; allowed: Y16, Y16_BE"):
        V4L2Camera("ir", "serial:0", format="H264")
    with pytest.raises(ConfigError, match="together"):
        V4L2Camera("ir", "serial:0", width=640)


def test_a_character_device_that_is_no_camera() -> None:
    with pytest.raises(SourceError, match="/dev/null is not a video device"):
        open_node("/dev/null")
    camera = V4L2Camera("ir", "/dev/null")
    with pytest.raises(SourceError, match="is not a video device"):
        camera.open()


@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        ("ENOSPC", BandwidthError, ["bandwidth", "MJPG", "another controller", "lower rate"]),
        ("EBUSY", SourceError, ["another program", "fuser /dev/video3"]),
        ("EACCES", SourceError, ["usermod -aG video"]),
        ("ENODEV", DisconnectedError, ["went away", "cable"]),
        ("EPROTO", SourceError, ["cable"]),
        ("EIO", SourceError, ["dmesg"]),
    ],
)
def test_error_numbers_say_what_to_do(number: str, kind: type, words: list[str]) -> None:
    import errno
    import os

    code = getattr(errno, number)
    error = explain(OSError(code, os.strerror(code)), "/dev/video3", "started")
    assert type(error) is kind
    assert "/dev/video3" in str(error)
    for word in words:
        assert word in str(error)


def test_rig_file_makes_cameras() -> None:
    rig = rig_from_dict(
        {
            "cameras": {
                "ir": {
                    "driver": "v4l2",
                    "device": "serial:1",
                    "format": "y16",
                    "width": 640,
                    "height": 512,
                    "fps": 60,
                    "serial": {"protocol": "boson"},
                },
                "visible": {"driver": "gstreamer", "pipeline": "videotestsrc ! appsink"},
            }
        }
    )
    ir, visible, simulated = open_cameras(rig)
    assert isinstance(ir, V4L2Camera) and simulated is None
    assert (ir.name, visible.name, ir.live, visible.live) == ("ir", "visible", True, True)


def test_rig_file_names_the_formats_that_there_are() -> None:
    camera = {"driver": "v4l2", "device": "serial:1"}
    with pytest.raises(ConfigError, match=r"cameras.ir.format.*Y16_BE.*MJPG"):
        rig_from_dict({"cameras": {"ir": {**camera, "format": "H264"}, "visible": camera}})
