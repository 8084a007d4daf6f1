"""The calibration file: lenses of both cameras, and how infrared maps onto visible.

YAML, written by ``edge-sdk calibrate`` and read on the robot. Pixel coordinates have their origin
in the centre of the top left pixel (x right, y down), as in OpenCV. An *undistorted pixel* of a
camera is K (x/z, y/z, 1): the same camera matrix ``K``, no lens distortion.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias, TypeVar

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import Field, JsonValue, PositiveFloat, model_validator

from edge_sdk.errors import CalibrationError
from edge_sdk.geometry import homography_fault
from edge_sdk.yaml_file import Section, YamlText, read_yaml, validate

__all__ = [
    "FORMAT_VERSION",
    "Calibration",
    "CalibrationCameras",
    "CameraCalibration",
    "CameraFile",
    "CameraMatrix",
    "Extrinsics",
    "Registration",
    "build_calibration",
    "read_calibration",
    "read_camera",
    "write_calibration",
    "write_camera",
]

FORMAT_VERSION: Final = 1

Array: TypeAlias = NDArray[np.float64]
Vector3: TypeAlias = Annotated[tuple[float, float, float], Field(strict=False)]
Matrix3: TypeAlias = Annotated[tuple[Vector3, Vector3, Vector3], Field(strict=False)]

_FileT = TypeVar("_FileT", bound=Section)


class CameraMatrix(Section):
    """Focal lengths and principal point, in pixels."""

    fx: PositiveFloat
    fy: PositiveFloat
    cx: float
    cy: float


class CameraCalibration(Section):
    """One camera and its lens.

    Attributes:
        name: for people, for instance ``"Boson 640"``.
        identity: device that was calibrated, as in the rig file (``"serial:123456"``), or None.
        width, height: image size in pixels that the figures hold for.
        model: ``pinhole`` with radial-tangential distortion [k1, k2, p1, p2, k3] (Brown 1966), or
            ``fisheye`` with equidistant distortion [k1, k2, k3, k4] (Kannala and Brandt 2006);
            coefficients in OpenCV's order.
        K: camera matrix.
        distortion: 5 numbers for pinhole, 4 for fisheye.
    """

    name: str
    identity: str | None = None
    width: Annotated[int, Field(ge=16)]
    height: Annotated[int, Field(ge=16)]
    model: Literal["pinhole", "fisheye"]
    K: CameraMatrix
    distortion: list[float]

    @model_validator(mode="after")
    def _distortion(self) -> CameraCalibration:
        wanted = {"pinhole": 5, "fisheye": 4}[self.model]
        if len(self.distortion) != wanted:
            raise ValueError(
                f"distortion must have {wanted} numbers for model {self.model}, "
                f"found {len(self.distortion)}"
            )
        return self

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.width, self.height

    def require(self, where: str, size: tuple[int, int], identity: str | None = None) -> None:
        """Check that this calibration belongs to a camera as it is now.

        Args:
            where: what the message calls the calibration, for instance ``"cameras.ir"``.
            size: (width, height) of the camera's images, in pixels.
            identity: the device, spelt as in the file; not compared if None here or in the file.

        Raises:
            CalibrationError: it was made for another image size or another device.
        """
        if identity is not None and self.identity is not None and identity != self.identity:
            raise CalibrationError(
                f"{where}.identity: the calibration is of {self.identity!r} "
                f"({self.name}), the camera is {identity!r}; calibrate this camera "
                "(edge-sdk calibrate) or name the right file in alignment.calibration"
            )
        if tuple(size) != self.size:
            raise CalibrationError(
                f"{where}: the calibration is for {self.width}x{self.height} images, the "
                f"camera delivers {size[0]}x{size[1]}; set the camera to {self.width}x"
                f"{self.height} or calibrate at the new size"
            )

    @property
    def matrix(self) -> Array:
        """(3, 3) float64 camera matrix."""
        k = self.K
        return np.array([[k.fx, 0.0, k.cx], [0.0, k.fy, k.cy], [0.0, 0.0, 1.0]])

    @property
    def coefficients(self) -> Array:
        """(5,) or (4,) float64 distortion coefficients."""
        return np.array(self.distortion, dtype=np.float64)


class CalibrationCameras(Section):
    """Both cameras."""

    ir: CameraCalibration
    visible: CameraCalibration


class Extrinsics(Section):
    """Pose: X_visible = R X_ir + t, in metres, axes x right, y down, z forward.

    Attributes:
        R: rotation, 3 rows of 3.
        t_m: translation in metres.
    """

    R: Matrix3
    t_m: Vector3

    @model_validator(mode="after")
    def _rotation(self) -> Extrinsics:
        r = self.rotation
        off = float(np.abs(r @ r.T - np.eye(3)).max())
        if off > 1e-3 or np.linalg.det(r) < 0:
            raise ValueError(
                f"R must be a rotation (R R^T = I, determinant 1); R R^T is off by {off:.3g}, "
                f"determinant {np.linalg.det(r):.3g}"
            )
        return self

    @property
    def rotation(self) -> Array:
        """(3, 3) float64."""
        return np.array(self.R, dtype=np.float64)

    @property
    def translation_m(self) -> Array:
        """(3,) float64."""
        return np.array(self.t_m, dtype=np.float64)


class Registration(Section):
    """How undistorted infrared pixels map onto undistorted visible pixels.

    Attributes:
        homography: 3 rows of 3; (u_visible, v_visible, 1) ~ H (u_ir, v_ir, 1), full resolutions.
        distance_m: distance that the homography was measured at; None if unknown or far.
        extrinsics: pose between the cameras, with which other distances can be aligned.
    """

    homography: Matrix3
    distance_m: PositiveFloat | None = None
    extrinsics: Extrinsics | None = None

    @property
    def matrix(self) -> Array:
        """(3, 3) float64 homography."""
        return np.array(self.homography, dtype=np.float64)


class Calibration(Section):
    """A whole calibration file."""

    edge_sdk_calibration: Literal[1] = FORMAT_VERSION
    date: Annotated[dt.date, Field(strict=False)]
    cameras: CalibrationCameras
    registration: Registration
    report: dict[str, JsonValue] = Field(default_factory=dict)
    """Figures of the calibration's quality, as its tools wrote them."""

    @model_validator(mode="after")
    def _homography(self) -> Calibration:
        fault = homography_fault(self.registration.matrix, self.cameras.ir.size)
        if fault:
            found = self.registration.matrix.tolist()
            raise ValueError(f"registration.homography {fault} (found {found})")
        return self

    def require_camera(
        self,
        camera: Literal["ir", "visible"],
        size: tuple[int, int],
        identity: str | None = None,
    ) -> None:
        """Check that this calibration belongs to a camera as it is now.

        Args:
            camera: which of the two.
            size: (width, height) of its images, in pixels.
            identity: the device, spelt as in the file; not compared if None here or in the file.

        Raises:
            CalibrationError: it was made for another image size or another device.
        """
        mine: CameraCalibration = getattr(self.cameras, camera)
        mine.require(f"cameras.{camera}", size, identity)


