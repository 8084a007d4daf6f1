"""The rig file: which cameras there are and what is done with their pictures.

A rig file is YAML. ``edge-sdk init`` writes a commented one (:func:`rig_template`). Relative paths
in it are relative to the file itself. Every section but ``cameras`` can be left out.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    ValidationInfo,
    model_validator,
)

from edge_sdk.config_cameras import (
    CamerasConfig,
    FilesConfig,
    FilesIrConfig,
    GStreamerConfig,
    GStreamerIrConfig,
    IrCameraConfig,
    RadiometryConfig,
    SerialConfig,
    SimulatedConfig,
    SimulatedIrConfig,
    V4L2Config,
    V4L2IrConfig,
    VisibleCameraConfig,
)
from edge_sdk.config_types import (
    ExistingPath,
    Name,
    NewPath,
    Share,
    SimulatedSize,
    Size,
    exists,
    in_folder,
)
from edge_sdk.errors import ConfigError
from edge_sdk.yaml_file import Section, YamlText, parse_yaml, read_yaml, validate

if TYPE_CHECKING:
    from edge_sdk.capture.supervision import SupervisorSettings

__all__ = [
    "AlignmentConfig",
    "CamerasConfig",
    "FilesConfig",
    "FilesIrConfig",
    "FusionConfig",
    "GStreamerConfig",
    "GStreamerIrConfig",
    "IrCameraConfig",
    "OutputConfig",
    "PairingConfig",
    "RadiometryConfig",
    "RigConfig",
    "SerialConfig",
    "SimulatedConfig",
    "SimulatedIrConfig",
    "SimulationConfig",
    "SupervisionConfig",
    "ToneConfig",
    "TrackerConfig",
    "TrackingConfig",
    "V4L2Config",
    "V4L2IrConfig",
    "VisibleCameraConfig",
    "WarmDetectorConfig",
    "YoloDetectorConfig",
    "load_rig",
    "rig_from_dict",
    "rig_from_text",
    "rig_template",
]


def _model(value: str, info: ValidationInfo) -> str:
    return str(exists(in_folder(value, info))) if "/" in value else value


class PairingConfig(Section):
    """Which frames of the two cameras belong together."""

    tolerance_ms: Annotated[float, Field(gt=0, lt=1000)] = 15.0
    single_after_ms: PositiveFloat = 500.0
    """One camera is shown alone when the other has been silent for so long; the visible one, when
    both deliver and nothing has paired for so long."""

    @model_validator(mode="after")
    def _order(self) -> PairingConfig:
        if self.single_after_ms <= self.tolerance_ms:
            raise ValueError(
                f"single_after_ms ({self.single_after_ms}) must be more than "
                f"tolerance_ms ({self.tolerance_ms})"
            )
        return self


class SupervisionConfig(Section):
    """When a live camera counts as gone, and is opened again."""

    silent_after_ms: PositiveFloat = 500.0
    """A camera without a frame for so long, and for five frame periods, is silent."""
    frozen_after_ms: PositiveFloat | None = 500.0
    """A camera that repeats one picture for so long, and for five frames, is frozen. None for
    sources without noise, which may stand still: their content is not looked at."""
    reopen_after_s: PositiveFloat = 2.0
    """A camera that is silent or frozen for so long is closed and opened again."""

    def settings(self) -> SupervisorSettings:
        """In the supervisor's units."""
        from edge_sdk.capture.supervision import SupervisorSettings

        frozen_ms = self.frozen_after_ms
        return SupervisorSettings(
            silent_after_s=self.silent_after_ms / 1e3,
            frozen_after_s=None if frozen_ms is None else frozen_ms / 1e3,
            reopen_after_s=self.reopen_after_s,
        )


class AlignmentConfig(Section):
    """How both pictures come into one pixel grid; see :class:`edge_sdk.alignment.Aligner`."""

    calibration: ExistingPath | None = None
    size: Size = (640, 480)
    """(width, height) of the fused picture, in pixels."""
    distance_m: PositiveFloat | None = None
    monitor: bool = True
    """Watch whether the pictures still lie on each other; see :mod:`edge_sdk.health`."""
    max_shift_px: PositiveFloat = 4.5
    """Shift of the aligned pictures that is an event, pixels of the fused picture."""
    reregister: bool = False
    """After such an event register anew in the background, by the calibration tools."""

    @model_validator(mode="after")
    def _watched(self) -> AlignmentConfig:
        if self.reregister and not self.monitor:
            raise ValueError("reregister needs monitor: true, which says when")
        return self


class ToneConfig(Section):
    """16-bit infrared to 8 bit; see :class:`edge_sdk.tone.ToneMapper`, which has the same names."""

    plateau: Annotated[float, Field(gt=0, le=1)] = 0.01
    linear: Share = 0.5
    max_gain: PositiveFloat = 1.5
    low_percentile: Annotated[float, Field(ge=0, lt=50)] = 5.0
    high_percentile: Annotated[float, Field(gt=50, le=100)] = 95.0
    smoothing_s: NonNegativeFloat = 1.0
    reset_gap_s: PositiveFloat = 2.0


