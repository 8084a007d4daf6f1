"""Calibration targets: what they are, and how they are found in a picture."""

from __future__ import annotations

from .find import Findings, draw, find_target, find_targets
from .observation import Observation, Rejection
from .target import KINDS, Target, parse_board

__all__ = [
    "KINDS",
    "Findings",
    "Observation",
    "Rejection",
    "Target",
    "draw",
    "find_target",
    "find_targets",
    "parse_board",
]
