"""Cameras behind a GStreamer pipeline: CSI cameras of a Jetson, network streams, anything else.

OpenCV's GStreamer back end is used, where it is built in: OpenCV of the distribution or of NVIDIA's
JetPack has it, the package from PyPI has not.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_sdk.capture.quiet import quiet_opencv
from edge_sdk.errors import (
    ConfigError,
    DependencyError,
    DisconnectedError,
    SourceError,
    StreamTimeoutError,
)
from edge_sdk.frames import Frame

__all__ = ["GStreamerCamera", "gstreamer_reason"]

_log = logging.getLogger(__name__)

_OPEN_TIMEOUT_S = 10.0
_STOP_TIMEOUT_S = 2.0
_STEP_TIMEOUT_MS = 1000


def gstreamer_reason() -> str | None:
    """None if this OpenCV can run GStreamer pipelines; otherwise why not, and what to do."""
    built = any(
        line.split(":", 1)[1].strip().upper().startswith("YES")
        for line in cv2.getBuildInformation().splitlines()
        if line.strip().startswith("GStreamer:")
    )
    if built:
        return None
    return (
        f"OpenCV {cv2.__version__} is built without GStreamer (packages from PyPI are); use the "
        "distribution's python3-opencv or JetPack's OpenCV in a virtual environment made with "
        "--system-site-packages, and pip uninstall opencv-python there"
    )


class GStreamerCamera:
    """A GStreamer pipeline as a source of frames; follows the ``Camera`` protocol.

    A thread pulls frames, since OpenCV's ``read`` may block for ever, and only the newest waits: a
    slow reader sees fewer frames, and their numbers have gaps. OpenCV passes on neither the
    buffers' times nor their numbers: ``timestamp_ns`` is the time of arrival (``CLOCK_MONOTONIC``),
    and numbers count what arrived. Where the skew matters, use the V4L2 driver.

    Args:
        name: ``"ir"`` or ``"visible"``.
        pipeline: ends in ``appsink``, with caps before it that give ``GRAY8``, ``GRAY16_LE`` or
            ``BGR``; ``appsink drop=true max-buffers=1`` keeps GStreamer from queueing.
        mono: one channel, also where the pipeline gives BGR.
        capture: opens a pipeline, as ``cv2.VideoCapture`` does; for tests.

    Raises:
        ConfigError: the pipeline has no ``appsink``.
    """

    def __init__(
        self,
        name: str,
        pipeline: str,
        *,
        mono: bool = False,
        capture: Callable[[str], Any] | None = None,
    ) -> None:
        if "appsink" not in pipeline:
            raise ConfigError(f"pipeline: {pipeline!r} must end in 'appsink'")
        self._name = name
        self._pipeline = pipeline
        self._mono = mono
        self._capture = capture
        self._counts: Counter[str] = Counter()
        self._numbers = 0
        self._puller: _Puller | None = None
        self._left: _Puller | None = None
        """One that did not stop in time; no other is started beside it."""

    @property
    def name(self) -> str:
        """``"ir"`` or ``"visible"``."""
        return self._name

    @property
    def live(self) -> bool:
        """True: frames come at their own pace."""
        return True

    @property
    def counts(self) -> dict[str, int]:
        """``superseded``: frames that nobody read before the next came. ``abandoned``: pipelines
        that did not stop in time."""
        return dict(self._counts)

    def open(self) -> None:
        """Start the pipeline; nothing to do if it is open.

        Raises:
            DependencyError: this OpenCV has no GStreamer.
            SourceError: the pipeline does not start within 10 s, or still hangs from the last time.
        """
        if self._puller is not None:
            return
        if self._capture is None and (reason := gstreamer_reason()) is not None:
            raise DependencyError(f"driver: gstreamer cannot be used here: {reason}")
        if self._left is not None and self._left.is_alive():
            raise SourceError(
                f"camera {self._name!r}: the pipeline {self._pipeline!r} hangs since it was last "
                "opened; check its source (cable, address), or add a time-out to it"
            )
        puller = _Puller(self._pipeline, self._capture or _open_pipeline, self._counts)
        puller.number = self._numbers
        puller.start()
        if not puller.opened.wait(_OPEN_TIMEOUT_S) or puller.failure is not None:
            self._stop(puller)
            why = puller.failure or f"it does not start within {_OPEN_TIMEOUT_S:g} s"
            raise SourceError(
                f"camera {self._name!r}: the pipeline {self._pipeline!r} cannot be opened ({why}); "
                f"try it with: gst-launch-1.0 {self._pipeline.replace('appsink', 'fakesink')}"
            )
        self._puller = puller

    def read(self, timeout_s: float = 1.0) -> Frame | None:
        """The newest frame that was not read yet. Never None.

        Raises:
            StreamTimeoutError: nothing came within ``timeout_s`` seconds.
            DisconnectedError: the pipeline ended or failed; it is released.
            SourceError: the camera is not open, or the pipeline gives another kind of image.
        """
        puller = self._puller
        if puller is None:
            raise SourceError(f"camera {self._name!r} is not open; call open() first")
        found = puller.get(timeout_s)
        if found is None:
            if puller.failure is None:
                raise StreamTimeoutError(
                    f"camera {self._name!r}: no frame within {timeout_s:g} s from the pipeline "
                    f"{self._pipeline!r}"
                )
            self.close()
            raise DisconnectedError(
                f"camera {self._name!r}: the pipeline {self._pipeline!r} ended "
                f"({puller.failure}); opening the camera again starts it anew"
            )
        image, timestamp_ns, number = found
        return Frame(self._shaped(image), timestamp_ns, number, self._name)

    def close(self) -> None:
        """Stop the pipeline. Never raises; may be called twice. Takes 2 s at most: a pipeline that
        hangs is left to a daemon thread and counted."""
        puller, self._puller = self._puller, None
        if puller is not None:
            self._stop(puller)
            self._numbers = puller.number

    def _stop(self, puller: _Puller) -> None:
        self._left = None if puller.stop() else puller

    def __enter__(self) -> GStreamerCamera:
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _shaped(self, image: NDArray[Any]) -> NDArray[Any]:
        if image.ndim == 3 and image.shape[2] == 1:
            image = image[:, :, 0]
        grey = image.ndim == 2 and image.dtype in (np.uint8, np.uint16)
        colour = image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8
        if not grey and not colour:
            raise SourceError(
                f"camera {self._name!r}: the pipeline gives images of shape {image.shape}, "
                f"{image.dtype}; end it with: videoconvert ! video/x-raw,format=BGR ! appsink (or "
                "GRAY8, GRAY16_LE)"
            )
        if colour and self._mono:
            return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        return image


class _Puller(threading.Thread):
    """Owns one running pipeline: opens it, pulls, releases it. Nobody else touches it, since
    releasing a capture under a ``read`` that blocks crashes."""

    def __init__(self, pipeline: str, capture: Callable[[str], Any], counts: Counter[str]) -> None:
        super().__init__(name="edge_sdk gstreamer", daemon=True)
        self.opened = threading.Event()
        self.failure: str | None = None
        self.number = 0
        self._pipeline = pipeline
        self._capture = capture
        self._counts = counts
        self._stopping = threading.Event()
        self._changed = threading.Condition()
        self._newest: tuple[NDArray[Any], int, int] | None = None

    def get(self, timeout_s: float) -> tuple[NDArray[Any], int, int] | None:
        """Image, time and number; None after the time-out or the end."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._newest is not None or self.failure is not None, timeout_s
            )
            newest, self._newest = self._newest, None
            return newest

    def stop(self) -> bool:
        """Whether it stopped in time."""
        self._stopping.set()
        self.join(_STOP_TIMEOUT_S)
        if not self.is_alive():
            return True
        self._counts["abandoned"] += 1
        _log.warning("the pipeline %r does not stop; it is left behind", self._pipeline)
        return False

    def run(self) -> None:
        capture = None
        try:
            with quiet_opencv():
                capture = self._capture(self._pipeline)
            if not capture.isOpened():
                raise SourceError("GStreamer refuses it, or its source gives no frame")
            self.opened.set()
            self._pull(capture)
        except Exception as error:  # told to the reader, whatever OpenCV raises
            self._fail(str(error))
        finally:
            self.opened.set()
            if capture is not None:
                capture.release()

    def _pull(self, capture: Any) -> None:
        while not self._stopping.is_set():
            good, image = capture.read()
            now_ns = time.monotonic_ns()
            if not good or image is None:
                self._fail("no more frames: end of stream, or the source failed")
                return
            with self._changed:
                if self._newest is not None:
                    self._counts["superseded"] += 1
                self._newest = (image, now_ns, self.number)
                self.number += 1
                self._changed.notify_all()

    def _fail(self, why: str) -> None:
        with self._changed:
            self.failure = why
            self._changed.notify_all()


def _open_pipeline(pipeline: str) -> Any:
    """Bounds inside GStreamer where this OpenCV knows them; our own bounds hold all the same."""
    if hasattr(cv2, "CAP_PROP_READ_TIMEOUT_MSEC"):
        open_ms = round(_OPEN_TIMEOUT_S * 1000)
        bounds = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, open_ms]
        bounds += [cv2.CAP_PROP_READ_TIMEOUT_MSEC, _STEP_TIMEOUT_MS]
        capture = cv2.VideoCapture(pipeline, cv2.CAP_GSTREAMER, bounds)
        if capture.isOpened():
            return capture
        capture.release()
    return cv2.VideoCapture(pipeline, cv2.CAP_GSTREAMER)
