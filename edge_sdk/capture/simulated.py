"""A rig that needs no hardware: two simulated cameras, and the truth about what they see.

A street scene is drawn for a visible and an infrared camera side by side. Every frame is a function
of the configuration and its index alone, so that a run can be repeated exactly::

    rig = SimulatedRig(SimulationConfig(condition="night", seed=3))
    with rig.ir, rig.visible:
        ir, visible = rig.ir.read(), rig.visible.read()
    truth = rig.truth(visible.timestamp_ns)
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edge_sdk.capture.simulation.camera import Epoch, Sensor, SimulatedCamera
from edge_sdk.capture.simulation.config import CONDITIONS, SimulationConfig
from edge_sdk.capture.simulation.faults import FAULT_KINDS, Fault
from edge_sdk.capture.simulation.geometry import RigCalibration, plane_homography
from edge_sdk.capture.simulation.scene import Scene
from edge_sdk.capture.simulation.sensors import InfraredSensor, VisibleSensor
from edge_sdk.capture.simulation.timing import FrameClock, ShutterPlan
from edge_sdk.capture.simulation.truth import GroundTruth, TruthObject
from edge_sdk.errors import ConfigError

__all__ = [
    "CONDITIONS",
    "FAULT_KINDS",
    "Fault",
    "GroundTruth",
    "RigCalibration",
    "SimulatedCamera",
    "SimulatedRig",
    "SimulationConfig",
    "TruthObject",
]


class SimulatedRig:
    """A visible and an infrared camera that look at a simulated street.

    Attributes:
        config: what the rig was asked to be.
        ir: frames (H, W) uint16, 14-bit counts, 100 per kelvin.
        visible: frames (H, W, 3) uint8 BGR.
    """

    def __init__(self, config: SimulationConfig | None = None) -> None:
        config = SimulationConfig() if config is None else config
        self.config = config
        self._scene = Scene(config)
        self._epoch = Epoch(config.realtime)
        self.visible = self._make_visible()
        self.ir = self._make_ir()

    def truth(self, timestamp_ns: int) -> GroundTruth:
        """What is true at ``timestamp_ns``, a time stamp of a frame or any other moment.

        A ``clock_jump`` fault falsifies the stamps of frames: subtract it first.

        Raises:
            SourceError: the rig runs in real time and no camera was opened yet.
        """
        time_s = (timestamp_ns - self._epoch.start_ns) / 1e9
        return GroundTruth(self._scene, timestamp_ns, time_s)

    def homography(self, distance_m: float) -> NDArray[np.float64]:
        """Infrared pixels to visible pixels for the plane ``z = distance_m``.

        The plane is upright, parallel to the visible camera's sensor. Pixels are undistorted ones.

        Returns:
            (3, 3) float64, last entry 1.

        Raises:
            ConfigError: the distance is not a positive number.
        """
        return self.calibration(distance_m).homography

    def calibration(self, distance_m: float = 10.0) -> RigCalibration:
        """Intrinsics, lenses and pose of the two cameras, and the homography for a distance.

        Raises:
            ConfigError: the distance is not a positive number.
        """
        number = isinstance(distance_m, (int, float)) and not isinstance(distance_m, bool)
        if not number or not math.isfinite(distance_m) or distance_m <= 0.0:
            raise ConfigError(
                f"distance_m is {distance_m!r}; allowed is a number of metres above 0"
            )
        ir, visible = self._scene.ir_model, self._scene.visible_model
        # Camera coordinates: x_ir = R_ir (x_visible - c), so x_visible = R_ir^T x_ir + c.
        rotation = ir.view.rotation.T.copy()
        offset = np.asarray(ir.view.centre) - np.asarray(visible.view.centre)
        translation = offset * (1.0, -1.0, 1.0) + 0.0
        return RigCalibration(
            distance_m=float(distance_m),
            ir_matrix=ir.matrix.copy(),
            ir_distortion=ir.distortion.copy(),
            ir_size=ir.size,
            visible_matrix=visible.matrix.copy(),
            visible_distortion=visible.distortion.copy(),
            visible_size=visible.size,
            rotation=rotation,
            translation_m=translation,
            homography=plane_homography(
                ir.matrix, visible.matrix, rotation, translation, float(distance_m)
            ),
        )

    def _make_visible(self) -> SimulatedCamera:
        config = self.config
        scene = self._scene
        noise = config.visible_noise
        if noise is None:
            noise = 9.0 if config.condition == "night" else 1.6
        sensor = VisibleSensor(config.visible_size, config.seed, noise, config.visible_blur_px)

        def image(index: int, time_ns: int) -> NDArray[np.uint8]:
            return sensor.expose(scene.visible(time_ns / 1e9), index)

        def brighten(picture: NDArray[np.uint8], amount: float | None) -> NDArray[np.uint8]:
            gain = np.float32(2.2 if amount is None else amount)
            return np.clip(picture * gain, 0.0, 255.0).astype(np.uint8)

        clock = FrameClock(
            config.visible_fps, 0, config.jitter_ns, config.drop_probability, config.seed, 1
        )
        return SimulatedCamera(
            "visible",
            clock,
            ShutterPlan(None, config.ffc_duration_s),
            Sensor(image, brighten),
            self._epoch,
            config.duration_frames,
            config.visible_faults,
        )

    def _make_ir(self) -> SimulatedCamera:
        config = self.config
        scene = self._scene
        shutter = ShutterPlan(config.ffc_period_s, config.ffc_duration_s)
        sensor = InfraredSensor(
            scene.ir_model.size,
            config.seed,
            config.ir_noise_counts,
            config.stripe_sigma_counts,
            config.ir_drift_counts,
            config.ir_blur_px,
        )

        def image(index: int, time_ns: int) -> NDArray[np.uint16]:
            number, since_ns = shutter.correction(time_ns)
            return sensor.expose(scene.infrared(time_ns / 1e9), index, number, since_ns)

        def brighten(picture: NDArray[np.uint16], amount: float | None) -> NDArray[np.uint16]:
            counts = picture.astype(np.int32) + round(600.0 if amount is None else amount)
            return np.clip(counts, 0, 16383).astype(np.uint16)

        clock = FrameClock(
            config.ir_fps,
            config.ir_offset_ns,
            config.jitter_ns,
            config.drop_probability,
            config.seed,
            2,
        )
        frames = config.duration_frames
        if frames is not None:
            frames = max(1, math.ceil(frames * config.ir_fps / config.visible_fps))
        return SimulatedCamera(
            "ir",
            clock,
            shutter,
            Sensor(image, brighten),
            self._epoch,
            frames,
            config.ir_faults,
        )
