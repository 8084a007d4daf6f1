"""A robot in twenty lines: it stops when a person (or anything warm) is large in the picture."""

from __future__ import annotations

import sys

from edge_sdk import EdgeSdkError, FusionPipeline
from edge_sdk.tracking import TrackingHook, WarmObjectDetector


def main() -> None:
    hooks = [TrackingHook(WarmObjectDetector())]
    if len(sys.argv) > 1:
        pipeline = FusionPipeline.open(sys.argv[1], hooks=hooks)
    else:
        pipeline = FusionPipeline.simulated("smoke", duration_frames=90, hooks=hooks)
    with pipeline:
        for fused in pipeline:
            height = fused.image.shape[0]
            near = [t for t in fused.tracks if t.box[3] - t.box[1] > 0.4 * height]
            print(f"{fused.timestamp_ns / 1e9:8.3f} s  {'STOP' if near else 'go'}", *fused.degraded)


if __name__ == "__main__":
    try:
        main()
    except EdgeSdkError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
