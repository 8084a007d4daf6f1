"""Streaming fusion: one pair of images in, one fused image out, a recurrent state between."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edge_sdk.errors import ConfigError, EngineError
from edge_sdk.frames import Image
from edge_sdk.fusion.engines import Engine, make_engine
from edge_sdk.fusion.luma import join_luma, split_luma
from edge_sdk.fusion.model import DEFAULT_MODEL, Model, load_model
from edge_sdk.fusion.scene_cut import SceneCut

__all__ = ["Fuser", "FuserOutput"]

RESTORED = ("restored_ir", "restored_visible")


@dataclass(frozen=True)
class FuserOutput:
    """One fused image.

    Attributes:
        image: (H, W, 3) uint8 BGR.
        reset: why the state was reset before this frame: ``"start"``, ``"gap"``, ``"cut"``,
            ``"size"``, ``"asked"``, or what :meth:`Fuser.reset` was told; None if it was not.
        restored_ir, restored_visible: (H, W) uint8 restored lumas; None unless they were asked for.
    """

    image: Image
    reset: str | None
    restored_ir: Image | None = None
    restored_visible: Image | None = None


class Fuser:
    """Runs a model with its state.

    The state is reset at the start, after a gap in time, at a scene cut and on request. Images of
    any size work: they are padded at the right and the bottom, by repeating the edge, to the next
    multiple that the model wants (32), and the result is cropped. Engines are built for one size,
    so a new size costs a rebuild (a second or two) and resets the state.
    """

    def __init__(
        self,
        model: Model | str | Path = DEFAULT_MODEL,
        engine: str = "auto",
        precision: str = "auto",
        threads: int | None = None,
        reset_gap_ms: float = 500.0,
        restored: bool = False,
    ) -> None:
        """See :class:`edge_sdk.config.RigConfig`, section ``fusion``, for the arguments.

        Raises:
            ModelError: the model folder is not right.
            ConfigError: ``engine``, ``precision`` or ``threads`` is not known or impossible.
        """
        self.model = model if isinstance(model, Model) else load_model(model)
        self.precision, self._file = self.model.file(precision)
        self.reset_gap_ns = round(reset_gap_ms * 1e6)
        self._engine_name = engine
        self._threads = threads
        self._without = () if restored else RESTORED
        self._engine: Engine | None = None
        self._size = (0, 0)
        self._padded = (0, 0)
        self._state: dict[str, Image] = {}
        self._last_ns: int | None = None
        self._cut = SceneCut()
        self._pending: str | None = "start"

    @property
    def engine(self) -> Engine | None:
        """The engine in use; None before :meth:`prepare` or the first step."""
        return self._engine

    def prepare(self, height: int, width: int) -> Engine:
        """Build the engine for images of this size, and run it once so that it is warm.

        Raises:
            EngineError: no engine can run the model here.
        """
        multiple = self.model.multiple_px
        padded = (-(-height // multiple) * multiple, -(-width // multiple) * multiple)
        image = (1, 1, *padded)
        shapes: dict[str, tuple[int, ...]] = {"ir": image, "visible": image}
        shapes |= {f"state.{t.name}": t.resolve(*padded) for t in self.model.state}
        engine = make_engine(
            self._engine_name, self._file, self.precision, shapes, self._threads, self._without
        )
        zeros = np.zeros(image, np.uint8)
        engine.run({"ir": zeros, "visible": zeros, **self._zero_state(padded)})
        # Only now: after a failure the next frame finds everything as it was, and tries again.
        self._engine, self._size, self._padded = engine, (height, width), padded
        self.reset("size" if self._pending is None else self._pending)
        return engine

    def reset(self, reason: str = "asked") -> None:
        """Forget everything before the next frame."""
        self._pending = reason
        self._cut.reset()
        self._last_ns = None

    def step(self, ir: Image, visible: Image, timestamp_ns: int) -> FuserOutput:
        """Fuse one pair.

        Args:
            ir: (H, W) uint8 infrared in the grid of ``visible``.
            visible: (H, W, 3) uint8 BGR.
            timestamp_ns: time of the pair; a step of more than ``reset_gap_ms``, or backwards,
                resets the state.

        Raises:
            ConfigError: shapes or dtypes are not as above.
            EngineError: the engine failed.
        """
        _check(ir, visible)
        if self._engine is None or ir.shape != self._size:
            self.prepare(*ir.shape)
        assert self._engine is not None
        luma, ycrcb = split_luma(visible)
        reset = self._why_reset(ir, luma, timestamp_ns)
        if reset is not None:
            self._state = self._zero_state(self._padded)
        inputs = {"ir": self._pad(ir), "visible": self._pad(luma), **self._state}
        try:
            outputs = self._engine.run(inputs)
        except EngineError:
            self._pending = reset
            raise
        self._state = {f"state.{t.name}": outputs[f"next.{t.name}"] for t in self.model.state}
        height, width = self._size
        images = {
            name: outputs[name][0, 0, :height, :width]
            for name in ("fused", *RESTORED)
            if name in outputs
        }
        image = join_luma(images.pop("fused"), ycrcb)
        return FuserOutput(image, reset, **{name: x.copy() for name, x in images.items()})

    def _why_reset(self, ir: Image, luma: Image, timestamp_ns: int) -> str | None:
        reason = self._pending
        self._pending = None
        cut = self._cut.step(ir, luma)
        if reason is None and self._last_ns is not None:
            elapsed = timestamp_ns - self._last_ns
            if elapsed < 0 or elapsed > self.reset_gap_ns:
                reason = "gap"
            elif cut:
                reason = "cut"
        self._last_ns = timestamp_ns
        return reason

    def _zero_state(self, padded: tuple[int, int]) -> dict[str, Image]:
        return {
            f"state.{t.name}": np.zeros(t.resolve(*padded), np.float32) for t in self.model.state
        }

    def _pad(self, image: Image) -> Image:
        (height, width), (full_height, full_width) = self._size, self._padded
        if (height, width) != (full_height, full_width):
            image = cv2.copyMakeBorder(
                image, 0, full_height - height, 0, full_width - width, cv2.BORDER_REPLICATE
            )
        return image[None, None]


def _check(ir: Image, visible: Image) -> None:
    if ir.ndim != 2 or ir.dtype != np.uint8:
        raise ConfigError(
            f"fusion: ir must be (H, W) uint8, found {ir.shape} {ir.dtype}; "
            "16-bit infrared goes through edge_sdk.tone first"
        )
    if visible.ndim != 3 or visible.shape[2] != 3 or visible.dtype != np.uint8:
        raise ConfigError(
            f"fusion: visible must be (H, W, 3) uint8 BGR, found {visible.shape} {visible.dtype}"
        )
    if ir.shape != visible.shape[:2]:
        raise ConfigError(
            f"fusion: ir is {ir.shape[1]}x{ir.shape[0]}, visible {visible.shape[1]}x"
            f"{visible.shape[0]}; align them to one grid first (edge_sdk.alignment)"
        )
