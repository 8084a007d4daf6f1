"""What importing the package loads."""

from __future__ import annotations

import subprocess
import sys

import pytest

import edge_sdk.tracking


def test_every_public_name_loads_and_others_are_an_error() -> None:
    for name in edge_sdk.tracking.__all__:
        assert getattr(edge_sdk.tracking, name).__name__ == name
    assert dir(edge_sdk.tracking) == sorted(edge_sdk.tracking.__all__)
    with pytest.raises(AttributeError, match="Yolo9"):
        _ = edge_sdk.tracking.Yolo9


def test_the_detector_needs_none_of_the_extra() -> None:
    code = (
        "import sys; sys.modules['supervision'] = sys.modules['trackers'] = None\n"
        "from edge_sdk.tracking import Detections, SideBySide, TrackWriter, WarmObjectDetector\n"
        "WarmObjectDetector(); SideBySide(); Detections.empty()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_importing_the_package_is_light() -> None:
    code = (
        "import sys, edge_sdk.tracking\n"
        "assert not {'cv2', 'supervision', 'trackers'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
