"""CausalTokenizer: a clip is folded into the cells of its tokens at once, and worked on there.

B clips, C channels, T frames, H rows, W columns; a token's cell covers p frames, q rows, r columns,
and there are t, h, w cells. All convolutions run on the small grid of cells, where they are cheap.
"""

from collections.abc import Sequence

import torch
from einops import rearrange, repeat
from torch import Tensor, nn

from trajvq.models.causal import CausalConv3d, ChannelNorm, ResidualBlock
from trajvq.models.fsq import FSQ

Strides = tuple[int, int, int]


class CellEncoder(nn.Module):
    """Cells to latents. Each cell's mean colour enters beside the deviations from it, so that neither drowns the other.

    Args:
        strides: Frames, rows and columns of a cell.
        width: Channels on the grid.
        hidden: Channels between a cell's pixels and the grid.
        blocks: Residual blocks.
        latent: Channels out.
    """

    def __init__(self, strides: Strides, width: int, hidden: int, blocks: int, latent: int) -> None:
        super().__init__()
        self.strides = strides
        frames, rows, columns = strides
        self.inward = nn.Sequential(
            nn.Conv3d(3 * frames * (rows * columns + 1), hidden, 1), nn.SiLU(), nn.Conv3d(hidden, width, 1)
        )
        self.blocks = nn.Sequential(*(ResidualBlock(width) for _ in range(blocks)))
        self.outward = nn.Conv3d(width, latent, 1)

    def forward(self, video: Tensor) -> Tensor:
        """Return latents ``(B, latent, t, h, w)`` of clips ``(B, 3, T, H, W)`` in [0, 1]."""
        p, q, r = self.strides
        cells = rearrange(2 * video - 1, "b c (t p) (h q) (w r) -> b (c p) (q r) t h w", p=p, q=q, r=r)
        mean = cells.mean(dim=2)
        flat = torch.cat([(cells - mean[:, :, None]).flatten(1, 2), mean], dim=1)
        latent: Tensor = self.outward(self.blocks(self.inward(flat)))
        return latent


class CellDecoder(nn.Module):
    """Codes to cells: a ground, painted over by one colour a cell and frame where a mask says so.

    Drawing shape and colour apart, each code can hold a colour without redrawing the shape in it.

    Args:
        strides: Frames, rows and columns of a cell.
        width: Channels on the grid.
        hidden: Channels between the grid and a cell's pixels.
        blocks: Residual blocks.
        latent: Channels of the codes.
    """

    def __init__(self, strides: Strides, width: int, hidden: int, blocks: int, latent: int) -> None:
        super().__init__()
        self.strides = strides
        frames, rows, columns = strides
        pixels = frames * rows * columns
        self.inward = CausalConv3d(latent, width, (2, 3, 3))
        self.blocks = nn.Sequential(*(ResidualBlock(width) for _ in range(blocks)))
        self.outward = nn.Sequential(ChannelNorm(width), nn.Conv3d(width, hidden, 1), nn.SiLU())
        self.ground = nn.Conv3d(hidden, 3 * pixels, 1)
        self.mask = nn.Conv3d(hidden, pixels, 1)
        self.colour = nn.Conv3d(hidden, 3 * frames, 1)
        assert self.mask.bias is not None
        nn.init.zeros_(self.ground.weight)
        nn.init.constant_(self.mask.bias, -2.0)  # at first little is painted

    def forward(self, codes: Tensor) -> Tensor:
        """Return clips ``(B, 3, T, H, W)``, about [0, 1], of codes ``(B, latent, t, h, w)``."""
        p, q, r = self.strides
        hidden = self.outward(self.blocks(self.inward(codes)))
        unfold = "b (c p q r) t h w -> b c (t p) (h q) (w r)"
        ground = rearrange(self.ground(hidden), unfold, p=p, q=q, r=r)
        mask = rearrange(self.mask(hidden), unfold, p=p, q=q, r=r).sigmoid()
        colour = repeat(self.colour(hidden), "b (c p) t h w -> b c (t p) (h q) (w r)", p=p, q=q, r=r)
        made: Tensor = ground + mask * (colour - ground) + 0.5
        return made


class CausalTokenizer(nn.Module):
    """Clips to discrete tokens and back, causal in every layer.

    Args:
        strides: Frames, rows and columns that a token covers.
        levels: FSQ levels of each channel of a code; their product is the codebook.
        width: Channels on the grid of cells.
        hidden: Channels between that grid and the pixels.
        blocks: Residual blocks in encoder and in decoder.
    """

    def __init__(
        self,
        strides: Sequence[int] = (4, 8, 8),
        levels: Sequence[int] = (8, 5, 5, 5),
        width: int = 64,
        hidden: int = 256,
        blocks: int = 2,
    ) -> None:
        super().__init__()
        if len(strides) != 3 or min(strides) < 1:
            raise ValueError(f"strides are {list(strides)}; give three, each 1 or more: frames, rows, columns")
        self.strides: Strides = (strides[0], strides[1], strides[2])
        self.levels, self.width, self.hidden, self.blocks = list(levels), width, hidden, blocks
        self.quantizer = FSQ(levels)
        self.codebook_size = self.quantizer.codebook_size
        self.encoder = CellEncoder(self.strides, width, hidden, blocks, len(levels))
        self.decoder = CellDecoder(self.strides, width, hidden, blocks, len(levels))

    def quantize(self, video: Tensor) -> Tensor:
        """Return codes ``(B, d, t, h, w)``, float32 in [-1, 1].

        Args:
            video: float ``(B, 3, T, H, W)`` in [0, 1]; T, H and W multiples of the strides.

        Raises:
            ValueError: If the clip does not divide into whole tokens.
        """
        if any(size % stride for size, stride in zip(video.shape[2:], self.strides, strict=True)):
            found = "x".join(str(size) for size in video.shape[2:])
            raise ValueError(f"clips of {found} (frames, rows, columns) are no multiples of the strides {self.strides}")
        codes: Tensor = self.quantizer(self.encoder(video))
        return codes

    def forward(self, video: Tensor) -> Tensor:
        """Reconstruct clips ``(B, 3, T, H, W)`` with gradients, about in [0, 1]."""
        made: Tensor = self.decoder(self.quantize(video))
        return made

    def encode(self, video: Tensor) -> Tensor:
        """Return tokens int64 ``(B, t, h, w)`` of clips float ``(B, 3, T, H, W)`` in [0, 1]."""
        return self.quantizer.indices(self.quantize(video))

    def decode(self, indices: Tensor) -> Tensor:
        """Return clips float ``(B, 3, T, H, W)`` of tokens int64 ``(B, t, h, w)``."""
        made: Tensor = self.decoder(self.quantizer.codes(indices))
        return made
