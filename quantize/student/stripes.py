"""Running estimate of the fixed column stripes of an uncooled infrared core."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["BAND_ROWS", "StripeEstimator"]

BAND_ROWS = 32
MIN_GAIN = 0.05
NEIGHBOURS = 9  # quarter-resolution columns: 36 pixels, wider than any stripe pattern


class StripeEstimator(nn.Module):
    """Which part of each column's level is the sensor's, and which the scene's.

    The image is cut into bands of 32 rows. A stripe has the same value in every band, an edge of
    the scene has not: a small network on the high-passed column profiles weighs the bands. Profiles
    are averaged over time, so that a moving scene fades out and the stripes stay.
    """

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.rows_to_profile = nn.AvgPool2d((BAND_ROWS // 4, 1))
        self.judge = nn.Sequential(
            nn.Conv2d(12, width, (1, 5), padding=(0, 2)),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, (1, 5), padding=(0, 2)),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, 8, 1),
        )
        last = self.judge[4]
        assert isinstance(last, nn.Conv2d) and last.bias is not None
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(self, ir_blocks: Tensor, profile: Tensor, age: Tensor) -> tuple[Tensor, Tensor]:
        """Stripes (B, 16, 1, W/4) in block layout, and the next profile (B, 4, H/32, W/4).

        ``ir_blocks`` (B, 16, H/4, W/4), ``age`` (B, 1, 1, 1) steps since the reset.
        """
        rows = ir_blocks[:, 0:4] + ir_blocks[:, 4:8] + ir_blocks[:, 8:12] + ir_blocks[:, 12:16]
        now = self.rows_to_profile(0.25 * rows)
        around = F.avg_pool2d(
            now.mean(1, keepdim=True),
            (1, NEIGHBOURS),
            stride=1,
            padding=(0, NEIGHBOURS // 2),
            count_include_pad=False,
        )
        gain = torch.clamp(1.0 / (age + 1.0), min=MIN_GAIN)
        profile = profile + gain * ((now - around) - profile)
        common = profile.mean(2, keepdim=True)
        spread = (profile - common).abs().mean(2, keepdim=True)
        # Adding to zero spreads over the bands without asking for their number: the exported graph
        # stays free of shapes, so that one file serves every image size.
        zero = profile - profile
        features = torch.cat([profile, common + zero, spread + zero], 1)
        belief, accept = self.judge(8.0 * features).chunk(2, 1)
        share = torch.softmax(belief, 2)
        stripes = (share * torch.sigmoid(accept) * profile).sum(2, keepdim=True)
        return torch.cat([stripes] * 4, 1), profile
