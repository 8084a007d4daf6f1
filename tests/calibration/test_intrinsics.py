"""Lenses from rendered boards against the lenses that rendered them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from calibration.intrinsics import Intrinsics, calibrate_intrinsics
from calibration.lens import parameters_of, project, rays
from calibration.solver import View, default_prior, solve
from calibration.targets import Findings, Observation, Target, find_targets
from calibration.uncertainty import projection_change_px, projection_uncertainty_px

from .rendering import THERMAL, VISIBLE, Lens, checkerboard, poses, render, rotation

PINHOLE = Lens(320, 256, 385, 384, 158.5, 125.0, (-0.35, 0.15, 0.002, -0.001, 0.0))
FISHEYE = Lens(320, 240, 170, 170.5, 161.0, 118.0, (0.03, -0.01, 0.004, -0.001), "fisheye")
BOARD = Target(columns=9, rows=6, spacing_m=0.04)


def curve_error_px(lens: Lens, result: Intrinsics, share: float = 100) -> float:
    """Change of a pixel that so much of the picture stays below, but for a turn of the camera."""
    true = np.array([lens.fx, lens.fy, lens.cx, lens.cy, *lens.distortion])
    found = parameters_of(result.camera)
    change = projection_change_px(lens.model, true, found, (lens.width, lens.height))
    return float(np.nanpercentile(change, share))


def rendered(lens: Lens, look, count: int, **kwargs) -> Findings:
    views = poses(count, lens, (0.16, 0.10), width=0.44, **kwargs)
    pattern = checkerboard(9, 6, 0.04)
    pictures = [(f"{k}", render(lens, pattern, p, look, seed=k)) for k, p in enumerate(views)]
    return find_targets(pictures, BOARD)


def synthetic(
    lens: Lens, count: int, noise_px: float, seed: int = 0, tilt_deg: float = 35.0
) -> Findings:
    """Corners without pictures, from the test's own lens model."""
    rng = np.random.default_rng(seed)
    i, j = np.meshgrid(np.arange(9), np.arange(6))
    cells = np.column_stack([i.ravel(), j.ravel()])
    board = BOARD.places(cells)
    views = poses(count, lens, (0.16, 0.10), width=0.40, seed=seed, tilt_deg=tilt_deg)
    observations = []
    for k, (r, t) in enumerate(views):
        pixels = lens.project(board @ r.T + t) + rng.normal(0, noise_px, (54, 2))
        observations.append(
            Observation(f"{k}", (lens.width, lens.height), pixels, cells, True, "synthetic", 2.0)
        )
    return Findings(BOARD, (lens.width, lens.height), observations, [])


@pytest.fixture(scope="module")
def thermal() -> Intrinsics:
    return calibrate_intrinsics(rendered(PINHOLE, THERMAL, 16, seed=5, fill=(0.6, 1.1)), name="ir")


def test_thermal_pictures_give_the_lens(thermal: Intrinsics) -> None:
    k = thermal.camera.K
    assert abs(k.fx / PINHOLE.fx - 1) < 0.005 and abs(k.fy / PINHOLE.fy - 1) < 0.005
    assert abs(k.cx - PINHOLE.cx) < 1.5 and abs(k.cy - PINHOLE.cy) < 1.5
    assert curve_error_px(PINHOLE, thermal) < 0.3
    assert len(thermal.observations) >= 15
    assert thermal.solution.rms_px < 0.2
    assert thermal.cross_validation_px < 1.4 * thermal.solution.rms_px


def test_truth_is_within_the_stated_deviations(thermal: Intrinsics) -> None:
    spread = thermal.deviations
    for name in ("fx", "fy", "cx", "cy"):
        off = getattr(thermal.camera.K, name) - getattr(PINHOLE, name)
        assert abs(off) < 4 * spread[name]


