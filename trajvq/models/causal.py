"""Layers that see no later frame: everything here works frame by frame or looks back in time.

B clips, t frames, h rows, w columns, C channels, which come last: most layers are matrices over channels.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ChannelNorm(nn.Module):
    """Root-mean-square norm over the channels of each place (Zhang and Sennrich, 2019)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.gain.shape, self.gain, 1e-6)


class CausalDepthwise(nn.Module):
    """A convolution over this frame and the one before, each channel by itself; before the first frame is nothing.

    Two convolutions in two dimensions, since those in three are ten times slower on a CPU. Beyond the edge is what lies
    at it, so that a still background looks alike everywhere.

    Args:
        channels: Channels in and out.
        kernel: Rows and columns; odd.
        back: Look at the frame before; without, every frame is by itself.
    """

    def __init__(self, channels: int, kernel: int = 3, back: bool = True) -> None:
        super().__init__()
        edge: dict[str, Any] = {"padding": kernel // 2, "padding_mode": "replicate", "groups": channels}
        self.now = nn.Conv2d(channels, channels, kernel, **edge)
        self.before = nn.Conv2d(channels, channels, kernel, bias=False, **edge) if back else None

    def forward(self, x: Tensor) -> Tensor:
        """Convolve ``(B, t, h, w, C)``; returns the same shape."""
        clips, frames = x.shape[:2]
        x = x.permute(0, 1, 4, 2, 3)
        made = self.now(x.flatten(0, 1)).unflatten(0, (clips, frames))
        if self.before is not None and frames > 1:
            back = self.before(x[:, :-1].flatten(0, 1)).unflatten(0, (clips, frames - 1))
            made = made + F.pad(back, (0, 0, 0, 0, 0, 0, 1, 0))
        last: Tensor = made.permute(0, 1, 3, 4, 2)
        return last


class ResidualBlock(nn.Module):
    """A causal depthwise convolution, then a perceptron at each place, beside an identity (ConvNeXt, Liu et al., 2022).

    Starts as the identity.

    Args:
        channels: Channels in and out.
        expansion: Channels inside the perceptron, as a multiple.
        mix: Look at neighbouring places; without, each place is by itself.
        back: Look at the frame before, too.
    """

    def __init__(self, channels: int, expansion: int = 4, mix: bool = True, back: bool = True) -> None:
        super().__init__()
        self.mix = CausalDepthwise(channels, back=back) if mix else nn.Identity()
        self.norm = ChannelNorm(channels)
        self.widen = nn.Linear(channels, expansion * channels)
        self.narrow = nn.Linear(expansion * channels, channels)
        nn.init.zeros_(self.narrow.weight)
        nn.init.zeros_(self.narrow.bias)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = x + self.narrow(F.silu(self.widen(self.norm(self.mix(x)))))
        return made
