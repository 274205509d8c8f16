"""CausalTokenizer: the whole clip is folded into its tokens' cells at once and worked on there."""

from collections.abc import Sequence

from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from trajvq.models.causal import CausalConv3d, ChannelNorm, ResidualBlock
from trajvq.models.fsq import FSQ


class CausalTokenizer(nn.Module):
    """Provisional."""

    def __init__(
        self,
        width: int = 128,
        blocks: int = 2,
        strides: Sequence[int] = (4, 8, 8),
        levels: Sequence[int] = (8, 5, 5, 5),
    ) -> None:
        super().__init__()
        self.width, self.blocks, self.levels = width, blocks, list(levels)
        self.strides: tuple[int, int, int] = (strides[0], strides[1], strides[2])
        cell = 3 * strides[0] * strides[1] * strides[2]
        self.quantizer = FSQ(levels)
        self.codebook_size = self.quantizer.codebook_size
        self.encoder = nn.Sequential(
            CausalConv3d(cell, width, (1, 1, 1)),
            *(ResidualBlock(width) for _ in range(blocks)),
            CausalConv3d(width, len(levels), (1, 1, 1)),
        )
        self.decoder = nn.Sequential(
            CausalConv3d(len(levels), width, (2, 3, 3)),
            *(ResidualBlock(width) for _ in range(blocks)),
            ChannelNorm(width),
            CausalConv3d(width, cell, (1, 1, 1)),
        )

    def quantize(self, video: Tensor) -> Tensor:
        """Return the codes ``(B, d, t, h, w)``, float32 in [-1, 1], of clips ``(B, 3, T, H, W)`` in [0, 1]."""
        p, q, r = self.strides
        cells = rearrange(2 * video - 1, "b c (t p) (h q) (w r) -> b (c p q r) t h w", p=p, q=q, r=r)
        codes: Tensor = self.quantizer(self.encoder(cells))
        return codes

    def _render(self, codes: Tensor) -> Tensor:
        p, q, r = self.strides
        cells = self.decoder(codes)
        return rearrange(cells, "b (c p q r) t h w -> b c (t p) (h q) (w r)", p=p, q=q, r=r) + 0.5

    def forward(self, video: Tensor) -> Tensor:
        """Reconstruct clips ``(B, 3, T, H, W)``, with gradients."""
        return self._render(self.quantize(video))

    def encode(self, video: Tensor) -> Tensor:
        """Return the tokens, int64 ``(B, t, h, w)``, of clips float ``(B, 3, T, H, W)`` in [0, 1]."""
        return self.quantizer.indices(self.quantize(video))

    def decode(self, indices: Tensor) -> Tensor:
        """Return clips ``(B, 3, T, H, W)`` from tokens int64 ``(B, t, h, w)``."""
        return self._render(self.quantizer.codes(indices))
