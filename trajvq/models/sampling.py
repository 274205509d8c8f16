"""How clips are sampled: temperature, top-p, guidance by class, and a random generator of its own for every clip.

B rows, C codes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Sampling:
    """How clips are sampled.

    Attributes:
        temperature: Of codes; 0 takes the likeliest code.
        top_p: Sample among the likeliest codes that together have this probability; at least one.
        noise_scale: Of trajectories, relative to what was learned; 0 takes the likeliest one, and the likeliest
            appearance.
        guidance: Weight of the class (Ho and Salimans, 2021): 1 samples as trained, more exaggerates the class.
        denoise: Let the generator's denoiser, if it has one, take the noise off trajectories.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    noise_scale: float = 1.0
    guidance: float = 1.0
    denoise: bool = False

    def __post_init__(self) -> None:
        if self.temperature < 0 or self.noise_scale < 0 or self.guidance < 0 or not 0 < self.top_p <= 1:
            raise ValueError(f"temperature, noise_scale and guidance must be 0 or more and top_p in (0, 1], not {self}")


def guided(logits: Tensor, guidance: float) -> Tensor:
    """Return guided logits ``(B, C)`` of logits with the class and then without it, ``(2B, C)``; at 1 as they are."""
    if guidance == 1:
        return logits
    with_class, without = logits.log_softmax(dim=-1).chunk(2)
    return without + guidance * (with_class - without)


def sample_codes(logits: Tensor, uniform: Tensor, sampling: Sampling) -> Tensor:
    """Sample one code per row from one uniform number per row, so that rows do not disturb each other.

    Args:
        logits: ``(B, C)``.
        uniform: float64 ``(B,)`` in [0, 1).
        sampling: Temperature and top_p.

    Returns:
        int64 ``(B,)``.
    """
    return inverse_cdf(code_probability(logits, sampling), uniform[:, None])[:, 0]


def code_probability(logits: Tensor, sampling: Sampling) -> Tensor:
    """Return the probabilities float64 ``(B, C)`` that codes are sampled with; with top_p they sum to less than one.

    Args:
        logits: ``(B, C)``.
        sampling: Temperature and top_p.
    """
    if sampling.temperature == 0:
        return F.one_hot(logits.argmax(dim=-1), logits.shape[-1]).double()
    probability = (logits.double() / sampling.temperature).softmax(dim=-1)
    if sampling.top_p < 1:
        falling, order = probability.sort(dim=-1, descending=True, stable=True)
        excluded = falling.cumsum(dim=-1) - falling >= sampling.top_p
        probability = probability.scatter(1, order, falling.masked_fill(excluded, 0.0))
    return probability


def inverse_cdf(probability: Tensor, uniform: Tensor) -> Tensor:
    """Sample indices by the inverse of the cumulative distribution function.

    Args:
        probability: ``(B, C)``; rows need not sum to one.
        uniform: float64 ``(B, S)`` in [0, 1), one number per sample.

    Returns:
        int64 ``(B, S)`` below C.
    """
    cumulative = probability.cumsum(dim=-1)
    index = torch.searchsorted(cumulative, (uniform * cumulative[:, -1:]).contiguous(), right=True)
    return index.clamp(max=probability.shape[1] - 1)


def remaining_uniform(probability: Tensor, uniform: Tensor, index: Tensor) -> Tensor:
    """Return where in its step of the cumulative distribution each number fell: uniform again, for another choice.

    Args:
        probability: ``(B, C)``; see `inverse_cdf`.
        uniform: float64 ``(B,)`` in [0, 1).
        index: int64 ``(B,)``, what `inverse_cdf` sampled with these numbers.

    Returns:
        float64 ``(B,)`` in [0, 1).
    """
    cumulative = probability.cumsum(dim=-1)
    size = probability.gather(1, index[:, None])[:, 0]
    start = cumulative.gather(1, index[:, None])[:, 0] - size
    precision = torch.finfo(size.dtype)
    return ((uniform * cumulative[:, -1] - start) / size.clamp(min=precision.tiny)).clamp(0.0, 1.0 - precision.eps)


def uniforms(generators: Sequence[torch.Generator], count: int, device: torch.device) -> Tensor:
    """Return uniform random numbers float64 ``(B, count)`` in [0, 1), each row from a generator of its own."""
    rows = [torch.rand(count, generator=generator, dtype=torch.float64) for generator in generators]
    return torch.stack(rows).to(device)
