"""OpenVINO: the fastest engine on x86-64 (and present on Arm) CPUs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from edge_sdk.errors import EngineError
from edge_sdk.frames import Image
from edge_sdk.fusion.engines.base import Probe

__all__ = ["OpenVinoEngine", "compile_onnx", "probe"]


def probe() -> Probe:
    """See :class:`Probe`; imports the library, which takes about 0.1 s."""
    try:
        import openvino
    except ImportError as error:
        return Probe("openvino", False, f"{error}; pip install openvino")
    try:
        # Not available_devices: that loads the plug-ins of GPU and NPU too, and their memory stays.
        device = str(openvino.Core().get_property("CPU", "FULL_DEVICE_NAME")).strip()
    except RuntimeError as error:
        return Probe(
            "openvino",
            False,
            f"OpenVINO {openvino.__version__} has no CPU plug-in: {_first_line(error)}",
        )
    return Probe("openvino", True, f"OpenVINO {openvino.__version__}, {device}")


class OpenVinoEngine:
    """Compiles an ONNX file for the CPU, at fixed shapes.

    Two inference requests take turns, so that the outputs of one run are the inputs of the next
    without a copy.
    """

    name = "openvino"

    def __init__(
        self,
        file: Path,
        precision: str,
        shapes: dict[str, tuple[int, ...]],
        threads: int | None,
        without: tuple[str, ...] = (),
    ) -> None:
        """``shapes``: input name -> shape; ``threads``: None for all physical cores;
        ``without``: outputs that nobody needs."""
        self.precision = precision
        try:
            compiled = compile_onnx(file, shapes, threads, without)
            self._requests = [compiled.create_infer_request() for _ in range(2)]
            self._inputs = {port.get_any_name() for port in compiled.inputs}
            self._outputs = [port.get_any_name() for port in compiled.outputs]
            self.device = str(_core().get_property("CPU", "FULL_DEVICE_NAME")).strip()
        except RuntimeError as error:
            raise EngineError(f"OpenVINO cannot run {file}: {_first_line(error)}") from None
        self._turn = 0

    def run(self, inputs: dict[str, Image]) -> dict[str, Image]:
        if inputs.keys() != self._inputs:  # OpenVINO would take an absent input from the run before
            raise EngineError(
                f"OpenVINO: inputs must be {sorted(self._inputs)}, found {sorted(inputs)}"
            )
        request = self._requests[self._turn]
        self._turn = 1 - self._turn
        contiguous = {name: np.ascontiguousarray(value) for name, value in inputs.items()}
        try:
            results = request.infer(contiguous, share_inputs=True, share_outputs=True)
        except (RuntimeError, ValueError, TypeError) as error:
            raise EngineError(f"OpenVINO failed while running: {_first_line(error)}") from None
        return {name: results[name] for name in self._outputs}


def compile_onnx(
    file: Path,
    shapes: dict[str, tuple[int, ...]],
    threads: int | None,
    without: tuple[str, ...] = (),
    profiling: bool = False,
) -> Any:
    """An ``openvino.CompiledModel`` for the CPU; arguments as for :class:`OpenVinoEngine`.

    ``profiling``: its requests tell the time of every layer.

    Raises:
        EngineError: OpenVINO cannot read or compile the file.
    """
    import openvino
    import openvino.properties as properties
    import openvino.properties.hint as hint

    settings: dict[Any, Any] = {
        hint.performance_mode: hint.PerformanceMode.LATENCY,
        # Without this, machines with bf16 units would quietly run fp32 models in bf16.
        hint.inference_precision: openvino.Type.f32,
        properties.num_streams: 1,
        properties.enable_profiling: profiling,
    }
    if threads is not None:
        settings[properties.inference_num_threads] = threads
    try:
        core = _core()
        model = core.read_model(str(file))
        model.reshape({name: openvino.PartialShape(list(s)) for name, s in shapes.items()})
        for result in model.get_results():
            if result.input_value(0).get_names() & set(without):
                model.remove_result(result)
        return core.compile_model(model, "CPU", settings)
    except RuntimeError as error:
        raise EngineError(f"OpenVINO cannot compile {file}: {_first_line(error)}") from None


def _core() -> Any:
    import openvino

    return openvino.Core()


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
