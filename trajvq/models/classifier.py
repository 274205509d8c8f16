"""Classifiers of clips, from tokens or from the path of a point: a transformer that pools, and a linear probe.

B clips, t latent frames, K tokens kept of each, D channels.
"""

import inspect

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trajvq.models.transformer import TokenEmbedding, TokenLayout, TokenTransformer


class Classifier(nn.Module):
    """A network that is made when layout and classes are known; before, it only holds its settings."""

    def build(self, layout: TokenLayout, classes: int, points: bool = False) -> None:
        """Make the layers with fresh weights.

        Args:
            layout: Of the tokens.
            classes: Number of classes.
            points: Take paths float ``(B, T, 2)``, about in [-1, 1], instead of tokens int64 ``(B, t, h, w)``.
        """
        raise NotImplementedError

    def read(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return logits ``(B, classes)``, and the points ``(B, T, 2)`` they rest on, where there are any.

        Args:
            x: Tokens int64 ``(B, t, h, w)``, or paths if built for points.
        """
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Return logits ``(B, classes)``; see `read`."""
        return self.read(x)[0]

    def settings(self) -> list[str]:
        """Return the names of its arguments, each kept as an attribute."""
        parameters = inspect.signature(type(self)).parameters.items()
        return [name for name, p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]


class PathEmbedding(nn.Module):
    """The path of a point to vectors, one for the frames of each latent frame.

    Args:
        layout: Of the tokens that it stands in for.
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
        made: Tensor = self.point(2 * frames) + self.time
        return made


class FramePool(nn.Module):
    """The tokens of each latent frame to one vector: averages weighted by attention, as many as there are heads.

    Args:
        width: D.
        heads: Averages, each of as many of the channels.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.score, self.value = nn.Linear(width, heads), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(B, t, D)`` of ``(B, t, K, D)``."""
        weight = self.score(x).softmax(dim=2)[..., None]
        made: Tensor = (weight * self.value(x).unflatten(-1, (self.heads, -1))).sum(dim=2).flatten(2)
        return made


class Residual(nn.Module):
    """A two-layer network behind a norm and beside an identity.

    Args:
        width: Channels.
        dropout: Share dropped in training.
    """

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.norm, self.drop = nn.LayerNorm(width), nn.Dropout(dropout)
        self.hidden, self.outward = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = x + self.drop(self.outward(F.gelu(self.hidden(self.norm(x)))))
        return made


class TokenClassifier(Classifier):
    """Finds the object in the tokens of each latent frame, and the class in where it is from frame to frame.

    Tokens, perhaps seen by a transformer, are pooled by attention into one point a frame, and residual layers see
    all points at once: a motion is a matter of products of places, which a wide layer over all of them learns in
    minutes. That the points are places can be taught without labels, see `trajvq.tasks.Classify`.

    Args:
        width: D.
        depth: Transformer blocks; with none tokens only vote on where the object is.
        heads: Heads of attention and of the pool.
        keep: Tokens of each latent frame that are looked at, those whose codes are rarest in the clip: most of a
            clip is background. None keeps all.
        hidden: Channels of the residual layers.
        layers: Residual layers.
        dropout: Share dropped in training.
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
    ) -> None:
        super().__init__()
        self.width, self.depth, self.heads, self.keep = width, depth, heads, keep
        self.hidden, self.layers, self.dropout = hidden, layers, dropout

    def build(self, layout: TokenLayout, classes: int, points: bool = False) -> None:
        """Make the layers with fresh weights; see `Classifier.build`."""
        self.layout = layout
        self.embedding = PathEmbedding(layout, self.width) if points else TokenEmbedding(layout, self.width)
        self.transformer = TokenTransformer(self.width, self.depth, self.heads, dropout=self.dropout)
        self.pool = FramePool(self.width, self.heads)
        self.where = nn.Linear(self.width, 2 * layout.frames)
        self.head = nn.Sequential(
            nn.Linear(2 * layout.grid[0] * layout.frames, self.hidden),
            *(Residual(self.hidden, self.dropout) for _ in range(self.layers)),
            nn.LayerNorm(self.hidden),
            nn.Linear(self.hidden, classes),
        )

    def read(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits ``(B, classes)``, and the points ``(B, T, 2)`` they rest on."""
        if isinstance(self.embedding, PathEmbedding):
            embedded = self.embedding(x)
        else:
            tokens, places = rarest(x, self.layout.codebook_size, self.keep)
            embedded = self.embedding(tokens.flatten(1), places.flatten(1))
        seen = self.transformer(embedded).unflatten(1, (self.layout.grid[0], -1))
        points = self.where(self.pool(seen)).flatten(1)
        return self.head(2 * points), points.unflatten(1, (-1, 2))


class LinearProbe(Classifier):
    """A linear classifier of the digits of all tokens: what can be read off without any network."""

    def build(self, layout: TokenLayout, classes: int, points: bool = False) -> None:
        """Make the layer with fresh weights; see `Classifier.build`."""
        self.layout, self.points = layout, points
        inputs = 2 * layout.grid[0] * layout.frames if points else layout.tokens * sum(layout.levels)
        self.linear = nn.Linear(inputs, classes)
        nn.init.zeros_(self.linear.weight)

    def read(self, x: Tensor) -> tuple[Tensor, None]:
        """Return logits ``(B, classes)``."""
        if not self.points:
            hot, basis = [], 1
            for level in self.layout.levels:
                hot.append(F.one_hot(x // basis % level, level))
                basis *= level
            x = torch.cat(hot, dim=-1)
        return self.linear(x.to(self.linear.weight.dtype).flatten(1)), None


def rarest(tokens: Tensor, codebook_size: int, keep: int | None) -> tuple[Tensor, Tensor]:
    """Choose of each latent frame the tokens whose codes are rarest in their clip.

    Args:
        tokens: int64 ``(B, t, h, w)``.
        codebook_size: Number of different tokens.
        keep: K; None or more than there are keeps all.

    Returns:
        Tokens and their places in the grid, both int64 ``(B, t, K)``.
    """
    flat = tokens.flatten(2)  # (B, t, h * w)
    places = torch.arange(flat[0].numel(), device=tokens.device).view(flat.shape[1:]).expand_as(flat)
    if keep is None or keep >= flat.shape[2]:
        return flat, places
    counts = torch.zeros(len(tokens), codebook_size, device=tokens.device)
    counts.scatter_add_(1, flat.flatten(1), torch.ones_like(flat.flatten(1), dtype=counts.dtype))
    often = counts.gather(1, flat.flatten(1)).view_as(flat)
    chosen = often.sort(dim=2, stable=True).indices[..., :keep]
    return flat.gather(2, chosen), places.gather(2, chosen)
