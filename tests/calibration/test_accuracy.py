"""Full-size boards before the simulated rig's own cameras, with thermal blur and noise.

``pytest -m slow -s tests/calibration/test_accuracy.py`` prints the figures.
"""

from __future__ import annotations

import numpy as np
import pytest

from calibration.lens import parameters_of
from calibration.rig import calibrate_rig
from calibration.targets import Target
from calibration.uncertainty import projection_change_px
from edge_sdk.capture.simulated import SimulatedRig, SimulationConfig

from .rendering import THERMAL, VISIBLE, Lens, checkerboard, poses, render


def lens_of(matrix: np.ndarray, size: tuple[int, int], distortion) -> Lens:
    k = np.asarray(matrix)
    return Lens(*size, k[0, 0], k[1, 1], k[0, 2], k[1, 2], tuple(float(d) for d in distortion))


@pytest.mark.slow
def test_the_simulated_rigs_cameras() -> None:
    truth = SimulatedRig(SimulationConfig()).calibration(2.0)
    ir = lens_of(truth.ir_matrix, truth.ir_size, truth.ir_distortion)
    visible = lens_of(truth.visible_matrix, truth.visible_size, truth.visible_distortion)
    rotation, shift = np.asarray(truth.rotation), np.asarray(truth.translation_m)
    shift = shift * (0.035 / np.linalg.norm(shift))  # the baseline that is asked for
    pattern = checkerboard(9, 6, 0.04)
    views = poses(20, ir, (0.16, 0.1), (0.5, 0.85), seed=21, width=0.44)
    pairs = []
    infrared = [render(ir, pattern, pose, THERMAL, seed=k) for k, pose in enumerate(views)]
    for k, (r, t) in enumerate(views):
        there = (rotation @ r, rotation @ t + shift)
        pairs.append((f"{k}", infrared[k], render(visible, pattern, there, VISIBLE, seed=k)))
    stereo, _, lenses = calibrate_rig(pairs, Target(columns=9, rows=6, spacing_m=0.04))
    turn = stereo.solution.rotation @ rotation.T
    degrees = np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1)))
    off_mm = 1000 * np.linalg.norm(stereo.solution.translation_m - shift)
    print(
        f"\npairs used {len(stereo.pairs)}, turn off {degrees:.3f} deg, shift off {off_mm:.2f} mm"
    )
    for true, lens in ((ir, lenses[0]), (visible, lenses[1])):
        exact = np.array([true.fx, true.fy, true.cx, true.cy, *true.distortion])
        found = parameters_of(lens.camera)
        change = projection_change_px("pinhole", exact, found, lens.camera.size)
        share = np.abs(found[:2] / exact[:2] - 1).max()
        print(
            f"{lens.camera.name}: focal length off {100 * share:.3f} %, pixels off "
            f"{np.nanmedian(change):.3f} median, {np.nanmax(change):.3f} px worst; "
            f"{lens.solution.rms_px:.3f} px RMS, {len(lens.observations)} views"
        )
        assert share < 0.005
        assert np.nanmax(change) < 0.3
    assert degrees < 0.2 and off_mm < 2.0
