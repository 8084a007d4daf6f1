"""Infrared and visible into one pixel grid: lenses undistorted, infrared warped onto visible.

The output grid is the undistorted visible picture, scaled evenly and, where the shapes differ, cut
equally at two sides, so that pixels stay square. Each output pixel is followed back to its place in
each camera's image once, when the tables are made; a frame is then one table look-up a camera.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_sdk.calibration_file import Calibration, CameraCalibration
from edge_sdk.errors import CalibrationError
from edge_sdk.frames import Image
from edge_sdk.geometry import (
    apply,
    fit,
    homography_fault,
    plane_homography,
    same_aspect,
    scale_at_centre,
    stretch,
    undistorted_to_raw,
)

__all__ = ["Aligner"]

Array = NDArray[np.float64]
_SHRINK_BELOW = 0.6
_FAST_FLOAT = int(cv2.__version__.split(".")[0]) >= 5
_OUTSIDE = -16.0  # a coordinate whose bilinear neighbours all lie outside of any image


class Aligner:
    """Brings one camera pair into one grid.

    Without a calibration the two pictures must show the same view already (registered): they are
    scaled to ``output_size``, and passed on untouched if they have that size.

    Args:
        calibration: of both cameras, or None for registered cameras.
        ir_size: (width, height) of the infrared images, in pixels.
        visible_size: (width, height) of the visible images, in pixels.
        output_size: (width, height) of the common grid, in pixels.
        distance_m: align at this distance instead of the one in the file, see :meth:`set_distance`.

    Attributes:
        output_size: (width, height) of the common grid, in pixels.
        valid_mask: (height, width) bool, True where the infrared covers the grid. Infrared pixels
            outside of it are 0. Replaced by :meth:`set_distance`.
        visible_to_output: (3, 3) float64, undistorted visible pixels to output pixels.

    Raises:
        CalibrationError: the calibration is for other image sizes; there is none although the two
            cameras' shapes differ by more than 1 %; or a distance is asked without extrinsics.
    """

    def __init__(
        self,
        calibration: Calibration | None,
        ir_size: tuple[int, int],
        visible_size: tuple[int, int],
        output_size: tuple[int, int] = (640, 480),
        distance_m: float | None = None,
    ) -> None:
        self.output_size = output_size = (output_size[0], output_size[1])
        ir_size, visible_size = (ir_size[0], ir_size[1]), (visible_size[0], visible_size[1])
        self._sizes = {"ir": ir_size, "visible": visible_size}
        self._calibration = calibration
        if calibration is not None:
            calibration.require_camera("ir", ir_size)
            calibration.require_camera("visible", visible_size)
        elif not same_aspect(ir_size, visible_size):
            raise CalibrationError(
                f"infrared images are {_text(ir_size)} and visible images {_text(visible_size)}: "
                "their shapes differ, so they cannot show the same view; give a calibration "
                "(edge-sdk calibrate, then alignment.calibration in the rig file)"
            )
        self.visible_to_output = fit(visible_size, output_size)
        visible = None if calibration is None else calibration.cameras.visible
        self._visible = _Remap(
            visible, visible_size, output_size, self.visible_to_output, colour=True
        )
        if distance_m is not None:
            self.set_distance(distance_m)
        elif calibration is None:
            self._use_homography(stretch(ir_size, visible_size))
        else:
            self._use_homography(calibration.registration.matrix)

    @property
    def identity(self) -> bool:
        """True if :meth:`align` returns its arguments themselves."""
        return self._ir.identity and self._visible.identity

    def align(
        self,
        ir_image: Image | None,
        visible_image: Image | None,
        out: tuple[Image, Image] | None = None,
    ) -> tuple[Image | None, Image | None]:
        """Both images in the common grid.

        Args:
            ir_image: (H, W) uint8 or uint16 of ``ir_size``; None if there is none.
            visible_image: (H, W) or (H, W, 3) uint8 of ``visible_size``; None if there is none.
            out: arrays to write the results to, of ``output_size`` and the images' types. The
                caller owns them. Without them every call returns new arrays, or the argument itself
                where nothing is to be done (see :attr:`identity`).

        Returns:
            (ir, visible) in ``output_size``, types and channels as given; None where given None.

        Raises:
            CalibrationError: an image or an ``out`` array has another size or type than expected.
        """
        ir_out, visible_out = out if out is not None else (None, None)
        ir = visible = None
        if ir_image is not None:
            self._check("ir", ir_image, ((2,), (np.uint8, np.uint16)), ir_out)
            ir = self._ir(ir_image, ir_out)
        if visible_image is not None:
            self._check("visible", visible_image, ((2, 3), (np.uint8,)), visible_out)
            visible = self._visible(visible_image, visible_out)
        return ir, visible

    def is_for(self, image: Image) -> bool:
        """Whether some camera's images have the size of this one."""
        return image.shape[1::-1] in self._sizes.values()

    @property
    def homography(self) -> Array:
        """(3, 3) float64 in use: undistorted infrared to undistorted visible pixels."""
        return self._homography.copy()

    def set_homography(self, homography: Array) -> None:
        """Align by another homography; makes the infrared table anew (some 50 ms).

        Args:
            homography: (3, 3), undistorted infrared to undistorted visible pixels.

        Raises:
            CalibrationError: it cannot map one picture onto the other.
        """
        homography = np.asarray(homography, dtype=np.float64)
        fault = homography_fault(homography, self._sizes["ir"])
        if fault:
            raise CalibrationError(f"the homography {fault} (found {homography.tolist()})")
        self._use_homography(homography)

    def set_distance(self, distance_m: float) -> None:
        """Align objects at this distance; makes the infrared table anew (some 50 ms).

        What lies in the plane at ``distance_m`` before the infrared camera, at right angles to its
        axis, is aligned exactly (:func:`edge_sdk.geometry.plane_homography`).

        Args:
            distance_m: metres, more than 0; infinity is allowed.

        Raises:
            CalibrationError: the distance is not more than 0, there are no extrinsics, or at this
                distance the cameras' views cannot be mapped onto each other.
        """
        self._use_homography(self._homography_at(distance_m))

    def misalignment_px(self, distance_m: float) -> float:
        """How far apart the two pictures of an object at another distance are.

        Args:
            distance_m: distance of the object along the infrared camera's axis, metres.

        Returns:
            pixels of the output grid, in the centre of the infrared picture.

        Raises:
            CalibrationError: as :meth:`set_distance`.
        """
        width, height = self._sizes["ir"]
        centre = np.array([[(width - 1) / 2, (height - 1) / 2]])
        there = apply(self.visible_to_output @ self._homography_at(distance_m), centre)
        here = apply(self.visible_to_output @ self._homography, centre)
        return float(np.linalg.norm(there - here))

    def _homography_at(self, distance_m: float) -> Array:
        calibration = self._calibration
        extrinsics = None if calibration is None else calibration.registration.extrinsics
        if calibration is None or extrinsics is None:
            missing = "there is none" if calibration else "there is no calibration"
            raise CalibrationError(
                f"aligning at {distance_m} m needs registration.extrinsics (R, t_m) and {missing}; "
                "calibrate with extrinsics or leave distance_m out"
            )
        if not distance_m > 0:
            raise CalibrationError(f"distance_m must be more than 0, found {distance_m}")
        homography = plane_homography(
            calibration.cameras.ir.matrix,
            calibration.cameras.visible.matrix,
            extrinsics.rotation,
            extrinsics.translation_m,
            distance_m,
        )
        fault = homography_fault(homography, calibration.cameras.ir.size)
        if fault:
            raise CalibrationError(f"at {distance_m} m the homography {fault}")
        return homography

    def _use_homography(self, homography: Array) -> None:
        camera = None if self._calibration is None else self._calibration.cameras.ir
        to_output = self.visible_to_output @ homography
        remap = _Remap(camera, self._sizes["ir"], self.output_size, to_output, colour=False)
        if not remap.valid.any():
            raise CalibrationError(
                "the infrared picture lies wholly outside of the visible one; the registration in "
                "the calibration does not fit these cameras"
            )
        self._ir = remap
        self._homography = homography
        self.valid_mask: NDArray[np.bool_] = remap.valid

    def _check(
        self, camera: str, image: Image, allowed: tuple[Any, ...], out: Image | None
    ) -> None:
        size, (dimensions, types) = self._sizes[camera], allowed
        good = image.ndim in dimensions and (image.ndim == 2 or image.shape[2] == 3)
        if not good or image.dtype not in types or image.shape[:2] != size[::-1]:
            names = " or ".join(np.dtype(t).name for t in types)
            raise CalibrationError(
                f"the aligner was made for {camera} images of {_text(size)} pixels, {names}, found "
                f"shape {image.shape}, {image.dtype}; all frames of a run have one size and type"
            )
        if out is not None:
            wanted = self.output_size[::-1] + image.shape[2:]
            if out.shape != wanted or out.dtype != image.dtype or not out.flags.c_contiguous:
                raise CalibrationError(
                    f"out for {camera} must be a contiguous array of shape {wanted}, "
                    f"{image.dtype}, found {out.shape}, {out.dtype}"
                )


