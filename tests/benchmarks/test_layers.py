from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest

from benchmarks.layers import main, profile, summary
from edge_sdk.fusion import load_model

pytest.importorskip("openvino", reason="layers are timed by OpenVINO")


def quantised_convolutions() -> int:
    """Of the packed INT8 file: convolutions whose weights come from a DequantizeLinear."""
    graph = onnx.load(str(load_model().file("int8")[1])).graph
    made_by = {name: node.op_type for node in graph.node for name in node.output}
    return sum(
        node.op_type == "Conv" and made_by.get(node.input[1]) == "DequantizeLinear"
        for node in graph.node
    )


def test_what_is_packed_as_int8_runs_in_int8_and_nothing_else() -> None:
    found = {
        precision: [
            layer
            for layer in profile(load_model(), precision, (96, 64), threads=1, runs=3)
            if layer.kind == "Convolution" and layer.precision == "int8"
        ]
        for precision in ("int8", "fp32")
    }
    assert len(found["int8"]) == quantised_convolutions() > 5
    assert not found["fp32"]


def test_layers_come_longest_first_and_the_summary_loses_no_time() -> None:
    layers = profile(load_model(), "int8", (96, 64), threads=1, runs=3)
    times = [layer.ms for layer in layers]
    assert times == sorted(times, reverse=True)
    assert sum(summary(layers).values()) == pytest.approx(sum(times))


def test_the_command_writes_all_layers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "layers.json"
    assert main(["--size", "97x65", "--runs", "2", "--threads", "1", "--json", str(out)]) == 0
    layers = json.loads(out.read_text())
    shown = capsys.readouterr().out
    assert f"all layers: {sum(layer['ms'] for layer in layers):.2f} ms" in shown
    assert "Convolution int8" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--size", "640"], "--size must be WIDTHxHEIGHT"),
        (["--runs", "0"], "--runs must be at least 1"),
        (["--json", "/nowhere/out.json", "--runs", "1", "--size", "64x64"], "/nowhere/out.json"),
    ],
)
def test_bad_options_are_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert message in capsys.readouterr().err
