"""Drawn scenes in two spectra: the same outlines, with brightness that has nothing in common."""

from __future__ import annotations

import cv2
import numpy as np

from calibration.registration import ImagePair


def scene(rng: np.random.Generator, size: tuple[int, int], shapes: int = 60):
    """(visible (H, W, 3) uint8, infrared (H, W) uint8) of one scene, pixel on pixel."""
    width, height = size
    visible = np.full((height, width, 3), rng.integers(60, 200, 3), np.uint8)
    infrared = np.full((height, width), rng.integers(20, 120), np.uint8)
    for _ in range(shapes):
        centre = rng.uniform((0, 0), size)
        angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 7)))
        radius = rng.uniform(0.03, 0.16) * width
        corners = centre + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        corners = np.rint(corners).astype(np.int32)
        cv2.fillPoly(visible, [corners], [int(c) for c in rng.integers(0, 255, 3)], cv2.LINE_AA)
        cv2.fillPoly(infrared, [corners], [int(rng.integers(0, 255))], cv2.LINE_AA)
    noise = rng.normal(0, 3, (height, width))
    infrared = np.clip(cv2.GaussianBlur(infrared, (0, 0), 1.2) + noise, 0, 255).astype(np.uint8)
    visible = np.clip(visible + rng.normal(0, 3, visible.shape), 0, 255).astype(np.uint8)
    return visible, infrared


def homography(size: tuple[int, int], shift=(0.08, -0.05), scale=1.1, degrees=5.0, tilt=(5e-5, 0)):
    """About the centre of a picture; shift as a share of its size."""
    width, height = size
    centre = np.array([[1, 0, (width - 1) / 2], [0, 1, (height - 1) / 2], [0, 0, 1.0]])
    c, s = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    inner = np.array([[c, -s, shift[0] * width], [s, c, shift[1] * height], [*tilt, 1.0]])
    return centre @ inner @ np.linalg.inv(centre)


def pairs(count: int, size=(320, 240), warp=None, seed: int = 0, border=cv2.BORDER_CONSTANT):
    """Pairs whose infrared picture was warped: infrared pixel = warp(visible pixel)."""
    rng = np.random.default_rng(seed)
    warp = np.eye(3) if warp is None else warp
    made = []
    for _ in range(count):
        visible, infrared = scene(rng, size)
        infrared = cv2.warpPerspective(infrared, warp, size, borderMode=border)
        made.append(ImagePair.of(infrared, visible))
    return made


def corner_error_px(found: np.ndarray, truth: np.ndarray, size: tuple[int, int]) -> float:
    """Mean distance of the infrared picture's corners, mapped by both homographies."""
    w, h = size[0] - 1.0, size[1] - 1.0
    corners = np.array([[[0, 0], [w, 0], [0, h], [w, h]]])
    apart = cv2.perspectiveTransform(corners, found) - cv2.perspectiveTransform(corners, truth)
    return float(np.linalg.norm(apart, axis=2).mean())
