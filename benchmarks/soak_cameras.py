"""Cameras that play a drawn scene to and fro in real time, for next to no computing time."""

from __future__ import annotations

import threading
import time
from types import TracebackType

import numpy as np

from edge_sdk.capture.simulated import SimulatedRig, SimulationConfig
from edge_sdk.errors import SourceError, StreamTimeoutError
from edge_sdk.frames import Frame, Image

__all__ = ["PlayingCamera", "draw_scene"]

FRAMES = 60


def draw_scene(size: tuple[int, int], seed: int) -> tuple[list[Image], list[Image]]:
    """Two seconds of the simulated rig, registered: infrared uint16 and visible BGR images."""
    rig = SimulatedRig(
        SimulationConfig(
            seed=seed,
            visible_size=size,
            ir_size=size,
            people=3,
            vehicles=1,
            ffc_period_s=None,
            registered=True,
        )
    )
    images: tuple[list[Image], list[Image]] = ([], [])
    with rig.ir, rig.visible:
        for _ in range(FRAMES):
            for camera, kept in zip((rig.ir, rig.visible), images, strict=True):
                frame = camera.read()
                assert frame is not None
                kept.append(frame.image)
    return images


class PlayingCamera:
    """A live camera that plays images forwards and backwards; frames nobody reads are lost.

    Args:
        name: ``"ir"`` or ``"visible"``.
        images: at least two; neighbours differ.
        fps: frames per second.
    """

    live = True

    def __init__(self, name: str, images: list[Image], fps: float = 30.0) -> None:
        self._name = name
        self._images = images
        self._period_ns = round(1e9 / fps)
        self._closed = threading.Event()
        self._closed.set()
        self._next = 0

    @property
    def name(self) -> str:
        return self._name

    def open(self) -> None:
        self._next = time.monotonic_ns() // self._period_ns + 1
        self._closed.clear()

    def close(self) -> None:
        self._closed.set()

    def read(self, timeout_s: float = 1.0) -> Frame | None:
        if self._closed.is_set():
            raise SourceError(f"the camera {self._name!r} is not open; call open() first")
        now_ns = time.monotonic_ns()
        # A queue of four, as drivers have: what is older is lost.
        self._next = max(self._next, now_ns // self._period_ns - 3)
        due_ns = self._next * self._period_ns
        wait_s = (due_ns - now_ns) / 1e9
        if self._closed.wait(max(0.0, min(wait_s, timeout_s))):
            raise SourceError(f"the camera {self._name!r} was closed while reading")
        if wait_s > timeout_s:
            raise StreamTimeoutError(f"camera {self._name}: nothing within {timeout_s:g} s")
        index, self._next = self._next, self._next + 1
        count = len(self._images)
        at = index % (2 * count - 2)
        image = self._images[at if at < count else 2 * count - 2 - at]
        return Frame(np.array(image), due_ns, index, self._name)

    def __enter__(self) -> PlayingCamera:
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