@dataclass(frozen=True)
class _Grid:
    """Where each output pixel comes from."""

    x: Array
    y: Array
    valid: NDArray[np.bool_]


class _Remap:
    """One camera's way into the output grid: an optional even reduction, then a table look-up.

    Where the picture becomes smaller than 0.6 of its size, bilinear interpolation would skip source
    pixels (aliasing). So it is first averaged over blocks of n x n pixels. Whole blocks, since
    OpenCV averages them some 15 times faster than by a fraction (2 x 2: 0.4 ms instead of 6 ms at
    1080p); the rest of the scale, between 0.8 and 1.25, is the table's.
    """

    def __init__(
        self,
        camera: CameraCalibration | None,
        size: tuple[int, int],
        output_size: tuple[int, int],
        to_output: Array,
        colour: bool,
    ) -> None:
        grid = _source_of(camera, size, output_size, np.linalg.inv(to_output).astype(np.float64))
        self.valid = grid.valid
        scale = scale_at_centre(to_output, size)
        # Half-way cases to the smaller block, which keeps more detail.
        self._block = math.ceil(1 / scale - 0.501) if scale < _SHRINK_BELOW else 1
        n = self._block
        self._cut = size[1] - size[1] % n, size[0] - size[0] % n
        # Centre of a block of n pixels: (x + 0.5) / n - 0.5.
        x, y = (grid.x + 0.5) / n - 0.5, (grid.y + 0.5) / n - 0.5
        reduced = self._cut[1] // n, self._cut[0] // n
        # Half a pixel of the edge lies outside of the pixel centres: it repeats the edge pixel.
        x = np.where(grid.valid, np.clip(x, 0, reduced[0] - 1), _OUTSIDE)
        y = np.where(grid.valid, np.clip(y, 0, reduced[1] - 1), _OUTSIDE)
        rows, columns = np.indices(x.shape)
        self._as_is = reduced == tuple(output_size) and bool(
            np.abs(x - columns).max() < 1 / 64 and np.abs(y - rows).max() < 1 / 64
        )
        self.identity = self._as_is and n == 1
        self._maps = None if self._as_is else _table(x, y, colour)

    def __call__(self, image: Image, out: Image | None) -> Image:
        if self.identity:
            if out is None:
                return image
            np.copyto(out, image)
            return out
        height, width = self._cut
        image = image[:height, :width]
        n = self._block
        while n > 1:
            step = 2 if n % 2 == 0 else n  # OpenCV halves fastest
            n //= step
            width, height = width // step, height // step
            last = out if self._as_is and n == 1 else None
            image = cv2.resize(image, (width, height), dst=last, interpolation=cv2.INTER_AREA)
        if self._maps is None:
            return image
        return cv2.remap(
            image,
            self._maps[0],
            self._maps[1],
            cv2.INTER_LINEAR,
            dst=out,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=0,
        )


