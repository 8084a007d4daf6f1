"""The infrared core's shutter, from the serial port into the fused frames."""

from __future__ import annotations

import os
import shutil
import time
from functools import partial

import numpy as np
import pytest

from edge_sdk import ConfigError, Frame, FrameFlags, FramePair, FusionPipeline
from edge_sdk.capture.core_control import CoreControl, CoreSettings
from edge_sdk.capture.serial import Fault, FfcMode, GainMode, SimulatedBoson, SimulatedTau2
from edge_sdk.capture.v4l2 import serial_port_of
from edge_sdk.config import AlignmentConfig, FusionConfig, rig_from_dict
from edge_sdk.errors import DeviceNotFoundError, SerialError
from edge_sdk.rig import core_settings
from tests.capture.v4l2.machine import Machine

SIZE = (128, 96)


def _rig(port, protocol="boson", people=0, **serial):
    return rig_from_dict(
        {
            "cameras": {
                "ir": {
                    "driver": "simulated",
                    "serial": {"protocol": protocol, "port": port, **serial},
                },
                "visible": {"driver": "simulated"},
            },
            "simulation": {
                "visible_size": list(SIZE),
                "people": people,
                "vehicles": 0,
                "visible_fps": 20.0,
                "ir_fps": 20.0,
            },
            "alignment": {"size": list(SIZE)},
            "pairing": {"tolerance_ms": 25.0},
        }
    )


def _until(pipeline, condition, seconds=20.0):
    """Fused frames until one fulfils the condition; all of them."""
    end, seen = time.monotonic() + seconds, []
    for fused in pipeline:
        seen.append(fused)
        if condition(fused):
            return seen
        assert time.monotonic() < end, f"in vain: {[f.degraded for f in seen[-5:]]}"
    return seen


def _shut(fused):
    return "ir shutter" in fused.degraded


@pytest.mark.parametrize("core", [SimulatedBoson, SimulatedTau2])
def test_run_ffc_flags_the_frames_and_holds_the_infrared(core):
    protocol = "boson" if core is SimulatedBoson else "tau2"
    events = []
    with (
        core(ffc_duration_s=0.6, ffc_mode=FfcMode.MANUAL) as simulated,
        FusionPipeline.open(_rig(simulated.port, protocol)) as pipeline,
    ):
        pipeline.subscribe(events.append)
        good = _until(pipeline, lambda f: not f.degraded and f.index > 5)[-1]
        pipeline.run_ffc()
        closing = _until(pipeline, _shut)
        held = closing + _until(pipeline, lambda f: not f.degraded)
        assert simulated.ffc_count == 1
    shut = [f for f in held if _shut(f)]
    assert 5 <= len(shut) <= 20  # 0.6 s at 20 frames/s, and some more
    assert all(np.array_equal(f.ir, shut[0].ir) for f in shut)
    assert not np.array_equal(shut[0].image, shut[-1].image)  # the visible camera goes on
    assert held[-1].reset and good.ir is not None
    # A starved machine may add time-outs and pauses of its own.
    ours = [e.name for e in events if e.kind in ("ffc", "shutter")]
    assert ours[:2] == ["ir ffc", "ir shutter"]


def test_a_core_that_corrects_itself_is_seen():
    with SimulatedBoson(ffc_duration_s=0.5, ffc_mode=FfcMode.MANUAL) as simulated:
        rig = _rig(simulated.port, auto_ffc=True, gain="low")
        with FusionPipeline.open(rig) as pipeline:
            _until(pipeline, lambda f: simulated.ffc_mode is FfcMode.AUTOMATIC)
            assert simulated.gain_mode is GainMode.LOW
            simulated.fpa_temperature_c += 4.0  # beyond the temperature delta
            _until(pipeline, _shut)
            assert simulated.ffc_count == 1


