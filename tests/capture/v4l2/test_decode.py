"""Decoding of kernel buffers against formulas of our own."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_sdk.capture.v4l2 import jpeg
from edge_sdk.capture.v4l2.decode import DamagedError, Decoder
from edge_sdk.capture.v4l2.fourcc import FORMATS, code_text, format_of_code, format_of_name
from edge_sdk.capture.v4l2.pool import ArrayPool

WIDTH, HEIGHT = 34, 18


def decoder(name: str, row_bytes: int = 0, mono: bool = False) -> Decoder:
    pixel_format = format_of_name(name)
    assert pixel_format is not None
    return Decoder(pixel_format, WIDTH, HEIGHT, row_bytes, mono, ArrayPool())


def padded(rows: NDArray[np.uint8], padding: int) -> NDArray[np.uint8]:
    """Rows with garbage after each, as a driver with a larger ``bytesperline`` lays them."""
    garbage = np.full((rows.shape[0], padding), 0xA5, np.uint8)
    return np.concatenate([rows, garbage], axis=1).ravel()


def bgr_of_yuv(y: NDArray[Any], u: NDArray[Any], v: NDArray[Any]) -> NDArray[np.float64]:
    """ITU-R BT.601, limited range (16-235, 16-240), in floating point."""
    luma = 255 / 219 * (y.astype(np.float64) - 16)
    blue, red = u.astype(np.float64) - 128, v.astype(np.float64) - 128
    scale = 255 / 224
    b = luma + scale * 2 * (1 - 0.114) * blue
    r = luma + scale * 2 * (1 - 0.299) * red
    g = luma - scale * 2 * (0.114 * (1 - 0.114) * blue + 0.299 * (1 - 0.299) * red) / 0.587
    return np.clip(np.stack([b, g, r], axis=-1), 0, 255)


@pytest.mark.parametrize("padding", [0, 6])
@pytest.mark.parametrize(
    ("name", "order", "top"),
    [
        ("Y16", "<u2", 65535),
        ("Y16_BE", ">u2", 65535),
        ("Y14", "<u2", 16383),
        ("Y12", "<u2", 4095),
        ("Y10", "<u2", 1023),
    ],
)
def test_16_bit_formats_keep_their_counts(name: str, order: str, top: int, padding: int) -> None:
    counts = np.random.default_rng(1).integers(0, top + 1, (HEIGHT, WIDTH))
    data = padded(counts.astype(order).view(np.uint8), padding)
    image = decoder(name, 2 * WIDTH + padding)(data)
    assert image.dtype == np.uint16 and image.shape == (HEIGHT, WIDTH)
    np.testing.assert_array_equal(image, counts)


@pytest.mark.parametrize("padding", [0, 2])
def test_grey(padding: int) -> None:
    grey = np.random.default_rng(2).integers(0, 256, (HEIGHT, WIDTH)).astype(np.uint8)
    np.testing.assert_array_equal(decoder("GREY", WIDTH + padding)(padded(grey, padding)), grey)


@pytest.mark.parametrize("padding", [0, 8])
@pytest.mark.parametrize(("name", "luma", "chroma"), [("YUYV", 0, 1), ("UYVY", 1, 0)])
def test_packed_yuv(name: str, luma: int, chroma: int, padding: int) -> None:
    rng = np.random.default_rng(3)
    y = rng.integers(16, 236, (HEIGHT, WIDTH))
    u, v = rng.integers(16, 241, (2, HEIGHT, WIDTH // 2))
    rows = np.empty((HEIGHT, WIDTH, 2), np.uint8)
    rows[:, :, luma] = y
    rows[:, 0::2, chroma], rows[:, 1::2, chroma] = u, v
    data = padded(rows.reshape(HEIGHT, -1), padding)
    wanted = bgr_of_yuv(y, u.repeat(2, axis=1), v.repeat(2, axis=1))
    image = decoder(name, 2 * WIDTH + padding)(data)
    assert image.dtype == np.uint8
    np.testing.assert_allclose(image, wanted, atol=1.5)
    mono = decoder(name, 2 * WIDTH + padding, mono=True)(data)
    np.testing.assert_array_equal(mono, y)


@pytest.mark.parametrize("padding", [0, 6])
def test_nv12(padding: int) -> None:
    rng = np.random.default_rng(4)
    y = rng.integers(16, 236, (HEIGHT, WIDTH)).astype(np.uint8)
    uv = rng.integers(16, 241, (HEIGHT // 2, WIDTH // 2, 2)).astype(np.uint8)
    rows = np.concatenate([y, uv.reshape(HEIGHT // 2, WIDTH)])
    full = uv.repeat(2, axis=0).repeat(2, axis=1)
    wanted = bgr_of_yuv(y, full[:, :, 0], full[:, :, 1])
    data = padded(rows, padding)
    np.testing.assert_allclose(decoder("NV12", WIDTH + padding)(data), wanted, atol=1.5)
    np.testing.assert_array_equal(decoder("NV12", WIDTH + padding, mono=True)(data), y)


@pytest.mark.parametrize("padding", [0, 2])
@pytest.mark.parametrize("name", ["BGR24", "RGB24"])
def test_rgb(name: str, padding: int) -> None:
    bgr = np.random.default_rng(5).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    rows = bgr if name == "BGR24" else np.ascontiguousarray(bgr[:, :, ::-1])
    data = padded(rows.reshape(HEIGHT, -1), padding)
    np.testing.assert_array_equal(decoder(name, 3 * WIDTH + padding)(data), bgr)
    luma = bgr @ np.array([0.114, 0.587, 0.299])
    mono = decoder(name, 3 * WIDTH + padding, mono=True)(data)
    np.testing.assert_allclose(mono, luma, atol=1.0)


@pytest.mark.parametrize("name", [f.name for f in FORMATS if f.layout != "jpeg"])
def test_a_short_buffer_is_damaged_and_the_last_padding_may_be_missing(name: str) -> None:
    decode = decoder(name, 3 * WIDTH + 10)
    decode(np.zeros(decode.size_bytes, np.uint8))
    with pytest.raises(DamagedError, match=f"{decode.size_bytes - 1} bytes of"):
        decode(np.zeros(decode.size_bytes - 1, np.uint8))


def picture() -> NDArray[np.uint8]:
    noise = np.random.default_rng(6).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 4.0)


def jpeg_of(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    good, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 95])
    assert good
    return data.ravel()


@pytest.fixture(params=["simplejpeg", "opencv"])
def jpeg_library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "opencv":
        monkeypatch.setattr(jpeg, "_simplejpeg", lambda: None)
    else:
        pytest.importorskip("simplejpeg")
    return str(request.param)


def test_jpeg(jpeg_library: str) -> None:
    image = picture()
    data = np.concatenate([jpeg_of(image), np.zeros(40, np.uint8)])
    found = decoder("MJPG")(data)
    assert found.shape == image.shape and found.dtype == np.uint8
    assert np.abs(found.astype(int) - image).mean() < 2
    mono = decoder("MJPG", mono=True)(data)
    assert np.abs(mono - image @ np.array([0.114, 0.587, 0.299])).mean() < 2


def test_jpeg_without_huffman_tables(jpeg_library: str) -> None:
    """USB cameras leave the standard tables out."""
    data = jpeg_of(picture()).tobytes()
    stripped = data
    while (at := stripped.find(b"\xff\xc4")) >= 0:
        length = int.from_bytes(stripped[at + 2 : at + 4], "big")
        stripped = stripped[:at] + stripped[at + 2 + length :]
    assert len(stripped) < len(data) - 400
    found = decoder("MJPG")(np.frombuffer(stripped, np.uint8))
    np.testing.assert_array_equal(found, decoder("MJPG")(np.frombuffer(data, np.uint8)))


@pytest.mark.parametrize("fault", ["cut", "no start", "empty", "other size", "no picture"])
def test_damaged_jpeg_is_told(fault: str, jpeg_library: str) -> None:
    data = jpeg_of(picture())
    damaged = {
        "cut": data[: len(data) // 2],
        "no start": data[2:],
        "empty": np.zeros(0, np.uint8),
        "other size": jpeg_of(np.zeros((HEIGHT, WIDTH + 2, 3), np.uint8)),
        "no picture": np.frombuffer(b"\xff\xd8\xff\xd9", np.uint8),
    }[fault]
    with pytest.raises(DamagedError):
        decoder("MJPG")(damaged)


def test_a_gap_inside_a_jpeg_is_told() -> None:
    """As when the bus loses a packet: both ends are there."""
    pytest.importorskip("simplejpeg")
    data = jpeg_of(picture())
    scan = data.tobytes().find(b"\xff\xda") + 14
    with pytest.raises(DamagedError, match=r"Corrupt|premature"):
        decoder("MJPG")(np.delete(data, slice(scan + 10, scan + 74)))


def test_names_and_codes() -> None:
    """Codes as ``linux/videodev2.h`` has them."""
    known = {"Y16": 0x20363159, "Y16_BE": 0xA0363159, "GREY": 0x59455247, "MJPG": 0x47504A4D}
    for name, code in known.items():
        found = format_of_code(code)
        assert found is not None and found.name == name
        assert format_of_name(name.lower()) is found and code_text(code) == name
    assert format_of_name("BGR3") is format_of_name("BGR24")
    assert format_of_name("H264") is None
    assert code_text(0x34363248) == "H264"


def test_pool_reuses_what_nobody_holds() -> None:
    pool = ArrayPool(limit=2)
    first = pool.take((4, 4), np.uint8)
    memory = first.__array_interface__["data"][0]
    second = pool.take((4, 4), np.uint8)
    assert not np.shares_memory(first, second)
    part = first[1:, ::2].view()
    del first
    third = pool.take((4, 4), np.uint8)
    assert not np.shares_memory(third, part) and not np.shares_memory(third, second)
    del part
    again = pool.take((4, 4), np.uint8)
    assert again.__array_interface__["data"][0] == memory
    assert pool.take((2, 3), np.uint16).shape == (2, 3)
    assert again.shape == (4, 4)