def _table(x: Array, y: Array, colour: bool) -> tuple[Any, Any]:
    """Source coordinates as this OpenCV looks them up fastest.

    OpenCV 5.0 is faster at float coordinates than at fixed-point ones for one channel, and slower
    for three. Before 5.0 fixed point was faster for both.
    """
    x32, y32 = x.astype(np.float32), y.astype(np.float32)
    if _FAST_FLOAT and not colour:
        return x32, y32
    fixed, fraction = cv2.convertMaps(x32, y32, cv2.CV_16SC2)
    return fixed, fraction


def _source_of(
    camera: CameraCalibration | None,
    size: tuple[int, int],
    output_size: tuple[int, int],
    from_output: Array,
) -> _Grid:
    """Source coordinates (raw pixels of one camera) of every output pixel."""
    columns, rows = np.meshgrid(np.arange(output_size[0]), np.arange(output_size[1]))
    homogeneous = np.stack([columns, rows, np.ones_like(rows)], axis=-1) @ from_output.T
    # The sign of a homography is free: what is before the camera has the picture's centre's sign.
    w = homogeneous[..., 2]
    centre = np.linalg.inv(from_output) @ [(size[0] - 1) / 2, (size[1] - 1) / 2, 1.0]
    front = w * np.sign(centre[2]) > 1e-9
    points = homogeneous[..., :2] / np.where(front, w, 1.0)[..., None]
    if camera is not None:
        points, near = undistorted_to_raw(camera.model, camera.matrix, camera.coefficients, points)
        front &= near
    x, y = points[..., 0], points[..., 1]
    tolerance = 1e-6
    valid = front & (x >= -0.5 - tolerance) & (x <= size[0] - 0.5 + tolerance)
    valid &= (y >= -0.5 - tolerance) & (y <= size[1] - 0.5 + tolerance)
    return _Grid(x, y, valid)


def _text(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
