"""The differentiable metrics against the metrics of the benchmark suite."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks import metrics
from quantize.student.objective import _invented
from quantize.student.quality import (
    HotTargets,
    _smooth,
    edge_transfer,
    gradients,
    ssim,
    visual_information,
)


@pytest.fixture(scope="module")
def pictures() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Infrared with a hot target, visible, and a fusion of both; uint8."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:160, :200]
    ir = 40 + 20 * np.sin(columns / 17) + 170 * (np.hypot(rows - 80, columns - 90) < 14)
    visible = 120 + 50 * np.sin(rows / 3.7) * np.cos(columns / 5.1) + rng.normal(0, 6, ir.shape)
    fused = 0.7 * np.maximum(ir, visible) + 0.3 * visible + rng.normal(0, 3, ir.shape)
    return tuple(np.clip(np.rint(x), 0, 255).astype(np.uint8) for x in (ir, visible, fused))


def _tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image.astype(np.float32) / 255)[None, None]


def test_visual_information(pictures):
    ir, visible, fused = pictures
    for source in (ir, visible):
        ours = float(visual_information(_tensor(fused), _tensor(source)))
        assert ours == pytest.approx(metrics.vif(source, fused), abs=0.01)


def test_structural_similarity(pictures):
    ir, visible, fused = pictures
    for source in (ir, visible):
        ours = float(ssim(_tensor(fused), _tensor(source)))
        assert ours == pytest.approx(metrics.ssim(source, fused), abs=0.01)


def test_edge_transfer_ranks_as_qabf_does(pictures):
    """The smooth form differs in value, not in what it prefers."""
    ir, visible, fused = pictures
    blurred = np.rint((np.roll(fused, 1, 1).astype(float) + fused + np.roll(fused, 1, 0)) / 3)
    candidates = [visible, fused, blurred.astype(np.uint8), np.full_like(fused, 90)]
    ours = [float(edge_transfer(*map(_tensor, (c, ir, visible)))) for c in candidates]
    theirs = [metrics.qabf(c, ir, visible) for c in candidates]
    assert np.array_equal(np.argsort(ours), np.argsort(theirs))


def test_target_contrast(pictures):
    ir, _, fused = pictures
    targets = HotTargets(_tensor(ir))
    assert targets.there == 1
    ours = float(targets.contrast(_tensor(fused)))
    assert ours == pytest.approx(metrics.target_contrast(fused, ir), abs=0.06)
    assert float(targets.contrast(_tensor(ir))) == pytest.approx(1.0, abs=1e-4)
    assert HotTargets(torch.full((1, 1, 160, 200), 0.2)).there == 0


def test_invented_edges_by_hand():
    """A step of 0.4 between blocks counts unless a source has one as large there."""
    flat = torch.full((1, 1, 32, 32), 0.5)
    step = flat.clone()
    step[..., 16:] += 0.4
    assert _invented(flat, flat, flat) == 0
    assert _invented(step, flat, step) == pytest.approx(0.0)
    # One column boundary of 7 (squares of 4 pixels), of 3 (8) and of 1 (16); rows have none.
    expected = 0.4 * (1 / 7 + 1 / 3 + 1) / 6
    assert float(_invented(step, flat, flat)) == pytest.approx(expected, rel=1e-5)


def test_the_window_s_own_gradient_is_the_numerical_one():
    image = torch.rand(1, 2, 9, 10, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: _smooth(x, 5, 1.0), image)


def test_gradients_are_those_of_sobel(pictures):
    import cv2

    _, visible, _ = pictures
    ours = gradients(_tensor(visible))[0].numpy() * 255 * 4
    for k, axes in enumerate(((1, 0), (0, 1))):
        theirs = cv2.Sobel(visible, cv2.CV_64F, *axes)[1:-1, 1:-1]
        assert np.allclose(ours[k], theirs, atol=1e-2)
