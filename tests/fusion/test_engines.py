"""Every installed engine agrees with the fp32 reference, frame after frame."""

from __future__ import annotations

import numpy as np
import pytest

from edge_sdk.errors import ConfigError, EngineError
from edge_sdk.fusion import engines, load_model
from edge_sdk.fusion.engines import ENGINES, choose, make_engine, probe_engines
from edge_sdk.fusion.engines.base import Probe

SIZE = (96, 160)
FRAMES = 60


def _shapes() -> dict[str, tuple[int, ...]]:
    image = (1, 1, *SIZE)
    state = {f"state.{t.name}": t.resolve(*SIZE) for t in load_model().state}
    return {"ir": image, "visible": image, **state}


def _scene(frame: int) -> tuple[np.ndarray, np.ndarray]:
    """A warm disc that moves over a textured scene, with stripes and noise."""
    rng = np.random.default_rng(frame)
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    disc = np.hypot(rows - 50, columns - 20 - 2 * frame % 120) < 12
    stripes = np.random.default_rng(7).normal(0, 8, SIZE[1])
    ir = 60 + 25 * np.sin(columns / 9.0) + 110 * disc + stripes + rng.normal(0, 8, SIZE)
    visible = 120 + 60 * np.sin(rows / 5.0) * np.cos(columns / 7.0) + rng.normal(0, 2, SIZE)
    return tuple(np.clip(x, 0, 255).astype(np.uint8)[None, None] for x in (ir, visible))


def _run(engine: str, precision: str) -> np.ndarray:
    model = load_model()
    precision, file = model.file(precision)
    runner = make_engine(engine, file, precision, _shapes(), threads=1)
    state = {name: np.zeros(s, np.float32) for name, s in _shapes().items() if "." in name}
    fused = []
    for frame in range(FRAMES):
        ir, visible = _scene(frame)
        outputs = runner.run({"ir": ir, "visible": visible, **state})
        state = {f"state.{t.name}": outputs[f"next.{t.name}"] for t in model.state}
        fused.append(outputs["fused"].astype(np.float64))
    return np.stack(fused)


@pytest.fixture(scope="module")
def reference() -> np.ndarray:
    return _run("onnxruntime", "fp32")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_engines_agree_over_recurrent_frames(engine, precision, reference):
    probe = {p.engine: p for p in probe_engines()}[engine]
    if not probe.available:
        pytest.skip(probe.reason)
    error = _run(engine, precision) - reference
    psnr = 10 * np.log10(255**2 / np.maximum((error**2).mean((1, 2, 3, 4)), 1e-9))
    assert psnr.min() >= (60 if precision == "fp32" else 45), psnr.round(1)


def test_auto_passes_over_an_engine_that_is_not_there(monkeypatch):
    missing = (lambda: Probe("openvino", False, "not installed here"), None)
    monkeypatch.setitem(choose.ENGINES, "openvino", missing)
    _, file = load_model().file("fp32")
    assert make_engine("auto", file, "fp32", _shapes()).name == "onnxruntime"
    with pytest.raises(EngineError, match="not installed here"):
        make_engine("openvino", file, "fp32", _shapes())


def test_unknown_engine_and_threads():
    _, file = load_model().file("fp32")
    with pytest.raises(ConfigError, match="must be one of auto, openvino, onnxruntime"):
        make_engine("cuda", file, "fp32", _shapes())
    with pytest.raises(ConfigError, match="threads: must be at least 1, found 0"):
        make_engine("auto", file, "fp32", _shapes(), threads=0)


@pytest.mark.parametrize("engine", ENGINES)
def test_damaged_file_is_an_engine_error(engine, tmp_path):
    if not {p.engine: p for p in probe_engines()}[engine].available:
        pytest.skip(f"{engine} is not installed")
    (tmp_path / "broken.onnx").write_bytes(b"no model at all")
    with pytest.raises(EngineError, match=r"broken\.onnx"):
        make_engine(engine, tmp_path / "broken.onnx", "fp32", _shapes())


@pytest.mark.parametrize("engine", ENGINES)
def test_wrong_inputs_are_an_engine_error(engine):
    if not {p.engine: p for p in probe_engines()}[engine].available:
        pytest.skip(f"{engine} is not installed")
    _, file = load_model().file("fp32")
    runner = make_engine(engine, file, "fp32", _shapes())
    with pytest.raises(EngineError):
        runner.run({"ir": np.zeros((1, 1, *SIZE), np.uint8)})


def test_every_engine_is_probed_with_a_reason():
    probes = engines.probe_engines()
    assert [probe.engine for probe in probes] == list(ENGINES)
    assert all(probe.reason for probe in probes)
