"""``edge-sdk calibrate register`` as a user meets it, and the pairs and matchers behind it."""

from __future__ import annotations

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from calibration.formats import Loaded, save
from calibration.registration import ImagePair, load_matcher, register, sample_recordings
from calibration.registration.pairs import thin_out
from calibration.report.registration_section import registration_uncertainty
from edge_sdk.alignment import Aligner
from edge_sdk.calibration_file import CameraCalibration, read_calibration, write_calibration
from edge_sdk.cli import main
from edge_sdk.errors import CalibrationError, ConfigError, DependencyError
from edge_sdk.frames import Frame, FramePair
from tests.calibration.registration.drawn import corner_error_px, homography, pairs, scene

SIZE = (320, 240)
WARP = homography(SIZE)


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """Two folders: infrared warped by WARP, visible as it is."""
    folder = tmp_path_factory.mktemp("recording")
    rng = np.random.default_rng(0)
    for camera in ("ir", "visible"):
        (folder / camera).mkdir()
    for index in range(5):
        visible, ir = scene(rng, SIZE)
        cv2.imwrite(str(folder / "ir" / f"{index}.png"), cv2.warpPerspective(ir, WARP, SIZE))
        cv2.imwrite(str(folder / "visible" / f"{index}.png"), visible)
    return folder


def _run(*arguments: object) -> int:
    try:
        main([str(a) for a in ("calibrate", "register", *arguments)])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_the_file_that_it_writes_aligns_the_pictures(recording, tmp_path, capsys):
    output, overlay = tmp_path / "rig.yaml", tmp_path / "overlay.png"
    page = tmp_path / "page.html"
    sources = ("--ir", recording / "ir", "--visible", recording / "visible")
    made = ("--output", output, "--overlay", overlay, "--report", page)
    assert _run(*sources, "--pairs", 2, *made, "--json") == 0
    values = json.loads(capsys.readouterr().out)
    assert values["passed"] and values["pairs"] == 2 and values["written"] == str(output)
    calibration = read_calibration(output)
    found = calibration.registration.matrix
    assert corner_error_px(found, np.linalg.inv(WARP), SIZE) < 1.0
    assert calibration.report["registration"]["inliers"] > 24
    assert cv2.imread(str(overlay)).shape == (240, 2 * 320 + 8, 3)
    text = page.read_text(encoding="utf-8")
    assert "passed" in text and text.count("<img") == 1 + 2 and "http" not in text
    # The runtime agrees: a warm square lands where it was before the warp.
    square = np.zeros(SIZE[::-1], np.uint8)
    square[100:140, 150:190] = 255
    aligner = Aligner(calibration, SIZE, SIZE, SIZE)
    aligned, _ = aligner.align(cv2.warpPerspective(square, WARP, SIZE), None)
    moments = cv2.moments(aligned)
    assert moments["m10"] / moments["m00"] == pytest.approx(169.5, abs=1.0)
    assert moments["m01"] / moments["m00"] == pytest.approx(119.5, abs=1.0)


def test_outputs_are_judged_before_the_work(recording, tmp_path, capsys):
    """What cannot be written, or would replace an input, is told at once."""
    page = tmp_path / "lenses.yaml"
    page.write_text("kept")
    sources = ("--ir", recording / "ir", "--visible", recording / "visible")
    output = ("--output", tmp_path / "rig.yaml")
    lenses = ("--ir-camera", page, "--visible-camera", page)
    for arguments, words in (
        ((*output, "--overlay", tmp_path / "overlay.foo"), "must end as pictures do"),
        ((*output, "--report", page, *lenses), "is one of the inputs"),
        (("--output", tmp_path), "is a folder"),
        (("--output", tmp_path / "no" / "rig.yaml"), "is not there"),
    ):
        assert _run(*sources, *arguments) == 2
        assert words in capsys.readouterr().err
    assert page.read_text() == "kept" and not (tmp_path / "rig.yaml").exists()