def test_agrees_with_opencv(thermal: Intrinsics) -> None:
    board = [BOARD.places(o.cells).astype(np.float32) for o in thermal.observations]
    pixels = [o.pixels.astype(np.float32) for o in thermal.observations]
    free = np.ones(9, bool)
    views = [View(b.astype(float), p.astype(float)) for b, p in zip(board, pixels, strict=True)]
    ours = solve(views, "pinhole", (320, 256), free)
    found = cv2.calibrateCameraExtended(board, pixels, (320, 256), None, None)
    assert ours.rms_px == pytest.approx(found[0], rel=0.03)
    np.testing.assert_allclose(ours.parameters[:4], found[1][[0, 1, 0, 1], [0, 1, 2, 2]], atol=0.3)
    theirs = found[5].ravel()[:4]
    np.testing.assert_allclose(np.sqrt(np.diag(ours.covariance))[:4], theirs, rtol=0.25)


def test_fisheye() -> None:
    result = calibrate_intrinsics(
        rendered(FISHEYE, VISIBLE, 12, seed=2, fill=(0.7, 1.3)), "fisheye"
    )
    assert abs(result.camera.K.fx / FISHEYE.fx - 1) < 0.005
    assert curve_error_px(FISHEYE, result, share=95) < 0.3
    assert result.camera.model == "fisheye" and len(result.camera.distortion) == 4


def test_rays_are_the_inverse_of_projection() -> None:
    for lens in (PINHOLE, FISHEYE):
        parameters = np.array([lens.fx, lens.fy, lens.cx, lens.cy, *lens.distortion])
        u, v = np.meshgrid(np.linspace(0, lens.width - 1, 9), np.linspace(0, lens.height - 1, 7))
        pixels = np.column_stack([u.ravel(), v.ravel()])
        directions, good = rays(lens.model, parameters, pixels)
        assert good.all()
        points = np.column_stack([directions, np.ones(len(directions))])
        np.testing.assert_allclose(lens.project(points), pixels, atol=1e-6)
        seen = project(lens.model, parameters, np.zeros(3), np.zeros(3), points)[0]
        np.testing.assert_allclose(seen, pixels, atol=1e-6)


def test_a_lens_that_turns_back_shows_nothing_there() -> None:
    parameters = np.array([300.0, 300, 159.5, 127.5, -0.9, 0, 0, 0, 0])
    good = rays("pinhole", parameters, np.array([[159.5, 127.5], [0.0, 0.0], [319.0, 255.0]]))[1]
    assert good.tolist() == [True, False, False]


def test_uncertainty_is_what_repetition_shows() -> None:
    """Calibrations of the same views with fresh noise scatter as the first one says."""
    noise = 0.15
    results = []
    for seed in range(10):
        findings = synthetic(PINHOLE, 8, 0.0, seed=1)
        rng = np.random.default_rng(100 + seed)
        views = [
            View(BOARD.places(o.cells), o.pixels + rng.normal(0, noise, (54, 2)))
            for o in findings.observations
        ]
        free = np.arange(9) < 8
        results.append(solve(views, "pinhole", (320, 256), free))
    assert np.mean([r.sigma_px for r in results]) == pytest.approx(noise, rel=0.06)
    true = np.array([385, 384, 158.5, 125.0, -0.35, 0.15, 0.002, -0.001, 0.0])
    changes = np.array(
        [projection_change_px("pinhole", true, r.parameters, (320, 256)) for r in results]
    )
    stated = projection_uncertainty_px(
        "pinhole", results[0].parameters, results[0].covariance, (320, 256)
    )
    # The change is a length in two directions, the statement the deviation in the worst one.
    ratio = np.sqrt((changes**2).mean(0)) / stated
    assert 0.7 < np.median(ratio) < 1.6
    assert ratio.max() < 2.4


