"""Engines run a model's ONNX file; probes say which ones work here, and why the others do not."""

from __future__ import annotations

from edge_sdk.fusion.engines.base import Engine, Probe
from edge_sdk.fusion.engines.choose import ENGINES, make_engine, probe_engines

__all__ = ["ENGINES", "Engine", "Probe", "make_engine", "probe_engines"]
