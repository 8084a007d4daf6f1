"""Full-resolution work done at a quarter of the resolution: the space-to-depth layout.

A block of 4 x 4 pixels becomes 16 channels of one quarter-resolution position (channel
``4 * y + x``, the order of ``torch.nn.PixelUnshuffle``). Convolutions then see 16 times more
channels on 16 times fewer positions, which CPUs and tensor cores run several times faster than
one-channel convolutions at full resolution.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = [
    "BLOCK",
    "FilterBank",
    "SmoothBlocks",
    "depth_to_space",
    "gaussian_filter",
    "space_to_depth",
    "wiener_filter",
]

BLOCK = 4
RADIUS = 4  # the widest filter whose support stays within the 3 x 3 neighbouring blocks


def space_to_depth(image: Tensor, block: int = BLOCK) -> Tensor:
    """(B, 1, H, W) to (B, 16, H/4, W/4), as a strided convolution; ``block`` may differ from 4.

    A convolution, since ``PixelUnshuffle`` exports to ONNX as Reshape and Transpose, which cost
    about 2 ms a frame at 640 x 480.
    """
    kernel = torch.eye(block * block, dtype=image.dtype, device=image.device)
    return F.conv2d(image, kernel.view(block * block, 1, block, block), stride=block)


def depth_to_space(blocks: Tensor) -> Tensor:
    """(B, 16 C, H/4, W/4) to (B, C, H, W); undoes :func:`space_to_depth`."""
    return F.pixel_shuffle(blocks, BLOCK)


class FilterBank(nn.Module):
    """``filters`` linear 9 x 9 filters over ``sources`` full-resolution images, in block layout.

    Every one of the 16 pixels of a block is filtered with the same 9 x 9 weights, so that the
    bank is shift-equivariant at full resolution although it runs as one 3 x 3 convolution on
    blocks. Input (B, 16 sources, h + 2, w + 2), a block of border all around; output (B, 16, h, w)
    of each filter: cutting one tensor apart would cost inference engines a copy.
    """

    def __init__(self, weights: Tensor) -> None:
        """``weights``: (filters, sources, 9, 9), the initial filters."""
        super().__init__()
        self.weights = nn.Parameter(weights.clone())
        self.register_buffer("index", _block_index(), persistent=False)
        self.index: Tensor
        self._frozen: tuple[Tensor, ...] | None = None

    def freeze(self) -> None:
        """Fix the block weights, for export."""
        parts = self.block_weights().detach().split(BLOCK * BLOCK)
        self._frozen = tuple(part.clone() for part in parts)

    def block_weights(self) -> Tensor:
        """The same filters as (16 filters, 16 sources, 3, 3) weights on blocks."""
        filters, sources = self.weights.shape[:2]
        padded = F.pad(self.weights.flatten(2), (0, 1))  # the last entry is the zero outside
        area = BLOCK * BLOCK
        table = padded[:, :, self.index].view(filters, sources, area, area, 3, 3)
        return table.permute(0, 2, 1, 3, 4, 5).reshape(filters * area, sources * area, 3, 3)

    def forward(self, blocks: Tensor, stride: tuple[int, int] = (1, 1)) -> tuple[Tensor, ...]:
        """``stride``: of the blocks, down and across, for which alone results are computed."""
        weights = self._frozen or self.block_weights().split(BLOCK * BLOCK)
        return tuple(F.conv2d(blocks, part, stride=stride) for part in weights)


class SmoothBlocks(nn.Module):
    """Bilinear interpolation of one value a block to its 16 pixels, (B, 1, h, w) to (B, 16, h, w).

    Beyond the border the values of the border go on.
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kernel", _bilinear(), persistent=False)
        self.kernel: Tensor

    def forward(self, means: Tensor) -> Tensor:
        return F.conv2d(F.pad(means, (1, 1, 1, 1), mode="replicate"), self.kernel)


def _bilinear() -> Tensor:
    """(16, 1, 3, 3): shares of the neighbouring blocks' values in every pixel of a block."""
    offset = (torch.arange(BLOCK) + 0.5) / BLOCK - 0.5  # of the pixel from the block's centre
    line = torch.stack([F.relu(-offset), 1 - offset.abs(), F.relu(offset)], 1)
    return torch.einsum("ya,xb->yxab", line, line).reshape(BLOCK * BLOCK, 1, 3, 3)


def _block_index() -> Tensor:
    """Which of the 81 filter taps joins output phase, input phase and block offset; 81 = none."""
    size = 2 * RADIUS + 1
    area = BLOCK * BLOCK
    index = torch.full((area, area, 3, 3), size * size, dtype=torch.long)
    for out_y in range(BLOCK):
        for out_x in range(BLOCK):
            for dy in range(-RADIUS, RADIUS + 1):
                for dx in range(-RADIUS, RADIUS + 1):
                    block_y, in_y = divmod(out_y + dy, BLOCK)
                    block_x, in_x = divmod(out_x + dx, BLOCK)
                    index[out_y * BLOCK + out_x, in_y * BLOCK + in_x, block_y + 1, block_x + 1] = (
                        (dy + RADIUS) * size + dx + RADIUS
                    )
    return index.flatten()


def gaussian_filter(sigma_px: float) -> Tensor:
    """(9, 9) normalised Gaussian; sigma 0 gives the unit impulse."""
    size = 2 * RADIUS + 1
    if sigma_px == 0:
        impulse = torch.zeros(size, size)
        impulse[RADIUS, RADIUS] = 1.0
        return impulse
    line = torch.exp(-(torch.arange(-RADIUS, RADIUS + 1).float() ** 2) / (2 * sigma_px**2))
    kernel = line[:, None] * line[None, :]
    return kernel / kernel.sum()


def wiener_filter(sigma_px: float, noise: float = 0.6 / 255, contrast: float = 0.2) -> Tensor:
    """(9, 9): the best linear inverse, of this support, of a Gaussian blur plus white noise.

    Minimises the expected squared error over pictures with a power spectrum of 1/f^2 and standard
    deviation ``contrast`` (Wiener's normal equations, solved for the taps).
    """
    size = 64
    frequency = torch.fft.fftfreq(size, dtype=torch.float64)
    squared = frequency[:, None] ** 2 + frequency[None, :] ** 2
    power = 1 / squared.clamp(min=(0.5 / size) ** 2)
    power *= contrast**2 / power.mean()
    blur = torch.exp(-2 * torch.pi**2 * sigma_px**2 * squared)
    autocorrelation = torch.fft.ifft2(power * blur**2 + noise**2).real
    correlation = torch.fft.ifft2(power * blur).real
    taps = torch.arange(-RADIUS, RADIUS + 1)
    rows, columns = (grid.flatten() for grid in torch.meshgrid(taps, taps, indexing="ij"))
    system = autocorrelation[rows[:, None] - rows[None, :], columns[:, None] - columns[None, :]]
    solution = torch.linalg.solve(system, correlation[rows, columns])
    return solution.view(2 * RADIUS + 1, 2 * RADIUS + 1).float()
