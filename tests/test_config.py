from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edge_sdk.config import (
    AlignmentConfig,
    PairingConfig,
    RigConfig,
    load_rig,
    rig_from_dict,
    rig_from_text,
    rig_template,
)
from edge_sdk.errors import ConfigError

RIG = "cameras:\n  ir: {driver: simulated}\n  visible: {driver: simulated}\n"
V4L2 = """\
cameras:
  ir:
    driver: v4l2
    device: serial:123456
    format: Y16
    width: 640
    height: 512
    fps: 60
    controls: {gain_auto: true, exposure: 3}
    serial: {protocol: boson, auto_ffc: false}
    radiometry: {scale: 0.01, offset_c: -273.15}
  visible:
    driver: v4l2
    device: name:HD USB Camera
"""


def error_of(text: str, folder: Path | str = ".") -> str:
    with pytest.raises(ConfigError) as caught:
        rig_from_text(text, folder, where="rig.yaml")
    return str(caught.value)


def test_template_validates_and_says_the_defaults() -> None:
    assert rig_from_text(rig_template()) == rig_from_dict(
        {
            "cameras": {"ir": {"driver": "simulated"}, "visible": {"driver": "simulated"}},
            "tracking": {"detector": "warm"},
        }
    )


def test_template_shows_every_setting() -> None:
    def names(model: Any) -> set[str]:
        found = set()
        for name, field in model.model_fields.items():
            found.add(name)
            for part in (field.annotation, *getattr(field.annotation, "__args__", ())):
                if hasattr(part, "model_fields"):
                    found |= names(part)
        return found

    assert {"baudrate", "offset_c", "max_lost_s", "pipeline"} <= names(RigConfig)
    assert [name for name in names(RigConfig) if f"{name}:" not in rig_template()] == []


@pytest.mark.parametrize(
    ("driver", "side"),
    [("v4l2", "ir"), ("v4l2", "visible"), ("files", "ir"), ("gstreamer", "ir")],
)
def test_commented_settings_of_the_template_validate(
    driver: str, side: str, tmp_path: Path
) -> None:
    (tmp_path / "recordings/ir").mkdir(parents=True)
    part = rig_template().split(f"  {side}:\n", 1)[1].split(f"# driver: {driver}", 1)[1]
    lines = []
    for line in part.splitlines()[1:]:
        if not line.startswith("    #"):
            break
        lines.append(line.replace("    #", "    ", 1))
    text = f"cameras:\n  ir:\n    driver: {driver}\n" + "\n".join(lines) + "\n"
    text += "  visible:\n" + text.split("  ir:\n", 1)[1]
    other = {"v4l2": "{driver: v4l2, device: b}", "files": "{driver: files, path: recordings/ir}"}
    if side == "ir" and driver in other:  # the infrared camera has settings of its own
        text = text.split("  visible:\n")[0] + f"  visible: {other[driver]}\n"
    assert len(lines) >= 1
    assert rig_from_text(text, tmp_path).cameras.ir.driver == driver


def test_v4l2_rig_is_typed() -> None:
    rig = rig_from_text(V4L2)
    ir = rig.cameras.ir
    assert ir.driver == "v4l2"
    assert (ir.device, ir.format, ir.width, ir.height, ir.fps) == (
        "serial:123456",
        "Y16",
        640,
        512,
        60,
    )
    assert ir.controls == {"gain_auto": True, "exposure": 3}
    assert ir.serial is not None and ir.serial.port == "auto" and ir.serial.auto_ffc is False
    assert ir.radiometry is not None and ir.radiometry.offset_c == -273.15
    assert rig.alignment.size == (640, 480)
    assert rig.pairing == PairingConfig(tolerance_ms=15, single_after_ms=500)


def test_relative_paths_are_relative_to_the_rig_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "robot"
    (folder / "ir").mkdir(parents=True)
    (folder / "models/mine").mkdir(parents=True)
    (folder / "calibration.yaml").write_text("")
    (folder / "rig.yaml").write_text(
        "cameras:\n  ir: {driver: files, path: ir}\n"
        f"  visible: {{driver: files, path: {folder / 'ir'}}}\n"
        "alignment: {calibration: calibration.yaml}\nfusion: {model: ./models/mine}\n"
        "output: {video: out/fused.mp4}\n"
    )
    monkeypatch.chdir(tmp_path)
    rig = load_rig("robot/rig.yaml")
    assert rig.cameras.ir.driver == "files" and rig.cameras.ir.path == folder / "ir"
    assert rig.cameras.visible.driver == "files" and rig.cameras.visible.path == folder / "ir"
    assert rig.alignment.calibration == folder / "calibration.yaml"
    assert Path(rig.fusion.model) == folder / "models/mine"
    assert rig.output.video == folder / "out/fused.mp4"