def test_uncertainty_over_the_picture_against_a_known_spread():
    """Halves that differ by a zoom about the centre are uncertain in proportion to the distance
    from it; what the infrared does not cover is unknown."""
    zoom = [homography(SIZE, (0, 0), 1 + s, 0.0, (0, 0)) for s in (-0.02, 0.02)]
    good = register(pairs(1, SIZE, WARP))
    known = replace(good, homography=np.eye(3), resampled=np.stack(zoom))
    spread = registration_uncertainty(known, (3, 4))
    y, x = np.mgrid[-1:2, -1.5:2:1.0]
    np.testing.assert_allclose(spread, 0.02 * np.hypot(80 * x, 80 * y), rtol=0.03)
    beside = np.array([[1.0, 0, 160], [0, 1.0, 0], [0, 0, 1.0]])
    half = registration_uncertainty(replace(known, homography=beside), (3, 4))
    assert np.isnan(half[:, :2]).all() and np.isfinite(half[:, 2:]).all()


def test_lenses_of_single_cameras(recording, tmp_path, capsys):
    """A camera file and a ROS camera_info, as `calibrate intrinsics` writes them."""
    files = {}
    for name, form in (("ir", "edge-sdk"), ("visible", "ros")):
        report = {"warnings": [f"few views of {name}"]}
        camera = CameraCalibration.model_validate(
            {
                "name": f"my {name}",
                "width": 320,
                "height": 240,
                "model": "pinhole",
                "K": {"fx": 300.0, "fy": 300.0, "cx": 159.5, "cy": 119.5},
                "distortion": [0.0] * 5,
            }
        )
        files[name] = tmp_path / f"{name}.yaml"
        save(Loaded("test", {"camera": camera}, report=report), files[name], form)
    output = tmp_path / "rig.yaml"
    sources = ("--ir", recording / "ir", "--visible", recording / "visible", "--output", output)
    lenses = ("--ir-camera", files["ir"], "--visible-camera", files["visible"])
    assert _run(*sources, "--pairs", 2, *lenses) == 0
    capsys.readouterr()
    made = read_calibration(output)
    assert made.cameras.ir.K.fx == 300.0 and made.cameras.visible.name == "my visible"
    assert "intrinsics" not in made.report
    assert made.report["warnings"] == ["ir lens: few views of ir"]  # ROS's format has no place
    assert corner_error_px(made.registration.matrix, np.linalg.inv(WARP), SIZE) < 1.0

    for arguments, words in (
        (lenses[:2], "--visible-camera is missing"),
        ((*lenses, "--calibration", output), "exclude each other"),
        (("--calibration", files["ir"]), "holds one camera"),
    ):
        assert _run(*sources[:-1], tmp_path / "no.yaml", *arguments) == 2
        assert words in capsys.readouterr().err


def test_mistakes_are_one_line_and_code_2(recording, tmp_path, capsys):
    ir, visible = recording / "ir", recording / "visible"
    output = tmp_path / "rig.yaml"
    for arguments, words in (
        (("--output", output), "--ir and --visible, or --rig"),
        (("--ir", ir, "--visible", ir, "--output", output), "the same recording"),
        (("--ir", ir, "--visible", tmp_path / "no", "--output", output), "does not exist"),
        (("--ir", ir, "--visible", visible, "--output", tmp_path / "no" / "x"), "is not there"),
        (("--ir", ir, "--visible", visible, "--output", output, "--matcher", "x"), "module:attr"),
    ):
        assert _run(*arguments) == 2
        message = capsys.readouterr().err.strip()
        assert words in message and message.startswith("error: ") and "\n" not in message
    assert not output.exists()


def test_one_pair_has_no_halves(recording, tmp_path, capsys):
    output, page = tmp_path / "rig.yaml", tmp_path / "page.html"
    pair = ("--ir", recording / "ir" / "0.png", "--visible", recording / "visible" / "0.png")
    assert _run(*pair, "--output", output, "--report", page) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "halves of the pairs not measured" in shown and "one pair" in shown
    assert "warning: registered from one pair, which cannot be cross-checked" in shown
    assert "cannot be cross-checked" in page.read_text(encoding="utf-8")
    made = read_calibration(output)
    stated = made.report["registration"]
    assert stated["pairs"] == 1 and stated["halves_px"] is None
    # Files of before say 0 px.
    old = tmp_path / "old.yaml"
    changed = made.report | {"registration": stated | {"halves_px": 0.0}}
    write_calibration(made.model_copy(update={"report": changed}), old)
    for file in (output, old):
        with pytest.raises(SystemExit) as end:
            main(["calibrate", "check", str(file), "--json"])
        verdict = json.loads(capsys.readouterr().out)
        assert end.value.code == 1 and not verdict["good"]
        assert verdict["registration"]["halves_px"] is None
        assert any("cannot be cross-checked" in text for text in verdict["problems"])
    with pytest.raises(SystemExit):
        main(["calibrate", "check", str(output)])
    shown = " ".join(capsys.readouterr().out.split())
    assert "halves of the pairs not measured" in shown and "0.0 (at most" not in shown


