"""Temperatures in the fused grid, against the calibration's own geometry."""

from __future__ import annotations

import numpy as np
import pytest

from edge_sdk import ConfigError, Frame, FrameFlags, FramePair, FusionPipeline
from edge_sdk.calibration_file import build_calibration
from edge_sdk.config import AlignmentConfig, FusionConfig, rig_from_dict
from edge_sdk.radiometry import Radiometry

LINE = Radiometry(scale=0.01, offset_c=-273.15)
SIZE = (96, 64)


def _pipeline(**options):
    options = {"radiometry": LINE, "alignment": AlignmentConfig(size=SIZE)} | options
    return FusionPipeline(fusion=FusionConfig(threads=1), **options)


def _pair(celsius, index=0, flags=FrameFlags.NONE, dtype=np.uint16):
    counts = np.round((np.asarray(celsius) + 273.15) * 100) if dtype == np.uint16 else celsius
    ir = np.broadcast_to(counts, SIZE[::-1]).astype(dtype)
    stamp = index * 33_000_000
    visible = Frame(np.full((*SIZE[::-1], 3), 90, np.uint8), stamp, index, "visible")
    return FramePair(Frame(ir, stamp, index, "ir", flags), visible)


def test_degrees_are_scale_times_counts_plus_offset():
    celsius = np.linspace(-20, 120, SIZE[0])[None, :]
    found = _pipeline().step(_pair(celsius)).ir_celsius
    assert found.shape == SIZE[::-1] and found.dtype == np.float32
    assert np.allclose(found, celsius, atol=0.006)


def test_without_a_declaration_or_in_8_bit_there_are_none():
    assert _pipeline(radiometry=None).step(_pair(20.0)).ir_celsius is None
    assert _pipeline().step(_pair(77, dtype=np.uint8)).ir_celsius is None


def test_it_lies_in_the_fused_grid_and_is_nan_where_there_is_no_infrared():
    """The infrared image is half as wide, and shifted: a hot spot lands where that says."""
    k = {"fx": 90.0, "fy": 90.0, "cx": 47.5, "cy": 31.5}
    camera = {"width": 96, "height": 64, "model": "pinhole", "K": k, "distortion": [0.0] * 5}
    homography = [[0.5, 0.0, 20.0], [0.0, 0.5, 10.0], [0.0, 0.0, 1.0]]
    calibration = build_calibration(
        {
            "date": "2026-01-01",
            "cameras": {"ir": {"name": "a", **camera}, "visible": {"name": "b", **camera}},
            "registration": {"homography": homography},
        }
    )
    scene = np.full(SIZE[::-1], 15.0)
    scene[28:36, 56:64] = 80.0
    found = _pipeline(calibration=calibration).step(_pair(scene)).ir_celsius
    seen = np.isfinite(found)
    assert seen[12:40, 22:66].all() and not seen[:9].any() and not seen[:, 70:].any()
    # (60, 32) in the infrared is (0.5 * 60 + 20, 0.5 * 32 + 10) in the fused grid.
    assert found[26, 50] == pytest.approx(80.0, abs=0.01)
    assert found[14, 30] == pytest.approx(15.0, abs=0.01)
    assert np.nanmin(found) >= 14.9  # the border holds no mixture with nothing


def test_the_shutter_holds_the_temperatures_of_the_last_good_frame():
    pipeline = _pipeline()
    pipeline.step(_pair(30.0, 0))
    held = pipeline.step(_pair(5.0, 1, FrameFlags.SHUTTER))
    assert held.degraded == ("ir shutter",) and np.allclose(held.ir_celsius, 30.0, atol=0.006)


def test_the_rig_file_declares_it():
    rig = rig_from_dict(
        {
            "cameras": {
                "ir": {"driver": "simulated", "radiometry": {"scale": 0.01, "offset_c": -273.15}},
                "visible": {"driver": "simulated"},
            },
            "simulation": {"visible_size": [96, 64], "realtime": False, "duration_frames": 3},
            "alignment": {"size": [96, 64]},
        }
    )
    with FusionPipeline.open(rig) as pipeline:
        fused = list(pipeline)[-1]
        truth = pipeline.rig.truth(fused.timestamp_ns).clean_ir_aligned
    assert np.abs(fused.ir_celsius - (truth * 0.01 - 273.15)).mean() < 1.0  # noise and stripes
    with pytest.raises(ConfigError, match=r"cameras\.ir\.radiometry\.scale.*must be"):
        rig_from_dict(
            {
                "cameras": {
                    "ir": {"driver": "simulated", "radiometry": {"scale": 0, "offset_c": 0.0}},
                    "visible": {"driver": "simulated"},
                }
            }
        )
