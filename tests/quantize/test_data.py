from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_sdk.errors import ConfigError, SourceError
from quantize.data import ClipSampler, Recordings
from quantize.train import assert_disjoint
from tests.quantize.recordings import write_recordings

SHARED = Path(__file__).parents[3] / "shared/data"


@pytest.fixture
def recordings(tmp_path):
    return Recordings(write_recordings(tmp_path / "data"), tmp_path / "cache")


def _sampler(recordings, **options):
    return ClipSampler(recordings, size=64, frames=6, **options)


def test_scenes_are_found(recordings):
    names = [scene.name for scene in recordings.scenes]
    assert names == ["frames/a", "frames/b", "pairs/stills/x"]
    assert recordings.sequence(recordings.scenes[0], "ir").shape == (10, 96, 128)


def test_decoding_is_lazy_and_cached(recordings):
    assert not list(recordings.cache.glob("*.npy"))
    recordings.sequence(recordings.scenes[0], "ir")
    assert len(list(recordings.cache.glob("*.npy"))) == 1
    recordings.check()
    assert len(list(recordings.cache.glob("*.npy"))) == 6
    again = Recordings(recordings.root, recordings.cache)
    assert isinstance(again.sequence(again.scenes[1], "visible"), np.memmap)


def test_clips_repeat_with_the_seed(recordings):
    first, second, other = (_sampler(recordings, seed=s).draw() for s in (3, 3, 4))
    assert np.array_equal(first.ir, second.ir) and np.array_equal(first.visible, second.visible)
    assert not np.array_equal(first.ir, other.ir)


def test_clip_shapes_and_range(recordings):
    sampler = _sampler(recordings)
    for _ in range(20):
        clip = sampler.draw()
        for part in (clip.ir, clip.visible, clip.clean_ir, clip.clean_visible):
            assert part.shape == (6, 64, 64) and part.dtype == np.float32
            assert part.min() >= 0 and part.max() <= 1 and np.isfinite(part).all()


def test_mix_of_clean_and_degraded(recordings):
    sampler = _sampler(recordings, clean=0.3, degraded=0.4)
    kinds = [
        (np.array_equal(c.ir, c.clean_ir), np.array_equal(c.visible, c.clean_visible))
        for c in (sampler.draw() for _ in range(200))
    ]
    share = {kind: kinds.count(kind) / 200 for kind in set(kinds)}
    assert share[True, True] == pytest.approx(0.3, abs=0.1)
    assert share[False, False] == pytest.approx(0.4, abs=0.1)
    assert share[True, False] > 0.05 and share[False, True] > 0.05


def test_paired_clips_show_the_same_window(tmp_path):
    """With equal pictures in both cameras, both halves of a paired clip are equal."""
    root = tmp_path / "data"
    for camera in ("ir", "visible"):
        (root / "frames" / "same" / camera).mkdir(parents=True)
        for k in range(8):
            image = np.random.default_rng(k).integers(60, 200, (100, 120), np.uint8)
            cv2.imwrite(str(root / "frames" / "same" / camera / f"{k}.png"), image)
    sampler = _sampler(Recordings(root, tmp_path / "cache"), unpaired=0.0, fault=0.0)
    sampler._vary_infrared = sampler._vary_visible = lambda clip: clip
    for _ in range(10):
        clip = sampler.draw()
        assert np.array_equal(clip.clean_ir, clip.clean_visible)


