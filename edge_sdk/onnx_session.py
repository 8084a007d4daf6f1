"""An ONNX Runtime session as a robot wants it: on the CPU, quiet, and no threads that spin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["open_session"]


def open_session(file: Path, threads: int | None, error: type[Exception], what: str) -> Any:
    """An ``onnxruntime.InferenceSession``.

    Args:
        file: the ONNX file.
        threads: None for all physical cores.
        error: raised if the file cannot be loaded.
        what: how its message begins.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if threads is not None:
        options.intra_op_num_threads = threads
    # Spinning threads would take the cores from capture, hooks and the robot itself.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as reason:  # the library raises many types of its own
        raise error(f"{what}: {reason}") from None
