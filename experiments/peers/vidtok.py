"""VidTok: a tokenizer in the layout of VidTok (Tang et al., 2024, arXiv:2412.13061), written from its description.

Space is sampled by 2-D convolutions, time by an average blended with a convolution, and 3-D convolutions mix both in
the first layer, in the last one and around the quantizer. Layer norms over channels keep it causal. Apart from its
size, one thing differs: a token covers four frames from the first on, where the paper has a first frame by itself.

B clips, C channels, T frames, H rows, W columns.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trajvq.models import CausalTokenizer
from trajvq.models.quantizer import Quantizer, check_quantizer

Triple = tuple[int, int, int]
PLANE, LINE, CUBE = (1, 3, 3), (3, 1, 1), (3, 3, 3)  # kernels in space, in time and in both


class CausalConv(nn.Conv3d):
    """A convolution whose result sees no later frame than the last one it stands for; zeros surround the clip."""

    def __init__(self, inputs: int, outputs: int, kernel: Triple, stride: Triple = (1, 1, 1)) -> None:
        super().__init__(inputs, outputs, kernel, stride, padding=(0, kernel[1] // 2, kernel[2] // 2))
        self.earlier = kernel[0] - stride[0]

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, (0, 0, 0, 0, max(self.earlier, 0), 0)))


class ChannelLayerNorm(nn.LayerNorm):
    """Layer norm over the channels of each position of ``(B, C, T, H, W)``."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class Residual(nn.Module):
    """Two convolutions of one kernel with a skip connection; it starts as the identity."""

    def __init__(self, channels: int, kernel: Triple) -> None:
        super().__init__()
        first, last = CausalConv(channels, channels, kernel), CausalConv(channels, channels, kernel)
        norms = ChannelLayerNorm(channels), ChannelLayerNorm(channels)
        self.layers = nn.Sequential(norms[0], nn.SiLU(), first, norms[1], nn.SiLU(), last)
        nn.init.zeros_(last.weight)

    def forward(self, x: Tensor) -> Tensor:
        residual: Tensor = self.layers(x)
        return x + residual


class HalveTime(nn.Module):
    """Half as many frames: the mean of two, blended with a convolution (AlphaBlender in the paper)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convolution = CausalConv(channels, channels, CUBE, (2, 1, 1))
        self.share = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        return torch.lerp(self.convolution(x), F.avg_pool3d(x, (2, 1, 1)), self.share.sigmoid())


class DoubleTime(nn.Module):
    """Twice as many frames: each one twice, blended with a convolution of these."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convolution = CausalConv(channels, channels, CUBE)
        self.share = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        twice = x.repeat_interleave(2, dim=2)
        return torch.lerp(self.convolution(twice), twice, self.share.sigmoid())


def _blocks(channels: int, kernels: Sequence[Triple], count: int) -> list[nn.Module]:
    return [Residual(channels, kernel) for _ in range(count) for kernel in kernels]


class VidTok(nn.Module):
    """4 x 8 x 8 causal tokens.

    Args:
        quantizer: A `trajvq.models.quantizer.Quantizer`.
        widths: Channels at full size, and after each of three halvings of rows and columns; the first two also halve
            the frames.
        blocks: Pairs of residual blocks, one in space and one in time, at each size.
    """

    strides = (4, 8, 8)

    def __init__(self, quantizer: nn.Module, widths: Sequence[int] = (8, 16, 32, 64), blocks: int = 1) -> None:
        super().__init__()
        if len(widths) != 4 or min(widths) < 1:
            raise ValueError(f"widths are {list(widths)}; give four, each 1 or more")
        check_quantizer(quantizer)
        self.quantizer, self.widths, self.blocks = cast(Quantizer, quantizer), list(widths), blocks
        self.codebook_size = self.quantizer.codebook_size
        down: list[nn.Module] = [CausalConv(3, widths[0], CUBE)]
        up: list[nn.Module] = [CausalConv(widths[0], 3, CUBE), nn.SiLU(), ChannelLayerNorm(widths[0])]  # in reverse
        for level, (width, narrower) in enumerate(pairwise(widths)):
            halves = level < 2
            down += _blocks(width, (PLANE, LINE), blocks)
            down += [CausalConv(width, narrower, PLANE, (1, 2, 2)), *([HalveTime(narrower)] if halves else [])]
            up += [*_blocks(width, (PLANE, LINE), blocks), CausalConv(narrower, width, PLANE)]
            up += [nn.Upsample(scale_factor=(1, 2, 2)), *([DoubleTime(narrower)] if halves else [])]
        last, channels = widths[-1], self.quantizer.dim
        down += [*_blocks(last, (CUBE,), blocks), ChannelLayerNorm(last), nn.SiLU(), CausalConv(last, channels, CUBE)]
        up += [*_blocks(last, (CUBE,), blocks), CausalConv(channels, last, CUBE)]
        self.encoder, self.decoder = nn.Sequential(*down), nn.Sequential(*reversed(up))

    def quantize(self, video: Tensor) -> Tensor:
        """Return codes float ``(B, d, t, h, w)`` of clips float ``(B, 3, T, H, W)`` in [0, 1]."""
        codes: Tensor = self.quantizer(self.encoder(2 * video - 1))  # type: ignore[operator]
        return codes

    def render(self, codes: Tensor) -> Tensor:
        """Return clips of codes."""
        video: Tensor = self.decoder(codes.contiguous())  # kernels for other layouts round otherwise
        return (video + 1) / 2

    def forward(self, video: Tensor) -> Tensor:
        return self.render(self.quantize(video))

    def encode(self, video: Tensor) -> Tensor:
        """Return tokens int64 ``(B, t, h, w)`` of clips float ``(B, 3, T, H, W)`` in [0, 1]."""
        return self.quantizer.indices(self.quantize(video))

    def decode(self, indices: Tensor) -> Tensor:
        """Return clips float ``(B, 3, T, H, W)`` of tokens int64 ``(B, t, h, w)``."""
        return self.render(self.quantizer.codes(indices))

    auxiliary_loss = CausalTokenizer.auxiliary_loss  # the quantizer's own