def test_a_still_scene_gets_the_ffc_that_the_core_desires():
    events = []
    with SimulatedBoson(ffc_mode=FfcMode.AUTOMATIC) as simulated:
        rig = _rig(simulated.port, ffc_when_still=True, ffc_max_wait_s=600.0)
        with FusionPipeline.open(rig) as pipeline:
            pipeline.subscribe(events.append)
            _until(pipeline, lambda f: simulated.ffc_mode is FfcMode.MANUAL)
            assert simulated.ffc_count == 0
            simulated.fpa_temperature_c += 4.0
            _until(pipeline, _shut)
            assert simulated.ffc_count == 1
    assert "nothing moves" in next(e.message for e in events if e.kind == "ffc")


@pytest.mark.parametrize(("max_wait_s", "count"), [(600.0, 0), (1.0, 1)])
def test_a_moving_scene_makes_it_wait_but_not_for_ever(max_wait_s, count):
    """The control itself, with pictures in which a warm square runs."""
    from edge_sdk.capture.core_control import CoreControl

    with SimulatedBoson(ffc_mode=FfcMode.MANUAL) as simulated:
        settings = CoreSettings(
            "boson", simulated.port, ffc_when_still=True, ffc_max_wait_s=max_wait_s
        )
        control = CoreControl(settings, lambda kind, text: None)
        control.start()
        simulated.fpa_temperature_c += 4.0
        for k in range(50):
            image = np.full((96, 128), 80, np.uint8)
            image[40:60, 2 * k : 2 * k + 20] = 160
            control.observe(image, time.monotonic_ns())
            time.sleep(0.05)
        assert simulated.ffc_count == count
        assert control.stop()


def test_a_mute_core_is_told_and_stops_nothing():
    events = []
    with (
        SimulatedBoson(ffc_mode=FfcMode.MANUAL) as simulated,
        FusionPipeline.open(_rig(simulated.port)) as pipeline,
    ):
        pipeline.subscribe(events.append)
        _until(pipeline, lambda f: f.index > 10)
        simulated.inject(Fault.MUTE, 10_000)
        with pytest.raises(SerialError, match="no answer"):
            pipeline.run_ffc()
        _until(pipeline, lambda f: "ir serial" in pipeline.stats().events)
        simulated.clear_faults()
        seen = _until(pipeline, lambda f: pipeline.stats().events["ir serial"] == 2)
        assert not any(_shut(f) for f in seen)
        start_s = time.monotonic()
        simulated.inject(Fault.MUTE, 10_000)
    assert time.monotonic() - start_s < 8
    messages = [e.message for e in events if e.kind == "serial"]
    assert "does not answer" in messages[0] and "answers again" in messages[1]


def test_a_port_that_is_not_there_is_one_clear_error():
    with (
        pytest.raises(DeviceNotFoundError, match=r"/dev/ttyNOTHING"),
        FusionPipeline.open(_rig("/dev/ttyNOTHING")),
    ):
        pass


def test_run_ffc_without_a_port_or_not_running():
    with pytest.raises(ConfigError, match=r"cameras\.ir\.serial in the rig file is missing"):
        FusionPipeline(fusion=FusionConfig(threads=1)).run_ffc()
    with pytest.raises(ConfigError, match="does not run"):
        FusionPipeline.open(_rig("/dev/ttyX")).run_ffc()


@pytest.mark.parametrize(
    ("core", "protocol", "asked", "spoken"),
    [
        (SimulatedBoson, "boson", {}, 921600),
        (SimulatedTau2, "tau2", {}, 57600),
        (SimulatedTau2, "tau2", {"baudrate": 921600}, 921600),
    ],
)
def test_the_port_runs_at_the_baud_rate_of_the_core(core, protocol, asked, spoken):
    """A core that hears one rate only; without ``baudrate``, that of the factory is used."""
    with (
        core(ffc_mode=FfcMode.MANUAL, baudrate=spoken) as simulated,
        FusionPipeline.open(_rig(simulated.port, protocol, **asked)) as pipeline,
    ):
        _until(pipeline, lambda f: f.index > 3)
        pipeline.run_ffc()
        _until(pipeline, _shut)
        assert simulated.ffc_count == 1
        assert simulated.bad_requests == 0