class FusionConfig(Section):
    """The model and the engine that runs it."""

    model: Annotated[Name, AfterValidator(_model)] = "default"
    """Name of a model that comes with the package, or, if it has a slash, a model folder."""
    engine: Literal["auto", "openvino", "onnxruntime"] = "auto"
    precision: Literal["auto", "int8", "fp32"] = "auto"
    threads: Annotated[int, Field(gt=0, le=1024)] | None = None
    """Threads on a CPU; None: all physical cores."""
    reset_gap_ms: PositiveFloat = 500.0
    """The recurrent state starts anew after a gap as long as this; raise it above the frame period
    of cameras that give two frames a second or fewer, or every frame is the first."""
    restored: bool = False
    """Give every fused frame both restored sources too (``restored_ir``, ``restored_visible``)."""


class WarmDetectorConfig(Section):
    """Finds objects that are warmer than what surrounds them."""

    min_contrast: Annotated[float, Field(ge=1, le=255)] = 25.0
    """Grey levels of the toned infrared above the surroundings."""
    min_area_px: Annotated[int, Field(ge=1, le=10**9)] = 40
    max_area_share: Annotated[float, Field(ge=0.001, le=1)] = 0.35


class YoloDetectorConfig(Section):
    """A YOLO network in ONNX, see :class:`edge_sdk.tracking.YoloDetector`."""

    model: ExistingPath | None = None
    min_score: Share = 0.35
    classes: list[Name] | None = None
    """Class names to keep; None keeps all."""


class TrackerConfig(Section):
    """Follows detections through time."""

    max_lost_s: Annotated[float, Field(ge=0.01, le=3600)] = 1.0
    """A track that is not seen for so long ends."""
    min_hits: Annotated[int, Field(ge=1, le=1000)] = 3
    """Detections before a track is reported."""


class TrackingConfig(Section):
    """What is detected and followed in the fused video."""

    detector: Literal["none", "warm", "yolo"] = "none"
    warm: WarmDetectorConfig = WarmDetectorConfig()
    yolo: YoloDetectorConfig = YoloDetectorConfig()
    tracker: TrackerConfig = TrackerConfig()

    @model_validator(mode="after")
    def _yolo_model(self) -> TrackingConfig:
        if self.detector == "yolo" and self.yolo.model is None:
            raise ValueError("detector is yolo, so yolo.model must name an ONNX file")
        return self


class OutputConfig(Section):
    """What is written while the pipeline runs."""

    video: NewPath | None = None
    """Video file of the fused pictures."""
    overlay: bool = True
    """Draw tracks and warnings into it."""


class SimulationConfig(Section):
    """The simulated rig that both cameras show when their driver is ``simulated``."""

    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    condition: Literal["day", "night", "smoke", "glare"] = "day"
    people: Annotated[int, Field(ge=0, le=100)] = 3
    vehicles: Annotated[int, Field(ge=0, le=6)] = 1
    visible_size: SimulatedSize = (640, 480)
    ir_size: SimulatedSize = (640, 480)
    visible_fps: Annotated[float, Field(ge=1, le=240)] = 30.0
    ir_fps: Annotated[float, Field(ge=1, le=240)] = 30.0
    duration_frames: Annotated[int, Field(ge=1, le=10**9)] | None = None
    """Length of the simulated recording; None never ends."""
    registered: bool = True
    """Both cameras see the same grid; False: they stand apart and need a calibration."""
    realtime: bool = True
    """Frames come at their pace and are lost when nobody reads; False: they wait."""


class RigConfig(Section):
    """A whole rig file."""

    cameras: CamerasConfig
    simulation: SimulationConfig = SimulationConfig()
    pairing: PairingConfig = PairingConfig()
    supervision: SupervisionConfig = SupervisionConfig()
    alignment: AlignmentConfig = AlignmentConfig()
    tone: ToneConfig = ToneConfig()
    fusion: FusionConfig = FusionConfig()
    tracking: TrackingConfig = TrackingConfig()
    output: OutputConfig = OutputConfig()

    @model_validator(mode="after")
    def _large_enough(self) -> RigConfig:
        if self.tracking.detector == "warm" and min(self.alignment.size) < 32:
            raise ValueError(
                f"tracking.detector: warm needs 32x32 pixels or more, and alignment.size is "
                f"{list(self.alignment.size)}"
            )
        return self


def load_rig(path: str | Path) -> RigConfig:
    """Read a rig file.

    Raises:
        ConfigError: the file is absent, is not YAML, or holds something impossible; one error that
            names file, line, key path, the value found and what is allowed.
    """
    if not isinstance(path, (str, Path)):
        raise ConfigError(
            f"a rig file is given by its path, found {type(path).__name__}; rig_from_dict() takes "
            "a dict"
        )
    return validate(RigConfig, read_yaml(path, "rig file"))


def rig_from_text(text: str, folder: str | Path = ".", where: str = "<text>") -> RigConfig:
    """A rig file given as text; relative paths are relative to ``folder``."""
    return validate(RigConfig, parse_yaml(text, "rig file", where, Path(folder).resolve()))


def rig_from_dict(data: dict[str, Any], folder: str | Path = ".") -> RigConfig:
    """A rig described by a dict with a rig file's keys; relative paths are relative to ``folder``.

    Raises:
        ConfigError: as :func:`load_rig`.
    """
    if not isinstance(data, dict):
        raise ConfigError(f"a rig must be a dict with the keys of a rig file, found {data!r}")
    return validate(RigConfig, YamlText("<dict>", Path(folder).resolve(), data))


def rig_template() -> str:
    """The commented example rig file that ``edge-sdk init`` writes. It runs without hardware."""
    return (files("edge_sdk") / "rig_template.yaml").read_text(encoding="utf-8")