def test_frontal_views_do_not_measure_the_focal_length() -> None:
    frontal = calibrate_intrinsics(synthetic(PINHOLE, 10, 0.1, tilt_deg=2))
    assert any("frontal" in warning and "30 to 45" in warning for warning in frontal.warnings)
    tilted = calibrate_intrinsics(synthetic(PINHOLE, 10, 0.1, tilt_deg=35))
    assert not any("frontal" in warning for warning in tilted.warnings)
    assert frontal.deviations["fx"] > 4 * tilted.deviations["fx"]


def test_one_view_says_what_it_cannot_tell() -> None:
    findings = synthetic(PINHOLE, 1, 0.05, seed=3)
    result = calibrate_intrinsics(findings)
    prior = default_prior("pinhole", (320, 256))
    k = result.camera.K
    assert abs(k.cx - 159.5) < 3 * prior.deviation[2] and abs(k.fx / k.fy - 1) < 0.02
    assert abs(k.fx - PINHOLE.fx) < 3 * result.deviations["fx"]
    assert result.deviations["fx"] > 5
    assert any("assumed" in warning for warning in result.warnings)
    assert any("only 1 view;" in warning for warning in result.warnings)


def test_a_view_with_wrong_corners_is_rejected_with_the_reason() -> None:
    findings = synthetic(PINHOLE, 12, 0.1)
    bent = findings.observations[4]
    x = bent.pixels[:, 0]
    bent.pixels[:, 1] += 4 * np.sin(x / 15)
    blurred = findings.observations[7]
    object.__setattr__(blurred, "edge_px", 9.0)
    single = findings.observations[2]
    single.pixels[10] += (6.0, -5.0)
    result = calibrate_intrinsics(findings)
    reasons = {r.name: r.reason for r in result.rejections}
    assert set(reasons) == {"4", "7"}
    assert "px RMS, usually" in reasons["4"] and "blurred" in reasons["7"]
    assert result.dropped_points == 1
    assert curve_error_px(PINHOLE, result) < 1.5


def test_missing_parts_of_the_picture_are_named() -> None:
    findings = synthetic(PINHOLE, 12, 0.1)
    left = [o for o in findings.observations if o.pixels[:, 0].mean() < 160]
    for observation in left:
        observation.pixels[:] = observation.pixels  # unchanged; only these are used
    result = calibrate_intrinsics(Findings(BOARD, (320, 256), left[:4], []))
    assert any("right" in w and "extrapolated" in w for w in result.warnings) or (
        result.coverage.share > 0.7
    )


def test_no_more_coefficients_than_needed() -> None:
    plain = Lens(320, 256, 385, 384, 158.5, 125.0, (-0.1, 0.0, 0.0, 0.0, 0.0))
    result = calibrate_intrinsics(synthetic(plain, 12, 0.1))
    assert result.camera.distortion[1:] == [0.0] * 4
    assert result.camera.distortion[0] == pytest.approx(-0.1, abs=0.01)


def test_report_is_plain_data(thermal: Intrinsics) -> None:
    import json

    figures = json.loads(json.dumps(thermal.report()))
    assert figures["views_used"] == len(figures["view_rms_px"])
    assert figures["target"] == "checkerboard 9x6, 40 mm"


@pytest.mark.slow
def test_full_size_thermal_pictures() -> None:
    lens = Lens(640, 512, 770, 768, 317, 250, (-0.35, 0.15, 0.002, -0.001, 0.0))
    result = calibrate_intrinsics(rendered(lens, THERMAL, 20, seed=9, fill=(0.6, 1.1)))
    assert abs(result.camera.K.fx / lens.fx - 1) < 0.002
    assert curve_error_px(lens, result) < 0.3


def test_unreachable_views_are_one_error() -> None:
    from edge_sdk.errors import CalibrationError

    empty = Findings(BOARD, (320, 256), [], [])
    with pytest.raises(CalibrationError, match="no view"):
        calibrate_intrinsics(empty)


def test_rotation_helper_is_a_rotation() -> None:
    r = rotation(10, 20, 30)
    np.testing.assert_allclose(r @ r.T, np.eye(3), atol=1e-12)
