"""AutoregressiveTrajectory: where the object will be, frame after frame, before any token is told.

A mixture density network (Bishop, 1994; Graves, 2013) over a causal transformer. Places are on a grid of 1/64 of a
token's cell, and no mixture is narrower than that, so that density times the area of a grid's square is probability.

B clips, T frames, K Gaussians, D channels, M candidates.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trajvq.models.transformer import KeyValues, TokenLayout, TokenTransformer

FINE = 64  # grid lines of places in a token's cell
NARROW, WIDE = -6.0, 3.0  # logarithms of the least and greatest widths, relative to a step's usual one
CANDIDATES = 16  # that guidance chooses among
SPREADS = (0.5, 0.1, 0.03)  # usual widths of the first, second and later points, in half frames


class Mixture(NamedTuple):
    """Mixtures of K Gaussians in the plane.

    Attributes:
        weight: ``(..., K)`` logarithms of their shares.
        mean: ``(..., K, 2)``.
        factor: ``(..., K, 3)`` Cholesky factors of their covariances: xx, yx, yy.
    """

    weight: Tensor
    mean: Tensor
    factor: Tensor

    def log_density(self, point: Tensor) -> Tensor:
        """Return the logarithm ``(...)`` of the density at points ``(..., 2)``."""
        off = point[..., None, :] - self.mean
        xx, yx, yy = self.factor.unbind(dim=-1)
        x = off[..., 0] / xx
        y = (off[..., 1] - yx * x) / yy
        return torch.logsumexp(self.weight - (x * x + y * y) / 2 - (xx * yy).log(), dim=-1) - math.log(2 * math.pi)


class AutoregressiveTrajectory(nn.Module):
    """The path of a clip's object, as the tracker sees it in the decoded tokens, one point after another.

    Args:
        layout: Of the tokens.
        classes: Classes; a label of as many stands for no class.
        width: D.
        depth: Transformer blocks.
        heads: Heads.
        mixtures: K.
        dropout: Share dropped in training.
    """

    base: Tensor
    grid: Tensor

    def __init__(
        self, layout: TokenLayout, classes: int, width: int, depth: int, heads: int, mixtures: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.frames, self.mixtures = layout.grid[0] * layout.frames, mixtures
        self.point = nn.Sequential(nn.Linear(8, width), nn.GELU(), nn.Linear(width, width))
        self.time = nn.Parameter(torch.randn(self.frames, width) * 0.3)
        self.label = nn.Embedding(classes + 1, width)
        self.transformer = TokenTransformer(width, depth, heads, causal=True, dropout=dropout)
        self.head = nn.Linear(width, 6 * mixtures)
        noise_scale = [SPREADS[min(step, 2)] for step in range(self.frames)]
        self.noise_scale = nn.Parameter(torch.tensor(noise_scale).log())
        lines = torch.tensor([2 / (FINE * layout.grid[2]), 2 / (FINE * layout.grid[1])])
        self.register_buffer("grid", lines, persistent=False)  # width and height of a square

    def rounded(self, path: Tensor) -> Tensor:
        """Return places ``(..., 2)`` moved to the nearest on the grid."""
        return (path / self.grid).round() * self.grid

    def log_probability(self, path: Tensor, label: Tensor) -> Tensor:
        """Return the natural logarithm ``(B, T)`` of the probability of every point, given those before it.

        Args:
            path: float ``(B, T, 2)``, x and y from -1 to 1 between the edges of the picture.
            label: int64 ``(B,)``.
        """
        path = self.rounded(path)
        before = F.pad(path, (0, 0, 3, 0))[:, :-1]  # (B, T + 2, 2)
        moments = torch.arange(path.shape[1], device=path.device)
        hidden = self.transformer(self._embed(before.unfold(1, 3, 1).transpose(-1, -2), moments, label))
        found: Tensor = self._mixture(hidden, before.unfold(1, 3, 1).transpose(-1, -2), moments).log_density(path)
        return found + self.grid.log().sum()

    def rollout(
        self, path: Tensor, frames: int, label: Tensor, chance: Tensor, noise_scale: float = 1.0, guidance: float = 1.0
    ) -> Tensor:
        """Return paths ``(B, frames, 2)`` that go on from the given ones.

        Args:
            path: float ``(B, S, 2)``, S from 0 to ``frames``.
            frames: At most T.
            label: int64 ``(B,)``.
            chance: ``(B, frames, M, 3)`` uniform numbers, of which each point takes its own; `draws` says M.
            noise_scale: Times the width of each Gaussian; with 0 points are the means of the likeliest ones.
            guidance: Weight of the class: probabilities to this power, over those without class to one less.
        """
        doubled = torch.cat([label, torch.full_like(label, self.label.num_embeddings - 1)])
        asked = label if guidance == 1 else doubled
        made = F.pad(self.rounded(path), (0, 0, 3, 0))
        cache: list[KeyValues] = self.transformer.cache(frames)
        for step in range(frames):
            last = made[:, step : step + 3][:, None].repeat(len(asked) // len(label), 1, 1, 1)
            moment = torch.tensor([step], device=path.device)
            mixture = self._mixture(self.transformer(self._embed(last, moment, asked), cache), last, moment)
            if step < path.shape[1]:
                continue
            made = torch.cat([made, self._choose(mixture, chance[:, step], noise_scale, guidance)[:, None]], dim=1)
        return made[:, 3:]

    def _choose(self, mixture: Mixture, chance: Tensor, noise_scale: float, guidance: float) -> Tensor:
        """Return points ``(B, 2)`` from mixtures ``(B or 2B, 1, K)`` by uniform numbers ``(B, M, 3)``."""
        count = len(chance)
        weight, mean, factor = (part[:count, 0] for part in mixture)
        share = weight.softmax(dim=-1).double()
        if noise_scale == 0:
            chosen = share.argmax(dim=-1)[:, None].expand(-1, chance.shape[1])
        else:
            ladder = share.cumsum(dim=-1)
            chosen = torch.searchsorted(ladder, chance[..., 0].contiguous() * ladder[:, -1:])
        mean = mean.gather(1, chosen[..., None].expand(-1, -1, 2))
        xx, yx, yy = factor.gather(1, chosen[..., None].expand(-1, -1, 3)).unbind(dim=-1)
        normal = torch.special.ndtri(chance[..., 1:].clamp(1e-9, 1 - 1e-9)).to(mean.dtype) * noise_scale
        move = torch.stack([xx * normal[..., 0], yx * normal[..., 0] + yy * normal[..., 1]], dim=-1)
        points = self.rounded(mean + move)  # (B, M, 2)
        if guidance == 1:
            return points[:, 0]
        with_class, without = (
            Mixture(*(part[half].expand(-1, points.shape[1], *part.shape[2:]) for part in mixture)).log_density(points)
            for half in (slice(count), slice(count, None))
        )
        share = ((guidance - 1) * (with_class - without)).softmax(dim=-1).double().cumsum(dim=-1)
        chosen = torch.searchsorted(share, chance[:, :1, 0].contiguous() * share[:, -1:])
        return points[torch.arange(count, device=points.device), chosen[:, 0]]

    @staticmethod
    def draws(guidance: float) -> int:
        """Return M, the candidates for each point."""
        return 1 if guidance == 1 else CANDIDATES

    def _embed(self, last: Tensor, moments: Tensor, label: Tensor) -> Tensor:
        """Return ``(B, S, D)`` of the three points before each of S, ``(B, S, 3, 2)``, the last of them last."""
        there = (moments[:, None] >= torch.tensor([3, 2, 1], device=last.device)).to(last.dtype)  # (S, 3)
        older, old, new = last.unbind(dim=2)
        speed = (new - old) * there[:, 1:2]
        bend = (new - 2 * old + older) * there[:, :1]
        features = torch.cat([new * 2, speed * 8, bend * 32, speed.norm(dim=-1, keepdim=True) * 8], dim=-1)
        flag = there[:, 2:].expand(len(last), -1, -1)
        made: Tensor = self.point(torch.cat([features, flag], dim=-1)) + self.time[moments] + self.label(label)[:, None]
        return made

    def _mixture(self, hidden: Tensor, last: Tensor, moments: Tensor) -> Mixture:
        """Return mixtures ``(B, S, K)`` around where the last two points lead."""
        weight, raw = self.head(hidden).unflatten(-1, (self.mixtures, 6)).split((1, 5), dim=-1)
        _, old, new = last.unbind(dim=2)
        ahead = torch.where((moments >= 2)[:, None], 2 * new - old, new)
        noise_scale = self.noise_scale[moments].exp()[:, None, None]
        mean = ahead[..., None, :] + noise_scale * raw[..., :2]
        wide_x, wide_y = (noise_scale * raw[..., 2:4].clamp(NARROW, WIDE).exp()).unbind(dim=-1)
        lean = noise_scale[..., 0] * raw[..., 4]
        xx = (wide_x.square() + self.grid[0].square()).sqrt()  # of the covariance with a grid's square added
        yx = wide_x * lean / xx
        yy = (lean.square() + wide_y.square() + self.grid[1].square() - yx.square()).sqrt()
        return Mixture(weight[..., 0].log_softmax(dim=-1), mean, torch.stack([xx, yx, yy], dim=-1))
