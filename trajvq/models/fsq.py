"""Finite scalar quantization (Mentzer et al., 2023, arXiv:2309.15505), in float32 whatever the precision."""

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor, nn


class FSQ(nn.Module):
    """Rounds every channel to one of a few levels; the codebook is their product, so none is learnt.

    A channel is squashed to (0, levels - 1) by a sigmoid, rounded with a straight-through gradient and
    scaled to [-1, 1]. The factor 1.6 spreads a standard normal evenly over the levels (iFSQ).

    Args:
        levels: Levels of each channel, at least 2. ``[8, 5, 5, 5]`` makes 1,000 codes.
    """

    levels: Tensor
    basis: Tensor

    def __init__(self, levels: Sequence[int]) -> None:
        super().__init__()
        if not levels or min(levels) < 2:
            raise ValueError(f"FSQ levels are {list(levels)}; give at least one, each 2 or more")
        self.dim, self.codebook_size = len(levels), prod(levels)
        sizes = torch.tensor(levels, dtype=torch.int64)
        self.register_buffer("levels", sizes, persistent=False)
        self.register_buffer("basis", torch.cumprod(sizes, dim=0) // sizes, persistent=False)

    def forward(self, latent: Tensor) -> Tensor:
        """Quantize ``(B, d, t, h, w)`` latents to codes of the same shape, float32 in [-1, 1]."""
        top = self._along_channels(self.levels - 1)
        place = top * torch.sigmoid(1.6 * latent.float())
        place = place + (place.round() - place).detach()
        return 2 * place / top - 1

    def indices(self, codes: Tensor) -> Tensor:
        """Number codes ``(B, d, t, h, w)``: int64 ``(B, t, h, w)`` below ``codebook_size``."""
        place = ((codes.float() + 1) / 2 * self._along_channels(self.levels - 1)).round().long()
        return (place * self._along_channels(self.basis)).sum(dim=1)

    def codes(self, indices: Tensor) -> Tensor:
        """Return the codes ``(B, d, t, h, w)`` of indices ``(B, t, h, w)``."""
        place = indices[:, None] // self._along_channels(self.basis) % self._along_channels(self.levels)
        return 2 * place.float() / self._along_channels(self.levels - 1) - 1

    @staticmethod
    def _along_channels(values: Tensor) -> Tensor:
        return values.view(-1, 1, 1, 1)
