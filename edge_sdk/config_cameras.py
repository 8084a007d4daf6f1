"""The section ``cameras`` of a rig file."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias, Union

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    model_validator,
)
from pydantic_core import PydanticCustomError

from edge_sdk.capture.v4l2.fourcc import FORMATS, format_of_name
from edge_sdk.config_types import ExistingPath, Name, Side
from edge_sdk.yaml_file import Section

__all__ = [
    "CamerasConfig",
    "FilesConfig",
    "FilesIrConfig",
    "GStreamerConfig",
    "GStreamerIrConfig",
    "IrCameraConfig",
    "RadiometryConfig",
    "SerialConfig",
    "SimulatedConfig",
    "SimulatedIrConfig",
    "V4L2Config",
    "V4L2IrConfig",
    "VisibleCameraConfig",
]


def _has_driver(value: Any) -> Any:
    if isinstance(value, dict) and "driver" not in value:
        keys = ", ".join(map(str, value)) or "nothing"
        raise PydanticCustomError(
            "driver",
            "the key 'driver' is missing (found {keys}); "
            "allowed: v4l2, files, gstreamer, simulated",
            {"keys": keys},
        )
    return value


def _pixel_format(value: str) -> str:
    found = format_of_name(value)
    if found is None:
        raise ValueError(f"must be one of {', '.join(f.name for f in FORMATS)}")
    return found.name


class SerialConfig(Section):
    """Control port of an infrared core. None leaves a setting as the core has it."""

    protocol: Literal["boson", "tau2"]
    port: Name = "auto"
    """Device path, or ``auto``: the port of the same USB device as the video."""
    baudrate: PositiveInt | None = None
    """Bits per second; None: what the core has when it leaves the factory (``boson`` 921600,
    ``tau2`` 57600)."""
    auto_ffc: bool | None = None
    """Whether the core does its flat-field correction (FFC) by itself, whenever it likes."""
    gain: Literal["high", "low", "auto"] | None = None
    ffc_when_still: bool = False
    """Run an FFC when the core asks for one and nothing moves in the infrared picture."""
    ffc_max_wait_s: NonNegativeFloat = 60.0
    """How long ``ffc_when_still`` waits for a still scene before it does without."""

    @model_validator(mode="after")
    def _one_master(self) -> SerialConfig:
        if self.ffc_when_still and self.auto_ffc:
            raise ValueError(
                "auto_ffc: true lets the core choose the moment, and ffc_when_still: true the "
                "pipeline; use one of them"
            )
        return self


class RadiometryConfig(Section):
    """Temperature in degrees Celsius = scale * counts + offset_c, for 16-bit infrared."""

    scale: PositiveFloat
    offset_c: float


class V4L2Config(Section):
    """A camera of the Linux kernel's video interface. None leaves a value as the driver has it."""

    driver: Literal["v4l2"]
    device: Name
    """Identity: ``serial:...``, ``name:...``, a by-id or by-path link, or ``/dev/videoN``."""
    format: Annotated[str, AfterValidator(_pixel_format)] | None = None
    """Pixel format: Y16, Y16_BE, Y14, Y12, Y10, GREY, YUYV, UYVY, NV12, BGR24, RGB24, MJPG."""
    width: Side | None = None
    height: Side | None = None
    fps: PositiveFloat | None = None
    controls: dict[str, bool | int | float | str] = Field(default_factory=dict)
    allow_adjusted: bool = False
    """Accept another format, size or rate than asked, if that is what the driver grants."""

    @model_validator(mode="after")
    def _size(self) -> V4L2Config:
        if (self.width is None) != (self.height is None):
            raise ValueError("width and height must be given together, or neither")
        return self


class _InfraredCore(Section):
    """What a live infrared camera may have beside its picture."""

    serial: SerialConfig | None = None
    radiometry: RadiometryConfig | None = None


class V4L2IrConfig(V4L2Config, _InfraredCore):
    """An infrared camera of the Linux kernel's video interface."""


def _needs_port(section: Any) -> Any:
    if section.serial is not None and section.serial.port == "auto":
        raise ValueError(
            "serial.port is auto, which only the driver v4l2 can look up; give the port itself, "
            "for instance /dev/ttyACM0"
        )
    return section


class FilesConfig(Section):
    """A recording: a video file or a folder of images."""

    driver: Literal["files"]
    path: ExistingPath
    fps: PositiveFloat | None = None
    """Frames per second; None: as the recording says."""
    allow_gaps: bool = False


class FilesIrConfig(FilesConfig):
    """An infrared recording."""

    allow_colour: bool = False
    """Take the luma of a colour picture, for instance of a palette, for infrared."""
    radiometry: RadiometryConfig | None = None


class GStreamerConfig(Section):
    """A camera behind a GStreamer pipeline that ends in ``appsink``."""

    driver: Literal["gstreamer"]
    pipeline: Name


class GStreamerIrConfig(GStreamerConfig, _InfraredCore):
    """An infrared camera behind a GStreamer pipeline."""

    _check_port = model_validator(mode="after")(_needs_port)


class SimulatedConfig(Section):
    """One camera of the simulated rig, see :class:`edge_sdk.config.SimulationConfig`."""

    driver: Literal["simulated"]


class SimulatedIrConfig(SimulatedConfig, _InfraredCore):
    """The infrared camera of the simulated rig; it delivers 100 counts per kelvin."""

    _check_port = model_validator(mode="after")(_needs_port)


IrCameraConfig: TypeAlias = Annotated[
    Union[V4L2IrConfig, FilesIrConfig, GStreamerIrConfig, SimulatedIrConfig],  # noqa: UP007
    Field(discriminator="driver"),
    BeforeValidator(_has_driver),
]
VisibleCameraConfig: TypeAlias = Annotated[
    Union[V4L2Config, FilesConfig, GStreamerConfig, SimulatedConfig],  # noqa: UP007
    Field(discriminator="driver"),
    BeforeValidator(_has_driver),
]
_CLOCK_OF = {
    "v4l2": "live",
    "gstreamer": "live",
    "files": "recorded",
    "simulated": "simulated",
}


class CamerasConfig(Section):
    """The two cameras. Both live, both recorded or both simulated: their times must compare."""

    ir: IrCameraConfig
    visible: VisibleCameraConfig

    @model_validator(mode="after")
    def _one_clock(self) -> CamerasConfig:
        clocks = [_CLOCK_OF[camera.driver] for camera in (self.ir, self.visible)]
        if clocks[0] != clocks[1]:
            raise ValueError(
                f"ir is {clocks[0]} (driver: {self.ir.driver}) and visible is {clocks[1]} (driver: "
                f"{self.visible.driver}), so their times cannot be compared; use the same kind"
            )
        return self
