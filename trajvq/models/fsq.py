"""Finite scalar quantization (Mentzer et al., 2023, arXiv:2309.15505), in float32 whatever the precision."""

from collections.abc import Sequence
from itertools import accumulate
from math import prod

import torch
from torch import Tensor, nn


class FSQ(nn.Module):
    """Round every channel to one of a few steps; the codebook is the product of the channels and is not learned.

    A sigmoid squashes each channel to (0, steps - 1), which is rounded with a straight-through gradient and
    scaled to [-1, 1]. The factor 1.6 distributes a standard normal evenly over the steps (iFSQ).

    Args:
        levels: Values of each digit of an index, at least 2 each, the first turning fastest. ``[8, 5, 5, 5]`` gives
            1,000 codes.
        digits: Number of consecutive digits that each channel holds; None for one each, as in the paper. With
            ``[2, 2]`` the same 1,000 codes are two channels of 8 x 5 = 40 and 5 x 5 = 25 steps. A channel of many
            steps follows a fine position by itself; with few steps the position has to be folded over several
            channels, which is slow to learn.

    Raises:
        ValueError: If there are no levels, one is below 2, or the digits do not add up to the levels.
    """

    steps: Tensor
    basis: Tensor

    def __init__(self, levels: Sequence[int], digits: Sequence[int] | None = None) -> None:
        super().__init__()
        if not levels or min(levels) < 2:
            raise ValueError(f"FSQ levels are {list(levels)}; give at least one, each 2 or more")
        digits = [1] * len(levels) if digits is None else digits
        if sum(digits) != len(levels) or min(digits) < 1:
            remedy = f"give 1 or more a channel, {len(levels)} together, or null for one each"
            raise ValueError(f"FSQ digits are {list(digits)}; {remedy}")
        ends = list(accumulate(digits))
        steps = [prod(levels[end - count : end]) for end, count in zip(ends, digits, strict=True)]
        self.levels, self.digits = tuple(levels), list(digits)
        self.dim, self.codebook_size = len(steps), prod(steps)
        self.register_buffer("steps", torch.tensor(steps, dtype=torch.int64), persistent=False)
        self.register_buffer("basis", torch.cumprod(self.steps, dim=0) // self.steps, persistent=False)

    def forward(self, latent: Tensor) -> Tensor:
        """Return codes of latents, both ``(B, d, t, h, w)``, as float32 in [-1, 1]."""
        top = _channelwise(self.steps - 1)
        step = top * torch.sigmoid(1.6 * latent.float())
        step = step + (step.round() - step).detach()
        return 2 * step / top - 1

    def indices(self, codes: Tensor) -> Tensor:
        """Return the indices int64 ``(B, t, h, w)``, below ``codebook_size``, of codes ``(B, d, t, h, w)``."""
        step = ((codes.float() + 1) / 2 * _channelwise(self.steps - 1)).round().long()
        return (step * _channelwise(self.basis)).sum(dim=1)

    def codes(self, indices: Tensor) -> Tensor:
        """Return the codes ``(B, d, t, h, w)`` of indices ``(B, t, h, w)``."""
        step = indices[:, None] // _channelwise(self.basis) % _channelwise(self.steps)
        return 2 * step.float() / _channelwise(self.steps - 1) - 1


def _channelwise(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1, 1)
