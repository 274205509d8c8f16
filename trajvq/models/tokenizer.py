"""CausalTokenizer: fold a clip into one cell per token, and encode and decode on the grid of cells.

B clips, C channels, T frames, H rows, W columns; a token's cell covers p frames, q rows and r columns, and there
are t, h, w cells. The layers between pixels and cells see one frame at a time and share their weights among frames,
so they learn from p times as many examples.
"""

from collections.abc import Sequence
from typing import cast

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from trajvq.models.causal import ChannelNorm, ResidualBlock
from trajvq.models.fsq import FSQ
from trajvq.models.normalization import ClipNormalization
from trajvq.models.quantizer import Quantizer, check_quantizer

Strides = tuple[int, int, int]


class CellEncoder(nn.Module):
    """Cells to latents. Each cell's mean, minimum and maximum color enter beside the deviations from its mean.

    The minimum or maximum of a channel is the color of a small object, so shape does not drown out color. A token sees
    only its own frames: with earlier frames an object changed twice as many tokens and its position was no better
    (experiments/rate_distortion/trials.md).

    Args:
        strides: Frames, rows and columns of a cell.
        width: Channels on the grid.
        patch_channels: Channels between a frame's pixels and what it contributes to its cell.
        frame_channels: Channels that a frame contributes to its cell.
        blocks: Residual blocks.
        receptive_field: How many of the first blocks look at neighboring cells.
        latent: Output channels.
    """

    def __init__(
        self,
        strides: Strides,
        width: int,
        patch_channels: int,
        frame_channels: int,
        blocks: int,
        receptive_field: int,
        latent: int,
    ) -> None:
        super().__init__()
        self.strides = strides
        frames, rows, columns = strides
        self.shape = nn.Linear(3 * rows * columns, patch_channels)
        self.tone = nn.Linear(3 * 3, patch_channels, bias=False)
        self.frame = nn.Linear(patch_channels, frame_channels)
        self.inward = nn.Linear(frames * frame_channels, width)
        self.blocks = nn.Sequential(*(ResidualBlock(width, mix=k < receptive_field, back=False) for k in range(blocks)))
        self.outward = nn.Sequential(ChannelNorm(width), nn.Linear(width, latent))

    def forward(self, video: Tensor) -> Tensor:
        """Return latents ``(B, latent, t, h, w)`` of normalized clips ``(B, 3, T, H, W)``."""
        p, q, r = self.strides
        cells = rearrange(video, "b c T (h q) (w r) -> b T h w c (q r)", q=q, r=r)
        mean = cells.mean(dim=-1)
        tones = torch.cat([mean, cells.amin(dim=-1), cells.amax(dim=-1)], dim=-1)
        frame = F.silu(self.shape((cells - mean[..., None]).flatten(-2)) + self.tone(2 * tones))
        frame = rearrange(F.silu(self.frame(frame)), "b (t p) h w n -> b t h w (p n)", p=p)
        latent: Tensor = self.outward(self.blocks(self.inward(frame)))
        return rearrange(latent, "b t h w c -> b c t h w")


class CellDecoder(nn.Module):
    """Codes to cells: a background per cell, blended with one color per cell and frame by a mask.

    Shape and color are separate outputs, so a code can change the color without encoding the shape again.

    Args:
        strides: Frames, rows and columns of a cell.
        width: Channels on the grid.
        patch_channels: Channels between what a frame takes from its cell and its pixels.
        frame_channels: Channels that a frame takes from its cell.
        blocks: Residual blocks.
        latent: Channels of the codes.
    """

    def __init__(
        self, strides: Strides, width: int, patch_channels: int, frame_channels: int, blocks: int, latent: int
    ) -> None:
        super().__init__()
        self.strides = strides
        frames, rows, columns = strides
        self.inward = nn.Linear(latent, width)
        self.blocks = nn.Sequential(*(ResidualBlock(width) for _ in range(blocks)))
        self.outward = nn.Sequential(ChannelNorm(width), nn.Linear(width, frames * frame_channels), nn.SiLU())
        self.frame = nn.Sequential(nn.Linear(frame_channels, patch_channels), nn.SiLU())
        self.ground = nn.Linear(patch_channels, 3 * rows * columns)
        self.mask = nn.Linear(patch_channels, rows * columns)
        self.color = nn.Linear(patch_channels, 3)
        nn.init.zeros_(self.ground.weight)
        nn.init.constant_(self.mask.bias, -2.0)  # the mask starts almost empty

    def forward(self, codes: Tensor) -> Tensor:
        """Return normalized clips ``(B, 3, T, H, W)`` of codes ``(B, latent, t, h, w)``."""
        p, q, r = self.strides
        codes = rearrange(codes, "b c t h w -> b t h w c").contiguous()  # products on a GPU depend on the layout
        cells = self.outward(self.blocks(self.inward(codes)))
        frame = self.frame(rearrange(cells, "b t h w (p n) -> b (t p) h w n", p=p))
        ground = self.ground(frame).unflatten(-1, (3, q * r))
        mask, color = self.mask(frame).sigmoid()[..., None, :], self.color(frame)[..., None]
        pixels = torch.lerp(ground, color, mask)
        return rearrange(pixels, "b T h w c (q r) -> b c T (h q) (w r)", q=q, r=r)


