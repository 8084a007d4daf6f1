"""What a calibration target is: its kind, its size, and where its points lie."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from edge_sdk.errors import ConfigError

__all__ = ["KINDS", "Kind", "Target", "parse_board"]

Kind = Literal["checkerboard", "circles", "asymmetric-circles", "charuco"]
KINDS: Final = ("checkerboard", "circles", "asymmetric-circles", "charuco")


@dataclass(frozen=True)
class Target:
    """A flat calibration target.

    Attributes:
        kind: ``checkerboard``, ``circles`` (in rows and columns), ``asymmetric-circles`` (every
            second row moved by half a step), ``charuco`` (a checkerboard with markers).
        columns, rows: inner corners of a checkerboard; circles of a grid, as OpenCV counts them
            (asymmetric: columns in one row); squares of a ChArUco board. None: found out.
        spacing_m: from corner to corner or circle to circle, in metres; of asymmetric circles half
            the step within a row. None: unknown, lengths are then in spacings.
        marker_m: side of a ChArUco board's markers, in metres.
        dictionary: OpenCV's name of the markers' dictionary, for instance ``DICT_4X4_50``.
        legacy: ChArUco boards with an even number of rows that were printed before OpenCV 4.6.
    """

    kind: Kind = "checkerboard"
    columns: int | None = None
    rows: int | None = None
    spacing_m: float | None = None
    marker_m: float | None = None
    dictionary: str = "DICT_4X4_50"
    legacy: bool = False

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError(f"target {self.kind!r}: must be one of {', '.join(KINDS)}")
        if (self.columns is None) != (self.rows is None):
            raise ConfigError("a target has columns and rows, or neither is known")
        if self.columns is None and self.kind != "checkerboard":
            raise ConfigError(
                f"the size of a target of kind {self.kind} cannot be found out; give it, for "
                "instance --board 4x11"
            )
        for name in ("columns", "rows"):
            count = getattr(self, name)
            if count is not None and not 2 <= count <= 200:
                raise ConfigError(f"board {name} must be 2 to 200, found {count}")
        for name in ("spacing_m", "marker_m"):
            length = getattr(self, name)
            if length is not None and not (np.isfinite(length) and 0 < length < 100):
                raise ConfigError(f"{name} must be above 0 and below 100 metres, found {length}")

    @property
    def size(self) -> tuple[int, int] | None:
        """(columns, rows), None if unknown."""
        if self.columns is None or self.rows is None:
            return None
        return self.columns, self.rows

    @property
    def unit_m(self) -> float:
        """Length of a spacing in metres; 1 if it is unknown."""
        return 1.0 if self.spacing_m is None else self.spacing_m

    def sized(self, columns: int, rows: int) -> Target:
        """The same target with another size."""
        return replace(self, columns=columns, rows=rows)

    def places(self, cells: NDArray[np.int64]) -> NDArray[np.float64]:
        """Where points lie on the board.

        Args:
            cells: (N, 2) column and row of each point.

        Returns:
            (N, 3) float64 metres (spacings if the spacing is unknown), z = 0.
        """
        x, y = cells[:, 0].astype(np.float64), cells[:, 1].astype(np.float64)
        if self.kind == "asymmetric-circles":
            x = 2 * x + cells[:, 1] % 2
        return np.column_stack([x, y, np.zeros_like(x)]) * self.unit_m

    def describe(self) -> str:
        """For people: ``checkerboard 9x6, 40 mm``."""
        size = "of unknown size" if self.size is None else f"{self.columns}x{self.rows}"
        length = "" if self.spacing_m is None else f", {1000 * self.spacing_m:g} mm"
        return f"{self.kind} {size}{length}"


def parse_board(text: str) -> tuple[int, int]:
    """(columns, rows) of ``"9x6"``.

    Raises:
        ConfigError: it is something else.
    """
    match = re.fullmatch(r"\s*(\d{1,3})\s*[xX*,]\s*(\d{1,3})\s*", text)
    if match is None:
        raise ConfigError(
            f"--board {text}: must be COLUMNSxROWS of inner corners, as 9x6 (a board of 10 by 7 "
            "squares has 9x6)"
        )
    return int(match[1]), int(match[2])
