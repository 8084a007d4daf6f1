"""Finds objects in the fused picture with a YOLO network of yours, in ONNX."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_sdk.errors import ConfigError, ModelError
from edge_sdk.frames import FusedFrame, Image
from edge_sdk.onnx_session import open_session
from edge_sdk.tracking.coco import COCO_CLASSES
from edge_sdk.tracking.detections import Detections

__all__ = ["YoloDetector"]

Floats = NDArray[np.float32]
PAD = 114
"""Grey that both families of networks are trained to see around a picture of another shape."""
STRIDES = (8, 16, 32)
OPEN_SIZE = 640
"""Side of the input of a network that takes any size."""


class YoloDetector:
    """Runs a YOLO network with ONNX Runtime on the fused picture.

    Two kinds of outputs are known, and told apart by their shapes: (1, N, 5 + classes) of YOLOX
    (Ge et al., 2021), which has to be decoded and has an objectness, and (1, 4 + classes, N) of
    Ultralytics' YOLOv8 and later, exported without its own suppression. YOLOX wants BGR from 0 to
    255, the others RGB from 0 to 1. Of boxes that overlap, the best is kept, class by class.

    Args:
        model: the ONNX file. Its input is (1, 3, H, W) float32; H and W may be open (640 then).
        min_score: 0 to 1; less certain objects are not reported.
        classes: labels to keep; None keeps all.
        names: labels of the network's classes, in order. Default: those in the file's metadata
            (``names``, as Ultralytics writes them), or COCO's if there are 80 classes.
        max_overlap: intersection over union from which two boxes are one object.
        threads: of ONNX Runtime; None for all physical cores.

    Raises:
        ConfigError: a value is outside its range; there is no such file; ``classes`` is empty, or
            names a label that the network has not; or the network's labels are not known.
        ModelError: the file is no ONNX network, or none of the two kinds.
    """

    def __init__(
        self,
        model: str | Path,
        *,
        min_score: float = 0.35,
        classes: Sequence[str] | None = None,
        names: Sequence[str] | None = None,
        max_overlap: float = 0.5,
        threads: int | None = None,
    ) -> None:
        for name, value in (("min_score", min_score), ("max_overlap", max_overlap)):
            if not 0.0 <= value <= 1.0:
                raise ConfigError(f"{name} must be from 0 to 1, but got {value!r}")
        if not Path(model).is_file():
            raise ConfigError(f"YOLO network {str(model)!r}: no such file")
        self.min_score = min_score
        self.max_overlap = max_overlap
        what = f"YOLO network {model}: ONNX Runtime cannot load it"
        self._session = open_session(Path(model), threads, ModelError, what)
        self._size = _input_size(self._session, model)
        # A first run: it is warm then, and shows the shape of an output that the file leaves open.
        shape = self._run(np.zeros((8, 8, 3), np.uint8), decoded=None)[0].shape
        self._is_decoded, count = _kind(shape, self._size, model)
        self._grid = _Grid(self._size)
        self.names = _names(names, self._session, count, model)
        if classes is not None and not classes:
            raise ConfigError("classes: no label is given; leave it out to keep all")
        unknown = sorted(set(classes or ()) - set(self.names))
        if unknown:
            raise ConfigError(
                f"classes: {unknown[0]!r} is none of the labels of {model}: "
                f"{', '.join(self.names[:10])}{', ...' if count > 10 else ''}"
            )
        self._kept = [k for k, name in enumerate(self.names) if classes is None or name in classes]

    def detect(self, fused: FusedFrame) -> Detections:
        """Objects in ``fused.image``, best first."""
        output, scale = self._run(fused.image, self._is_decoded)
        boxes, scores = _decoded(output) if self._is_decoded else self._grid.decode(output)
        scores = scores[:, self._kept]
        best = scores.argmax(axis=1)
        score = scores[np.arange(len(best)), best]
        sure = score >= self.min_score
        boxes, score, best = boxes[sure] / scale, score[sure], best[sure]
        height, width = fused.image.shape[:2]
        np.clip(boxes[:, 0::2], 0, width, out=boxes[:, 0::2])
        np.clip(boxes[:, 1::2], 0, height, out=boxes[:, 1::2])
        corner_and_size = np.hstack((boxes[:, :2], boxes[:, 2:] - boxes[:, :2]))
        kept = np.asarray(
            cv2.dnn.NMSBoxesBatched(
                corner_and_size.tolist(), score.tolist(), best.tolist(), 0.0, self.max_overlap
            ),
            np.int64,
        ).ravel()
        kept = kept[np.argsort(-score[kept], kind="stable")]
        labels = tuple(self.names[self._kept[k]] for k in best[kept])
        return Detections(boxes[kept], np.clip(score[kept], 0.0, 1.0), labels)

    def _run(self, image: Image, decoded: bool | None) -> tuple[Floats, float]:
        """The network's output for a picture, and by how much the picture was scaled."""
        height, width = self._size
        scale = min(height / image.shape[0], width / image.shape[1])
        size = tuple(max(1, round(side * scale)) for side in image.shape[1::-1])
        framed = np.full((height, width, 3), PAD, np.uint8)
        framed[: size[1], : size[0]] = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
        blob = cv2.dnn.blobFromImage(
            framed, scalefactor=1 / 255 if decoded else 1.0, swapRB=bool(decoded)
        )
        (entry,) = self._session.get_inputs()
        return self._session.run(None, {entry.name: blob})[0], scale


