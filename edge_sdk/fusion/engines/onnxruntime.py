"""ONNX Runtime on the CPU: runs everywhere, the fall-back."""

from __future__ import annotations

from pathlib import Path

from edge_sdk.errors import EngineError
from edge_sdk.frames import Image
from edge_sdk.fusion.engines.base import Probe
from edge_sdk.onnx_session import open_session

__all__ = ["OnnxRuntimeEngine", "probe"]


def probe() -> Probe:
    """See :class:`Probe`."""
    try:
        import onnxruntime
    except ImportError as error:
        return Probe("onnxruntime", False, f"{error}; pip install onnxruntime")
    return Probe("onnxruntime", True, f"ONNX Runtime {onnxruntime.__version__}, CPU")


class OnnxRuntimeEngine:
    """One session on the CPU provider. Outputs are fresh arrays of each run."""

    name = "onnxruntime"
    device = "CPU"

    def __init__(
        self,
        file: Path,
        precision: str,
        shapes: dict[str, tuple[int, ...]],
        threads: int | None,
        without: tuple[str, ...] = (),
    ) -> None:
        """``shapes`` are taken as they come; ``threads``: None for all physical cores;
        ``without``: outputs that nobody needs."""
        self.precision = precision
        what = f"ONNX Runtime cannot load {file}"
        self._session = open_session(file, threads, EngineError, what)
        names = (output.name for output in self._session.get_outputs())
        self._outputs = [name for name in names if name not in without]

    def run(self, inputs: dict[str, Image]) -> dict[str, Image]:
        try:
            values = self._session.run(self._outputs, inputs)
        except Exception as error:
            raise EngineError(f"ONNX Runtime failed while running: {error}") from None
        return dict(zip(self._outputs, values, strict=True))
