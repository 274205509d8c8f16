"""Neighborhood: what the tokens next to a cell say of its own, as far as they come before it.

B clips, N tokens of a clip in the order of the grid, S cells to predict, M neighbors of each, E channels of a neighbor,
D channels.
"""

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trajvq.models.transformer import TokenLayout

FRAMES = 2  # latent frames back
REACH = 2  # cells to each side
CHANNELS = 32  # E
UNKNOWN = torch.iinfo(torch.int64).max  # the rank of a token that is predicted after all others


class Neighborhood(nn.Module):
    """Embed the tokens next to a cell, in its latent frame and the two before.

    A transformer has to learn from examples which tokens lie next to each other; this tells it, as masked convolutions
    do (PixelCNN: van den Oord et al., 2016).

    Args:
        layout: Of the tokens.
        width: D.
    """

    index: Tensor

    def __init__(self, layout: TokenLayout, width: int) -> None:
        super().__init__()
        self.register_buffer("index", _neighbors(layout.grid), persistent=False)
        self.narrow = nn.Linear(width, CHANNELS)
        self.mix = nn.Linear(self.index.shape[1] * CHANNELS, width)

    def forward(self, vectors: Tensor, rank: Tensor, positions: Tensor) -> Tensor:
        """Return ``(B, S, D)`` for the tokens at ``positions``.

        Args:
            vectors: float ``(B, N, E)``, the codes' embeddings after `narrow`.
            rank: int64 ``(B, N)``, when each token is predicted; a neighbor that is not before is left out.
            positions: int64 ``(B, S)``; N for none.
        """
        count, total = vectors.shape[:2]
        index = self.index[positions.clamp(max=len(self.index) - 1)]
        when = F.pad(rank, (0, 1), value=UNKNOWN)
        before = when.gather(1, index.flatten(1)).view_as(index) < when.gather(1, positions)[..., None]
        first = torch.arange(count, device=index.device)[:, None, None] * (total + 1)
        table = F.pad(vectors, (0, 0, 0, 1)).flatten(0, 1)
        mixed: Tensor = self.mix(F.embedding(index.where(before, total) + first, table).flatten(2))
        return mixed


def ranks(positions: Tensor, total: int) -> Tensor:
    """Return int64 ``(B, total)``: when each token is predicted, in the order ``positions`` ``(B, S)``."""
    rank = torch.full((len(positions), total + 1), UNKNOWN, device=positions.device)
    order = torch.arange(positions.shape[1], device=positions.device)
    return rank.scatter(1, positions, order.expand_as(positions))[:, :total]


def _neighbors(grid: tuple[int, int, int]) -> Tensor:
    """Return int64 ``(N, M)``: the neighbors of each cell that come before it in the order of the grid; N outside."""
    t, h, w = grid
    sides = range(-REACH, REACH + 1)
    around = [step for step in itertools.product(range(-FRAMES, 1), sides, sides) if step < (0, 0, 0)]
    cell = torch.cartesian_prod(*(torch.arange(size) for size in grid))
    near = cell[:, None] + torch.tensor(around)
    inside = ((near >= 0) & (near < torch.tensor(grid))).all(dim=-1)
    flat = (near * torch.tensor([h * w, w, 1])).sum(dim=-1)
    return flat.where(inside, t * h * w)
