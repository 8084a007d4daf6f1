"""The teacher's figures on the scenes that have real degraded frames.

They have the names and the definitions of the student's (:mod:`quantize.student.quality`), on luma,
but come from the centre of the frames of a short clip, because the network is slow. They serve to
compare checkpoints; the figures to publish come from ``benchmarks.quality``.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edge_sdk.errors import SourceError
from quantize.data import Recordings, Scene
from quantize.losses import luma
from quantize.student.quality import HotTargets, edge_transfer, ssim, visual_information
from quantize.videofusion import VideoFusion, VideoFusionOutput

__all__ = ["CROP_PX", "frame_scores", "validate"]

CROP_PX = (256, 320)
"""Height and width of the middle of the frames that is judged, where they are larger."""

MULTIPLE_PX = 4


@torch.no_grad()
def validate(
    model: VideoFusion,
    recordings: Recordings,
    frames: int,
    pictures: Path | None,
    *,
    bf16: bool = False,
) -> dict[str, float]:
    """Means over the first ``frames`` frames of all ``frames/`` scenes, each clean and degraded.

    Args:
        model: on any device; in training mode afterwards.
        recordings: scenes without degraded frames are judged clean only.
        frames: length of a clip, at least 2; the network sees all of it at once.
        pictures: folder for a strip of the last frame of each clip (infrared, visible, fused,
            both restorations); None writes none.
        bf16: run the network under bfloat16 autocast, as in training: twice as fast.

    Returns:
        ``clean_<figure>`` and ``degraded_<figure>``, see :func:`frame_scores`.

    Raises:
        SourceError: a frame cannot be read, or a degraded one has no clean partner.
    """
    device = next(model.parameters()).device
    scores: dict[str, list[float]] = {}
    model.eval()
    for scene in recordings.paired:
        if not scene.name.startswith("frames/"):
            continue
        for kind in ("clean", "degraded"):
            videos = _read_scene(scene, kind, frames)
            if videos is None:
                continue
            ir, visible, clean_ir, clean_visible = (video.to(device) for video in videos)
            with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                outputs = model(ir, visible)
            for name, values in frame_scores(outputs, clean_ir, clean_visible).items():
                scores.setdefault(f"{kind}_{name}", []).extend(values.tolist())
            if pictures is not None:
                pictures.mkdir(parents=True, exist_ok=True)
                path = pictures / f"{scene.name.replace('/', '_')}_{kind}.png"
                _write_strip(path, [ir, visible, *outputs])
    model.train()
    return {name: float(np.mean(values)) for name, values in scores.items()}


def frame_scores(
    outputs: VideoFusionOutput, clean_ir: Tensor, clean_visible: Tensor
) -> dict[str, Tensor]:
    """Figures of every frame of one video, all (1, T, 3, H, W) in [0, 1].

    Returns:
        (T,) each: ``vif``, ``ssim`` (means over both sources), ``qabf``, ``tc`` of the fused luma,
        ``ssim_ir`` and ``ssim_vis`` of the restorations; (T - 1,): ``vc``, how far the change
        between frames strays from that of the sources, in grey levels.
    """
    fused, ir, visible, a, b = (luma(v)[0] for v in (*outputs, clean_ir, clean_visible))
    change, change_a, change_b = (video[1:] - video[:-1] for video in (fused, a, b))
    stray = (change - change_a).abs() + (change - change_b).abs()
    return {
        "vif": 0.5 * (visual_information(fused, a) + visual_information(fused, b)),
        "ssim": 0.5 * (ssim(fused, a) + ssim(fused, b)),
        "qabf": edge_transfer(fused, a, b),
        "tc": HotTargets(a).contrast(fused),
        "ssim_ir": ssim(ir, a),
        "ssim_vis": ssim(visible, b),
        "vc": stray.mean((1, 2, 3)) * 127.5,
    }


def _read_scene(scene: Scene, kind: str, frames: int) -> tuple[Tensor, ...] | None:
    """Infrared and visible input, then both clean; None if the scene has no such input."""
    assert scene.visible is not None
    clean = {path.stem: (path, other) for path, other in zip(scene.ir, scene.visible, strict=True)}
    inputs = clean
    if kind == "degraded":
        folder = scene.ir[0].parent.parent
        halves = [_by_stem(folder / f"{camera}_degraded") for camera in ("ir", "visible")]
        if not any(halves):
            return None
        stems = halves[0].keys() & halves[1].keys() & clean.keys()
        inputs = {stem: (halves[0][stem], halves[1][stem]) for stem in clean if stem in stems}
    stems_used = list(inputs)[:frames]
    if len(stems_used) < 2:
        raise SourceError(
            f"scene {scene.name}: validation needs 2 {kind} frames or more whose names stand in "
            f"both cameras, found {len(stems_used)}"
        )
    return tuple(
        _video([pairs[stem][half] for stem in stems_used])
        for pairs in (inputs, clean)
        for half in (0, 1)
    )


def _by_stem(folder: Path) -> dict[str, Path]:
    return {path.stem: path for path in sorted(folder.glob("*"))}


def _video(files: list[Path]) -> Tensor:
    """The middle of the frames, (1, T, 3, H, W) float32 RGB in [0, 1]."""
    images = []
    for file in files:
        image = cv2.imread(str(file), cv2.IMREAD_COLOR)
        if image is None:
            raise SourceError(f"{file}: cannot be decoded as an image")
        images.append(_middle(cv2.cvtColor(image, cv2.COLOR_BGR2RGB).astype(np.uint8)))
    video = np.stack(images).astype(np.float32) / np.float32(255)
    return torch.from_numpy(video).permute(0, 3, 1, 2)[None]


def _middle(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = (
        min(side, limit) // MULTIPLE_PX * MULTIPLE_PX
        for side, limit in zip(image.shape[:2], CROP_PX, strict=True)
    )
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    return image[top : top + height, left : left + width]


def _write_strip(path: Path, videos: list[Tensor]) -> None:
    last = [video[0, -1].clamp(0, 1).permute(1, 2, 0).cpu().numpy() for video in videos]
    strip = np.rint(np.hstack(last) * 255).astype(np.uint8)
    cv2.imwrite(str(path), cv2.cvtColor(strip, cv2.COLOR_RGB2BGR))
