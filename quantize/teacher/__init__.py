"""The teacher: VideoFusion (:mod:`quantize.videofusion`), trained on our recordings."""
