"""Causal layers: each frame of the result depends on that frame and earlier ones only.

B clips, t frames, h rows, w columns, C channels. Channels come last, since most layers are matrices over channels.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ChannelNorm(nn.Module):
    """Root-mean-square norm over the channels of each position (Zhang and Sennrich, 2019)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.gain.shape, self.gain.to(x.dtype), 1e-6)  # one dtype: fused under autocast, too


class CausalDepthwise(nn.Module):
    """A 3 x 3 depthwise convolution over each frame and the frame before it; before the first frame there are zeros.

    It is the sum of two 2-D convolutions, since 3-D convolutions are ten times slower on a CPU. The border is
    replicated, so that a uniform background has the same features everywhere.

    Args:
        channels: Input and output channels.
        back: Include the frame before; otherwise frames are independent.
    """

    def __init__(self, channels: int, back: bool = True) -> None:
        super().__init__()
        self.now = nn.Conv2d(channels, channels, 3, groups=channels)
        self.before = nn.Conv2d(channels, channels, 3, groups=channels, bias=False) if back else None

    def forward(self, x: Tensor) -> Tensor:
        """Convolve ``(B, t, h, w, C)``; returns the same shape."""
        clips, frames = x.shape[:2]
        x = x.permute(0, 1, 4, 2, 3)
        convolved = self.now(_with_border(x.flatten(0, 1))).unflatten(0, (clips, frames))
        if self.before is not None and frames > 1:
            back = self.before(_with_border(x[:, :-1].flatten(0, 1))).unflatten(0, (clips, frames - 1))
            convolved = convolved + F.pad(back, (0, 0, 0, 0, 0, 0, 1, 0))
        channels_last: Tensor = convolved.permute(0, 1, 3, 4, 2)
        return channels_last


def _with_border(pictures: Tensor) -> Tensor:
    """Repeat the border of pictures ``(N, C, h, w)`` once."""
    if not pictures.is_cuda:
        return F.pad(pictures, (1, 1, 1, 1), mode="replicate")
    for dim in (2, 3):  # on a GPU the gradient of `F.pad` differs from call to call
        first, last = pictures.narrow(dim, 0, 1), pictures.narrow(dim, pictures.shape[dim] - 1, 1)
        pictures = torch.cat([first, pictures, last], dim=dim)
    return pictures


class ResidualBlock(nn.Module):
    """A causal depthwise convolution and a perceptron, with a skip connection (ConvNeXt, Liu et al., 2022).

    It starts as the identity.

    Args:
        channels: Input and output channels.
        mix: Convolve over neighboring positions; otherwise positions are independent.
        back: Include the frame before in the convolution.
    """

    def __init__(self, channels: int, mix: bool = True, back: bool = True) -> None:
        super().__init__()
        self.mix = CausalDepthwise(channels, back=back) if mix else nn.Identity()
        self.norm = ChannelNorm(channels)
        self.widen = nn.Linear(channels, 4 * channels)
        self.narrow = nn.Linear(4 * channels, channels)
        nn.init.zeros_(self.narrow.weight)
        nn.init.zeros_(self.narrow.bias)

    def forward(self, x: Tensor) -> Tensor:
        residual: Tensor = self.narrow(F.silu(self.widen(self.norm(self.mix(x)))))
        return x + residual
