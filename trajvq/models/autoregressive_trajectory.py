"""Autoregressive trajectories: where the object is, one position after another, before any token.

A mixture density network (Bishop, 1994; Graves, 2013) over a causal transformer. Positions lie on a grid of 1/64 of a
token's cell, and no Gaussian is narrower than that, so density times the area of a grid square is a probability.

B clips, T frames, K Gaussians, D channels, M candidates.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trajvq.models.cells import fill_gaps
from trajvq.models.mixture import Mixture, candidates
from trajvq.models.sampling import Sampling, uniforms
from trajvq.models.transformer import KeyValues, TokenLayout, TokenTransformer

GRID = 64  # grid lines of positions in a token's cell
MIN_LOG_WIDTH, MAX_LOG_WIDTH = -6.0, 3.0  # of a Gaussian, relative to the typical width of its step
TYPICAL_WIDTHS = (0.5, 0.1, 0.03)  # of the first, second and later positions, in half frames


class AutoregressiveTrajectory(nn.Module):
    """A `TrajectoryModel`: the track as the tracker sees it in the decoded tokens, each position given those before.

    Args:
        width: D.
        depth: Transformer blocks.
        heads: Attention heads.
        mixtures: K.
        dropout: Share dropped in training.
    """

    grid: Tensor
    has_density = True

    def __init__(
        self, width: int = 128, depth: int = 4, heads: int = 4, mixtures: int = 12, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.width, self.depth, self.heads = width, depth, heads
        self.mixtures, self.dropout = mixtures, dropout

    def build(self, layout: TokenLayout, classes: int) -> None:
        """Create the layers with fresh weights; see `TrajectoryModel.build`."""
        width, self.frames, self.classes = self.width, layout.grid[0] * layout.frames, classes
        self.position = nn.Sequential(nn.Linear(8, width), nn.GELU(), nn.Linear(width, width))
        self.time = nn.Parameter(torch.randn(self.frames, width) * 0.3)
        self.label = nn.Embedding(classes + 1, width)
        self.transformer = TokenTransformer(width, self.depth, self.heads, causal=True, dropout=self.dropout)
        self.head = nn.Linear(width, 6 * self.mixtures)
        widths = [TYPICAL_WIDTHS[min(step, 2)] for step in range(self.frames)]
        self.log_width = nn.Parameter(torch.tensor(widths).log())
        square = torch.tensor([2 / (GRID * layout.grid[2]), 2 / (GRID * layout.grid[1])])
        self.register_buffer("grid", square, persistent=False)  # width and height of a grid square

    def snap(self, tracks: Tensor) -> Tensor:
        """Return positions ``(..., 2)`` moved to the nearest grid point."""
        return (tracks / self.grid).round() * self.grid

    def log_probability(self, tracks: Tensor, label: Tensor) -> Tensor:
        """Return the natural log-probability ``(B, T)`` of every position; see `TrajectoryModel.log_probability`."""
        tracks = self.snap(tracks)
        padded = F.pad(tracks, (0, 0, 3, 0))[:, :-1]  # (B, T + 2, 2)
        frames = torch.arange(tracks.shape[1], device=tracks.device)
        previous = padded.unfold(1, 3, 1).transpose(-1, -2)
        hidden = self.transformer(self._embed(previous, frames, label))
        density: Tensor = self._mixture(hidden, previous, frames).log_density(tracks)
        return density + self.grid.log().sum()

    def loss(self, tracks: Tensor, context: Tensor, label: Tensor) -> Tensor:
        """Return the mean negative log-probability of a position after the context; see `TrajectoryModel.loss`."""
        tracks = fill_gaps(tracks)
        scored = (torch.arange(tracks.shape[1], device=tracks.device) >= context[:, None]).to(tracks.dtype)
        return -(self.log_probability(tracks, label) * scored).sum() / scored.sum()

    def sample(
        self, prefix: Tensor, frames: int, label: Tensor, sampling: Sampling, generators: Sequence[torch.Generator]
    ) -> Tensor:
        """Return tracks ``(B, frames, 2)`` that continue the prefix; see `TrajectoryModel.sample`.

        The noise scale multiplies the width of each Gaussian; at 0 positions are the means of the likeliest ones.
        For guidance see `Mixture.sample`.
        """
        guidance = sampling.guidance
        uniform = uniforms(generators, frames * candidates(guidance) * 3, prefix.device)
        uniform = uniform.view(len(label), frames, -1, 3)
        labels = label if guidance == 1 else torch.cat([label, torch.full_like(label, self.classes)])
        tracks = F.pad(self.snap(prefix), (0, 0, 3, 0))
        cache: list[KeyValues] = self.transformer.cache(frames)
        for step in range(frames):
            previous = tracks[:, step : step + 3][:, None].repeat(len(labels) // len(label), 1, 1, 1)
            frame = torch.tensor([step], device=prefix.device)
            mixture = self._mixture(self.transformer(self._embed(previous, frame, labels), cache), previous, frame)
            if step < prefix.shape[1]:
                continue
            mixture = Mixture(*(part[:, 0] for part in mixture))
            position = self.snap(mixture.sample(uniform[:, step], sampling.noise_scale, guidance))
            tracks = torch.cat([tracks, position[:, None]], dim=1)
        return tracks[:, 3:]

    def _embed(self, previous: Tensor, frames: Tensor, label: Tensor) -> Tensor:
        """Return ``(B, S, D)`` of the three positions before each of S, ``(B, S, 3, 2)``, the latest last."""
        exists = (frames[:, None] >= torch.tensor([3, 2, 1], device=previous.device)).to(previous.dtype)  # (S, 3)
        third, second, last = previous.unbind(dim=2)
        velocity = (last - second) * exists[:, 1:2]
        acceleration = (last - 2 * second + third) * exists[:, :1]
        speed = velocity.norm(dim=-1, keepdim=True)
        features = torch.cat([last * 2, velocity * 8, acceleration * 32, speed * 8], dim=-1)
        has_last = exists[:, 2:].expand(len(previous), -1, -1)
        position = self.position(torch.cat([features, has_last], dim=-1))
        embedded: Tensor = position + self.time[frames] + self.label(label)[:, None]
        return embedded

    def _mixture(self, hidden: Tensor, previous: Tensor, frames: Tensor) -> Mixture:
        """Return mixtures ``(B, S, K)`` around where constant velocity leads."""
        weight, raw = self.head(hidden).unflatten(-1, (self.mixtures, 6)).split((1, 5), dim=-1)
        _, second, last = previous.unbind(dim=2)
        expected = torch.where((frames >= 2)[:, None], 2 * last - second, last)
        width = self.log_width[frames].exp()[:, None, None]
        mean = expected[..., None, :] + width * raw[..., :2]
        width_x, width_y = (width * raw[..., 2:4].clamp(MIN_LOG_WIDTH, MAX_LOG_WIDTH).exp()).unbind(dim=-1)
        shear = width[..., 0] * raw[..., 4]
        xx = (width_x.square() + self.grid[0].square()).sqrt()  # of the covariance with a grid square added
        yx = width_x * shear / xx
        yy = (shear.square() + width_y.square() + self.grid[1].square() - yx.square()).sqrt()
        return Mixture(weight[..., 0].log_softmax(dim=-1), mean, torch.stack([xx, yx, yy], dim=-1))
