"""The YOLO detector on networks made up here, with known boxes, and on a real one."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edge_sdk.config import TrackingConfig
from edge_sdk.errors import ConfigError, ModelError
from edge_sdk.frames import FusedFrame, Image
from edge_sdk.rig import tracking_hooks
from edge_sdk.tracking import Detections, Detector, YoloDetector

SHARED = Path(__file__).parents[3] / "shared" / "data"
NANO = SHARED / "models" / "yolox_nano.onnx"
needs_data = pytest.mark.skipif(not NANO.is_file(), reason=f"the network is absent: {NANO}")

SIDE = 64
CELLS = 64 + 16 + 4  # of strides 8, 16 and 32


def network(
    path: Path, output: NDArray[np.float32], names: str | None = None, gated: float = 0.0
) -> Path:
    """A network that always answers the same.

    ``gated``: only its boxes' scores, times the first value of the input over ``gated``.
    """
    shape = output.shape
    nodes, initializers = [], [numpy_helper.from_array(output, "answer")]
    if gated:
        scale = np.ones_like(output)
        is_yolox = shape[1] == CELLS
        scores = (slice(None), slice(None), slice(4, 5)) if is_yolox else (slice(None), slice(4, 5))
        scale[scores] = 0
        constants = {
            "scale": scale, "pick": 1 - scale, "gated": np.float32([gated]).reshape(1, 1, 1),
            "starts": np.int64([0, 0, 0]), "ends": np.int64([1, 1, 1]), "axes": np.int64([1, 2, 3]),
            "shape": np.int64([1, 1, 1]),
        }  # fmt: skip
        initializers += [numpy_helper.from_array(value, key) for key, value in constants.items()]
        nodes += [
            helper.make_node("Slice", ["images", "starts", "ends", "axes"], ["first4"]),
            helper.make_node("Reshape", ["first4", "shape"], ["first"]),
            helper.make_node("Div", ["first", "gated"], ["share"]),
            helper.make_node("Mul", ["share", "pick"], ["on_scores"]),
            helper.make_node("Add", ["on_scores", "scale"], ["factor"]),
            helper.make_node("Mul", ["answer", "factor"], ["output"]),
        ]
    else:
        nodes.append(helper.make_node("Identity", ["answer"], ["output"]))
    graph = helper.make_graph(
        nodes,
        "made up",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, list(shape))],
        initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    if names is not None:
        helper.set_model_props(model, {"names": names})
    onnx.save(model, str(path))
    return path


def yolox(*found: tuple[int, tuple[float, ...]], classes: int = 2) -> NDArray[np.float32]:
    """Output with values at some cells, elsewhere nothing."""
    output = np.zeros((1, CELLS, 5 + classes), np.float32)
    for cell, values in found:
        output[0, cell] = values
    return output


def v8(*found: tuple[float, ...], classes: int = 2) -> NDArray[np.float32]:
    output = np.zeros((1, 4 + classes, CELLS), np.float32)
    for k, values in enumerate(found):
        output[0, :, k] = values
    return output


def detect(detector: YoloDetector, image: Image | None = None) -> Detections:
    image = np.zeros((SIDE, SIDE, 3), np.uint8) if image is None else image
    return detector.detect(
        FusedFrame(image=image, ir=None, visible=image, timestamp_ns=0, skew_ns=0)
    )


def test_a_box_of_yolox_by_hand(tmp_path: Path) -> None:
    # Stride 16 begins after 64 cells; the cell in row 1, column 2 of four columns is 64 + 6.
    values = (0.25, -0.5, np.log(2.0), np.log(1.0), 0.8, 0.1, 0.9)
    path = network(tmp_path / "x.onnx", yolox((70, values)))
    detector = YoloDetector(path, names=["cat", "dog"])
    assert isinstance(detector, Detector)
    found = detect(detector)
    # Centre ((2 + .25) 16, (1 - .5) 16) = (36, 8), size (32, 16).
    np.testing.assert_allclose(found.boxes, [[20, 0, 52, 16]], atol=1e-4)
    np.testing.assert_allclose(found.scores, [0.72], atol=1e-6)
    assert found.labels == ("dog",)


def test_boxes_of_yolov8_scaled_back_and_cut_to_the_picture(tmp_path: Path) -> None:
    path = network(
        tmp_path / "v8.onnx",
        v8((32, 16, 20, 10, 0.2, 0.6), (60, 30, 20, 4, 0.9, 0.0)),
        names="{0: 'cat', 1: 'dog'}",
    )
    found = detect(YoloDetector(path), np.zeros((64, 128, 3), np.uint8))  # half as large within
    np.testing.assert_allclose(found.boxes, [[100, 56, 128, 64], [44, 22, 84, 42]], atol=1e-4)
    assert found.labels == ("cat", "dog")
    only = detect(YoloDetector(path, classes=["dog"]), np.zeros((64, 128, 3), np.uint8))
    assert only.labels == ("dog",)
    assert len(detect(YoloDetector(path, min_score=0.95))) == 0


def test_of_overlapping_boxes_the_best_stays_class_by_class(tmp_path: Path) -> None:
    path = network(
        tmp_path / "v8.onnx",
        v8(
            (20, 20, 20, 20, 0.6, 0),
            (22, 20, 20, 20, 0.8, 0),
            (20, 22, 20, 20, 0, 0.7),
            (50, 50, 8, 8, 0.5, 0),
        ),
    )
    found = detect(YoloDetector(path, names=["cat", "dog"]))
    assert found.labels == ("cat", "dog", "cat")
    np.testing.assert_allclose(found.scores, [0.8, 0.7, 0.5], atol=1e-6)
    assert len(detect(YoloDetector(path, names=["cat", "dog"], max_overlap=0.95))) == 4


@pytest.mark.parametrize(
    ("kind", "gated", "seen", "unseen"),
    [("yolox", 255.0, (255, 0, 0), (0, 0, 255)), ("v8", 1.0, (0, 0, 255), (255, 0, 0))],
)
def test_colours_and_range_are_those_that_each_kind_was_trained_on(
    tmp_path: Path, kind: str, gated: float, seen: tuple[int, ...], unseen: tuple[int, ...]
) -> None:
    """The first value that the network sees is blue of 255 for YOLOX, red of 1 for the others."""
    output = (
        yolox((0, (0, 0, 0, 0, 0.9, 1)), classes=1)
        if kind == "yolox"
        else v8((9, 9, 4, 4, 0.9), classes=1)
    )
    detector = YoloDetector(network(tmp_path / "x.onnx", output, gated=gated), names=["cat"])
    for colour, score in ((seen, [0.9]), (unseen, [])):
        image = np.full((SIDE, SIDE, 3), colour, np.uint8)
        np.testing.assert_allclose(detect(detector, image).scores, score, atol=1e-5)


def test_what_cannot_be_used_is_one_clear_error(tmp_path: Path) -> None:
    good = network(tmp_path / "x.onnx", v8((9, 9, 4, 4, 0.9, 0)))
    with pytest.raises(ConfigError, match="no such file"):
        YoloDetector(tmp_path / "nowhere.onnx")
    with pytest.raises(ConfigError, match="has 2 classes, and of their labels none are known"):
        YoloDetector(good)
    with pytest.raises(ConfigError, match=r"has 2 classes, .* 1 are given"):
        YoloDetector(good, names=["cat"])
    with pytest.raises(ConfigError, match="'cow' is none of the labels"):
        YoloDetector(good, names=["cat", "dog"], classes=["cow"])
    with pytest.raises(ConfigError, match="no label is given"):
        YoloDetector(good, names=["cat", "dog"], classes=[])
    with pytest.raises(ConfigError, match="min_score must be from 0 to 1"):
        YoloDetector(good, min_score=2.0)
    (tmp_path / "junk.onnx").write_bytes(b"junk")
    with pytest.raises(ModelError, match="cannot load it"):
        YoloDetector(tmp_path / "junk.onnx")
    other = network(tmp_path / "other.onnx", np.zeros((1, 10), np.float32))
    with pytest.raises(ModelError, match=r"its first output has the shape \(1, 10\)"):
        YoloDetector(other)


def test_the_rig_file_makes_it(tmp_path: Path) -> None:
    path = network(tmp_path / "x.onnx", v8((9, 9, 4, 4, 0.9, 0)), names="{0: 'cat', 1: 'dog'}")
    config = TrackingConfig.model_validate(
        {"detector": "yolo", "yolo": {"model": str(path), "classes": ["dog"]}}
    )
    (hook,) = tracking_hooks(config)
    assert isinstance(hook.detector, YoloDetector)  # type: ignore[attr-defined]


def slowly(output: NDArray[np.float32], least: float, overlap: float) -> list[tuple[float, ...]]:
    """Score, class and corners, cell by cell and box by box: a second implementation."""
    found, cell = [], 0
    for stride in (8, 16, 32):
        for row in range(416 // stride):
            for column in range(416 // stride):
                x, y, w, h, objectness, *classes = output[0, cell].tolist()
                cell += 1
                kind = int(np.argmax(classes))
                if objectness * classes[kind] < least:
                    continue
                x, y = (x + column) * stride, (y + row) * stride
                w, h = np.exp(w) * stride, np.exp(h) * stride
                box = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
                found.append((objectness * classes[kind], kind, *box))
    kept: list[tuple[float, ...]] = []
    for one in sorted(found, reverse=True):
        if all(one[1] != other[1] or _iou(one[2:], other[2:]) <= overlap for other in kept):
            kept.append(one)
    return kept


def _iou(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    width = max(0.0, min(one[2], other[2]) - max(one[0], other[0]))
    height = max(0.0, min(one[3], other[3]) - max(one[1], other[1]))
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (one, other)]
    return width * height / (sum(areas) - width * height)


@needs_data
def test_a_real_network_on_a_real_picture() -> None:
    import onnxruntime

    path = sorted((SHARED / "val" / "frames" / "0115_1847" / "visible").iterdir())[0]
    image = cv2.imread(str(path))
    assert image is not None
    found = detect(YoloDetector(NANO, min_score=0.3, max_overlap=0.5), np.asarray(image, np.uint8))
    assert found.labels.count("person") >= 3
    framed = np.full((416, 416, 3), 114, np.uint8)
    framed[:312, :416] = cv2.resize(image, (416, 312), interpolation=cv2.INTER_LINEAR)
    blob = framed.astype(np.float32).transpose(2, 0, 1)[None]
    output = onnxruntime.InferenceSession(str(NANO)).run(None, {"images": blob})[0]
    wanted = slowly(output, 0.3, 0.5)
    assert len(found) == len(wanted)
    np.testing.assert_allclose(found.scores, [one[0] for one in wanted], atol=1e-4)
    scaled = np.array([one[2:] for one in wanted]) * 640 / 416
    np.testing.assert_allclose(found.boxes, scaled.clip(0, [640, 480, 640, 480]), atol=0.05)