def test_a_model_without_slash_is_a_name() -> None:
    assert rig_from_text(RIG + "fusion: {model: small}").fusion.model == "small"


def test_a_section_of_comments_alone_has_its_defaults() -> None:
    assert rig_from_text(RIG + "tone:\n  # plateau: 0.5\n") == rig_from_text(RIG)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (
            RIG.replace("simulated", "simulatd", 1),
            ["rig.yaml:2:", "cameras.ir.driver", "'simulatd'", "v4l2, files", "'simulated'?"],
        ),
        (RIG.replace("driver", "drver", 1), ["cameras.ir", "'driver' is missing", "drver"]),
        (RIG + "pairng: {}", ["rig.yaml:4:", "pairng", "not a known key", "mean 'pairing'"]),
        (
            RIG + "pairing:\n  tolerance: 3",
            ["rig.yaml:5:", "pairing.tolerance ", "mean 'tolerance_ms'"],
        ),
        (V4L2.replace("640", "'640'"), ["rig.yaml:6:", "cameras.ir.width", "'640'", "whole"]),
        (V4L2.replace("640", "true"), ["cameras.ir.width", "True", "whole number"]),
        (V4L2.replace("    width: 640\n", ""), ["cameras.ir", "width and height"]),
        (V4L2.replace("fps: 60", "fps: -60"), ["cameras.ir.fps", "-60", "greater than 0"]),
        (V4L2.replace("boson", "bosn"), ["cameras.ir.serial.protocol", "'bosn'", "boson, tau2"]),
        (V4L2.replace("device: serial:123456", "device: 0"), ["cameras.ir.device", "0", "text"]),
        (
            V4L2.replace("    device: serial:123456\n", ""),
            ["cameras.ir.device is missing"],
        ),
        (V4L2 + "    serial: {protocol: boson}", ["cameras.visible.serial is not a known key"]),
        (V4L2.replace("exposure: 3", "exposure: [3]"), ["cameras.ir.controls.exposure", "[3]"]),
        (V4L2 + "simulation: {condition: fog}", ["simulation.condition", "'fog'", "day, night"]),
        (RIG + "alignment: {size: [640, 480.5]}", ["alignment.size[1]", "480.5"]),
        (RIG + "alignment: {size: 640}", ["alignment.size", "640", "list"]),
        (RIG + "alignment: {distance_m: 0}", ["alignment.distance_m", "greater than 0"]),
        (RIG + "pairing: {tolerance_ms: .nan}", ["pairing.tolerance_ms", "nan", "finite"]),
        (RIG + "pairing: {tolerance_ms: 600}", ["pairing", "single_after_ms", "600"]),
        (RIG + "tone: {low_percentile: 60}", ["tone.low_percentile", "60", "less than 50"]),
        (RIG + "fusion: {engine: openvno}", ["fusion.engine", "'openvno'", "'openvino'?"]),
        (RIG + "fusion: {threads: 0}", ["fusion.threads", "0", "greater than 0"]),
        (RIG + "tracking: {detector: yolo}", ["tracking", "yolo.model"]),
        (RIG + "tracking: 3", ["tracking", "3", "mapping"]),
        ("cameras:\n  ir: {driver: simulated}\n", ["cameras.visible is missing"]),
        ("pairing: {}\n", ["cameras is missing"]),
        ("", ["empty"]),
        ("- a\n- b\n", ["must be a mapping"]),
    ],
)
def test_one_error_names_key_value_and_remedy(text: str, parts: list[str]) -> None:
    message = error_of(text)
    assert message.startswith("rig.yaml")
    assert "\n" not in message
    for part in parts:
        assert part in message


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("cameras:\n  ir: [\n", 3),
        ("cameras:\n\tir: 1\n", 2),
        (RIG + "tone: {}\ntone: {}\n", 5),
        (RIG + "tone: !!python/object:os.system x\n", 4),
    ],
)
def test_broken_yaml_names_the_line(text: str, line: int) -> None:
    message = error_of(text)
    assert message.startswith(f"rig.yaml:{line}: the rig file is not valid YAML")


def test_deep_nesting_is_an_error_not_a_crash() -> None:
    assert "not valid YAML" in error_of("a: " + "[" * 5000)


def test_several_mistakes_are_one_error_with_a_line_each() -> None:
    lines = error_of(RIG + "tone: {linear: 2}\nfusion: {threads: x}\n").splitlines()
    assert [line.split(": ")[1] for line in lines] == ["tone.linear", "fusion.threads"]


