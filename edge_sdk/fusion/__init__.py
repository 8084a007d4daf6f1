"""The fuser: a model folder, its recurrent state, and the engines that run it."""

from __future__ import annotations

from edge_sdk.fusion.fuser import Fuser, FuserOutput
from edge_sdk.fusion.model import Model, load_model

__all__ = ["Fuser", "FuserOutput", "Model", "load_model"]