class CausalTokenizer(nn.Module):
    """Clips to discrete tokens and back, causal in every layer.

    The network sees clips normalized by `normalization`, which training sets from its clips.

    Args:
        strides: Frames, rows and columns that a token covers.
        levels: FSQ levels of each digit of a code; their product is the size of the codebook.
        digits: Number of digits that each channel of a code holds; None for one each. See `trajvq.models.FSQ`.
        width: Channels on the grid of cells.
        patch_channels: Channels between a frame's pixels and its cells.
        frame_channels: Channels that a frame and its cell exchange.
        blocks: Residual blocks in encoder and in decoder.
        receptive_field: Distance in cells up to which a token sees its neighbors. Beyond it an object changes no
            token, so tokens say where it is, and a model of tokens has few of them to predict.
        quantizer: A `trajvq.models.quantizer.Quantizer` to use instead of FSQ, such as those of
            `trajvq.models.quantizers`; ``levels`` and ``digits`` are then unused.

    Attributes:
        encoder_context: Latent frames before its own that a token depends on.
        decoder_context: Latent frames before its own that a decoded frame depends on.

    Raises:
        ValueError: If strides, receptive field or quantizer are impossible.
    """

    def __init__(
        self,
        strides: Sequence[int] = (4, 8, 8),
        levels: Sequence[int] = (8, 5, 5, 5),
        digits: Sequence[int] | None = None,
        width: int = 64,
        patch_channels: int = 128,
        frame_channels: int = 48,
        blocks: int = 4,
        receptive_field: int = 1,
        quantizer: nn.Module | None = None,
    ) -> None:
        super().__init__()
        if len(strides) != 3 or min(strides) < 1:
            raise ValueError(f"strides are {list(strides)}; give three, each 1 or more: frames, rows, columns")
        if not 0 <= receptive_field <= blocks:
            raise ValueError(f"receptive_field is {receptive_field} with {blocks} blocks; give 0 to {blocks}")
        self.strides: Strides = (strides[0], strides[1], strides[2])
        self.levels, self.digits = list(levels), None if digits is None else list(digits)
        self.width, self.patch_channels, self.frame_channels = width, patch_channels, frame_channels
        self.blocks, self.receptive_field = blocks, receptive_field
        self.encoder_context, self.decoder_context = 0, blocks  # each block of the decoder looks back one latent frame
        module = FSQ(levels, digits) if quantizer is None else quantizer
        check_quantizer(module)
        self.quantizer = cast(Quantizer, module)
        self.codebook_size = self.quantizer.codebook_size
        self.normalization = ClipNormalization()
        channels = self.quantizer.dim
        self.encoder = CellEncoder(
            self.strides, width, patch_channels, frame_channels, blocks, receptive_field, channels
        )
        self.decoder = CellDecoder(self.strides, width, patch_channels, frame_channels, blocks, channels)

    def quantize(self, video: Tensor) -> Tensor:
        """Return codes ``(B, d, t, h, w)``, float32, with FSQ in [-1, 1].

        Args:
            video: float ``(B, 3, T, H, W)`` in [0, 1]; T, H and W multiples of the strides.

        Raises:
            ValueError: If the clip does not divide into whole tokens.
        """
        if any(size % stride for size, stride in zip(video.shape[2:], self.strides, strict=True)):
            sizes = "x".join(str(size) for size in video.shape[2:])
            raise ValueError(f"clips of {sizes} (frames, rows, columns) are no multiples of the strides {self.strides}")
        codes: Tensor = self.quantizer(self.encoder(self.normalization(video)))  # type: ignore[operator]
        return codes

    def forward(self, video: Tensor) -> Tensor:
        """Reconstruct clips ``(B, 3, T, H, W)``, roughly in [0, 1], with gradients."""
        return self.normalization.inverse(self.decoder(self.quantize(video)))

    def reconstruct(self, normalized: Tensor) -> Tensor:
        """Reconstruct normalized clips, or windows of them, ``(B, 3, T, H, W)``, with gradients."""
        codes: Tensor = self.quantizer(self.encoder(normalized))  # type: ignore[operator]
        reconstruction: Tensor = self.decoder(codes)
        return reconstruction

    def encode(self, video: Tensor) -> Tensor:
        """Return tokens int64 ``(B, t, h, w)`` of clips float ``(B, 3, T, H, W)`` in [0, 1]."""
        return self.quantizer.indices(self.quantize(video))

    def decode(self, indices: Tensor) -> Tensor:
        """Return clips float ``(B, 3, T, H, W)`` of tokens int64 ``(B, t, h, w)``."""
        return self.normalization.inverse(self.decoder(self.quantizer.codes(indices)))

    def auxiliary_loss(self) -> Tensor | None:
        """Return the quantizer's own loss of the last training batch, once; None if it has none, as FSQ."""
        loss: Tensor | None = getattr(self.quantizer, "loss", None)
        if loss is not None:
            self.quantizer.loss = None  # type: ignore[attr-defined]
        return loss
