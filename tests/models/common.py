"""What the tests of generating networks share: random generators, and a test of frequencies."""

import torch
from torch import Tensor


def generators(count: int, seed: int = 0) -> list[torch.Generator]:
    """Return one generator for each clip."""
    return [torch.Generator().manual_seed(1000 * seed + k) for k in range(count)]


def chi_square_fits(outcomes: Tensor, probability: Tensor) -> bool:
    """Return whether outcomes int64 ``(N,)`` are as frequent as probabilities say.

    Pearson's chi-square must lie within five standard deviations of its mean.
    """
    expected = probability * len(outcomes)
    counts = torch.bincount(outcomes, minlength=len(probability))
    square = float(((counts - expected) ** 2 / expected).sum())
    freedom = len(probability) - 1
    return bool(square < freedom + 5 * (2 * freedom) ** 0.5)
