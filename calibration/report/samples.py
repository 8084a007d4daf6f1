"""Pictures of a report: what was found, undistorted, and both cameras in one chessboard."""

from __future__ import annotations

import cv2
import numpy as np

from edge_sdk.alignment import Aligner
from edge_sdk.calibration_file import Calibration, CameraCalibration
from edge_sdk.frames import Image
from edge_sdk.geometry import undistorted_to_raw

from ..targets import Observation, draw
from ..targets.prepare import grey, to_8_bit

__all__ = ["before_and_after", "found", "undistorted"]

_MOST = 640


def found(picture: Image, observation: Observation) -> Image:
    """The picture with the corners that were used, at most 640 pixels wide."""
    return _shrunk(draw(picture, observation))


def undistorted(picture: Image, camera: CameraCalibration) -> Image:
    """The picture as a lens without distortion would show it, with the same camera matrix."""
    u, v = np.meshgrid(np.arange(camera.width, dtype=float), np.arange(camera.height, dtype=float))
    places, near = undistorted_to_raw(
        camera.model, camera.matrix, camera.coefficients, np.stack([u, v], -1)
    )
    x = np.where(near, places[..., 0], -10).astype(np.float32)
    y = np.where(near, places[..., 1], -10).astype(np.float32)
    flat = to_8_bit(grey(picture))
    return _shrunk(cv2.remap(flat, x, y, cv2.INTER_LINEAR, borderValue=128))


def before_and_after(
    ir: Image, visible: Image, calibration: Calibration, distance_m: float | None
) -> tuple[Image, Image]:
    """Chessboards of infrared and visible tiles: merely scaled, and aligned.

    Args:
        ir, visible: a pair.
        calibration: of the rig.
        distance_m: align at this distance if there are extrinsics; None: as the file says.
    """
    width, height = calibration.cameras.visible.size
    scale = min(1.0, _MOST / width)
    size = (max(16, round(width * scale)), max(16, round(height * scale)))
    ir_flat = to_8_bit(grey(ir))
    visible_flat = to_8_bit(grey(visible))
    before = _tiles(
        cv2.resize(ir_flat, size, interpolation=cv2.INTER_AREA),
        cv2.resize(visible_flat, size, interpolation=cv2.INTER_AREA),
    )
    if calibration.registration.extrinsics is None:
        distance_m = None
    aligner = Aligner(
        calibration,
        calibration.cameras.ir.size,
        calibration.cameras.visible.size,
        size,
        distance_m,
    )
    ir_there, visible_there = aligner.align(ir_flat, visible_flat)
    assert ir_there is not None and visible_there is not None
    return before, _tiles(ir_there, visible_there)


def _tiles(ir: Image, visible: Image, across: int = 12) -> Image:
    """Alternating squares of two grey pictures of one size; infrared is tinted, (H, W, 3)."""
    height, width = ir.shape
    side = max(4, width // across)
    rows, columns = np.mgrid[:height, :width] // side
    pick = (rows + columns) % 2 == 0
    warm = cv2.applyColorMap(ir, cv2.COLORMAP_INFERNO)
    plain = cv2.cvtColor(visible, cv2.COLOR_GRAY2BGR)
    return np.where(pick[..., None], warm, plain).astype(np.uint8)


def _shrunk(picture: Image) -> Image:
    if picture.shape[1] <= _MOST:
        return picture
    scale = _MOST / picture.shape[1]
    return cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
