"""What a simulated rig is asked to be; checked when it is made."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from edge_sdk.capture.simulation.faults import Fault
from edge_sdk.capture.simulation.traffic import MAX_PEOPLE, MAX_VEHICLES
from edge_sdk.errors import ConfigError

__all__ = ["CONDITIONS", "SimulationConfig"]

CONDITIONS = ("day", "night", "smoke", "glare")

_RANGES: dict[str, tuple[float, float]] = {
    "visible_fps": (1.0, 240.0),
    "ir_fps": (1.0, 240.0),
    "visible_hfov_deg": (20.0, 90.0),
    "ir_hfov_deg": (20.0, 90.0),
    "baseline_m": (-0.5, 0.5),
    "drop_probability": (0.0, 0.9),
    "ir_noise_counts": (0.0, 1000.0),
    "stripe_sigma_counts": (0.0, 1000.0),
    "ir_drift_counts": (0.0, 1000.0),
    "ir_blur_px": (0.0, 10.0),
    "visible_noise": (0.0, 60.0),
    "visible_blur_px": (0.0, 10.0),
    "ffc_period_s": (1.0, 86400.0),
    "ffc_duration_s": (0.05, 10.0),
}
_WHOLE: dict[str, tuple[int, int]] = {
    "seed": (0, 2**63 - 1),
    "people": (0, MAX_PEOPLE),
    "vehicles": (0, MAX_VEHICLES),
    "duration_frames": (1, 10**9),
    "ir_offset_ns": (0, 10**9),
    "jitter_ns": (0, 10**9),
}
_OPTIONAL = ("duration_frames", "visible_noise", "ffc_period_s")
_SIZES = ("visible_size", "ir_size")
_FLAGS = ("registered", "realtime")


@dataclass(frozen=True)
class SimulationConfig:
    """A simulated rig. Every value is checked; see each line for what is allowed.

    Attributes:
        seed: whole number >= 0; picks the place, the people and all noise.
        condition: ``"day"``, ``"night"``, ``"smoke"`` or ``"glare"``. It changes light, heat and
            noise; the place and everybody's ways depend on the seed alone.
        visible_size: (width, height) of the visible images, 64 to 4096 pixels each.
        ir_size: (width, height) of the infrared images, 64 to 4096 pixels each.
        visible_fps, ir_fps: frames per second, 1 to 240.
        visible_hfov_deg, ir_hfov_deg: horizontal fields of view, 20 to 90 degrees.
        baseline_m: the infrared camera is this far to the right of the visible one, -0.5 to 0.5.
        ir_rotation_deg: rotation of the infrared camera about its x (pitch), y (yaw) and z (roll)
            axes, -10 to 10 degrees each.
        visible_distortion, ir_distortion: radial distortion (k1, k2) of OpenCV's model.
        people, vehicles: how many are on their way at a time, 0 to 100 and 0 to 6.
        duration_frames: the recording ends after so many visible frames (and the infrared frames of
            the same time); None for a rig without end.
        ir_offset_ns: the infrared camera starts so much later, 0 to 1e9.
        jitter_ns: frames are taken up to so much earlier or later than evenly spaced, uniformly;
            less than 0.45 of the shorter frame period. The stamps tell the time that was.
        drop_probability: share of the frames that are lost on their way, 0 to 0.9.
        ir_noise_counts: sigma of the infrared's temporally white noise, counts (100 per kelvin).
        stripe_sigma_counts: sigma of the fixed column offsets, counts.
        ir_drift_counts: how far the infrared level drifts between two shutter events, counts.
        ir_blur_px: Gaussian blur of the infrared lens, sigma in pixels.
        visible_noise: sigma of the visible noise at mid-grey, grey levels; None for what suits the
            condition (9 at night, 1.6 otherwise). Noise grows with the square root of the light.
        visible_blur_px: Gaussian blur of the visible lens, sigma in pixels.
        ffc_period_s: time between two flat-field corrections, 1 to 86400 s; None for none.
        ffc_duration_s: how long the shutter is closed, 0.05 to 10 s, at most half the period.
        registered: True for infrared images drawn in the visible camera's pixel grid and size, as
            after a perfect alignment for every depth; ``ir_size``, ``ir_hfov_deg``, ``baseline_m``,
            ``ir_rotation_deg`` and ``ir_distortion`` then have no effect.
        realtime: True for frames that appear at their own pace with time stamps of
            ``CLOCK_MONOTONIC`` and are lost if nobody reads; False for frames as fast as they are
            read, with the same time stamps in every run.
        ir_faults, visible_faults: what goes wrong when; see :class:`Fault`.

    Raises:
        ConfigError: a value is wrong; the message names the field, the value and what is allowed.
    """

    seed: int = 0
    condition: str = "day"
    visible_size: tuple[int, int] = (640, 480)
    ir_size: tuple[int, int] = (640, 512)
    visible_fps: float = 30.0
    ir_fps: float = 30.0
    visible_hfov_deg: float = 50.0
    ir_hfov_deg: float = 56.0
    baseline_m: float = 0.035
    ir_rotation_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)
    visible_distortion: tuple[float, float] = (0.0, 0.0)
    ir_distortion: tuple[float, float] = (0.0, 0.0)
    people: int = 6
    vehicles: int = 3
    duration_frames: int | None = None
    ir_offset_ns: int = 0
    jitter_ns: int = 200_000
    drop_probability: float = 0.0
    ir_noise_counts: float = 30.0
    stripe_sigma_counts: float = 40.0
    ir_drift_counts: float = 40.0
    ir_blur_px: float = 0.6
    visible_noise: float | None = None
    visible_blur_px: float = 0.8
    ffc_period_s: float | None = 60.0
    ffc_duration_s: float = 0.5
    registered: bool = False
    realtime: bool = False
    ir_faults: tuple[Fault, ...] = ()
    visible_faults: tuple[Fault, ...] = ()

    def __post_init__(self) -> None:
        for name, limits in _RANGES.items():
            self._check_range(name, limits, whole=False)
        for name, limits in _WHOLE.items():
            self._check_range(name, limits, whole=True)
        if self.condition not in CONDITIONS:
            self._refuse("condition", f"one of {', '.join(CONDITIONS)}")
        for name in _SIZES:
            self._check_tuple(name, 2, 64, 4096, whole=True)
        for name in _FLAGS:
            if not isinstance(getattr(self, name), bool):
                self._refuse(name, "True or False")
        self._check_tuple("ir_rotation_deg", 3, -10.0, 10.0)
        self._check_lens("visible_distortion", self.visible_size, self.visible_hfov_deg)
        self._check_lens("ir_distortion", self.ir_size, self.ir_hfov_deg)
        shorter_ns = 1e9 / max(self.visible_fps, self.ir_fps)
        if self.jitter_ns >= 0.45 * shorter_ns:
            self._refuse("jitter_ns", f"less than 0.45 frame periods ({int(0.45 * shorter_ns)})")
        if self.ffc_period_s is not None and self.ffc_duration_s > self.ffc_period_s / 2.0:
            self._refuse("ffc_duration_s", f"at most half of ffc_period_s ({self.ffc_period_s})")
        for name in ("ir_faults", "visible_faults"):
            faults = getattr(self, name)
            if not isinstance(faults, tuple) or any(not isinstance(f, Fault) for f in faults):
                self._refuse(name, "a tuple of Fault")

    def _refuse(self, name: str, allowed: str) -> None:
        raise ConfigError(f"{name} is {getattr(self, name)!r}; allowed is {allowed}")

    def _check_range(self, name: str, limits: tuple[float, float], *, whole: bool) -> None:
        value = getattr(self, name)
        if value is None and name in _OPTIONAL:
            return
        low, high = limits
        if not _is_number(value, whole=whole) or not low <= value <= high:
            kind = "a whole number" if whole else "a number"
            also = " or None" if name in _OPTIONAL else ""
            self._refuse(name, f"{kind} from {low:g} to {high:g}{also}")

    def _check_tuple(
        self, name: str, length: int, low: float, high: float, *, whole: bool = False
    ) -> None:
        value = getattr(self, name)
        good = isinstance(value, tuple) and len(value) == length
        if not good or any(not _is_number(v, whole=whole) or not low <= v <= high for v in value):
            kind = "whole numbers" if whole else "numbers"
            self._refuse(name, f"a tuple of {length} {kind} from {low:g} to {high:g}")

    def _check_lens(self, name: str, size: tuple[int, int], hfov_deg: float) -> None:
        """A lens must be a one-to-one map over the whole picture, or there is nothing to undo."""
        self._check_tuple(name, 2, -0.5, 0.5)
        k1, k2 = getattr(self, name)
        if k1 == 0.0 and k2 == 0.0:
            return
        half = math.tan(math.radians(hfov_deg) / 2.0)
        corner = np.array([[[half, 1.1 * half * size[1] / size[0]]]])
        matrix, lens = np.eye(3), np.array([k1, k2, 0.0, 0.0, 0.0])
        straight = cv2.undistortPoints(corner, matrix, lens).reshape(2)
        square = float(straight @ straight)
        bent = straight * (1.0 + k1 * square + k2 * square**2)
        slope = 1.0 + 3.0 * k1 * square + 5.0 * k2 * square**2
        if not np.isfinite(bent).all() or np.abs(bent - corner).max() > 1e-3 or slope < 0.1:
            self._refuse(name, "a weaker distortion: this one folds the picture's corners over")


def _is_number(value: object, *, whole: bool) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return isinstance(value, int) if whole else math.isfinite(value)
