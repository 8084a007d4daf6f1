"""Detect and track objects on fused video, and show or save what was found.

What is warm is detected, or, with a network of yours, what it was trained on.

python examples/detect_and_track.py                                  # the simulated rig
python examples/detect_and_track.py --ir ir.mp4 --visible visible.mp4
python examples/detect_and_track.py --rig rig.yaml
python examples/detect_and_track.py --yolo yolo.onnx
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict

from edge_sdk import ConfigError, EdgeSdkError, FusedFrame, FusionPipeline, Hook, Track
from edge_sdk.config import TrackingConfig, load_rig
from edge_sdk.outputs import open_output
from edge_sdk.tracking import TrackingHook, TrackOverlay, WarmObjectDetector, YoloDetector


class Notice:
    """A hook of your own: it sees every frame, and may return tracks. This one only watches."""

    def __init__(self) -> None:
        self.first_seen_ns: dict[int, int] = {}
        self.frames: dict[int, int] = defaultdict(int)

    def __call__(self, fused: FusedFrame) -> list[Track] | None:
        for track in fused.tracks:  # from the hooks before this one
            self.first_seen_ns.setdefault(track.track_id, fused.timestamp_ns)
            self.frames[track.track_id] += 1
        return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rig", help="rig file")
    parser.add_argument("--ir", help="infrared video or folder")
    parser.add_argument("--visible", help="visible video or folder")
    parser.add_argument("--yolo", help="ONNX file of a YOLO network, for what it knows")
    parser.add_argument("--condition", default="smoke", help="of the simulated rig")
    parser.add_argument("--frames", type=int, default=150, help="of the simulated rig")
    parser.add_argument("--output", help="video file, or FOLDER/ for images, with the tracks drawn")
    options = parser.parse_args()

    notice = Notice()
    try:
        detector = YoloDetector(options.yolo) if options.yolo else WarmObjectDetector()
        hooks: list[Hook] = [TrackingHook(detector), notice]
        if options.rig:
            # The tracking comes from our own hooks here, so the rig's is switched off.
            config = load_rig(options.rig).model_copy(update={"tracking": TrackingConfig()})
            pipeline = FusionPipeline.open(config, hooks=hooks)
        elif options.ir or options.visible:
            if not (options.ir and options.visible):
                raise ConfigError("give both --ir and --visible, or neither for the simulated rig")
            pipeline = FusionPipeline.from_files(options.ir, options.visible, hooks=hooks)
        else:
            pipeline = FusionPipeline.simulated(
                options.condition, duration_frames=options.frames, hooks=hooks
            )
        overlay = TrackOverlay()
        output = None
        if options.output:  # a video of live cameras plays as fast as it happened
            output = open_output(options.output, pipeline.fps or 30.0, pipeline.live)
        try:
            with pipeline:
                for fused in pipeline:
                    if output is not None:
                        output.write(overlay.draw(fused), fused)
        except KeyboardInterrupt:
            pass  # Ctrl-C is how a live rig ends; what was seen until then is told
        finally:
            if output is not None:
                output.close()
    except EdgeSdkError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for track_id, count in sorted(notice.frames.items()):
        seconds = notice.first_seen_ns[track_id] / 1e9
        print(f"track {track_id}: first seen at {seconds:.2f} s, in {count} frames")
    stats = pipeline.stats()
    print(f"{stats.fused} frames fused, {stats.fps:.1f} frames/s, {stats.engine}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