def test_a_wrong_baud_rate_is_told_with_the_rate():
    with (
        SimulatedTau2(ffc_mode=FfcMode.MANUAL, baudrate=57600) as simulated,
        FusionPipeline.open(_rig(simulated.port, "tau2", baudrate=921600)) as pipeline,
    ):
        with pytest.raises(SerialError, match=r"921600 baud"):
            pipeline.run_ffc()
        assert next(iter(pipeline)).visible is not None  # the pictures come all the same
        assert simulated.ffc_count == 0


def test_port_auto_is_looked_up_again_when_the_cable_comes_back(tmp_path, monkeypatch):
    """The port of the same USB device as the video, whose number has changed meanwhile."""
    machine = Machine(tmp_path)
    usb = machine.usb("1-1", "Boson", "FLIR_VIDEO", "FLIR")
    machine.video(0, usb / "1-1:1.0", "FLIR: Boson")
    scan = partial(serial_port_of, sysfs=machine.sysfs, dev=machine.dev)
    monkeypatch.setattr("edge_sdk.capture.v4l2.serial_port_of", scan)
    section = {
        "driver": "v4l2",
        "device": "serial:FLIR_VIDEO",
        "serial": {"protocol": "boson", "port": "auto"},
    }
    visible = {"driver": "v4l2", "device": "name:Other"}
    config = rig_from_dict({"cameras": {"ir": section, "visible": visible}})
    with pytest.raises(DeviceNotFoundError, match="serial port"):
        core_settings(config.cameras.ir)
    with SimulatedBoson(ffc_mode=FfcMode.MANUAL) as simulated:

        def plug_in(name):
            path = machine.tty(usb / "1-1:1.2", name)
            os.unlink(path)
            os.symlink(simulated.port, path)
            return path

        before = plug_in("ttyACM0")
        control = CoreControl(core_settings(config.cameras.ir), lambda *_: None)

        def wait(healthy):
            end_s = time.monotonic() + 20
            while control.status.healthy is not healthy:
                assert time.monotonic() < end_s, control.status
                time.sleep(0.02)

        control.start()
        try:
            wait(True)
            simulated.unplug()
            os.unlink(before)
            shutil.rmtree(usb / "1-1:1.2" / "tty")
            wait(False)
            simulated.plug_in()
            plug_in("ttyACM1")
            wait(True)
            control.run_ffc()
            assert simulated.ffc_count == 1
        finally:
            assert control.stop()


def test_senseless_serial_sections():
    with pytest.raises(ConfigError, match="auto_ffc: true lets the core choose"):
        _rig("/dev/ttyX", auto_ffc=True, ffc_when_still=True)
    with pytest.raises(ConfigError, match=r"cameras\.ir.*only the driver v4l2 can look up"):
        _rig("auto")


def _step(pipeline, index, level, flags=FrameFlags.NONE):
    rng = np.random.default_rng(index)
    ir = rng.integers(level, level + 30, SIZE[::-1], np.uint8)
    visible = rng.integers(60, 90, (*SIZE[::-1], 3), np.uint8)
    stamp = index * 33_000_000
    return pipeline.step(
        FramePair(Frame(ir, stamp, index, "ir", flags), Frame(visible, stamp, index, "visible"), 0)
    )


def test_a_shutter_that_stays_closed_leaves_the_visible_camera_alone():
    pipeline = FusionPipeline(alignment=AlignmentConfig(size=SIZE), fusion=FusionConfig(threads=1))
    first = _step(pipeline, 0, 200)
    held = _step(pipeline, 1, 0, FrameFlags.SHUTTER)
    assert np.array_equal(held.ir, first.ir) and held.degraded == ("ir shutter",)
    late = _step(pipeline, 200, 0, FrameFlags.SHUTTER)  # 6.6 s later
    assert late.ir is None and late.degraded == ("ir missing", "ir shutter")
    assert not _step(pipeline, 201, 200).degraded
