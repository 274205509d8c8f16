"""Finite scalar quantization (Mentzer et al., 2023, arXiv:2309.15505), in float32 whatever the precision."""

from collections.abc import Sequence
from itertools import accumulate
from math import prod

import torch
from torch import Tensor, nn


class FSQ(nn.Module):
    """Rounds every channel to one of a few steps; the codebook is their product, so none is learnt.

    A channel is squashed to (0, steps - 1) by a sigmoid, rounded with a straight-through gradient and
    scaled to [-1, 1]. The factor 1.6 spreads a standard normal evenly over the steps (iFSQ).

    Args:
        levels: Levels of each digit of a code, at least 2, the first turning fastest. ``[8, 5, 5, 5]`` makes
            1,000 codes.
        digits: How many consecutive digits write the number of each channel; None for one each, as in the paper. With
            ``[2, 2]`` the same 1,000 codes are two channels of 8 x 5 = 40 and 5 x 5 = 25 steps. Where a channel has
            only a few steps, a fine place has to be folded over several channels, which is learnt slowly; a channel
            of many steps follows the place by itself.
    """

    levels: Tensor
    steps: Tensor
    basis: Tensor

    def __init__(self, levels: Sequence[int], digits: Sequence[int] | None = None) -> None:
        super().__init__()
        if not levels or min(levels) < 2:
            raise ValueError(f"FSQ levels are {list(levels)}; give at least one, each 2 or more")
        digits = [1] * len(levels) if digits is None else digits
        if sum(digits) != len(levels) or min(digits) < 1:
            wanted = f"give 1 or more a channel, {len(levels)} together, or null for one each"
            raise ValueError(f"FSQ digits are {list(digits)}; {wanted}")
        ends = list(accumulate(digits))
        steps = [prod(levels[end - count : end]) for end, count in zip(ends, digits, strict=True)]
        self.dim, self.codebook_size, self.digits = len(steps), prod(steps), list(digits)
        self.register_buffer("levels", torch.tensor(levels, dtype=torch.int64), persistent=False)
        self.register_buffer("steps", torch.tensor(steps, dtype=torch.int64), persistent=False)
        self.register_buffer("basis", torch.cumprod(self.steps, dim=0) // self.steps, persistent=False)

    def forward(self, latent: Tensor) -> Tensor:
        """Quantize ``(B, d, t, h, w)`` latents to codes of the same shape, float32 in [-1, 1]."""
        top = self._along_channels(self.steps - 1)
        place = top * torch.sigmoid(1.6 * latent.float())
        place = place + (place.round() - place).detach()
        return 2 * place / top - 1

    def indices(self, codes: Tensor) -> Tensor:
        """Number codes ``(B, d, t, h, w)``: int64 ``(B, t, h, w)`` below ``codebook_size``."""
        place = ((codes.float() + 1) / 2 * self._along_channels(self.steps - 1)).round().long()
        return (place * self._along_channels(self.basis)).sum(dim=1)

    def codes(self, indices: Tensor) -> Tensor:
        """Return the codes ``(B, d, t, h, w)`` of indices ``(B, t, h, w)``."""
        place = indices[:, None] // self._along_channels(self.basis) % self._along_channels(self.steps)
        return 2 * place.float() / self._along_channels(self.steps - 1) - 1

    @staticmethod
    def _along_channels(values: Tensor) -> Tensor:
        return values.view(-1, 1, 1, 1)
