from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from edge_sdk.errors import ModelError
from edge_sdk.fusion.model import StateTensor, load_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    target = tmp_path / "model"
    shutil.copytree(load_model().folder, target)
    return target


def _edit(folder: Path, **changes: object) -> None:
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_shipped_model_is_whole_and_small():
    model = load_model()
    assert set(model.files) == {"fp32", "int8"}
    assert sum(path.stat().st_size for path in model.folder.iterdir()) <= 5_000_000
    assert model.card["licence"] == "Apache-2.0"
    assert model.card["macs_640x480"] <= 2.7e9
    assert model.card["training"]["data"] and model.card["scores"]


def test_no_training_scene_is_a_validation_scene():
    validation = {"1230_1202", "0111_1803", "0115_1847", "roadscene"}
    names = {part for name in load_model().card["training"]["data"] for part in name.split("/")}
    assert not names & validation


def test_auto_precision_is_the_fastest():
    assert load_model().file("auto")[0] == "int8"


def test_wrong_hash(folder):
    (folder / "int8.onnx").write_bytes(b"something else")
    with pytest.raises(ModelError, match=r"int8\.onnx has SHA-256 .* the card says"):
        load_model(folder)


def test_missing_folder_file_and_card(folder, tmp_path):
    with pytest.raises(ModelError, match="no such folder"):
        load_model(tmp_path / "nowhere")
    with pytest.raises(ModelError, match=r"ships with edge_sdk .*default"):
        load_model("superb")
    (folder / "fp32.onnx").unlink()
    with pytest.raises(ModelError, match=r"cannot read fp32 file fp32\.onnx"):
        load_model(folder)
    (folder / "model.json").unlink()
    with pytest.raises(ModelError, match=r"cannot read model\.json"):
        load_model(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "other"}, "format must be"),
        ({"version": 99}, "version must be 1, found 99"),
        ({"state": None}, "incomplete"),
        ({"state": {"a": ["H/0"]}}, "state shape"),
        ({"files": {}}, "files has none of"),
        ({"files": {"fp32": {"path": "../x.onnx", "sha256": ""}}}, "lies outside"),
    ],
)
def test_bad_cards(folder, changes, message):
    _edit(folder, **changes)
    with pytest.raises(ModelError, match=message):
        load_model(folder)


def test_card_that_is_no_json(folder):
    (folder / "model.json").write_text("{")
    with pytest.raises(ModelError, match="not valid JSON"):
        load_model(folder)


def test_a_folder_of_that_name_does_not_hide_the_shipped_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "default").mkdir()
    monkeypatch.chdir(tmp_path)
    assert load_model("default").name == "default"
    with pytest.raises(ModelError, match=r"cannot read model\.json"):
        load_model("./default")


def test_unknown_precision():
    with pytest.raises(ModelError, match="precision 'fp16' was asked, it has fp32, int8"):
        load_model().file("fp16")


def test_state_shapes():
    assert StateTensor("a", (1, 16, "H/4", "W/8")).resolve(480, 640) == (1, 16, 120, 80)
