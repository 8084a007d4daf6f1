"""The teacher as a method that can be scored: ``teacher:FOLDER``.

VideoFusion looks forwards and backwards within a clip of T frames, so by itself it is not causal: a
frame in the middle of a clip is made with frames that came after it. A method here must answer at
once, so each step runs the network on the last T frames (T as in training; fewer at the start of a
sequence, the first frame twice where it stands alone) and keeps the newest frame's picture, which
has a past and no future. The figures therefore show the teacher as a robot could use it; offline,
with a future, it can do better. Each frame costs T times what a clip costs a frame: expect tens of
seconds on a CPU for the published size at 640x480.
"""

from __future__ import annotations

from collections import deque
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from edge_sdk.errors import ConfigError
from quantize.teacher.card import load_teacher
from quantize.videofusion import VideoFusion

__all__ = ["TeacherMethod", "make"]

MULTIPLE_PX = 4
MIN_FRAMES = 2

Picture = NDArray[np.uint8]


class TeacherMethod:
    """See the module's text; a :class:`benchmarks.methods.Method`.

    Args:
        model: the network; it runs on the GPU where there is one.
        frames: length T of the window, at least 2.
    """

    def __init__(self, model: VideoFusion, frames: int) -> None:
        if frames < MIN_FRAMES:
            raise ConfigError(f"the teacher needs a window of 2 frames or more, got {frames}")
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._model = model.to(self._device).eval()
        self._window: deque[tuple[Picture, Picture]] = deque(maxlen=frames)

    def reset(self) -> None:
        """Forget all earlier frames."""
        self._window.clear()

    @torch.inference_mode()
    def step(self, ir_u8: Picture, visible_bgr_u8: Picture) -> Picture:
        """Fuse the next pair, with those before it in the window.

        Args:
            ir_u8: (H, W) uint8.
            visible_bgr_u8: (H, W, 3) uint8 BGR.

        Returns:
            (H, W, 3) uint8 BGR.

        Raises:
            ConfigError: the sizes differ from each other, or from those since the reset.
        """
        height, width = ir_u8.shape[:2]
        earlier = self._window[-1][0].shape[:2] if self._window else (height, width)
        if visible_bgr_u8.shape[:2] != (height, width) or earlier != (height, width):
            rows, columns = visible_bgr_u8.shape[:2]
            raise ConfigError(
                f"method 'teacher': infrared {width}x{height}, visible {columns}x{rows}, frame "
                f"before {earlier[1]}x{earlier[0]} pixels; within a sequence all must be equal"
            )
        self._window.append((ir_u8.copy(), visible_bgr_u8.copy()))
        pairs = list(self._window)
        if len(pairs) < MIN_FRAMES:
            pairs = pairs * MIN_FRAMES
        ir = self._video([cv2.cvtColor(frame, cv2.COLOR_GRAY2RGB) for frame, _ in pairs])
        visible = self._video([cv2.cvtColor(frame, cv2.COLOR_BGR2RGB) for _, frame in pairs])
        newest = self._model(ir, visible).fusion[0, -1, :, :height, :width]
        levels = (newest * 255).round().clamp(0, 255).to(torch.uint8)
        picture: Picture = np.ascontiguousarray(levels.permute(1, 2, 0).cpu().numpy()[..., ::-1])
        return picture

    def _video(self, frames: list[cv2.typing.MatLike]) -> torch.Tensor:
        """RGB frames -> (1, T, 3, H, W) in [0, 1], bottom and right continued to multiples of 4."""
        height, width = frames[0].shape[:2]
        bottom, right = -height % MULTIPLE_PX, -width % MULTIPLE_PX
        video = np.stack(
            [
                cv2.copyMakeBorder(frame, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
                for frame in frames
            ]
        )
        tensor = torch.from_numpy(video).to(self._device).permute(0, 3, 1, 2)[None]
        return tensor.float() / 255


def make(folder: str) -> TeacherMethod:
    """The teacher that ``python -m quantize.teacher.package`` wrote into ``folder``.

    Raises:
        ModelError: the folder is missing, damaged or of another kind.
    """
    model, card = load_teacher(Path(folder))
    return TeacherMethod(model, card["frames"])