def _three_colours(tmp_path):
    """A folder in colour, and for each channel one with that channel alone, in grey."""
    roots = [tmp_path / name for name in ("rgb", "red", "green", "blue")]
    for root in roots:
        write_recordings(root)
    for picture in sorted(roots[0].glob("*/*/visible/*.png")):
        base = cv2.imread(str(picture), cv2.IMREAD_GRAYSCALE)
        rgb = [np.roll(base, shift, axis=1) // divide for shift, divide in ((0, 1), (5, 2), (9, 3))]
        for root, channel in zip(roots[1:], rgb, strict=True):
            cv2.imwrite(str(root / picture.relative_to(roots[0])), channel)
        cv2.imwrite(str(picture), np.dstack(rgb[::-1]))  # OpenCV writes blue first
    return [Recordings(root, tmp_path / "cache") for root in roots]


def test_colour_clips_are_grey_clips_of_each_channel(tmp_path):
    """Windows, flips, warps, tones, faults and the lens do to a channel what they do to luma."""
    colour, *channels = _three_colours(tmp_path)
    degraded = 0
    for seed in range(30):
        options = {"seed": seed, "unpaired": 0.0, "fault": 0.5}
        clip = _sampler(colour, colour=True, **options).draw()
        assert clip.visible.shape == clip.clean_visible.shape == (6, 64, 64, 3)
        for k, recordings in enumerate(channels):
            grey = _sampler(recordings, **options).draw()
            assert np.array_equal(clip.ir, grey.ir)
            assert np.array_equal(clip.clean_visible[..., k], grey.clean_visible)
            # Sensor noise is of each channel's own, half a level of 255; a colour codec of low
            # quality leaves other residue than a grey one, a few levels.
            stray = clip.visible[..., k] - grey.visible
            assert abs(stray.mean()) < 4 / 255 and stray.std() < 12 / 255
        degraded += not np.array_equal(clip.visible, clip.clean_visible)
    assert 0 < degraded < 30


def test_colour_is_decoded_only_where_it_is_asked(recordings):
    recordings.check()
    assert not list(recordings.cache.glob("*_rgb.npy"))
    scene = recordings.scenes[0]
    rgb = recordings.sequence(scene, "visible", colour=True)
    assert rgb.shape == (10, 96, 128, 3) and isinstance(rgb, np.memmap)
    assert len(list(recordings.cache.glob("*_rgb.npy"))) == 1
    grey = recordings.sequence(scene, "visible")
    assert grey.shape == (10, 96, 128) and np.array_equal(rgb[..., 0], grey)


def test_colour_of_videos_is_rgb(tmp_path):
    """A red video has most in the first channel."""
    folder = tmp_path / "data" / "videos" / "red"
    folder.mkdir(parents=True)
    for name, colour in (("ir", (90, 90, 90)), ("visible", (20, 40, 200))):
        code = cv2.VideoWriter.fourcc(*"mp4v")
        video = cv2.VideoWriter(str(folder / f"{name}.mp4"), code, 20.0, (96, 64))
        for _ in range(4):
            video.write(np.full((64, 96, 3), colour, np.uint8))
        video.release()
    recordings = Recordings(tmp_path / "data", tmp_path / "cache")
    recordings.check(colour=True)
    rgb = recordings.sequence(recordings.scenes[0], "visible", colour=True)
    assert rgb.shape == (4, 64, 96, 3)
    assert rgb.reshape(-1, 3).mean(0) == pytest.approx([200, 40, 20], abs=8)


def test_a_scene_in_both_sets_is_refused(tmp_path):
    training = Recordings(write_recordings(tmp_path / "t", ("a", "b")), tmp_path / "cache")
    validation = Recordings(write_recordings(tmp_path / "v", ("b", "c")), tmp_path / "cache")
    with pytest.raises(ConfigError, match="scene b stands in both"):
        assert_disjoint(training, validation)


def test_shared_training_and_validation_scenes_are_disjoint(tmp_path):
    if not SHARED.is_dir():
        pytest.skip("the recordings in ../shared are not here")
    assert_disjoint(Recordings(SHARED / "train", tmp_path), Recordings(SHARED / "val", tmp_path))


def test_bad_folders(tmp_path):
    with pytest.raises(ConfigError, match="no such folder"):
        Recordings(tmp_path / "nowhere", tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"found no videos/, frames/, pairs/ or ir_only/"):
        Recordings(tmp_path / "empty", tmp_path)


def test_unequal_counts_and_unreadable_frames(tmp_path):
    root = write_recordings(tmp_path / "data")
    (root / "frames/a/ir/0003.png").unlink()
    with pytest.raises(SourceError, match=r"scene frames/a: .* no partner for 0003"):
        Recordings(root, tmp_path / "cache")
    (root / "frames/a/ir/0003.png").write_text("no picture")
    with pytest.raises(SourceError, match=r"0003\.png: cannot be decoded"):
        Recordings(root, tmp_path / "cache").check()
    cv2.imwrite(str(root / "frames/a/ir/0003.png"), np.zeros((96, 120), np.uint8))
    with pytest.raises(SourceError, match=r"0003\.png: 120x96 pixels, but 0000\.png .* 128x96"):
        Recordings(root, tmp_path / "cache").check()