class CameraFile(Section):
    """A camera file: one calibrated lens, not yet a rig."""

    edge_sdk_camera: Literal[1] = FORMAT_VERSION
    date: Annotated[dt.date, Field(strict=False)]
    camera: CameraCalibration
    report: dict[str, JsonValue] = Field(default_factory=dict)
    """Figures of the calibration's quality, as its tools wrote them."""


def read_camera(path: str | Path) -> CameraFile:
    """Read a camera file, as ``edge-sdk calibrate intrinsics`` writes it.

    Raises:
        CalibrationError: as :func:`read_calibration`.
    """
    return _read(path, "camera file", "edge_sdk_camera", CameraFile)


def read_calibration(path: str | Path) -> Calibration:
    """Read a calibration file.

    Raises:
        CalibrationError: the file is absent, not YAML, of another version, or holds something
            impossible; one error that names file, line, key and value.
    """
    return _read(path, "calibration file", "edge_sdk_calibration", Calibration)


def _read(path: str | Path, what: str, key: str, model: type[_FileT]) -> _FileT:
    text = read_yaml(path, what, CalibrationError)
    version = text.data.get(key)
    if version != FORMAT_VERSION or isinstance(version, bool):
        found = "it is missing" if version is None else f"found {version!r}"
        raise CalibrationError(
            f"{text.where}: {key} must be {FORMAT_VERSION}, {found}; "
            f"this is no {what}, or one of another version of edge_sdk"
        )
    return validate(model, text, CalibrationError)


def build_calibration(data: dict[str, Any]) -> Calibration:
    """A calibration from a dict with the keys of a calibration file (without the version).

    Numbers may be numpy's, and matrices may be arrays.

    Raises:
        CalibrationError: as :func:`read_calibration`.
    """
    plain = _plain({"edge_sdk_calibration": FORMAT_VERSION, **data})
    return validate(Calibration, YamlText("<dict>", Path.cwd(), plain), CalibrationError)


def write_calibration(calibration: Calibration, path: str | Path) -> None:
    """Write a calibration file; what was there before stays whole until the new one is complete.

    Raises:
        CalibrationError: the folder is absent or cannot be written to.
    """
    _write(calibration, path, "calibration file", "# Calibration of a rig of edge_sdk.\n")


def write_camera(camera: CameraFile, path: str | Path) -> None:
    """Write a camera file; as :func:`write_calibration`."""
    _write(camera, path, "camera file", "# Calibration of one camera, of edge_sdk.\n")


def _write(content: Section, path: str | Path, what: str, heading: str) -> None:
    path = Path(path)
    data = _plain(content.model_dump())
    text = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_text(heading + text, encoding="utf-8")
        partial.replace(path)
    except OSError as fault:
        partial.unlink(missing_ok=True)
        raise CalibrationError(f"{what} cannot be written: {path}: {fault.strerror}") from fault


def _plain(value: Any) -> Any:
    """``value`` in YAML's own types."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


class _Dumper(yaml.SafeDumper):
    """Rows of numbers on one line, tables as a list of rows."""


def _represent_list(dumper: yaml.SafeDumper, items: list[Any]) -> yaml.Node:
    scalars = all(item is None or isinstance(item, str | int | float) for item in items)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=scalars)


_Dumper.add_representer(list, _represent_list)
