"""How tokens are drawn: temperature, the likeliest ones, guidance by class, and a chance of its own for every clip.

B rows, C codes.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Sampling:
    """How clips are drawn.

    Attributes:
        temperature: Of codes; 0 takes the likeliest.
        top_p: Choose among the likeliest codes that together have this share; at least one.
        noise_scale: Times the width of the planner's Gaussians; 0 takes the middle of the likeliest, and the likeliest look.
        guidance: Weight of the class (Ho and Salimans, 2021): 1 samples as trained, more exaggerates it.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    noise_scale: float = 1.0
    guidance: float = 1.0

    def __post_init__(self) -> None:
        if self.temperature < 0 or self.noise_scale < 0 or self.guidance < 0 or not 0 < self.top_p <= 1:
            raise ValueError(f"temperature, noise_scale and guidance are 0 or more and top_p is in (0, 1], not {self}")


def guided(logits: Tensor, guidance: float) -> Tensor:
    """Return logits ``(B, C)`` of the class against those of none, which follow it unless the guidance is 1."""
    if guidance == 1:
        return logits
    with_class, without = logits.log_softmax(dim=-1).chunk(2)
    return without + guidance * (with_class - without)


def draw(logits: Tensor, uniform: Tensor, how: Sampling) -> Tensor:
    """Choose by one uniform number a row (inverse distribution function), so that rows do not disturb each other.

    Args:
        logits: ``(B, C)``.
        uniform: float64 ``(B,)`` in [0, 1).
        how: Its temperature and top_p.

    Returns:
        int64 ``(B,)``.
    """
    if how.temperature == 0:
        return logits.argmax(dim=-1)
    share = (logits.double() / how.temperature).softmax(dim=-1)
    if how.top_p < 1:
        falling, order = share.sort(dim=-1, descending=True, stable=True)
        out = falling.cumsum(dim=-1) - falling >= how.top_p
        share = share.scatter(1, order, falling.masked_fill(out, 0.0))
    ladder = share.cumsum(dim=-1)
    chosen = torch.searchsorted(ladder, uniform[:, None] * ladder[:, -1:], right=True)[:, 0]
    return chosen.clamp(max=share.shape[1] - 1)