def test_live_and_recorded_cameras_do_not_mix(tmp_path: Path) -> None:
    text = "cameras:\n  ir: {driver: files, path: .}\n  visible: {driver: v4l2, device: a}\n"
    message = error_of(text, tmp_path)
    assert "cameras" in message and "times cannot be compared" in message


@pytest.mark.parametrize(
    ("section", "key"),
    [
        ("alignment: {calibration: nowhere.yaml}", "alignment.calibration"),
        ("fusion: {model: ./nowhere}", "fusion.model"),
        ("tracking: {yolo: {model: nowhere.onnx}}", "tracking.yolo.model"),
    ],
)
def test_a_missing_file_is_named_with_its_whole_path(
    section: str, key: str, tmp_path: Path
) -> None:
    message = error_of(RIG + section, tmp_path)
    assert key in message and str(tmp_path / "nowhere") in message


def test_rig_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"rig file not found: .*absent\.yaml"):
        load_rig(tmp_path / "absent.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_rig(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"# caf\xe9\n")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_rig(tmp_path / "latin.yaml")


def test_exponents_without_a_dot_are_numbers() -> None:
    assert rig_from_text(RIG + "tone: {plateau: 5e-2}").tone.plateau == 0.05


def test_sections_made_in_python_raise_the_same_error() -> None:
    with pytest.raises(ConfigError, match=r"AlignmentConfig: size\[1\]: found 'a'"):
        AlignmentConfig(size=(640, "a"))
    with pytest.raises(ConfigError, match="tolerance is not a known key"):
        PairingConfig(tolerance=3)
    with pytest.raises(ConfigError, match="must be a dict"):
        rig_from_dict([1])  # type: ignore[arg-type]


def test_config_loads_without_opencv() -> None:
    code = "import sys, edge_sdk.config; sys.exit('cv2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


@pytest.mark.parametrize(
    ("text", "place", "allowed"),
    [
        ("tracking: {warm: {min_contrast: 0.5}}", "tracking.warm.min_contrast: found 0.5", "1"),
        ("tracking: {warm: {max_area_share: 0.0001}}", "tracking.warm.max_area_share", "0.001"),
        ("tracking: {tracker: {max_lost_s: 4000}}", "tracking.tracker.max_lost_s", "3600"),
        ("tracking: {tracker: {min_hits: 2000}}", "tracking.tracker.min_hits", "1000"),
        ("simulation: {visible_size: [32, 32]}", "simulation.visible_size[0]: found 32", "64"),
        ("simulation: {ir_size: [640, 5000]}", "simulation.ir_size[1]: found 5000", "4096"),
        ("simulation: {visible_fps: 0.5}", "simulation.visible_fps: found 0.5", "1"),
        ("simulation: {duration_frames: 0}", "simulation.duration_frames: found 0", "1"),
        ("alignment: {size: [16, 16]}\ntracking: {detector: warm}", "alignment.size", "32x32"),
    ],
)
def test_what_only_a_part_would_refuse_is_refused_by_the_rig_file(
    text: str, place: str, allowed: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        rig_from_text(RIG + text)
    assert place in str(caught.value) and allowed in str(caught.value)


@pytest.mark.parametrize("part", ["warm", "tracker", "simulation"])
def test_the_rig_file_allows_nothing_that_its_part_refuses(part: str) -> None:
    """Every number at both ends of what the section allows makes the part itself."""
    from edge_sdk.capture.simulated import SimulationConfig as Simulation
    from edge_sdk.config import SimulationConfig, TrackerConfig, WarmDetectorConfig
    from edge_sdk.tracking import TrackingHook, WarmObjectDetector

    section: Any
    section, make = {
        "warm": (WarmDetectorConfig, WarmObjectDetector),
        "tracker": (
            TrackerConfig,
            lambda max_lost_s, min_hits: TrackingHook(
                WarmObjectDetector(),
                max_lost_s=max_lost_s,
                min_hits=min_hits,
                coast_s=min(0.2, max_lost_s),
            ),
        ),
        "simulation": (SimulationConfig, Simulation),
    }[part]
    tried = 0
    for name, field in section.model_fields.items():
        limits = [m for m in field.metadata if hasattr(m, "ge") or hasattr(m, "le")]
        for part_of in getattr(field.annotation, "__args__", ()):
            limits += [m for m in getattr(part_of, "__metadata__", ()) if hasattr(m, "metadata")]
        for limit in limits:
            inner = getattr(limit, "metadata", [limit])
            for bound in inner:
                value = getattr(bound, "ge", None) or getattr(bound, "le", None)
                if value is not None:
                    asked = [value, value] if name.endswith("_size") else value
                    make(**section(**{name: asked}).model_dump())
                    tried += 1
    assert tried >= 3
