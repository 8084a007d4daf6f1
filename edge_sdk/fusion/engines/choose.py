"""Which engine runs here: the first that works, or the one that was asked for."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from edge_sdk.errors import ConfigError, EngineError
from edge_sdk.fusion.engines import onnxruntime, openvino
from edge_sdk.fusion.engines.base import Engine, Probe

__all__ = ["ENGINES", "make_engine", "probe_engines"]

ENGINES: dict[str, tuple[Callable[[], Probe], Callable[..., Engine]]] = {
    "openvino": (openvino.probe, openvino.OpenVinoEngine),
    "onnxruntime": (onnxruntime.probe, onnxruntime.OnnxRuntimeEngine),
}
"""Name -> (probe, engine), the preferred one first."""

_log = logging.getLogger(__name__)


def probe_engines() -> list[Probe]:
    """What every known engine says about this machine, the preferred one first."""
    return [probe() for probe, _ in ENGINES.values()]


def make_engine(
    engine: str,
    file: Path,
    precision: str,
    shapes: dict[str, tuple[int, ...]],
    threads: int | None = None,
    without: tuple[str, ...] = (),
) -> Engine:
    """Load ``file`` in ``engine``; ``"auto"`` tries them in order and logs why one was passed over.

    Outputs named in ``without`` are not computed.

    Raises:
        ConfigError: no engine has that name, or ``threads`` is not positive.
        EngineError: the engine cannot be used here; the message has the probe's reason.
    """
    if threads is not None and threads < 1:
        raise ConfigError(f"threads: must be at least 1, found {threads}")
    if engine != "auto" and engine not in ENGINES:
        raise ConfigError(f"engine {engine!r}: must be one of auto, {', '.join(ENGINES)}")
    reasons = []
    for name in ENGINES if engine == "auto" else [engine]:
        probe, kind = ENGINES[name]
        answer = probe()
        if not answer.available:
            reasons.append(f"{name}: {answer.reason}")
            continue
        try:
            return kind(file, precision, shapes, threads, without)
        except EngineError as error:
            reasons.append(f"{name}: {error}")
            _log.warning("engine %s passed over: %s", name, error)
    raise EngineError(f"no engine can run {file.name}; " + "; ".join(reasons))
