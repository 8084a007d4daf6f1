"""ChArUco boards: corners with names, so that a part of the board is enough."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_sdk.errors import ConfigError

from .observation import Observation
from .prepare import grey, preparations, to_8_bit
from .target import Target

__all__ = ["charuco_board", "find_charuco"]

_ENOUGH = 6


@lru_cache(maxsize=8)
def charuco_board(target: Target) -> Any:
    """OpenCV's board of a target.

    Raises:
        ConfigError: the dictionary or the lengths are impossible.
    """
    number = getattr(cv2.aruco, target.dictionary, None)
    if not target.dictionary.startswith("DICT_") or not isinstance(number, int):
        known = ", ".join(n for n in dir(cv2.aruco) if n.startswith("DICT_"))
        raise ConfigError(f"--dictionary {target.dictionary}: must be one of {known}")
    size = target.size
    assert size is not None
    marker = 0.75 * target.unit_m if target.marker_m is None else target.marker_m
    if not marker < target.unit_m:
        raise ConfigError(
            f"markers of {1000 * marker:g} mm are too large for squares of "
            f"{1000 * target.unit_m:g} mm"
        )
    dictionary = cv2.aruco.getPredefinedDictionary(number)
    if size[0] * size[1] // 2 > len(dictionary.bytesList):
        raise ConfigError(
            f"{target.dictionary} has {len(dictionary.bytesList)} markers, a board of {size[0]}x"
            f"{size[1]} squares needs {size[0] * size[1] // 2}"
        )
    board = cv2.aruco.CharucoBoard(size, target.unit_m, marker, dictionary)
    board.setLegacyPattern(target.legacy)
    return board


def find_charuco(image: NDArray, target: Target, name: str) -> Observation | str:
    """A ChArUco board, or a part of one, in a picture; also inverted.

    Args:
        image: (H, W) or (H, W, 3), 8 or 16 bit.
        target: of kind ``charuco``.
        name: of the picture.

    Returns:
        The observation, or the reason why there is none.
    """
    picture = grey(image)
    board = charuco_board(target)
    detector = cv2.aruco.CharucoDetector(board)
    columns, rows = target.size or (0, 0)
    whole = (columns - 1) * (rows - 1)
    best: tuple[NDArray, NDArray, str] | None = None
    for step, scale, prepared in preparations(picture):
        eight = to_8_bit(prepared)
        for polarity, candidate in (("", eight), ("inverted", 255 - eight)):
            corners, ids, _, _ = detector.detectBoard(candidate)
            if ids is None or (best is not None and len(ids) <= len(best[1])):
                continue
            pixels = (corners.reshape(-1, 2).astype(np.float64) + 0.5) / scale - 0.5
            how = ", ".join(part for part in (polarity, step) if part)
            best = pixels, ids.ravel().astype(np.int64), f"ChArUco ({how})" if how else "ChArUco"
        if best is not None and len(best[1]) > 0.5 * whole:
            break
    if best is None:
        return "no ChArUco board found"
    pixels, numbers, method = best
    if len(numbers) < _ENOUGH:
        return f"only {len(numbers)} ChArUco corners found, {_ENOUGH} are needed"
    cells = np.column_stack([numbers % (columns - 1), numbers // (columns - 1)])
    if min(np.ptp(cells, axis=0)) < 1:
        return "the ChArUco corners found lie on one line"
    size = (picture.shape[1], picture.shape[0])
    return Observation(name, size, pixels, cells, len(numbers) == whole, method, coded=True)
