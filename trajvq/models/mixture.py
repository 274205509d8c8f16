"""Mixtures of Gaussians in the plane, the heads of trajectory models (Bishop, 1994; Graves, 2013), and their sampling.

B clips, K Gaussians, M candidates.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from trajvq.models.sampling import inverse_cdf

CANDIDATES = 16  # points that guidance chooses among


class Mixture(NamedTuple):
    """Mixtures of K Gaussians in the plane.

    Attributes:
        weight: ``(..., K)`` logarithms of the mixture weights.
        mean: ``(..., K, 2)``.
        factor: ``(..., K, 3)`` Cholesky factors of the covariances: xx, yx, yy.
    """

    weight: Tensor
    mean: Tensor
    factor: Tensor

    def log_density(self, point: Tensor) -> Tensor:
        """Return the natural log-density ``(...)`` at points ``(..., 2)``."""
        offset = point[..., None, :] - self.mean
        xx, yx, yy = self.factor.unbind(dim=-1)
        x = offset[..., 0] / xx
        y = (offset[..., 1] - yx * x) / yy
        return torch.logsumexp(self.weight - (x * x + y * y) / 2 - (xx * yy).log(), dim=-1) - math.log(2 * math.pi)

    def sample(self, uniform: Tensor, noise_scale: float, guidance: float, noise: float = 0.0) -> Tensor:
        """Return a sampled point ``(B, 2)`` of each clip's mixture.

        Guidance raises probabilities to this power, over those without class to one less, among the candidates.

        Args:
            uniform: float64 ``(B, M, 3)`` in [0, 1), with M of `candidates`.
            noise_scale: Factor of the width of each Gaussian; at 0 a point is the mean of the likeliest one.
            guidance: Weight of the class. Unless it is 1, the mixtures ``(2B, K)`` are those of the clips with their
                class and then without it.
            noise: Standard deviation of measurement noise in the points that were learned from, which samples are to
                be free of: its variance is taken off that of each coordinate of each Gaussian.
        """
        count = len(uniform)
        weight, mean, factor = (part[:count] for part in self)
        probability = weight.softmax(dim=-1).double()
        if noise_scale == 0:
            component = probability.argmax(dim=-1)[:, None].expand(-1, uniform.shape[1])
        else:
            component = inverse_cdf(probability, uniform[..., 0])
        mean = mean.gather(1, component[..., None].expand(-1, -1, 2))
        xx, yx, yy = factor.gather(1, component[..., None].expand(-1, -1, 3)).unbind(dim=-1)
        normal = torch.special.ndtri(uniform[..., 1:].clamp(1e-9, 1 - 1e-9)).to(mean.dtype) * noise_scale
        deviation = torch.stack([xx * normal[..., 0], yx * normal[..., 0] + yy * normal[..., 1]], dim=-1)
        variance = torch.stack([xx.square(), yx.square() + yy.square()], dim=-1)
        points = mean + deviation * (1 - noise**2 / variance).clamp(min=0).sqrt()  # (B, M, 2)
        if guidance == 1:
            return points[:, 0]
        with_class, without = (
            Mixture(*(part[half, None] for part in self)).log_density(points)
            for half in (slice(count), slice(count, None))
        )
        probability = ((guidance - 1) * (with_class - without)).softmax(dim=-1).double()
        candidate = inverse_cdf(probability, uniform[:, :1, 0])
        return points[torch.arange(count, device=points.device), candidate[:, 0]]


def candidates(guidance: float) -> int:
    """Return M, the points that `Mixture.sample` needs random numbers for."""
    return 1 if guidance == 1 else CANDIDATES
