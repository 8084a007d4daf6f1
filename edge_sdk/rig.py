"""A rig file's sections made into cameras and hooks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_sdk.config import (
    GStreamerConfig,
    IrCameraConfig,
    RigConfig,
    TrackingConfig,
    V4L2Config,
    V4L2IrConfig,
)
from edge_sdk.errors import ConfigError, SourceError
from edge_sdk.frames import Hook
from edge_sdk.radiometry import Radiometry

if TYPE_CHECKING:
    from edge_sdk.calibration_file import Calibration
    from edge_sdk.capture.camera import Camera
    from edge_sdk.capture.core_control import CoreSettings
    from edge_sdk.capture.files import RecordedCamera
    from edge_sdk.capture.simulated import SimulatedRig
    from edge_sdk.yaml_file import Section

__all__ = [
    "SIMULATED_DISTANCE_M",
    "calibration_of",
    "core_settings",
    "open_cameras",
    "open_recordings",
    "open_rig",
    "radiometry_of",
    "simulated_rig",
    "tracking_hooks",
]

SIMULATED_DISTANCE_M = 10.0
_HOW_TO_READ = {"fps", "allow_gaps", "allow_colour"}


def open_cameras(config: RigConfig) -> tuple[Camera, Camera, SimulatedRig | None]:
    """Infrared and visible camera, and the simulated rig behind them if there is one.

    Live cameras are not opened yet.

    Raises:
        SourceError: a recording cannot be read, or both are the same.
    """
    driver = config.cameras.ir.driver
    if driver == "simulated":
        from edge_sdk.capture.simulated import SimulatedRig, SimulationConfig

        rig = SimulatedRig(SimulationConfig(**config.simulation.model_dump()))
        return rig.ir, rig.visible, rig
    if config.cameras.ir.driver == "files" and config.cameras.visible.driver == "files":
        ir, visible = (
            (camera.path, camera.model_dump(include=_HOW_TO_READ))
            for camera in (config.cameras.ir, config.cameras.visible)
        )
        return *_open_both(ir, visible), None
    live = (_live_camera(config.cameras.ir, "ir"), _live_camera(config.cameras.visible, "visible"))
    return *live, None


def _live_camera(section: Section, name: str) -> Camera:
    """The infrared camera gives one channel whatever its format, since fusion takes its luma."""
    if isinstance(section, V4L2Config):
        from edge_sdk.capture.v4l2 import V4L2Camera

        settings = section.model_dump(exclude={"driver", "serial", "radiometry"})
        return V4L2Camera(name, mono=name == "ir", **settings)
    if isinstance(section, GStreamerConfig):
        from edge_sdk.capture.gstreamer import GStreamerCamera

        return GStreamerCamera(name, section.pipeline, mono=name == "ir")
    raise ConfigError(f"cameras.{name}: {section!r} is not a live camera")


def open_rig(config: RigConfig) -> tuple[Camera, Camera, SimulatedRig | None, dict[str, Any]]:
    """What a pipeline is made of: cameras, the simulated rig if there is one, other arguments.

    Raises:
        ConfigError: the driver is not part of this release.
        SourceError: a recording cannot be read, or a serial port cannot be found.
    """
    ir, visible, simulation = open_cameras(config)
    calibration = None
    apart = simulation is not None and not config.simulation.registered
    if simulation is not None and apart and config.alignment.calibration is None:
        calibration = calibration_of(simulation, SIMULATED_DISTANCE_M)
    names = ("pairing", "alignment", "tone", "fusion", "supervision")
    sections = {name: getattr(config, name) for name in names}
    sections["calibration"] = calibration
    sections["serial"] = core_settings(config.cameras.ir)
    sections["radiometry"] = radiometry_of(config.cameras.ir)
    return ir, visible, simulation, sections


def open_recordings(
    ir: str | Path,
    visible: str | Path,
    fps: float | None,
    allow_gaps: bool,
    allow_colour: bool = False,
) -> tuple[RecordedCamera, RecordedCamera]:
    """Two recordings of one scene.

    Raises:
        SourceError: one cannot be read, or both are the same.
    """
    settings = {"fps": fps, "allow_gaps": allow_gaps}
    return _open_both((ir, {**settings, "allow_colour": allow_colour}), (visible, settings))


def _open_both(
    ir: tuple[str | Path, dict[str, Any]], visible: tuple[str | Path, dict[str, Any]]
) -> tuple[RecordedCamera, RecordedCamera]:
    """Path and settings of each recording to both, open."""
    from edge_sdk.capture.files import open_recording, same_source

    if same_source(ir[0], visible[0]):
        raise SourceError(
            f"ir and visible are the same recording: {ir[0]}; give one of each camera"
        )
    ir_camera = open_recording(ir[0], "ir", **ir[1])
    try:
        return ir_camera, open_recording(visible[0], "visible", **visible[1])
    except BaseException:
        ir_camera.close()
        raise


def simulated_rig(condition: str, options: dict[str, Any]) -> SimulatedRig:
    """The simulated rig with these fields of ``SimulationConfig``.

    Raises:
        ConfigError: there is no such field, or a value is out of its range.
    """
    from edge_sdk.capture.simulated import SimulatedRig, SimulationConfig

    try:
        return SimulatedRig(SimulationConfig(condition=condition, **options))
    except TypeError as error:
        raise ConfigError(f"simulated: {error}") from None


def core_settings(camera: IrCameraConfig) -> CoreSettings | None:
    """The control port of an infrared camera; None if the rig file declares none.

    Raises:
        DeviceNotFoundError: the port is ``auto``, and the camera has none.
    """
    serial = getattr(camera, "serial", None)
    if serial is None:
        return None
    from edge_sdk.capture.core_control import CoreSettings

    port: str | Callable[[], str] = serial.port
    if port == "auto":
        assert isinstance(camera, V4L2IrConfig)  # the others are not allowed it
        from edge_sdk.capture.v4l2 import serial_port_of

        port = partial(serial_port_of, camera.device)
        port()
    return CoreSettings(**serial.model_dump() | {"port": port})


def radiometry_of(camera: IrCameraConfig) -> Radiometry | None:
    """How the camera's counts become temperatures; None if the rig file does not say."""
    radiometry = getattr(camera, "radiometry", None)
    return None if radiometry is None else Radiometry(**radiometry.model_dump())