def _input_size(session: Any, model: str | Path) -> tuple[int, int]:
    entries = session.get_inputs()
    shape = entries[0].shape
    if len(entries) != 1 or len(shape) != 4 or shape[1] != 3 or entries[0].type != "tensor(float)":
        raise ModelError(
            f"YOLO network {model}: needs one input (1, 3, H, W) of float32, found "
            f"{[(entry.shape, entry.type) for entry in entries]}"
        )
    height, width = (side if isinstance(side, int) else OPEN_SIZE for side in shape[2:])
    return height, width


def _kind(shape: tuple[int, ...], size: tuple[int, int], model: str | Path) -> tuple[bool, int]:
    """Whether boxes are decoded already, and how many classes there are."""
    cells = sum((size[0] // stride) * (size[1] // stride) for stride in STRIDES)
    if len(shape) == 3 and shape[1] == cells and shape[2] > 5:
        return False, shape[2] - 5
    if len(shape) == 3 and shape[2] == cells and shape[1] > 4:
        return True, shape[1] - 4
    raise ModelError(
        f"YOLO network {model}: its first output has the shape {shape}; known are "
        f"(1, {cells}, 5 + classes) of YOLOX and (1, 4 + classes, {cells}) of YOLOv8 and later, "
        "exported without non-maximum suppression"
    )


def _names(
    given: Sequence[str] | None, session: Any, count: int, model: str | Path
) -> tuple[str, ...]:
    names: tuple[str, ...] | None = None if given is None else tuple(given)
    if names is None:
        try:
            found = ast.literal_eval(session.get_modelmeta().custom_metadata_map["names"])
            names = tuple(str(found[k]) for k in range(len(found)))
        except (KeyError, IndexError, TypeError, ValueError, SyntaxError):
            names = COCO_CLASSES if count == len(COCO_CLASSES) else None
    if names is None or len(names) != count:
        found_count = "none are known" if names is None else f"{len(names)} are given"
        raise ConfigError(
            f"YOLO network {model} has {count} classes, and of their labels {found_count}; "
            "give names=, in the order of the classes"
        )
    return names


class _Grid:
    """YOLOX's cells: a centre is ``(output + cell) * stride``, a size ``exp(output) * stride``."""

    def __init__(self, size: tuple[int, int]) -> None:
        cells, strides = [], []
        for stride in STRIDES:
            rows, columns = np.indices((size[0] // stride, size[1] // stride))
            cells.append(np.stack((columns, rows), -1).reshape(-1, 2))
            strides.append(np.full((rows.size, 1), stride))
        self._cells = np.concatenate(cells).astype(np.float32)
        self._strides = np.concatenate(strides).astype(np.float32)

    def decode(self, output: Floats) -> tuple[Floats, Floats]:
        """(1, N, 5 + classes) to corners (N, 4) in pixels of the input and scores (N, classes)."""
        values = output[0]
        centre = (values[:, :2] + self._cells) * self._strides
        half = np.exp(values[:, 2:4]) * self._strides / 2
        return _corners(centre, half), values[:, 4:5] * values[:, 5:]


def _decoded(output: Floats) -> tuple[Floats, Floats]:
    """(1, 4 + classes, N), centres and sizes in pixels, to the same."""
    values = output[0].T
    return _corners(values[:, :2], values[:, 2:4] / 2), values[:, 4:]


def _corners(centre: Floats, half: Floats) -> Floats:
    return np.hstack((centre - half, centre + half)).astype(np.float32)
