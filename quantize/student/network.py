"""The student network: causal, recurrent, made for INT8 on small machines.

One step takes the infrared and the visible luma of now and the state of the step before, and
gives the fused luma, both restored lumas and the next state. Detail never passes through the
quarter-resolution trunk: the trunk only predicts, one value for every block of 4 x 4 pixels, how
much of each source and of each of their high-pass bands goes into the picture. (One value for every
pixel was no better: the same weights, averaged over blocks, scored as well or better.)

Parts, in the order of the data:

1. :class:`StripeEstimator`: fixed column stripes, the noise of every uncooled core, are as wide as
   the image and out of reach for a trunk at low resolution, so they have a running estimate.
2. A temporal average of the infrared (the state ``average``), a Kalman filter of sorts: where
   nothing moves it is the plain mean of all frames so far, down to a least gain (the state
   ``gain``); the trunk raises the gain where something does. The restored visible luma has such an
   average too (the state ``visible``): what a codec does to a soft picture changes from frame to
   frame, and sharpening would bring it out.
3. A U-shaped trunk at 1/4, 1/8 and 1/16 of the resolution with a recurrent state at 1/8.
4. From global features, measured energies (of the sharpening bands, of the stripes, of change and
   texture in the infrared) and the distribution of grey levels, smoothed over time: a tone curve
   for each source, how soft the visible picture is as a whole, the contrast and brightness of the
   fused picture, how noisy the infrared is and how clear the visible is as a whole.
5. The restoration of detail: weights of the trunk on learnt linear bands of both sources. The
   infrared's bands, which smooth, stand behind its average; the visible's, which sharpen, before
   its own. (Convolutions beside them gave the fused picture nothing.)
6. The mix of both restored sources, :func:`mix_blocks`: a pyramid of two levels. The mix is a state
   too: a fused pixel between its sources moves as they do as long as the mix stands still (the
   paper's variational loss is at its minimum there), so that it may follow only at a gain that the
   trunk predicts. What lies between two sources has less contrast than they have: one gain of
   what is common to both gives it back.
7. :func:`move_between`: no pixel of the fused picture moves more, or less, than its two sources do
   (the variational loss again), as long as it is not far from what the mix wants.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from quantize.student.measures import brighter, energy, level_and_spread
from quantize.student.mix import mix_blocks, move_between
from quantize.student.space import (
    BLOCK,
    FilterBank,
    SmoothBlocks,
    depth_to_space,
    gaussian_filter,
    space_to_depth,
    wiener_filter,
)
from quantize.student.stripes import BAND_ROWS, StripeEstimator

__all__ = [
    "MULTIPLE_PX",
    "Student",
    "StudentConfig",
    "StudentOutput",
    "StudentState",
    "sharpening_bands",
]

MULTIPLE_PX = 32
"""Height and width must be multiples of this; see ``edge_sdk.fusion`` for other sizes."""

MIN_GAIN = 0.06
MIN_MIX_GAIN = 0.04
SETTLE = 0.04  # of a lag, in every frame: half of it is left after 17
MAX_DETAIL = 1.5
MIN_VISIBLE_GAIN = 0.1
GATE_START = 2.0  # logits: before anything is learnt the mix follows slowly, the visible at once
TONE_GAIN = 0.1
HIDDEN_LIMIT = 6.0
TOE = 0.25
IR_MEASURES = 3
GREY_LEVELS = (0.04, 0.08, 0.12, 0.16, 0.2, 0.24, 0.28, 0.34, 0.42, 0.5, 0.65, 0.8)
BLURS = 2  # sharpening filters whose energies tell how soft the visible picture is
SPREADS = 4  # level and spread of the larger of both sources, and of the last mix
CONTRAST = (-0.5, 1.0)
SPARSE = (4, 2)  # one block in eight tells an energy as well as all of them
MAPS = ("gate", "visible_gate", "mix_gate", "choice", "ir_detail", "visible_detail")
IDLE_SHARPENING = 0.008  # strengths up to these are the trunk's unrest on sharp, calm pictures
IDLE_SMOOTHING = 0.1


@dataclass(frozen=True)
class StudentConfig:
    """Widths of the student; all multiples of 16, which INT8 kernels want.

    Attributes:
        stem: channels at 1/4 of the resolution.
        evidence: channels that tell the stem what changed, and how the sources were mixed before.
        head: channels that the maps of a block are read from.
        middle: channels at 1/8.
        low: channels at 1/16.
        hidden: channels of the recurrent state at 1/8.
        visible_bands: learnt sharpening bands of the visible luma.
        ir_bands: learnt bands of the infrared.
    """

    stem: int = 32
    evidence: int = 16
    head: int = 16
    middle: int = 48
    low: int = 96
    hidden: int = 16
    visible_bands: int = 2
    ir_bands: int = 2


class StudentState(NamedTuple):
    """What one step hands to the next; all zero (``age`` too) starts afresh.

    Attributes:
        age: (B, 1, 1, 1) steps since the reset.
        profile: (B, 4, H/32, W/4) running column profile of the infrared.
        average: (B, 16, H/4, W/4) averaged infrared in block layout, before smoothing and tone.
        gain: (B, 2, H/4, W/4) gains of the last update of ``average`` and of ``visible``.
        mix: (B, 3, H/4, W/4) shares of both sources in the fused picture, see :func:`mix_blocks`.
        above_ir, above_visible: (B, 16, H/4, W/4) the fused picture less each restored source, in
            block layout, see :func:`move_between`.
        visible: (B, 16, H/4, W/4) restored visible luma in block layout, before tone.
        hidden: (B, hidden, H/8, W/8) recurrent features.
        tone: (B, 9 + visible_bands + ir_bands, 1, 1) smoothed: tone coefficients of the sources,
            gains of the visible's bands, contrast and brightness of the fused picture, what the
            whole infrared adds to the gate of its average and to the gains of its bands, what the
            whole visible adds to the gate of its own.
    """

    age: Tensor
    profile: Tensor
    average: Tensor
    gain: Tensor
    mix: Tensor
    above_ir: Tensor
    above_visible: Tensor
    visible: Tensor
    hidden: Tensor
    tone: Tensor

    def detach(self) -> StudentState:
        return StudentState(*(tensor.detach() for tensor in self))


class StudentOutput(NamedTuple):
    """(B, 1, H, W) each, in [0, 1]: fused luma, restored infrared, restored visible luma."""

    fused: Tensor
    ir: Tensor
    visible: Tensor


class Student(nn.Module):
    """See the module's docstring. Inputs (B, 1, H, W) in [0, 1], H and W multiples of 32."""

    def __init__(self, config: StudentConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or StudentConfig()
        c = config
        self.stripes = StripeEstimator()
        self.visible_bank = FilterBank(sharpening_bands(c.visible_bands))
        self.blur_meter = FilterBank(sharpening_bands(BLURS))
        self.ir_bank = FilterBank(_infrared_bands(c.ir_bands))
        self.evidence = nn.Conv2d(2 * 16 + 3 + 2, c.evidence, 1)
        self.stem = _conv(32 + c.evidence, c.stem)
        self.down1 = _conv(c.stem, c.middle, stride=2)
        self.merge = _conv(c.middle + c.hidden, c.middle)
        self.mid = _conv(c.middle, c.middle)
        self.remember = _conv(c.middle, c.hidden)
        self.down2 = _conv(c.middle, c.low, stride=2)
        self.low1 = _conv(c.low, c.low)
        self.low2 = _conv(c.low, c.low)
        self.register_buffer(
            "levels", torch.tensor(GREY_LEVELS).view(1, -1, 1, 1), persistent=False
        )
        self.levels: Tensor
        pooled = c.low + BLURS + IR_MEASURES + 2 * len(GREY_LEVELS) + SPREADS
        self.context = nn.Conv2d(pooled, c.low, 1)
        curve = nn.Conv2d(32, 7 + c.visible_bands, 1)
        self.tone = nn.Sequential(nn.Conv2d(pooled, 32, 1), nn.ReLU(inplace=True), curve)
        calm = nn.Conv2d(16, 1 + c.ir_bands, 1)
        self.calm = nn.Sequential(nn.Conv2d(pooled, 16, 1), nn.ReLU(inplace=True), calm)
        clear = nn.Conv2d(16, 1, 1)
        self.clear = nn.Sequential(nn.Conv2d(pooled, 16, 1), nn.ReLU(inplace=True), clear)
        self.up2 = nn.Conv2d(c.low, c.middle, 1)
        self.up1 = nn.Conv2d(c.middle, c.stem, 1)
        self.head = _conv(c.stem, c.head)
        self.weights = nn.Conv2d(c.head, len(MAPS) + c.visible_bands + c.ir_bands, 1)
        self.smooth = SmoothBlocks()
        nn.init.normal_(self.weights.weight, std=0.01)
        assert self.weights.bias is not None
        nn.init.zeros_(self.weights.bias)
        for last in (curve, calm, clear):
            nn.init.zeros_(last.weight)
            assert last.bias is not None
            nn.init.zeros_(last.bias)

    def initial_state(
        self, batch: int, height: int, width: int, device: torch.device | str = "cpu"
    ) -> StudentState:
        """The state before the first frame: zeros."""

        def zeros(*shape: int) -> Tensor:
            return torch.zeros(batch, *shape, device=device)

        return StudentState(
            age=zeros(1, 1, 1),
            profile=zeros(4, height // BAND_ROWS, width // 4),
            average=zeros(16, height // 4, width // 4),
            gain=zeros(2, height // 4, width // 4),
            mix=zeros(3, height // 4, width // 4),
            above_ir=zeros(16, height // 4, width // 4),
            above_visible=zeros(16, height // 4, width // 4),
            visible=zeros(16, height // 4, width // 4),
            hidden=zeros(self.config.hidden, height // 8, width // 8),
            tone=zeros(9 + self.config.visible_bands + self.config.ir_bands, 1, 1),
        )

    def forward(
        self, ir: Tensor, visible: Tensor, state: StudentState
    ) -> tuple[StudentOutput, StudentState]:
        c = self.config
        ir_blocks = space_to_depth(ir)
        visible_blocks = space_to_depth(visible)
        # Repeated pixel by pixel. A border of repeated blocks has an edge that is sharpened.
        framed = space_to_depth(F.pad(visible, (BLOCK,) * 4, mode="replicate"))
        first = F.relu(1.0 - state.age)
        stripes, profile = self.stripes(ir_blocks, state.profile, state.age)
        now = ir_blocks - stripes
        before = state.average + first * (now - state.average)

        seen = state.visible + first * (visible_blocks - state.visible)
        least = torch.maximum(state.gain / (1.0 + state.gain), first)
        least_ir, least_visible = least.split(1, 1)
        least_ir = least_ir.clamp(min=MIN_GAIN)
        least_visible = least_visible.clamp(min=MIN_VISIBLE_GAIN)
        change = now - before
        known = torch.cat([change, visible_blocks - seen, state.mix, least], 1)
        # Nothing negative goes into a large convolution, and nothing louder than the sources: what
        # it reads shares one grid, see quantize.int8.
        evidence = torch.clamp(self.evidence(known), 0.0, 1.0)
        sources = torch.cat([visible_blocks, F.relu(now), evidence], 1)
        fine = self.stem(sources)
        middle = self.merge(torch.cat([self.down1(fine), state.hidden], 1))
        middle = self.mid(middle)
        low = self.low1(self.down2(middle))
        some = now[:, :, :: SPARSE[0], :: SPARSE[1]]
        grey = some.mean(1, keepdim=True)
        grey_visible = visible_blocks[:, :, :: SPARSE[0], :: SPARSE[1]].mean(1, keepdim=True)
        measured = (
            *self.blur_meter(framed, SPARSE),
            stripes,
            change[:, :, :: SPARSE[0], :: SPARSE[1]],
            some - grey,
        )
        statistics = [energy(x) for x in measured]
        statistics += [brighter(x, self.levels) for x in (grey, grey_visible)]
        share_before = state.mix[:, :1, :: SPARSE[0], :: SPARSE[1]]
        mixed_before = grey_visible + share_before * (grey - grey_visible)
        statistics += [
            level_and_spread(x) for x in (torch.maximum(grey, grey_visible), mixed_before)
        ]
        pooled = torch.cat([low.mean((2, 3), keepdim=True), *statistics], 1)
        low = self.low2(low) + self.context(pooled)
        tone = state.tone + torch.clamp(1.0 / (state.age + 1.0), min=TONE_GAIN) * (
            torch.cat([self.tone(pooled), self.calm(pooled), self.clear(pooled)], 1) - state.tone
        )
        middle = F.relu(middle + F.interpolate(self.up2(F.relu(low)), scale_factor=2.0))
        hidden = torch.clamp(self.remember(middle), max=HIDDEN_LIMIT)
        fine = F.relu(fine + F.interpolate(self.up1(middle), scale_factor=2.0))
        head = self.head(fine)
        maps = torch.split(self.weights(head), 1, 1)
        gate, visible_gate, mix_gate, choice, ir_detail, visible_detail = maps[: len(MAPS)]
        strengths = maps[len(MAPS) :]
        on_visible, on_ir = strengths[: c.visible_bands], strengths[c.visible_bands :]

        curve, softness, contrast, brightness, noisy, smoothing, clear = torch.split(
            tone, [5, c.visible_bands, 1, 1, 1, c.ir_bands, 1], 1
        )
        sharp = visible_blocks
        bands = self.visible_bank(framed)
        for band, local, overall in zip(bands, on_visible, softness.split(1, 1), strict=True):
            sharp = sharp + band * _soft_threshold(local + overall, IDLE_SHARPENING)
        gain_visible = least_visible + (1.0 - least_visible) * torch.sigmoid(visible_gate + clear)
        sharp = state.visible + gain_visible * (sharp - state.visible)
        gain = least_ir + (1.0 - least_ir) * torch.sigmoid(gate + noisy)
        average = before + gain * change
        # The state keeps what is not smoothed: smoothed anew in every step, detail would fade
        # where nothing moves, and the mean of many frames needs no smoothing.
        smooth_ir = average
        bands = self.ir_bank(_repeat_border(F.relu(average)))
        for band, local, overall in zip(bands, on_ir, smoothing.split(1, 1), strict=True):
            smooth_ir = smooth_ir + band * _soft_threshold(local + overall, IDLE_SMOOTHING)

        restored_ir, restored_visible = self.toned(smooth_ir, sharp, curve)
        open_share = torch.sigmoid(mix_gate - GATE_START)
        follow = torch.maximum(MIN_MIX_GAIN + (1.0 - MIN_MIX_GAIN) * open_share, first)
        share = torch.sigmoid(choice)
        shares = torch.cat([share, share + ir_detail, 1.0 - share + visible_detail], 1)
        mix = torch.clamp(state.mix + follow * (shares - state.mix), 0.0, MAX_DETAIL)
        # What the fused picture is wanted to be does not teach the tone: contrast that a goal asks
        # for would come from curves that restore neither source.
        mixed = self.toned(smooth_ir, sharp, curve.detach()) if self.training else None
        wanted = mix_blocks(
            *(mixed or (restored_ir, restored_visible)),
            mix,
            self.smooth,
            torch.clamp(contrast, *CONTRAST),
            brightness,
        )
        fused = move_between(
            wanted,
            restored_ir + state.above_ir,
            restored_visible + state.above_visible,
            torch.clamp(first, min=SETTLE),
        )
        if self.training:
            # The mix learns from what it wants: where the sources stand still, next to nothing of
            # it can be seen at once.
            fused = wanted + (fused - wanted).detach()
        output = StudentOutput(
            depth_to_space(fused), depth_to_space(restored_ir), depth_to_space(restored_visible)
        )
        if not self.training:
            output = StudentOutput(*(torch.clamp(image, 0.0, 1.0) for image in output))
        state = StudentState(
            age=torch.clamp(state.age + 1.0, max=1000.0),
            profile=profile,
            average=torch.clamp(average, -0.5, 1.5),
            gain=torch.cat([gain, gain_visible], 1),
            mix=mix,
            above_ir=fused - restored_ir,
            above_visible=fused - restored_visible,
            visible=torch.clamp(sharp, -0.5, 1.5),
            hidden=hidden,
            tone=tone,
        )
        return output, state

    def toned(self, ir: Tensor, visible: Tensor, curve: Tensor) -> tuple[Tensor, Tensor]:
        """Both sources, (B, 16, h, w) each, through the tone curves of ``curve``, (B, 5, 1, 1)."""
        scale, offset, toe, visible_scale, visible_offset = torch.split(curve, 1, 1)
        return (
            ir * (1.0 + scale) + offset + toe * F.relu(TOE - ir),
            visible * (1.0 + visible_scale) + visible_offset,
        )


def _soft_threshold(strength: Tensor, idle: float) -> Tensor:
    """What of ``strength`` is beyond ``idle``, either way (Donoho 1995)."""
    return strength - torch.clamp(strength, -idle, idle)


def _repeat_border(blocks: Tensor) -> Tensor:
    return F.pad(blocks, (1, 1, 1, 1), mode="replicate")


def _conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    assert conv.bias is not None
    nn.init.zeros_(conv.bias)
    return nn.Sequential(conv, nn.ReLU(inplace=True))


def sharpening_bands(count: int) -> Tensor:
    """(count, 1, 9, 9): what undoes a blur, less the picture itself, for ``count`` lens blurs.

    A gain of one on a band undoes its blur, so that the trunk only has to tell how soft its input
    is. (Differences of Gaussians need gains of ten for that, which were never learnt.)
    """
    sigmas = torch.linspace(1.1, 1.8, count).tolist()
    return torch.stack([(wiener_filter(s) - gaussian_filter(0.0))[None] for s in sigmas])


def _infrared_bands(count: int) -> Tensor:
    """(count, 1, 9, 9): smoothing corrections on the average."""
    impulse = gaussian_filter(0.0)
    return torch.stack([(gaussian_filter(0.8 * 1.8**k) - impulse)[None] for k in range(count)])
