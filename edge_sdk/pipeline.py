"""``FusionPipeline``: two cameras in, one fused and tracked video out."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_sdk.config import (
    AlignmentConfig,
    FusionConfig,
    PairingConfig,
    RigConfig,
    SupervisionConfig,
    ToneConfig,
    load_rig,
)
from edge_sdk.dependencies import require_opencv
from edge_sdk.errors import ConfigError
from edge_sdk.events import EventHub, EventSource
from edge_sdk.frames import FramePair, FusedFrame, Hook
from edge_sdk.stats import PipelineStats, StatsRecorder

if TYPE_CHECKING:
    from edge_sdk.calibration_file import Calibration
    from edge_sdk.capture.camera import Camera
    from edge_sdk.capture.core_control import CoreControl, CoreSettings
    from edge_sdk.capture.pairing import Pairer
    from edge_sdk.capture.recorded_pairs import RecordedPairs
    from edge_sdk.capture.simulated import SimulatedRig
    from edge_sdk.health import AlignmentHealth
    from edge_sdk.live import LivePairs
    from edge_sdk.radiometry import Radiometry
    from edge_sdk.step import PairProcessor

__all__ = ["FusionPipeline"]

TELL_S = 0.5


class FusionPipeline(EventSource):
    """Wires cameras, pairing, alignment, tone, fusion and hooks together.

    Use :meth:`open`, :meth:`from_files` or :meth:`simulated`, as a context manager, and iterate; or
    give cameras of your own. With live cameras the newest pair wins and nothing queues
    up: a slow consumer sees fewer frames, never older ones. With recordings every pair comes, in
    order. :meth:`step` fuses a pair that you bring yourself.

    Hooks are called with every :class:`FusedFrame`, in order; what they return is appended to
    ``fused.tracks``.

    Args:
        ir, visible: cameras, see :class:`edge_sdk.capture.Camera`; both live or neither. None for
            a pipeline that is only stepped.
        pairing, alignment, tone, fusion, supervision: sections of the rig file, see
            :mod:`edge_sdk.config`.
        hooks: callables ``hook(fused) -> None | list[Track]``.
        calibration: instead of the file that ``alignment.calibration`` names.
        serial: control port of the infrared core, for live cameras.
        radiometry: how counts of the infrared become temperatures, see ``FusedFrame.ir_celsius``.
        give_up_s: the iterator raises after so many seconds without any pair from live cameras.

    Raises:
        ConfigError, CalibrationError, ModelError, EngineError: the settings cannot work here.
    """

    def __init__(
        self,
        ir: Camera | None = None,
        visible: Camera | None = None,
        *,
        pairing: PairingConfig | None = None,
        alignment: AlignmentConfig | None = None,
        tone: ToneConfig | None = None,
        fusion: FusionConfig | None = None,
        supervision: SupervisionConfig | None = None,
        hooks: Sequence[Hook] = (),
        calibration: Calibration | None = None,
        serial: CoreSettings | None = None,
        radiometry: Radiometry | None = None,
        give_up_s: float = 30.0,
    ) -> None:
        require_opencv()
        from edge_sdk.alignment_watch import AlignmentWatch
        from edge_sdk.step import PairProcessor

        if (ir is None) != (visible is None):
            raise ConfigError("a pipeline needs both cameras, or neither and step()")
        if ir is not None and visible is not None and ir.live != visible.live:
            raise ConfigError("cameras: one is live, one recorded; their times do not compare")
        if not (isinstance(give_up_s, (int, float)) and 0 < give_up_s <= threading.TIMEOUT_MAX):
            raise ConfigError(f"give_up_s: needs a finite number above 0, found {give_up_s!r}")
        self.rig: SimulatedRig | None = None
        """The simulated rig behind the cameras, with its ground truth, if there is one."""
        self.hooks: tuple[Hook, ...] = tuple(hooks)
        self._ir, self._visible = ir, visible
        self._pairing = pairing or PairingConfig()
        self._supervision = supervision or SupervisionConfig()
        self._give_up_s = give_up_s
        self._stats = StatsRecorder()
        self._events = EventHub(lambda name: self._stats.count(self._stats.events, name))
        self._control = None if serial is None else self._make_control(serial)
        self._processor: PairProcessor = PairProcessor(
            alignment or AlignmentConfig(),
            tone or ToneConfig(),
            fusion or FusionConfig(),
            self.hooks,
            self._stats,
            calibration,
            radiometry,
        )
        self._alignment_watch = AlignmentWatch(
            alignment or AlignmentConfig(),
            self._events,
            lambda: self._processor.alignment,
            self._processor.set_homography,
        )
        self._pairer: Pairer | None = None
        self._live: LivePairs | None = None
        self._pairs: RecordedPairs | None = None
        self._entered = self._closed = False

    @classmethod
    def open(cls, rig: str | Path | RigConfig, *, hooks: Sequence[Hook] = ()) -> FusionPipeline:
        """The pipeline that a rig file describes; its ``tracking`` section comes before ``hooks``.

        Raises:
            ConfigError: the rig file is wrong; the message has the key's path.
        """
        require_opencv()
        from edge_sdk.rig import open_rig, tracking_hooks

        config = rig if isinstance(rig, RigConfig) else load_rig(rig)
        ir, visible, simulation, sections = open_rig(config)
        pipeline = cls(ir, visible, hooks=[*tracking_hooks(config.tracking), *hooks], **sections)
        pipeline.rig = simulation
        return pipeline

    @classmethod
    def from_files(
        cls,
        ir: str | Path,
        visible: str | Path,
        *,
        fps: float | None = None,
        allow_gaps: bool = False,
        allow_colour: bool = False,
        size: tuple[int, int] | None = None,
        hooks: Sequence[Hook] = (),
        **sections: Any,
    ) -> FusionPipeline:
        """Two recordings: video files, or folders of images (also 16-bit PNG and TIFF).

        Args:
            ir, visible: the recordings.
            fps: frames per second, where the recordings do not say or are wrong.
            allow_gaps: accept missing numbers in a numbered folder as lost frames.
            allow_colour: take the luma of a colour infrared recording (a palette) for infrared.
            size: (width, height) of the fused picture; None: that of the visible recording.
            hooks: see the class.
            sections: further arguments of the class; ``size`` wins over
                ``alignment.size``.

        Raises:
            SourceError: a recording cannot be read, or both are the same.
        """
        require_opencv()
        from edge_sdk.rig import open_recordings

        ir_camera, visible_camera = open_recordings(ir, visible, fps, allow_gaps, allow_colour)
        alignment = sections.pop("alignment", None) or AlignmentConfig()
        try:
            values = alignment.model_dump() | {"size": size or visible_camera.size}
            return cls(
                ir_camera,
                visible_camera,
                alignment=AlignmentConfig(**values),
                hooks=hooks,
                **sections,
            )
        except BaseException:
            ir_camera.close()
            visible_camera.close()
            raise

    @classmethod
    def simulated(
        cls, condition: str = "day", *, hooks: Sequence[Hook] = (), **options: Any
    ) -> FusionPipeline:
        """The simulated rig; ``pipeline.rig`` gives its ground truth.

        With ``registered=False`` the cameras stand apart: ``alignment.calibration`` aligns them or,
        without it, the rig's own perfect calibration for 10 m.

        Args:
            condition: ``"day"``, ``"night"``, ``"smoke"`` or ``"glare"``.
            hooks: see the class.
            options: further fields of :class:`edge_sdk.capture.simulated.SimulationConfig`, and
                ``pairing``, ``alignment``, ``tone``, ``fusion``, ``supervision``, ``give_up_s``.
        """
        require_opencv()
        from edge_sdk.rig import SIMULATED_DISTANCE_M, calibration_of, simulated_rig

        names = ("pairing", "alignment", "tone", "fusion", "supervision", "give_up_s")
        sections = {name: options.pop(name) for name in names if name in options}
        rig = simulated_rig(condition, options)
        alignment = sections.get("alignment") or AlignmentConfig(size=rig.config.visible_size)
        sections["alignment"] = alignment
        apart = not rig.config.registered and alignment.calibration is None
        calibration = calibration_of(rig, SIMULATED_DISTANCE_M) if apart else None
        pipeline = cls(rig.ir, rig.visible, hooks=hooks, calibration=calibration, **sections)
        pipeline.rig = rig
        return pipeline

    @property
    def frame_count(self) -> int | None:
        """How many frames the shorter recording says it has; None if it is not known or live."""
        counts = [getattr(camera, "frame_count", None) for camera in (self._ir, self._visible)]
        return min((count for count in counts if count is not None), default=None)

    @property
    def live(self) -> bool:
        """Whether the cameras deliver at their own pace."""
        return self._ir is not None and self._ir.live

    @property
    def fps(self) -> float | None:
        """Pairs per second: of two recordings the slower one's rate, since each frame pairs once.

        Of live cameras the visible one's, if it says; None if it is not known.
        """
        rates: list[float | None]
        if self.rig is not None:
            rates = [self.rig.config.visible_fps, self.rig.config.ir_fps]
        else:
            rates = [getattr(camera, "fps", None) for camera in (self._visible, self._ir)]
        if self.live:
            return rates[0]
        return min((rate for rate in rates if rate is not None), default=None)

    def __enter__(self) -> FusionPipeline:
        self._start()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[FusedFrame]:
        """Fused frames until both streams end.

        Without ``with`` the pipeline is closed, for good, when the iteration ends for any reason.

        Raises:
            StreamTimeoutError: live cameras gave no pair for ``give_up_s``. In a ``with`` statement
                they go on being reopened, so that iterating again may succeed.
            SourceError: a recording is damaged.
            CalibrationError: as :meth:`step`.
            ConfigError: the pipeline was closed.
            EngineError: fusion failed.
        """
        if self._ir is None or self._visible is None:
            raise ConfigError("this pipeline has no cameras: use step(), or give it cameras")
        started_here = not self._entered
        self._start()
        try:
            yield from self._fuse_all()
        finally:
            if started_here:
                self.close()

    def _fuse_all(self) -> Iterator[FusedFrame]:
        if self._live is not None:
            while (newest := self._live.get(self._give_up_s)) is not None:
                fused = self._fuse(newest.pair, newest.arrival_ns, newest.reasons)
                if self._control is not None:
                    self._control.observe(fused.ir, fused.timestamp_ns)
                yield fused
        else:
            assert self._pairs is not None
            for pair in self._pairs:
                yield self.step(pair)

    def step(self, pair: FramePair) -> FusedFrame:
        """Fuse one pair, for robots that own the loop. Pairs come in the order of their time.

        Raises:
            CalibrationError: the calibration is for pictures of another size, or a camera has
                changed its size (a live one may when it is reopened).
            EngineError: fusion failed.
        """
        return self._fuse(pair)

    def _fuse(self, pair: FramePair, *known: Any) -> FusedFrame:
        fused = self._processor(pair, *known)
        with self._stats.stage("health"):
            self._alignment_watch.observe(pair, fused, self._processor.valid)
        return fused

    @property
    def alignment_health(self) -> AlignmentHealth | None:
        """What the last seconds say about the alignment; None if there is no answer yet."""
        return self._alignment_watch.health

    def set_distance(self, distance_m: float) -> None:
        """Align objects at this distance from now on; needs a calibration with extrinsics."""
        self._processor.set_distance(distance_m)
        self._alignment_watch.reset()

    def run_ffc(self) -> None:
        """Run a flat-field correction of the infrared core now, for instance while standing still.

        The infrared is held for about half a second (``degraded``: ``ir shutter``). Returns when
        the core has accepted.

        Raises:
            ConfigError: the rig file has no ``cameras.ir.serial``, or the pipeline does not run.
            SerialError: the core does not answer, or refuses.
        """
        if self._control is None:
            raise ConfigError(
                "run_ffc() needs the infrared core's control port: cameras.ir.serial in the rig "
                "file is missing"
            )
        if self._live is None or self._closed:
            raise ConfigError("run_ffc(): the pipeline does not run; use it in a with statement")
        self._control.run_ffc()

    def stats(self) -> PipelineStats:
        """Counters since the pipeline was made."""
        snapshot = self._stats.snapshot().with_cameras(self._ir, self._visible)
        if self._pairs is not None:
            return snapshot.with_pairing(self._pairs.stats, recorded=True)
        return snapshot if self._pairer is None else snapshot.with_pairing(self._pairer.stats)

    def reset_stats(self) -> None:
        """Start the latencies anew, for instance after a warm-up; counters go on."""
        self._stats.reset_latency()

    def close(self) -> None:
        """Stop the threads and release the cameras, for good. May be called twice.

        With live cameras this takes some 6 s at most, even if a driver hangs.
        """
        if self._closed:
            return
        if self._live is not None:
            self._live.stop()
        for camera in (self._ir, self._visible):
            if camera is not None and not camera.live:
                camera.close()
        self._alignment_watch.close(TELL_S)
        self._closed = self._entered
        self._entered = False
        self._events.flush(TELL_S)

    def _start(self) -> None:
        if self._entered or self._ir is None or self._visible is None:
            return
        if self._closed:
            raise ConfigError(
                "this pipeline was closed, and its hooks hold what they saw: make a new one"
            )
        tolerance_ns = round(self._pairing.tolerance_ms * 1e6)
        if self._ir.live:
            from edge_sdk.capture.pairing import Pairer
            from edge_sdk.live import LivePairs

            self._pairer = Pairer(
                tolerance_ns, single_after_ns=round(self._pairing.single_after_ms * 1e6)
            )
            live = LivePairs(
                self._ir,
                self._visible,
                self._pairer,
                self._stats,
                self._events,
                self._supervision.settings(),
                self._control,
            )
            self._processor.prepare()
            live.start()
            self._live = live
        else:
            from edge_sdk.capture.recorded_pairs import pair_recordings

            try:
                self._ir.open()
                self._visible.open()
            except BaseException:
                self.close()
                raise
            self._pairs = pair_recordings(self._ir, self._visible, tolerance_ns)
        self._entered = True

    def _make_control(self, serial: CoreSettings) -> CoreControl:
        from edge_sdk.capture.core_control import CoreControl

        return CoreControl(serial, lambda kind, text: self._events.emit(kind, text, "ir"))
