"""Guided capture: which views to keep, what is still missing, and how to show it."""

from __future__ import annotations

from .collector import Collector, Goal, Verdict
from .newest import NewestFrames
from .session import guide
from .web import WebView

__all__ = ["Collector", "Goal", "NewestFrames", "Verdict", "WebView", "guide"]
