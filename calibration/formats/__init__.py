"""Files of others: ROS ``camera_info`` and Kalibr ``camchain``, read and written."""

from __future__ import annotations

from .load import Loaded, load, load_camera
from .save import FORMATS, save

__all__ = ["FORMATS", "Loaded", "load", "load_camera", "save"]
