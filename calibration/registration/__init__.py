"""Registration without a target: one homography for the rig, from what both cameras see anyway.

The way, after the paper: frame pairs sampled uniformly from a recording, cross-modal
correspondences, MAGSAC++, one homography for all pairs, refined over all of them, and a quality
gate that refuses rather than guesses. The built-in matcher compares the orientation of edges, which
both spectra share, and needs no weights; learned matchers plug in (:mod:`.plugins`).
"""

from .coarse import SearchRange
from .lenses import Lenses, read_lenses
from .matcher import Matcher, Matches
from .overlay import before_and_after, checkerboard
from .pairs import ImagePair, sample_recordings, sample_rig
from .plugins import load_matcher
from .recheck import Recheck, recheck
from .register import ONE_PAIR, RegistrationResult, register
from .result_file import result_values, to_calibration
from .structure_matcher import StructureMatcher

__all__ = [
    "ONE_PAIR",
    "ImagePair",
    "Lenses",
    "Matcher",
    "Matches",
    "Recheck",
    "RegistrationResult",
    "SearchRange",
    "StructureMatcher",
    "before_and_after",
    "checkerboard",
    "load_matcher",
    "read_lenses",
    "recheck",
    "register",
    "result_values",
    "sample_recordings",
    "sample_rig",
    "to_calibration",
]
