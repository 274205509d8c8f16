"""Layers that see no later frame: everything here works frame by frame or looks back in time.

B clips, C channels, T frames, H rows, W columns.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class CausalConv3d(nn.Conv3d):
    """A 3-D convolution padded in front of the first frame, so that no output sees a later input.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        kernel: Frames, rows and columns; rows and columns odd.
    """

    def __init__(self, inputs: int, outputs: int, kernel: tuple[int, int, int]) -> None:
        super().__init__(inputs, outputs, kernel, padding=(0, kernel[1] // 2, kernel[2] // 2))
        self.before = kernel[0] - 1

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, (0, 0, 0, 0, self.before, 0)))


class ChannelNorm(nn.Module):
    """Root-mean-square norm over the channels of each place (Zhang and Sennrich, 2019)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(channels, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-6) * self.gain


class ResidualBlock(nn.Module):
    """Two causal convolutions beside an identity; starts as the identity."""

    def __init__(self, channels: int, kernel: tuple[int, int, int] = (2, 3, 3)) -> None:
        super().__init__()
        self.first = CausalConv3d(channels, channels, kernel)
        self.second = CausalConv3d(channels, channels, kernel)
        self.norm_first, self.norm_second = ChannelNorm(channels), ChannelNorm(channels)
        nn.init.zeros_(self.second.weight)
        assert self.second.bias is not None
        nn.init.zeros_(self.second.bias)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.first(F.silu(self.norm_first(x)))
        made: Tensor = x + self.second(F.silu(self.norm_second(inner)))
        return made
