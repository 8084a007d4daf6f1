from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from edge_sdk.calibration_file import (
    Calibration,
    build_calibration,
    read_calibration,
    write_calibration,
)
from edge_sdk.errors import CalibrationError, ConfigError

ANGLE = 0.02
ROTATION = np.array(
    [[np.cos(ANGLE), 0, np.sin(ANGLE)], [0, 1, 0], [-np.sin(ANGLE), 0, np.cos(ANGLE)]]
)


def data() -> dict[str, Any]:
    ir = {
        "name": "Boson 640",
        "identity": "serial:123456",
        "width": 640,
        "height": 512,
        "model": "pinhole",
        "K": {"fx": np.float64(767.9427), "fy": 767.06879, "cx": 317.2, "cy": 231.6},
        "distortion": np.array([-0.50404, 0.26894, 0.00345, -0.00075, 1e-7]),
    }
    visible = {
        "name": "HD camera",
        "width": 1920,
        "height": 1080,
        "model": "fisheye",
        "K": {"fx": 1400.1, "fy": 1400.3, "cx": 960, "cy": 540.5},
        "distortion": [0.01, -0.02, 0.003, -0.004],
    }
    return {
        "date": dt.date(2025, 3, 14),
        "cameras": {"ir": ir, "visible": visible},
        "registration": {
            "homography": [[1.8, 0.01, 400.0], [-0.01, 1.8, 80.0], [1e-6, 0.0, 1.0]],
            "distance_m": 10.0,
            "extrinsics": {"R": ROTATION, "t_m": [0.05, -0.002, 0.001]},
        },
        "report": {"rms_px": np.float64(0.31), "per_image_px": [0.2, 0.4, None], "method": "board"},
    }


def make() -> Calibration:
    return build_calibration(data())


def test_round_trip_is_exact(tmp_path: Path) -> None:
    written = make()
    write_calibration(written, tmp_path / "calibration.yaml")
    read = read_calibration(tmp_path / "calibration.yaml")
    assert read == written
    np.testing.assert_array_equal(
        read.cameras.ir.coefficients, data()["cameras"]["ir"]["distortion"]
    )
    assert read.registration.extrinsics is not None
    np.testing.assert_array_equal(read.registration.extrinsics.rotation, ROTATION)
    assert read.cameras.ir.matrix.tolist() == [
        [767.9427, 0, 317.2],
        [0, 767.06879, 231.6],
        [0, 0, 1],
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["calibration.yaml"]


def test_the_file_is_plain_yaml_with_the_documented_keys(tmp_path: Path) -> None:
    write_calibration(make(), tmp_path / "calibration.yaml")
    content = yaml.safe_load((tmp_path / "calibration.yaml").read_text())
    assert content["edge_sdk_calibration"] == 1
    assert content["date"] == dt.date(2025, 3, 14)
    assert content["cameras"]["ir"]["identity"] == "serial:123456"
    assert content["cameras"]["visible"]["identity"] is None
    assert content["cameras"]["visible"]["K"]["cx"] == 960.0
    assert content["registration"]["homography"][0] == [1.8, 0.01, 400.0]
    assert content["report"] == {
        "rms_px": 0.31,
        "per_image_px": [0.2, 0.4, None],
        "method": "board",
    }


def broken(tmp_path: Path, change: Any) -> str:
    """Message of the error that reading the file with ``change`` applied to it raises."""
    path = tmp_path / "calibration.yaml"
    write_calibration(make(), path)
    content = yaml.safe_load(path.read_text())
    change(content)
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(CalibrationError) as caught:
        read_calibration(path)
    return str(caught.value)


def set_at(*keys: str | int, value: Any) -> Any:
    def change(content: Any) -> None:
        for key in keys[:-1]:
            content = content[key]
        content[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (set_at("edge_sdk_calibration", value=2), ["edge_sdk_calibration must be 1", "found 2"]),
        (set_at("edge_sdk_calibration", value=None), ["edge_sdk_calibration", "missing"]),
        (set_at("cameras", "ir", "width", value=-1), ["cameras.ir.width", "-1"]),
        (set_at("cameras", "ir", "K", "fx", value="a"), ["cameras.ir.K.fx", "'a'", "number"]),
        (set_at("cameras", "ir", "K", "fx", value=0), ["cameras.ir.K.fx", "found 0"]),
        (set_at("cameras", "ir", "model", value="omni"), ["cameras.ir.model", "'omni'", "fisheye"]),
        (set_at("cameras", "ir", "model", value="fisheye"), ["cameras.ir", "4 numbers", "found 5"]),
        (set_at("cameras", "ir", "focal", value=1), ["cameras.ir.focal is not a known key"]),
        (set_at("date", value="yesterday"), ["date", "yesterday"]),
        (
            set_at("registration", "homography", 1, value=[1, float("nan"), 0]),
            ["registration.homography[1][1]", "nan"],
        ),
        (
            set_at("registration", "extrinsics", "R", 0, value=[2.0, 0.0, 0.0]),
            ["registration.extrinsics", "rotation"],
        ),
    ],
)
def test_errors_name_file_key_and_value(tmp_path: Path, change: Any, parts: list[str]) -> None:
    message = broken(tmp_path, change)
    assert message.startswith(str(tmp_path / "calibration.yaml"))
    for part in parts:
        assert part in message


