"""Files of others: ROS ``camera_info`` and Kalibr ``camchain``, read and written."""

from __future__ import annotations

from .load import Loaded, lens_warning, load, load_camera, load_lens
from .save import FORMATS, save

__all__ = ["FORMATS", "Loaded", "lens_warning", "load", "load_camera", "load_lens", "save"]
