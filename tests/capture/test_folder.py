"""Folders of images: order, gaps, time stamps, depth, and damaged or odd images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_sdk.capture.files import open_recording
from edge_sdk.capture.folder import consecutive_numbers
from edge_sdk.errors import SourceError
from edge_sdk.frames import Image

MS = 1_000_000
TABLE_HEADER = "name,timestamp_ns\n"


def grey(level: int, dtype: type = np.uint8, size: tuple[int, int] = (6, 8)) -> Image:
    return np.full(size, level, dtype)


def textured() -> Image:
    """(48, 64, 3) uint8 BGR, large enough that a part of its file is no whole image."""
    coarse = np.random.default_rng(0).integers(0, 255, (12, 16, 3), np.uint8)
    return cv2.resize(coarse, (64, 48))


def fill(folder: Path, names: list[str]) -> Path:
    """Grey images, the k-th of level k."""
    for level, name in enumerate(names):
        cv2.imwrite(str(folder / name), grey(level))
    return folder


def read_all(path: Path, camera: str = "ir", **options: float) -> list[tuple[str, int, float, int]]:
    """(name, sequence, ms, level) of every frame."""
    rows = []
    with open_recording(path, camera, **options) as recorded:
        while (frame := recorded.read()) is not None:
            assert frame.name is not None
            level = int(frame.image.flat[0])
            rows.append((frame.name, frame.sequence, frame.timestamp_ns / MS, level))
    return rows


def test_natural_order_and_times_from_the_rate(tmp_path: Path) -> None:
    fill(tmp_path, ["10.png", "9.png", "11.png"])
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / ".9.png").write_text("not an image either")
    (tmp_path / "12.png").mkdir()
    assert read_all(tmp_path, fps=20) == [
        ("9.png", 0, 0, 1),
        ("10.png", 1, 50, 0),
        ("11.png", 2, 100, 2),
    ]
    camera = open_recording(tmp_path, "ir")
    assert (camera.fps, camera.time_source, camera.frame_count) == (30, "default fps", 3)
    assert camera.names == ("9.png", "10.png", "11.png")
    assert camera.numbers == (9, 10, 11)


@pytest.mark.parametrize(
    ("stems", "numbers"),
    [
        (["0001", "0002", "0004"], [1, 2, 4]),
        (["frame_8_ir", "frame_9_ir", "frame_10_ir"], [8, 9, 10]),
        (["cam2_07", "cam2_08"], [7, 8]),
        (["00036N", "00040N", "00047N"], None),
        (["0", "10", "20"], None),
        (["1_1", "1_2", "2_1"], None),
        (["a1", "b2"], None),
        (["1", "01"], None),
        (["lake", "road"], None),
        (["7"], None),
    ],
    ids=str,
)
def test_what_counts_as_a_numbering(stems: list[str], numbers: list[int] | None) -> None:
    assert consecutive_numbers(stems) == numbers


def test_gap_is_an_error_that_names_the_first_missing_number(tmp_path: Path) -> None:
    fill(tmp_path, [f"f{k:04}.png" for k in (3, 4, 6, 7, 10)])
    with pytest.raises(SourceError, match=r"number 5 is missing after f0004.png \(3 missing"):
        open_recording(tmp_path, "ir")
    assert read_all(tmp_path, fps=10, allow_gaps=True) == [
        ("f0003.png", 0, 0, 0),
        ("f0004.png", 1, 100, 1),
        ("f0006.png", 3, 300, 2),
        ("f0007.png", 4, 400, 3),
        ("f0010.png", 7, 700, 4),
    ]


def test_sparse_numbers_are_names_in_plain_order(tmp_path: Path) -> None:
    fill(tmp_path, ["00036N.png", "00047N.png", "00051N.png"])
    assert [row[1:3] for row in read_all(tmp_path, fps=10)] == [(0, 0), (1, 100), (2, 200)]


def test_two_images_of_one_name(tmp_path: Path) -> None:
    fill(tmp_path, ["0001.png", "0001.bmp"])
    with pytest.raises(SourceError, match=r"0001\.bmp and 0001\.png"):
        open_recording(tmp_path, "ir")


def test_recorded_times(tmp_path: Path) -> None:
    fill(tmp_path, ["a.png", "b.png", "c.png"])
    table = f"c.png,{5000 * MS}\na.png,{5040 * MS}\nb.png,{5120 * MS}\n"
    (tmp_path / "timestamps.csv").write_text(TABLE_HEADER + table)
    assert read_all(tmp_path) == [
        ("c.png", 0, 5000, 2),
        ("a.png", 1, 5040, 0),
        ("b.png", 2, 5120, 1),
    ]
    camera = open_recording(tmp_path, "ir")
    assert camera.fps == pytest.approx(1000 / 60)
    assert camera.time_source == "timestamps.csv"
    # A rate given by the user wins.
    assert [row[2] for row in read_all(tmp_path, fps=10)] == [0, 100, 200]


def test_recorded_times_make_a_gap_harmless(tmp_path: Path) -> None:
    fill(tmp_path, ["0001.png", "0002.png", "0004.png"])
    rows = "".join(f"{k:04}.png,{k * 40 * MS}\n" for k in (1, 2, 4))
    (tmp_path / "timestamps.csv").write_text(TABLE_HEADER + rows)
    assert [row[1:3] for row in read_all(tmp_path)] == [(0, 40), (1, 80), (3, 160)]


def test_table_that_lists_a_missing_image(tmp_path: Path) -> None:
    fill(tmp_path, ["a.png", "c.png"])
    rows = f"a.png,0\nb.png,{40 * MS}\nc.png,{80 * MS}\n"
    (tmp_path / "timestamps.csv").write_text(TABLE_HEADER + rows)
    with pytest.raises(SourceError, match=r"lists b\.png"):
        open_recording(tmp_path, "ir")
    assert [row[:3] for row in read_all(tmp_path, allow_gaps=True)] == [
        ("a.png", 0, 0),
        ("c.png", 2, 80),
    ]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (b"name,timestamp_ns\na.png,0\n", r"no row for b\.png"),
        (b"name,timestamp_ns\na.png,5\nb.png,5\n", "not later"),
        (b"name,timestamp_ns\na.png,5\na.png,6\nb.png,7\n", "repetition"),
        (b"name,timestamp_ns\na.png,soon\nb.png,7\n", "soon"),
        (b"name,timestamp_ns\na.png\nb.png,7\n", "columns name,timestamp_ns"),
        (b"file,time\na.png,1\nb.png,7\n", "columns name,timestamp_ns"),
        (b"", r"no row for a\.png"),
        (b"\xff\xfe\x00\x01", "cannot read"),
    ],
    ids=["row missing", "equal", "twice", "no number", "short", "header", "empty", "binary"],
)
def test_table_that_cannot_be_used(table: bytes, message: str, tmp_path: Path) -> None:
    fill(tmp_path, ["a.png", "b.png"])
    (tmp_path / "timestamps.csv").write_bytes(table)
    with pytest.raises(SourceError, match=message) as caught:
        open_recording(tmp_path, "ir")
    assert "timestamps.csv" in str(caught.value)


@pytest.mark.parametrize("suffix", ["png", "tif", "tiff"])
def test_16_bit_infrared_stays_16_bit(suffix: str, tmp_path: Path) -> None:
    image = np.arange(48, dtype=np.uint16).reshape(6, 8) * 1000
    cv2.imwrite(str(tmp_path / f"0.{suffix}"), image)
    camera = open_recording(tmp_path, "ir")
    np.testing.assert_array_equal(camera.read().image, image)
    assert (camera.dtype, camera.size) == (np.uint16, (8, 6))
    with pytest.raises(SourceError, match=rf"0\.{suffix} .* swapped"):
        open_recording(tmp_path, "visible")


@pytest.mark.parametrize("suffix", ["png", "tif", "jpg", "bmp", "webp"])
def test_channels_depend_on_the_camera(suffix: str, tmp_path: Path) -> None:
    (tmp_path / "grey").mkdir()
    cv2.imwrite(str(tmp_path / "grey" / f"0.{suffix}"), grey(77, size=(48, 64)))
    for camera, shape in [("ir", (48, 64)), ("visible", (48, 64, 3))]:
        image = open_recording(tmp_path / "grey", camera).read().image
        assert image.shape == shape
        assert np.abs(image.astype(int) - 77).max() <= 1
    cv2.imwrite(str(tmp_path / f"0.{suffix}"), textured())
    image = open_recording(tmp_path, "visible").read().image
    assert np.abs(image.astype(int) - textured()).mean() < 12
    with pytest.raises(SourceError, match="looks like a colour video"):
        open_recording(tmp_path, "ir")


def test_pgm_and_a_single_image(tmp_path: Path) -> None:
    fill(tmp_path, ["5.pgm"])
    assert read_all(tmp_path) == read_all(tmp_path / "5.pgm") == [("5.pgm", 0, 0, 0)]


def cut(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 7 // 10])


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("suffix", "harm"),
    [
        *[(suffix, cut) for suffix in ("png", "jpg", "tif", "bmp", "webp", "pgm")],
        ("png", flip_a_bit),
        ("png", lambda path: path.write_bytes(b"")),
        ("png", lambda path: path.write_text("text")),
    ],
)
def test_damaged_image_is_named_and_the_next_one_follows(
    suffix: str, harm: Callable[[Path], object], tmp_path: Path
) -> None:
    image = textured() if suffix != "pgm" else textured()[..., 0]
    for k in range(3):
        cv2.imwrite(str(tmp_path / f"{k}.{suffix}"), image)
    harm(tmp_path / f"1.{suffix}")
    camera = open_recording(tmp_path, "visible")
    assert camera.read().sequence == 0
    with pytest.raises(SourceError, match=rf"1\.{suffix} .* damaged or no image"):
        camera.read()
    assert camera.read().sequence == 2
    assert camera.read() is None


@pytest.mark.parametrize(
    ("camera", "image", "message"),
    [
        ("ir", grey(1, size=(8, 6)), r"b\.png .* is 6x8 uint8 grey, .* with 8x6 uint8 grey"),
        ("ir", grey(1, np.uint16), "is 8x6 uint16 grey"),
        ("ir", np.zeros((6, 8, 3), np.uint16), r"b\.png is uint16 colour: convert"),
        ("visible", grey(1, np.uint16), r"b\.png .* 16-bit grey, .* swapped"),
    ],
    ids=["size", "depth", "16-bit colour", "16-bit visible"],
)
def test_images_that_differ_are_named(
    camera: str, image: Image, message: str, tmp_path: Path
) -> None:
    fill(tmp_path, ["a.png"])
    cv2.imwrite(str(tmp_path / "b.png"), image)
    recorded = open_recording(tmp_path, camera)
    assert recorded.read().name == "a.png"
    with pytest.raises(SourceError, match=message):
        recorded.read()


def test_float_images_are_refused(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "0.tif"), np.ones((6, 8), np.float32))
    with pytest.raises(SourceError, match=r"0\.tif is float32 grey"):
        open_recording(tmp_path, "ir")


def test_folder_without_images_says_what_it_has(tmp_path: Path) -> None:
    (tmp_path / "ir").mkdir()
    (tmp_path / "visible").mkdir()
    with pytest.raises(SourceError, match=r"no images .* 2 other entries"):
        open_recording(tmp_path, "ir")
