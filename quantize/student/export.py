"""The student as ONNX, with 8-bit images in and out and its state as named tensors."""

from __future__ import annotations

from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from quantize.student.network import MULTIPLE_PX, Student, StudentState
from quantize.student.space import FilterBank
from quantize.student.stripes import BAND_ROWS

__all__ = ["Deployed", "export_onnx", "state_shapes"]

OPSET = 18


def state_shapes(student: Student) -> dict[str, list[int | str]]:
    """Name -> shape of the state's tensors, as ``model.json`` writes them."""
    return {
        "age": [1, 1, 1, 1],
        "profile": [1, 4, f"H/{BAND_ROWS}", "W/4"],
        "average": [1, 16, "H/4", "W/4"],
        "gain": [1, 2, "H/4", "W/4"],
        "mix": [1, 3, "H/4", "W/4"],
        "above_ir": [1, 16, "H/4", "W/4"],
        "above_visible": [1, 16, "H/4", "W/4"],
        "visible": [1, 16, "H/4", "W/4"],
        "hidden": [1, student.config.hidden, "H/8", "W/8"],
        "tone": [1, 9 + student.config.visible_bands + student.config.ir_bands, 1, 1],
    }


class Deployed(nn.Module):
    """The student with uint8 images (1, 1, H, W) in and out."""

    def __init__(self, student: Student) -> None:
        super().__init__()
        self.student = student.eval()
        for module in self.student.modules():
            if isinstance(module, FilterBank):
                module.freeze()

    def forward(self, ir: Tensor, visible: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        output, following = self.student(ir / 255.0, visible / 255.0, StudentState(*state))
        images = (torch.round(image * 255.0).to(torch.uint8) for image in output)
        return (*images, *following)


def export_onnx(student: Student, path: Path) -> None:
    """Write the ONNX file. Height and width stay open; they must be multiples of 32."""
    deployed = Deployed(student)
    height, width = 4 * MULTIPLE_PX, 5 * MULTIPLE_PX
    # Two tensors, not one twice: the exporter takes equal arguments for the same input.
    ir, visible = (torch.zeros(1, 1, height, width, dtype=torch.uint8) for _ in range(2))
    state = student.initial_state(1, height, width)
    names = list(state_shapes(student))
    program = torch.onnx.export(
        deployed.eval(),
        (ir, visible, *state),
        dynamo=True,
        opset_version=OPSET,
        input_names=["ir", "visible", *(f"state.{name}" for name in names)],
        output_names=["fused", "restored_ir", "restored_visible", *(f"next.{n}" for n in names)],
        optimize=True,
        verbose=False,
    )
    assert program is not None
    model = program.model_proto
    _open_sizes(model, height, width, state_shapes(student))
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def _open_sizes(
    model: onnx.ModelProto, height: int, width: int, state: dict[str, list[int | str]]
) -> None:
    """Replace the traced sizes by symbols: nothing in the graph depends on them."""
    shapes: dict[str, list[int | str]] = {
        name: [1, 1, "H", "W"]
        for name in ("ir", "visible", "fused", "restored_ir", "restored_visible")
    }
    for name, shape in state.items():
        shapes[f"state.{name}"] = shapes[f"next.{name}"] = shape
    del model.graph.value_info[:]
    for value in [*model.graph.input, *model.graph.output]:
        for dim, size in zip(value.type.tensor_type.shape.dim, shapes[value.name], strict=True):
            if isinstance(size, str):
                dim.dim_param = size
            else:
                dim.dim_value = size
