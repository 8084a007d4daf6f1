"""Every wrong value is one ConfigError that names the field, the value and what is allowed."""

from __future__ import annotations

from typing import Any

import pytest

from edge_sdk.capture.simulated import Fault, SimulatedRig, SimulationConfig
from edge_sdk.errors import ConfigError

BAD: list[tuple[str, Any]] = [
    ("seed", -1),
    ("seed", 1.5),
    ("seed", True),
    ("condition", "fog"),
    ("condition", None),
    ("visible_size", (640,)),
    ("visible_size", (640, 32)),
    ("visible_size", (640.0, 480)),
    ("visible_size", [640, 480]),
    ("ir_size", (5000, 512)),
    ("visible_fps", 0),
    ("visible_fps", float("nan")),
    ("ir_fps", "30"),
    ("ir_fps", 1000.0),
    ("visible_hfov_deg", 5),
    ("ir_hfov_deg", 120),
    ("baseline_m", 2.0),
    ("baseline_m", None),
    ("ir_rotation_deg", (0.0, 0.0)),
    ("ir_rotation_deg", (0.0, 45.0, 0.0)),
    ("visible_distortion", (0.9, 0.0)),
    ("visible_distortion", 0.1),
    ("people", -1),
    ("people", 101),
    ("people", 2.0),
    ("vehicles", 7),
    ("duration_frames", 0),
    ("ir_offset_ns", -5),
    ("jitter_ns", 20_000_000),
    ("jitter_ns", 0.5),
    ("drop_probability", 1.0),
    ("drop_probability", -0.1),
    ("ir_noise_counts", -1.0),
    ("stripe_sigma_counts", float("inf")),
    ("ir_drift_counts", -0.1),
    ("ir_blur_px", 99),
    ("visible_noise", -1),
    ("visible_blur_px", -0.5),
    ("ffc_period_s", 0.1),
    ("ffc_duration_s", 0.0),
    ("ffc_duration_s", 40.0),
    ("registered", 1),
    ("realtime", "no"),
    ("ir_faults", ("freeze",)),
    ("visible_faults", [Fault("freeze", 0.0, 1.0)]),
]


@pytest.mark.parametrize(("field", "value"), BAD, ids=lambda item: repr(item))
def test_bad_value(field: str, value: Any) -> None:
    other = {"ffc_period_s": 10.0} if (field, value) == ("ffc_duration_s", 40.0) else {}
    with pytest.raises(ConfigError) as caught:
        SimulationConfig(**{field: value, **other})
    message = str(caught.value)
    assert message.startswith(f"{field} is ")
    assert repr(value) in message
    assert "allowed is" in message


def test_a_lens_that_folds_the_picture_over_is_refused() -> None:
    with pytest.raises(ConfigError, match="ir_distortion is"):
        SimulationConfig(ir_hfov_deg=85.0, ir_distortion=(-0.45, 0.0))
    SimulationConfig(ir_hfov_deg=50.0, ir_distortion=(-0.3, 0.08))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("explode", 0.0, 1.0), ("'explode'", "freeze, disconnect")),
        (("freeze", -1.0, 1.0), ("start_s", "-1.0")),
        (("freeze", 0.0, 0.0), ("duration_s", "above 0")),
        (("freeze", 0.0, float("nan")), ("duration_s", "nan")),
        (("freeze", 0.0, 1.0, 2.0), ("amount", "leave it out")),
        (("clock_jump", 0.0, 1.0, "soon"), ("amount", "'soon'")),
    ],
)
def test_bad_fault(arguments: tuple[Any, ...], words: tuple[str, ...]) -> None:
    rig = SimulatedRig(SimulationConfig(visible_size=(64, 64), ir_size=(64, 64)))
    with pytest.raises(ConfigError) as caught:
        rig.ir.inject(*arguments)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("distance", [0.0, -1.0, float("inf"), "near", True])
def test_bad_distance(distance: Any) -> None:
    rig = SimulatedRig(SimulationConfig(visible_size=(64, 64), ir_size=(64, 64)))
    with pytest.raises(ConfigError, match="distance_m is"):
        rig.homography(distance)
