"""The metrics that judge fusion, each a function of grey images.

Grey images are (H, W) uint8, see :func:`grey`. In every function ``fused`` is F, ``ir`` is A and
``visible`` is B of the usual notation. ``nan`` is the answer where a metric is not defined, for
instance the contrast of a target in a frame without one; averages leave it out.

Entropy, mutual information, spatial frequency, standard deviation and VIF can be gamed: the
visible frame unchanged, or with hot pixels pasted on it, beats published networks on most of them.
A result counts when it is good on all at once, with target contrast, VIF against the infrared, and
the two temporal figures among them.
"""

from __future__ import annotations

from benchmarks.metrics.contrast import target_contrast
from benchmarks.metrics.grey import SMALLEST_SIDE_PX, Grey, grey
from benchmarks.metrics.information import entropy, mutual_information
from benchmarks.metrics.qabf import qabf
from benchmarks.metrics.ssim import ssim
from benchmarks.metrics.statistics import spatial_frequency, standard_deviation
from benchmarks.metrics.temporal import flicker, variation_consistency
from benchmarks.metrics.vif import vif

__all__ = [
    "SMALLEST_SIDE_PX",
    "Grey",
    "entropy",
    "flicker",
    "grey",
    "mutual_information",
    "qabf",
    "spatial_frequency",
    "ssim",
    "standard_deviation",
    "target_contrast",
    "variation_consistency",
    "vif",
]
