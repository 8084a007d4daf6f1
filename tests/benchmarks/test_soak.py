from __future__ import annotations

import itertools
import json
import threading
import time

import numpy as np
import pytest

from benchmarks.soak import main, soak
from benchmarks.soak_cameras import PlayingCamera
from benchmarks.soak_faults import CAMERA_FAULTS, CORE_FAULTS, FaultyCamera, SoakFault, make_plan
from benchmarks.soak_report import Sample, SoakLog, make_report, write_report
from edge_sdk.errors import DeviceNotFoundError, DisconnectedError, StreamTimeoutError
from edge_sdk.frames import FrameFlags

STATS = {
    "frames_in": {"ir": 100, "visible": 100},
    "fused": 90,
    "degraded": {},
    "dropped": {},
    "cameras": {},
    "events": {},
    "latency": {},
}


def test_a_plan_is_seeded_spread_out_and_holds_every_kind():
    plan = make_plan(3600.0, 200, 1)
    assert plan == make_plan(3600.0, 200, 1) != make_plan(3600.0, 200, 2)
    assert len(plan) == 200 and {f.kind for f in plan} == {*CAMERA_FAULTS, *CORE_FAULTS}
    starts = np.array([f.start_s for f in plan])
    assert np.all(np.diff(starts) > 0) and np.diff(starts).max() < 2 * 3575 / 200
    assert all(5 <= f.start_s < f.stop_s <= 3580 for f in plan)
    assert not any(f.where == "core" for f in make_plan(600.0, 50, 0, core=False))


def _camera():
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 9, (8, 8), np.uint16) for _ in range(5)]
    return FaultyCamera(PlayingCamera("ir", images, fps=200.0))


def test_the_camera_plays_new_pictures_at_its_pace():
    with _camera() as camera:
        start_s = time.monotonic()
        frames = [camera.read() for _ in range(40)]
        assert 0.15 < time.monotonic() - start_s < 2
    assert all(not np.array_equal(a.image, b.image) for a, b in itertools.pairwise(frames))
    steps = np.diff([f.timestamp_ns for f in frames])
    assert np.all(steps > 0) and np.all(steps % 5_000_000 == 0) and not camera.bad


def test_every_camera_fault_does_what_it_says():
    with _camera() as camera:
        good = camera.read()
        camera.begin("freeze")
        repeated = camera.read()
        assert np.array_equal(repeated.image, good.image)
        assert camera.bad == {repeated.timestamp_ns: "repeated"}
        camera.end("freeze")
        camera.begin("damaged")
        damaged = camera.read()
        assert damaged.flags == FrameFlags.DAMAGED
        assert camera.bad[damaged.timestamp_ns] == "damaged"
        camera.end("damaged")
        camera.begin("time jump")
        assert camera.read().timestamp_ns > damaged.timestamp_ns + 19_000_000_000
        camera.end("time jump")
        assert camera.read().timestamp_ns < damaged.timestamp_ns + 9_000_000_000
        for kind, error in (("silence", StreamTimeoutError), ("exception", RuntimeError)):
            camera.begin(kind)
            with pytest.raises(error):
                camera.read(0.05)
            camera.end(kind)
        camera.begin("pull")
        with pytest.raises(DisconnectedError):
            camera.read()
        with pytest.raises(DeviceNotFoundError):
            camera.open()
        camera.end("pull")
        camera.open()
        camera.begin("hanging read")
        threading.Timer(0.2, camera.close).start()
        start_s = time.monotonic()
        with pytest.raises(Exception, match="not open"):
            camera.read(0.01)
        assert time.monotonic() - start_s > 0.15


def test_the_report_tells_what_healed_and_what_grew():
    log = SoakLog(seconds=100.0)
    log.changes = [(10.2, False), (12.0, True), (50.0, False), (90.0, True)]
    log.stalls = [(11.0, 0.4), (60.0, 0.3)]
    log.samples = [Sample(5.0 * k, 200.0 + 0.1 * k, 8, 14, 10 * k, k) for k in range(20)]
    plan = [
        SoakFault("pull", "ir", 10.0, 11.5),
        SoakFault("freeze", "visible", 30.0, 31.0),
        SoakFault("pull", "visible", 50.0, 60.0),
    ]
    report = make_report(log, plan, STATS, {})
    assert [f["healed_after_s"] for f in report["faults"]] == [0.5, 0.0, 30.0]
    assert [f["survived"] for f in report["faults"]] == [True, True, False]
    assert report["faults_survived"] == 2 and report["longest_stall_s"] == 0.4
    assert report["faults_at_longest_stall"] == ["ir pull"]
    assert report["memory"]["slope_mib_per_h"] == pytest.approx(72.0)
    assert report["memory"]["growth_mib"] == pytest.approx(1.5, abs=0.1)


def test_the_report_is_written(tmp_path):
    log = SoakLog(seconds=20.0, samples=[Sample(5.0 * k, 200.0, 8, 14, k, 0) for k in range(9)])
    report = make_report(log, make_plan(60.0, 3, 0), STATS, {})
    write_report(report, tmp_path)
    assert json.loads((tmp_path / "soak.json").read_text()) == json.loads(json.dumps(report))
    assert (tmp_path / "soak.png").read_bytes()[:4] == b"\x89PNG"


RIG = """
cameras:
  ir: {driver: simulated}
  visible: {driver: simulated}
simulation: {visible_size: [96, 80], ir_size: [96, 80], registered: true}
alignment: {size: [96, 80]}
fusion: {threads: 1}
"""


def test_the_cameras_of_a_rig_file(tmp_path):
    (tmp_path / "rig.yaml").write_text(RIG)
    report = soak(0.1, 0, 1, (96, 80), tmp_path / "rig.yaml")
    assert report["fused"] > 10
    assert report["fatal"] == report["threads_left"] == []
    assert report["unflagged_bad_frames"] == 0


@pytest.mark.slow
def test_a_short_soak_survives(tmp_path):
    output = str(tmp_path)
    assert main(["--minutes", "1.2", "--faults", "12", "--size", "96x80", "--output", output]) == 0
