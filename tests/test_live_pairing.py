"""Two live cameras that are well, and take their pictures at times that do not fit."""

from __future__ import annotations

import time

import numpy as np
import pytest

from edge_sdk import FusionPipeline
from edge_sdk.config import AlignmentConfig, FusionConfig, PairingConfig
from edge_sdk.errors import StreamTimeoutError
from edge_sdk.events import Event
from edge_sdk.frames import Frame

FPS = 25


class PhasedCamera:
    """Exposes ``phase_s`` after each multiple of the period of ``time.monotonic()``."""

    live = True

    def __init__(self, name: str, phase_s: float) -> None:
        self.name, self.phase_s = name, phase_s
        self._last = 0
        self._rng = np.random.default_rng(1)

    def open(self) -> None: ...

    def close(self) -> None: ...

    def read(self, timeout_s: float = 1.0) -> Frame | None:
        now_s = time.monotonic()
        self._last = max(self._last + 1, int((now_s - self.phase_s) * FPS))
        due_s = self._last / FPS + self.phase_s
        time.sleep(max(0.0, due_s + 0.005 - now_s))
        shape = (48, 64) if self.name == "ir" else (48, 64, 3)
        image = self._rng.integers(60, 90, shape, np.uint8)
        return Frame(image, round(due_s * 1e9), self._last, self.name)


def pipeline_of(ir: PhasedCamera, pairing: PairingConfig, give_up_s: float) -> FusionPipeline:
    return FusionPipeline(
        ir,
        PhasedCamera("visible", 0.0),
        pairing=pairing,
        alignment=AlignmentConfig(size=(64, 48), monitor=False),
        fusion=FusionConfig(threads=1),
        give_up_s=give_up_s,
    )


def test_in_antiphase_visible_is_shown_alone_and_pairs_come_back() -> None:
    ir = PhasedCamera("ir", 0.02)
    events: list[Event] = []
    pipeline = pipeline_of(ir, PairingConfig(), 5.0)
    pipeline.subscribe(events.append)
    alone = paired = 0
    with pipeline:
        end_s = time.monotonic() + 15
        for fused in pipeline:
            assert time.monotonic() < end_s, f"in vain: {alone}, {paired}, {events}"
            if fused.degraded:
                assert fused.degraded == ("ir missing", "ir unpaired")
                assert fused.ir is None and fused.visible is not None
                alone += 1
            else:
                assert abs(fused.skew_ns) < 1_000_000
                paired += 1
            if alone == 20:
                ir.phase_s = 0.0
            if paired and [event.kind for event in events] == ["unpaired", "back"]:
                break
    assert alone >= 20 and paired >= 20
    (told, back) = events
    assert told.camera is None and back.camera is None
    assert "nearest frames are 20.0 ms apart" in told.message
    assert "pairing.tolerance_ms is 15: raise it" in told.message
    assert pipeline.stats().singles["visible"] >= 20


def test_a_larger_tolerance_pairs_them_as_the_event_says() -> None:
    with pipeline_of(PhasedCamera("ir", 0.02), PairingConfig(tolerance_ms=21), 5.0) as pipeline:
        for _, fused in zip(range(10), pipeline, strict=False):
            assert fused.degraded == ()
            assert abs(abs(fused.skew_ns) - 20_000_000) < 1_000


def test_the_error_names_the_skew_and_what_to_do() -> None:
    pairing = PairingConfig(single_after_ms=5000)
    with (
        pipeline_of(PhasedCamera("ir", 0.02), pairing, 1.0) as pipeline,
        pytest.raises(StreamTimeoutError, match=r"20\.0 ms apart and pairing\.tolerance_ms is 15"),
    ):
        next(iter(pipeline))
