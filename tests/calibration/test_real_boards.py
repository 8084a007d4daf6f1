"""Boards of real cameras; the pictures are beside the checkout, and not everywhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from calibration.intrinsics import calibrate_intrinsics
from calibration.pairs import read_pairs
from calibration.pictures import read_pictures
from calibration.rig import calibrate_rig
from calibration.targets import Target, find_targets

FOLDER = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "calibration"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no recordings in {FOLDER}")


@pytest.mark.slow
def test_coded_thermal_board() -> None:
    findings = find_targets(read_pictures(str(FOLDER / "thermal_board"), "ir"), Target())
    result = calibrate_intrinsics(findings)
    used, out = len(result.observations), result.rejections
    assert used >= 27 and used + len(out) == 30 and all(r.reason for r in out)
    assert result.solution.rms_px < 0.2 and result.cross_validation_px < 0.2
    assert result.target.size == (11, 9)


def test_every_fifth_thermal_board() -> None:
    files = sorted((FOLDER / "thermal_board").glob("*.png"))[::5]
    for file in files:
        findings = find_targets(read_pictures(str(file), "ir"), Target())
        assert len(findings.observations[0]) >= 30


def test_board_pair() -> None:
    pairs = read_pairs(str(FOLDER / "board_pair/thermal*.jpg"), str(FOLDER / "board_pair/rgb*.jpg"))
    stereo, _, lenses = calibrate_rig(pairs, Target(columns=6, rows=5, spacing_m=0.04))
    assert [len(p.ir) for p in stereo.pairs] == [30]
    assert stereo.report()["plane_fit_px"] < 1.0
    # One view at 15 degrees cannot tell the focal length: it says so, and by how much.
    visible = lenses[1]
    assert abs(visible.camera.K.fx - 612.7) < 2 * visible.deviations["fx"]
    for lens in lenses:
        assert any("focal length is not measured" in w for w in lens.warnings)


@pytest.mark.slow
def test_visible_boards_of_many_kinds() -> None:
    findings = find_targets(read_pictures(str(FOLDER / "visible_board"), "visible"), Target())
    assert findings.target.size == (8, 5)
    assert len(findings.observations) + len(findings.rejections) == 17
    result = calibrate_intrinsics(findings)
    assert len(result.observations) >= 9 and result.solution.rms_px < 0.3
