"""Golden files: the network computes what the published one does, and a difference is noticed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file, save, save_file
from torch import Tensor

from quantize import golden

OWN_GOLDEN = Path(__file__).parent / "data" / "videofusion_golden_4.safetensors"
REFERENCE = Path(__file__).parents[3] / "shared" / "reference"
PUBLISHED_GOLDEN = REFERENCE / "videofusion_golden_16.safetensors"


@pytest.fixture(scope="module")
def tensors() -> dict[str, Tensor]:
    return load_file(OWN_GOLDEN)


@pytest.mark.parametrize("path", [OWN_GOLDEN, PUBLISHED_GOLDEN], ids=["own", "published"])
def test_golden_outputs_are_reproduced(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if not path.exists():
        pytest.skip(f"{path.name} is not on this machine")
    assert golden.main([str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["fusion", "ir", "visible", "match"]


def test_a_golden_file_of_another_width_and_shape_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "golden.safetensors"
    golden.make_golden(path, 12, seed=5, shape=(2, 2, 4, 8))
    assert load_file(path)["ir"].shape == (2, 2, 3, 4, 8)
    assert golden.main([str(path)]) == 0


def changed(tensors: dict[str, Tensor], name: str, change: Callable[[Tensor], Tensor]) -> bytes:
    return save({**tensors, name: change(tensors[name].clone()).contiguous()})


def test_a_small_difference_of_one_pixel_is_a_mismatch(
    tensors: dict[str, Tensor], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "golden.safetensors"

    def off_by(amount: float) -> Callable[[Tensor], Tensor]:
        def change(output: Tensor) -> Tensor:
            output[0, 1, 2, 3, 4] += amount
            return output

        return change

    path.write_bytes(changed(tensors, "out.visible", off_by(2e-4)))
    assert golden.main([str(path)]) == 1
    assert "MISMATCH" in capsys.readouterr().out
    path.write_bytes(changed(tensors, "out.visible", off_by(float("nan"))))
    assert golden.main([str(path)]) == 1


def test_a_changed_weight_is_a_mismatch(tensors: dict[str, Tensor], tmp_path: Path) -> None:
    path = tmp_path / "golden.safetensors"
    name = "params.co_attention_3.layers.3.co_transformer.attn.temperature"
    path.write_bytes(changed(tensors, name, lambda t: t * 1.5))
    assert golden.main([str(path)]) == 1


def test_files_that_cannot_be_used_give_exit_code_2_and_one_line(
    tensors: dict[str, Tensor], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(path: Path) -> str:
        assert golden.main([str(path)]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 1 and captured.err.startswith(str(path))
        return captured.err

    assert "found nothing" in refused(tmp_path / "absent.safetensors")
    assert "found a folder" in refused(tmp_path)
    path = tmp_path / "bad.safetensors"
    path.write_bytes(OWN_GOLDEN.read_bytes()[:-100])
    assert "damaged" in refused(path)
    save_file({n: t for n, t in tensors.items() if n != "out.ir"}, path)
    assert "tensor out.ir is missing" in refused(path)
    save_file({n: t for n, t in tensors.items() if "temperature" not in n}, path)
    assert "temperature is missing" in refused(path)
    path.write_bytes(changed(tensors, "ir", lambda t: t[:, :, :, :6]))
    assert "one shape" in refused(path)
    path.write_bytes(changed(tensors, "out.ir", lambda t: t[:, :2]))
    assert "out.ir must have the shape of the inputs" in refused(path)


def test_a_golden_file_of_an_impossible_width_is_not_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "golden.safetensors"
    assert golden.main([str(path), "--make", "--width", "5"]) == 2
    assert "width must be a positive even number, got 5" in capsys.readouterr().err
    assert not path.exists()