def test_what_the_gate_refuses_is_not_written(tmp_path, capsys):
    rng = np.random.default_rng(1)
    for camera, shape in (("ir", (240, 320)), ("visible", (240, 320, 3))):
        cv2.imwrite(str(tmp_path / f"{camera}.png"), rng.integers(90, 99, shape, np.uint8))
    output = tmp_path / "rig.yaml"
    pair = ("--ir", tmp_path / "ir.png", "--visible", tmp_path / "visible.png")
    assert _run(*pair, "--output", output, "--json") == 2
    captured = capsys.readouterr()
    assert not json.loads(captured.out)["passed"] and not output.exists()
    assert "not to be trusted" in captured.err and "film" in captured.err


def test_pairs_are_spread_evenly_over_a_stream_of_unknown_length():
    image = np.zeros((2, 2), np.uint8)
    stream = (FramePair(Frame(image, i, i, "ir"), None) for i in range(1000))
    kept = [pair.timestamp_ns for pair in thin_out(stream, 20)]
    assert len(kept) == 20 and kept[0] == 0 and kept[-1] > 900
    assert np.diff(kept).max() <= 2 * np.diff(kept).min()
    with pytest.raises(ConfigError, match="at least 1, found 0"):
        thin_out([], 0)


def test_sampled_pictures(recording):
    sampled = sample_recordings(recording / "ir", recording / "visible", 3)
    assert [pair.ir_size for pair in sampled] == [SIZE] * 3
    counts = np.linspace(8000, 9000, 320 * 240).reshape(240, 320).astype(np.uint16)
    pair = ImagePair.of(counts, sampled[0].picture)
    assert pair.ir.min() == 0 and pair.ir.max() == 255


def good_matches(ir, visible):
    """A plug-in that knows the answer, with a third of nonsense."""
    rng = np.random.default_rng(0)
    there = rng.uniform((0, 0), SIZE, (120, 2))
    here = cv2.perspectiveTransform(there[None], WARP)[0]
    here[:40] = rng.uniform((0, 0), SIZE, (40, 2))
    return here, there


def bad_matches(ir, visible):
    """Not points."""
    return np.zeros((3, 3)), np.zeros((3, 2))


def no_matches(ir, visible):
    """Nothing found."""
    return np.zeros((0, 2)), np.zeros((0, 2))


def test_matchers_plug_in():
    made = pairs(1, SIZE, WARP)
    matcher = load_matcher(f"{__name__}:good_matches")
    result = register(made, matcher=matcher)
    assert result.matcher.endswith("good_matches")
    assert corner_error_px(result.homography, np.linalg.inv(WARP), SIZE) < 1.0
    with pytest.raises(ConfigError, match=r"bad_matches: it must return.*\(3, 3\)"):
        register(made, matcher=load_matcher(f"{__name__}:bad_matches"))
    with pytest.raises(CalibrationError, match="0 matches in 1 pairs agree on no homography"):
        register(made, matcher=load_matcher(f"{__name__}:no_matches"))


def test_matchers_that_are_not_there():
    with pytest.raises(DependencyError, match="install what it needs"):
        load_matcher("no_such_package_of_mine:match")
    with pytest.raises(ConfigError, match="has no nothing"):
        load_matcher(f"{__name__}:nothing")
    with pytest.raises(ConfigError, match="module:attribute"):
        load_matcher("minima")
    try:
        import kornia  # noqa: F401
    except ImportError:
        with pytest.raises(DependencyError, match="kornia"):
            load_matcher("loftr")
