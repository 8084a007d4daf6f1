"""EN and MI: how much information a picture holds, and how much of it came from a source."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics.grey import Grey, require_greys

__all__ = ["entropy", "mutual_information"]


def _entropy_bits(counts: NDArray[np.intp]) -> float:
    share = counts[counts > 0] / counts.sum()
    # + 0.0 turns the -0.0 of a single grey level into 0.0
    return float(-(share * np.log2(share)).sum() + 0.0)


def entropy(fused: Grey) -> float:
    """EN: Shannon entropy of the histogram of 256 grey levels, bits, 0 to 8."""
    require_greys(fused=fused)
    return _entropy_bits(np.bincount(fused.ravel(), minlength=256))


def mutual_information(fused: Grey, source: Grey) -> float:
    """MI(F, S) = H(F) + H(S) - H(F, S) from the 256 x 256 joint histogram, bits.

    The MI of a fusion is the sum over both sources (Qu, Zhang, Yan, "Information measure for
    performance of image fusion", Electronics Letters 38, 2002). Papers that use natural logarithms
    show 0.69 times this.
    """
    require_greys(fused=fused, source=source)
    joint = np.bincount(fused.ravel().astype(np.intp) * 256 + source.ravel(), minlength=65536)
    levels = joint.reshape(256, 256)
    return (
        _entropy_bits(levels.sum(axis=1)) + _entropy_bits(levels.sum(axis=0)) - _entropy_bits(joint)
    )
