"""VideoFusion (Tang et al., CVPR 2026), the published network: the teacher of our student."""

from quantize.videofusion.checkpoint import (
    build_videofusion,
    load_videofusion,
    read_weights,
    save_weights,
)
from quantize.videofusion.network import VideoFusion, VideoFusionConfig, VideoFusionOutput

__all__ = [
    "VideoFusion",
    "VideoFusionConfig",
    "VideoFusionOutput",
    "build_videofusion",
    "load_videofusion",
    "read_weights",
    "save_weights",
]