@pytest.mark.parametrize(
    ("homography", "reason"),
    [
        ([[0, 0, 0], [0, 0, 0], [0, 0, 0]], "not all 0"),
        ([[1, 2, 0], [2, 4, 0], [0, 0, 1]], "singular"),
        ([[1, 0, 0], [0, 1e-3, 0], [0, 0, 1]], "singular"),
        ([[1, 0, 0], [0, 0.05, 0], [0, 0, 1]], "nearly singular"),
        ([[1e4, 0, 0], [0, 1e4, 0], [0, 0, 1]], "singular"),
        ([[-1, 0, 639], [0, 1, 0], [0, 0, 1]], "mirrors"),
        ([[0, 1, 0], [1, 0, 0], [0, 0, 1]], "mirrors"),
        ([[1, 0, 0], [0, 1, 0], [-1 / 400, 0, 1]], "behind the camera"),
    ],
)
def test_impossible_homographies_are_refused(tmp_path: Path, homography: Any, reason: str) -> None:
    change = set_at("registration", "homography", value=homography)
    message = broken(tmp_path, change)
    assert "registration.homography" in message and reason in message


@pytest.mark.parametrize(
    "homography",
    [
        [[2.4, 0.1, -30], [-0.1, 2.4, 12], [1e-5, -2e-5, 1]],
        [[-2.4, -0.1, 30], [0.1, -2.4, -12], [-1e-5, 2e-5, -1]],  # the same, other sign
        [[-1, 0, 639], [0, -1, 511], [0, 0, 1]],  # a camera mounted upside down
        [[0, -1, 511], [1, 0, 0], [0, 0, 1]],  # turned by a right angle
    ],
)
def test_possible_homographies_are_accepted(homography: Any) -> None:
    content = data()
    content["registration"]["homography"] = homography
    np.testing.assert_array_equal(build_calibration(content).registration.matrix, homography)


def test_another_resolution_is_refused_with_both_sizes() -> None:
    with pytest.raises(CalibrationError, match=r"cameras\.ir: .*640x512.*320x256"):
        make().require_camera("ir", (320, 256))


def test_another_device_is_refused_with_both_names() -> None:
    calibration = make()
    with pytest.raises(CalibrationError, match=r"serial:123456.*Boson 640.*serial:999"):
        calibration.require_camera("ir", (640, 512), "serial:999")
    calibration.require_camera("ir", (640, 512), "serial:123456")
    calibration.require_camera("ir", (640, 512))
    calibration.require_camera("visible", (1920, 1080), "serial:999")


def test_files_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match="calibration file not found"):
        read_calibration(tmp_path / "absent.yaml")
    with pytest.raises(CalibrationError, match="cannot be written"):
        write_calibration(make(), tmp_path / "absent" / "calibration.yaml")
    (tmp_path / "broken.yaml").write_text("cameras: [\n")
    with pytest.raises(CalibrationError, match="not valid YAML"):
        read_calibration(tmp_path / "broken.yaml")


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "calibration.yaml"
    write_calibration(make(), path)
    before = path.read_bytes()

    def full(self: Path, *args: Any, **kwargs: Any) -> int:
        self.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(CalibrationError, match="No space left"):
        write_calibration(make(), path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["calibration.yaml"]


def test_numbers_that_are_none_are_refused_when_building() -> None:
    content = data()
    content["cameras"]["ir"]["K"]["fx"] = None
    with pytest.raises(CalibrationError, match=r"cameras\.ir\.K\.fx: found None"):
        build_calibration(content)
    assert issubclass(CalibrationError, ConfigError)
