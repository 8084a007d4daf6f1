"""What the shipped model makes of a noisy infrared that stands still, with stripes and without."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge_sdk.fusion import Fuser

PERIOD_NS = 33_333_333
FRAMES = 15


def _scene() -> tuple[np.ndarray, np.ndarray]:
    """Infrared (240, 320) in grey levels with warm shapes, and a visible of its own, BGR."""
    rng = np.random.default_rng(3)
    ir = cv2.resize(rng.uniform(40, 90, (8, 10)).astype(np.float32), (320, 240))
    visible = cv2.resize(rng.integers(30, 220, (30, 40, 3), np.uint8), (320, 240))
    for _ in range(12):
        x, y, width, height = rng.integers((0, 0, 10, 20), (300, 200, 40, 60)).tolist()
        cv2.rectangle(ir, (x, y), (x + width, y + height), float(rng.uniform(60, 180)), -1)
        cv2.circle(visible, (x, y), width, rng.integers(0, 255, 3).tolist(), -1)
    return cv2.GaussianBlur(ir, (0, 0), 0.8), visible


def _error(image: np.ndarray, clean: np.ndarray) -> float:
    """RMS error in levels of the clean picture, whatever the tone: the best line is taken off."""
    slope, offset = np.polyfit(image.ravel().astype(float), clean.ravel(), 1)
    return float((image * slope + offset - clean).std())


@pytest.mark.parametrize(
    ("stripes", "noise", "left"), [(0.0, 4.0, 0.4), (0.0, 12.0, 0.3), (9.0, 11.0, 0.3)]
)
def test_noise_that_stands_on_a_still_scene_is_averaged(stripes, noise, left):
    """``left``: which part of the input's error may be left after half a second."""
    clean, visible = _scene()
    rng = np.random.default_rng(4)
    fixed = clean + rng.normal(0, 1, 320) * stripes
    fuser = Fuser(threads=1, restored=True)
    for k in range(FRAMES):
        noisy = fixed + rng.normal(0, noise, fixed.shape)
        ir = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
        output = fuser.step(ir, visible, k * PERIOD_NS)
    assert output.restored_ir is not None
    assert _error(output.restored_ir, clean) < left * _error(ir, clean)
