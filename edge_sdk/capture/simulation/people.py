"""People: their build, their clothes and what they carry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_sdk.capture.simulation.materials import srgb
from edge_sdk.capture.simulation.rand import mix, unit

__all__ = ["Person", "make_person"]

Floats = NDArray[np.float64]

_SKINS = ((232, 190, 160), (198, 146, 112), (148, 100, 74), (102, 68, 50))
_HAIR = ((44, 32, 26), (90, 62, 38), (24, 22, 22), (150, 140, 134), (150, 110, 60))
_TOPS = (
    (150, 40, 44),
    (38, 58, 104),
    (48, 50, 54),
    (66, 96, 70),
    (208, 190, 160),
    (214, 150, 40),
    (110, 120, 136),
    (90, 50, 84),
    (222, 222, 220),
)
_TROUSERS = ((44, 56, 86), (40, 40, 44), (96, 84, 68), (70, 74, 80), (120, 112, 96))
_HAT = (120, 44, 40)
_BAGS = ((40, 44, 48), (120, 60, 40), (36, 76, 92), (70, 84, 52))


@dataclass(frozen=True, eq=False)
class Person:
    """How one person looks.

    Attributes:
        height_m: with shoes.
        girth: width relative to height, 1 is usual.
        palette: (6, 3) linear BGR of skin, crown (hair or hat), top, trousers, shoes and bag.
        bag: True for a backpack.
        coat: True for a coat that reaches over the thighs.
        hat: True for a woollen hat.
        dressed: how little heat the clothes hold back, 0 to 1.
        swing: how far the arms swing, 1 is usual.
        texture: picks the wrinkles of the clothes.
    """

    height_m: float
    girth: float
    palette: Floats
    bag: bool
    coat: bool
    hat: bool
    dressed: float
    swing: float
    texture: int


def make_person(seed: int, number: int) -> Person:
    """Person ``number`` of a scene."""

    def pick(table: tuple[tuple[int, int, int], ...], salt: int) -> tuple[int, int, int]:
        return table[mix(seed, number, salt) % len(table)]

    hat = unit(seed, number, 11) < 0.3
    colours = (
        pick(_SKINS, 3),
        _HAT if hat else pick(_HAIR, 4),
        pick(_TOPS, 5),
        pick(_TROUSERS, 6),
        (38, 36, 36) if unit(seed, number, 7) < 0.6 else (200, 198, 194),
        pick(_BAGS, 8),
    )
    return Person(
        height_m=1.60 + 0.28 * unit(seed, number, 1),
        girth=0.94 + 0.22 * unit(seed, number, 2),
        palette=np.stack([srgb(*colour) for colour in colours]).astype(np.float64),
        bag=unit(seed, number, 9) < 0.45,
        coat=unit(seed, number, 10) < 0.35,
        hat=hat,
        dressed=unit(seed, number, 12),
        swing=0.85 + 0.3 * unit(seed, number, 13),
        texture=number,
    )
