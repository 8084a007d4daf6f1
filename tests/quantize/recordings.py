"""Tiny recordings in the layout that the trainer reads."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np


def write_recordings(
    root: Path, scenes: tuple[str, ...] = ("a", "b"), frames: int = 10, still: str = "x"
) -> Path:
    """``frames/<scene>/{ir,visible}`` of 96 x 128 with something that moves, and one still pair."""
    rows, columns = np.mgrid[:96, :128]
    for number, scene in enumerate(scenes):
        for camera in ("ir", "visible"):
            (root / "frames" / scene / camera).mkdir(parents=True)
        for frame in range(frames):
            disc = np.hypot(rows - 40, columns - 30 - 4 * frame - 9 * number) < 12
            ir = np.clip(30 + 10 * np.sin(rows / 9) + 180 * disc, 0, 255).astype(np.uint8)
            visible = np.clip(120 + 70 * np.sin(columns / 5 + rows / 11), 0, 255).astype(np.uint8)
            folder = root / "frames" / scene
            cv2.imwrite(str(folder / "ir" / f"{frame:04d}.png"), ir)
            cv2.imwrite(str(folder / "visible" / f"{frame:04d}.png"), visible)
    for camera in ("ir", "visible"):
        (root / "pairs" / "stills" / camera).mkdir(parents=True)
        noise = np.random.default_rng(0).integers(0, 255, (80, 100), np.uint8)
        cv2.imwrite(str(root / "pairs" / "stills" / camera / f"{still}.png"), noise)
    return root
