"""Pictures with tracks: what is drawn, where, and that nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest

from edge_sdk.errors import ConfigError, DependencyError
from edge_sdk.frames import FusedFrame, Image, Track
from edge_sdk.tracking import SideBySide, TrackOverlay, draw_tracks

BOX = (200.0, 150.0, 260.0, 330.0)


def frame(
    *tracks: Track, level: int = 90, time_s: float = 0.0, degraded: tuple[str, ...] = ()
) -> FusedFrame:
    image = np.full((480, 640, 3), level, np.uint8)
    return FusedFrame(
        image=image,
        ir=np.full((480, 640), 40, np.uint8),
        visible=np.full((480, 640, 3), (200, 30, 10), np.uint8),
        timestamp_ns=round(time_s * 1e9),
        skew_ns=0,
        tracks=list(tracks),
        degraded=degraded,
    )


def track(number: int, box: tuple[float, float, float, float] = BOX) -> Track:
    return Track(number, box, "warm", 0.8)


def changed(fused: FusedFrame, picture: Image) -> Image:
    return np.any(picture != fused.image, axis=2)


@pytest.fixture(autouse=True)
def _needs_the_extra(request: pytest.FixtureRequest) -> None:
    if "side_by_side" not in request.node.name and "without_the_extra" not in request.node.name:
        pytest.importorskip("supervision", reason="the extra 'track' is not installed")


def test_box_is_drawn_around_the_track_and_the_frame_is_left_alone() -> None:
    fused = frame(track(1))
    before = fused.image.copy()
    picture = draw_tracks(fused, labels=False)
    np.testing.assert_array_equal(fused.image, before)
    assert not np.shares_memory(picture, fused.image)
    assert picture.shape == (480, 640, 3)
    assert picture.dtype == np.uint8
    rows, columns = np.nonzero(changed(fused, picture))
    assert abs(columns.min() - 200) <= 3
    assert abs(columns.max() - 260) <= 3
    assert abs(rows.min() - 150) <= 3
    assert abs(rows.max() - 330) <= 3
    assert not changed(fused, picture)[160:320, 210:250].any(), "the object itself stays visible"


@pytest.mark.parametrize("level", [0, 255])
def test_lines_show_on_dark_and_on_bright_ground(level: int) -> None:
    for number in range(1, 13):
        picture = draw_tracks(frame(track(number), level=level), labels=False).astype(int)
        difference = np.abs(picture - level).max(axis=2)
        assert difference.max() > 150


def test_colour_goes_by_id_and_not_by_order() -> None:
    other = (400.0, 150.0, 460.0, 330.0)
    alone = draw_tracks(frame(track(2)), labels=False)
    second = draw_tracks(frame(track(5, other), track(2)), labels=False)
    np.testing.assert_array_equal(alone[:, :300], second[:, :300])
    assert np.any(second[240, 200] != second[240, 400])


def test_label_is_above_the_box_and_can_be_left_out() -> None:
    fused = frame(track(1))
    above = np.s_[120:145, 195:300]
    assert changed(fused, draw_tracks(fused))[above].any()
    assert not changed(fused, draw_tracks(fused, labels=False))[above].any()


def test_trail_follows_the_feet_and_ends_when_time_goes_back() -> None:
    overlay = TrackOverlay(labels=False)
    for k in range(10):
        x = 100.0 + 20 * k
        fused = frame(track(1, (x, 150.0, x + 60, 330.0)), time_s=k / 30)
        picture = overlay.draw(fused)
    trail = np.s_[326:334, 140:270]
    assert changed(fused, picture)[trail].any(axis=0).all()
    restarted = frame(track(1, (x, 150.0, x + 60, 330.0)), time_s=0.0)
    assert not changed(restarted, overlay.draw(restarted))[trail].any()


def test_no_trail_if_not_asked_for() -> None:
    overlay = TrackOverlay(trails=False, labels=False)
    overlay.draw(frame(track(1, (100.0, 150.0, 160.0, 330.0))))
    fused = frame(track(1), time_s=0.1)
    assert not changed(fused, overlay.draw(fused))[326:334, :190].any()


def test_the_reasons_of_degraded_are_written_at_the_bottom() -> None:
    fused = frame(degraded=("ir shutter",))
    rows = np.nonzero(changed(fused, draw_tracks(fused)))[0]
    assert rows.min() > 440
    assert not changed(fused, draw_tracks(fused, warnings=False)).any()


def test_picture_size_may_change() -> None:
    overlay = TrackOverlay()
    overlay.draw(frame(track(1)))
    small = FusedFrame(np.zeros((120, 160, 3), np.uint8), None, None, 10**9, 0, tracks=[track(1)])
    assert overlay.draw(small).shape == (120, 160, 3)


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "supervision", None)
    with pytest.raises(DependencyError, match=r'pip install "edge-sdk\[track\]"'):
        TrackOverlay()


def test_side_by_side_shows_the_three_pictures_unchanged() -> None:
    fused = frame()
    picture = SideBySide().compose(fused)
    assert picture.shape[1:] == (3 * 640, 3)
    panels = np.split(picture[-480:], 3, axis=1)
    assert fused.ir is not None
    assert fused.visible is not None
    np.testing.assert_array_equal(panels[0], np.repeat(fused.ir[..., None], 3, axis=2))
    np.testing.assert_array_equal(panels[1], fused.visible)
    np.testing.assert_array_equal(panels[2], fused.image)
    captions = picture[:-480].reshape(-1, 3, 640, 3)
    assert all(captions[:, k].max() > 150 for k in range(3))


def test_side_by_side_with_a_drawn_picture_and_a_missing_camera() -> None:
    fused = frame()
    fused.ir = None
    drawn = fused.image // 2
    picture = SideBySide().compose(fused, drawn)
    assert picture[-480:, :640].max() < 50
    np.testing.assert_array_equal(picture[-480:, -640:], drawn)


def test_side_by_side_of_another_size() -> None:
    with pytest.raises(ConfigError, match=r"must have the shape of fused\.image"):
        SideBySide().compose(frame(), np.zeros((10, 10, 3), np.uint8))