def tracking_hooks(config: TrackingConfig) -> list[Hook]:
    """The hook that the ``tracking`` section asks for; empty for ``detector: none``.

    Raises:
        ConfigError, ModelError: the YOLO network cannot be used.
    """
    if config.detector == "none":
        return []
    from edge_sdk.tracking import Detector, TrackingHook, WarmObjectDetector, YoloDetector

    detector: Detector
    if config.detector == "yolo":
        assert config.yolo.model is not None  # the section checks that
        detector = YoloDetector(**config.yolo.model_dump())
    else:
        detector = WarmObjectDetector(**config.warm.model_dump())
    return [
        TrackingHook(
            detector,
            max_lost_s=config.tracker.max_lost_s,
            coast_s=min(0.2, config.tracker.max_lost_s),
            min_hits=config.tracker.min_hits,
        )
    ]


def calibration_of(rig: SimulatedRig, distance_m: float) -> Calibration:
    """The simulated rig's perfect calibration, for objects at ``distance_m``."""
    from edge_sdk.calibration_file import build_calibration

    truth = rig.calibration(distance_m)
    cameras = {
        name: {
            "name": f"simulated {name}",
            "width": size[0],
            "height": size[1],
            "model": "pinhole",
            "K": {"fx": k[0, 0], "fy": k[1, 1], "cx": k[0, 2], "cy": k[1, 2]},
            "distortion": distortion,
        }
        for name, size, k, distortion in (
            ("ir", truth.ir_size, truth.ir_matrix, truth.ir_distortion),
            ("visible", truth.visible_size, truth.visible_matrix, truth.visible_distortion),
        )
    }
    registration = {
        "homography": truth.homography,
        "distance_m": truth.distance_m,
        "extrinsics": {"R": truth.rotation, "t_m": truth.translation_m},
    }
    return build_calibration(
        {"date": "2026-01-01", "cameras": cameras, "registration": registration}
    )
