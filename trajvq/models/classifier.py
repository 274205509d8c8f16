"""Classifiers of clips from tokens, or from the path of a point: attention pooling, and a linear probe.

B clips, t latent frames, K tokens kept of each latent frame, D channels.
"""

import inspect

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trajvq.models.codes import TokenEmbedding, digits_of
from trajvq.models.transformer import TokenLayout, TokenTransformer, check_heads


class Classifier(nn.Module):
    """A classifier that holds only its settings until `build` creates the layers, once the data are known."""

    def build(self, layout: TokenLayout, classes: int, points: bool = False) -> None:
        """Create the layers with fresh weights.

        Args:
            layout: Layout of the tokens.
            classes: Number of classes.
            points: Take paths float ``(B, T, 2)``, roughly in [-1, 1], instead of tokens int64 ``(B, t, h, w)``.
        """
        raise NotImplementedError

    def read(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return logits ``(B, classes)`` and the points ``(B, T, 2)`` they are computed from, None if there are none.

        Args:
            x: Tokens int64 ``(B, t, h, w)``, or paths if built for points.
        """
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Return logits ``(B, classes)``; see `read`."""
        return self.read(x)[0]

    def settings(self) -> list[str]:
        """Return the names of the constructor's arguments, each kept as an attribute of that name."""
        parameters = inspect.signature(type(self)).parameters.items()
        return [name for name, p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]


class PathEmbedding(nn.Module):
    """Embed the path of a point, one vector per latent frame.

    Args:
        layout: Layout of the tokens that the path replaces.
        width: D.
    """

    def __init__(self, layout: TokenLayout, width: int) -> None:
        super().__init__()
        self.frames = layout.frames
        self.point = nn.Linear(2 * layout.frames, width)
        self.time = nn.Parameter(torch.randn(layout.grid[0], width) * 0.3)

    def forward(self, path: Tensor) -> Tensor:
        """Return ``(B, t, D)`` of ``(B, T, 2)``."""
        frames = path.view(len(path), -1, 2 * self.frames)
        embedded: Tensor = self.point(2 * frames) + self.time
        return embedded


class FramePool(nn.Module):
    """Pool the tokens of each latent frame into one vector, by averages with learned weights.

    Args:
        width: D.
        heads: Number of averages, each of ``width / heads`` channels.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        check_heads(width, heads)
        self.heads = heads
        self.score, self.value = nn.Linear(width, heads), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(B, t, D)`` of ``(B, t, K, D)``."""
        weight = self.score(x).softmax(dim=2)[..., None]
        pooled: Tensor = (weight * self.value(x).unflatten(-1, (self.heads, -1))).sum(dim=2).flatten(2)
        return pooled


class Residual(nn.Module):
    """A two-layer perceptron after a norm, with a skip connection.

    Args:
        width: Channels.
        dropout: Share dropped in training.
    """

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.norm, self.drop = nn.LayerNorm(width), nn.Dropout(dropout)
        self.hidden, self.outward = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        residual: Tensor = self.drop(self.outward(F.gelu(self.hidden(self.norm(x)))))
        return x + residual


class TokenClassifier(Classifier):
    """Locate the object in the tokens of each latent frame, and classify its positions over time.

    The tokens, optionally after a transformer, are pooled into one point per frame, and residual layers classify all
    points together. Motions differ in products of positions, which a wide layer over all of them learns within
    minutes. The points can be trained to be positions without labels, see `trajvq.tasks.Classify`.

    Args:
        width: D.
        depth: Transformer blocks; without any, each token contributes to the point independently.
        heads: Heads of attention and of the pooling.
        keep: K, those whose codes are rarest in the clip, since most of a clip is background; None keeps all.
        hidden: Channels of the residual layers.
        layers: Number of residual layers.
        dropout: Share dropped in training.
        features: Numbers kept of each latent frame instead of positions, where classes are no motions or objects are
            not tracked; None for positions.
    """

    def __init__(
        self,
        width: int = 128,
        depth: int = 0,
        heads: int = 16,
        keep: int | None = 24,
        hidden: int = 256,
        layers: int = 3,
        dropout: float = 0.0,
        features: int | None = None,
    ) -> None:
        super().__init__()
        self.width, self.depth, self.heads, self.keep = width, depth, heads, keep
        self.hidden, self.layers, self.dropout, self.features = hidden, layers, dropout, features

    def build(self, layout: TokenLayout, classes: int, points: bool = False) -> None:
        """Create the layers with fresh weights; see `Classifier.build`."""
        self.layout = layout
        self.embedding = PathEmbedding(layout, self.width) if points else TokenEmbedding(layout, self.width)
        self.transformer = TokenTransformer(self.width, self.depth, self.heads, dropout=self.dropout)
        self.pool = FramePool(self.width, self.heads)
        numbers = self.features or 2 * layout.frames
        self.where = nn.Linear(self.width, numbers)
        self.head = nn.Sequential(
            nn.Linear(layout.grid[0] * numbers, self.hidden),
            *(Residual(self.hidden, self.dropout) for _ in range(self.layers)),
            nn.LayerNorm(self.hidden),
            nn.Linear(self.hidden, classes),
        )

    def read(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return logits ``(B, classes)`` and the points ``(B, T, 2)`` they are computed from; see `Classifier.read`."""
        if isinstance(self.embedding, PathEmbedding):
            embedded = self.embedding(x)
        else:
            tokens, positions = rarest(x, self.keep)
            embedded = self.embedding(tokens.flatten(1), positions.flatten(1))
        features = self.transformer(embedded).unflatten(1, (self.layout.grid[0], -1))
        points = self.where(self.pool(features)).flatten(1)
        return self.head(2 * points), None if self.features else points.unflatten(1, (-1, 2))


class LinearProbe(Classifier):
    """A linear classifier of the digits of all tokens: the class information that needs no network."""

    def build(self, layout: TokenLayout, classes: int, points: bool = False) -> None:
        """Create the layer with fresh weights; see `Classifier.build`."""
        self.layout, self.points = layout, points
        inputs = 2 * layout.grid[0] * layout.frames if points else layout.tokens * sum(layout.levels)
        self.linear = nn.Linear(inputs, classes)
        nn.init.zeros_(self.linear.weight)

    def read(self, x: Tensor) -> tuple[Tensor, None]:
        """Return logits ``(B, classes)``."""
        if not self.points:
            digits, levels = digits_of(x, self.layout.levels), self.layout.levels
            x = torch.cat([F.one_hot(digit, level) for digit, level in zip(digits, levels, strict=True)], dim=-1)
        return self.linear(x.to(self.linear.weight.dtype).flatten(1)), None


def rarest(tokens: Tensor, keep: int | None) -> tuple[Tensor, Tensor]:
    """Select the tokens of each latent frame whose codes are rarest in their clip.

    Args:
        tokens: int64 ``(B, t, h, w)``.
        keep: K; all tokens if None or more than a latent frame has.

    Returns:
        Tokens and their indices in the grid, both int64 ``(B, t, K)``.
    """
    flat = tokens.flatten(2)  # (B, t, h * w)
    positions = torch.arange(flat[0].numel(), device=tokens.device).view(flat.shape[1:]).expand_as(flat)
    if keep is None or keep >= flat.shape[2]:
        return flat, positions
    codes = flat.flatten(1)
    ordered, order = codes.sort(dim=1)  # the same codes are neighbors, a run each, however large the codebook
    run = F.pad((ordered[:, 1:] != ordered[:, :-1]).cumsum(dim=1), (1, 0))
    counts = torch.zeros_like(run).scatter_add_(1, run, torch.ones_like(run))
    frequency = torch.empty_like(run).scatter_(1, order, counts.gather(1, run)).view_as(flat)
    selected = frequency.sort(dim=2, stable=True).indices[..., :keep]
    return flat.gather(2, selected), positions.gather(2, selected)
