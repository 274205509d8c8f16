"""What the tests of generating networks share: random generators, and tests of frequencies and of guidance."""

from typing import Any

import torch
from torch import Tensor

from trajvq.models.sampling import Sampling


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


def guidance_gain(trajectory: Any, frames: int) -> float:
    """Return by how much guidance of 4 raises the log-probability of sampled tracks under their class of three.

    That is the mean over tracks of the log-probability with the class, less the one without.
    """
    label, gains = torch.arange(300) % 3, []
    with torch.no_grad():
        trajectory.label.weight.mul_(3)
        for guidance in (1.0, 4.0):
            sampling = Sampling(guidance=guidance)
            tracks = trajectory.sample(torch.zeros(300, 0, 2), frames, label, sampling, generators(300))
            with_class, without = (
                trajectory.log_probability(tracks, each).sum(dim=1) for each in (label, torch.full_like(label, 3))
            )
            gains.append(float((with_class - without).mean()))
    return gains[1] - gains[0]
