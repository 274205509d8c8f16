"""AutoregressiveTokens: object tokens one after another, background tokens in parallel.

With tracks, a causal transformer models the tokens of the cells that the object touches (the object tokens), in the
order of the grid, each given those before it. All others (the background tokens) follow in parallel, given these.
Without tracks every token is an object token: the plain raster order. Likelihoods are exact.

Every part sees only its own latent frame and earlier ones, so the first frames of a clip can be given. Each input says
which token is next, so training may begin with random orders (RAR: Yu et al., 2024); sampling follows the grid.

B clips, T frames, N tokens of a clip in the order of the grid, L object tokens, D channels.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trajvq.models.background import ParallelHead
from trajvq.models.cells import CellFeatures, gather_tokens, token_positions
from trajvq.models.codes import CodeHead, TokenEmbedding
from trajvq.models.neighborhood import Neighborhood, ranks
from trajvq.models.sampling import Sampling, uniforms
from trajvq.models.token_model import Conditions, class_ids
from trajvq.models.transformer import TokenLayout, TokenTransformer


class AutoregressiveTokens(nn.Module):
    """A `trajvq.models.token_model.TokenModel`: a causal transformer over object tokens.

    Args:
        width: D.
        depth: Transformer blocks.
        heads: Attention heads.
        dropout: Share dropped in training.
        radius: Cells from the edge of a cell within which the object touches it.
        background_width: Channels of the network of background tokens.
        background_depth: Its residual blocks.
        background_tokens: In training, estimate the likelihood of background tokens from so many random ones of each
            clip; None for all.
        random_orders_until: Share of the training after which all clips are learned in the order of the grid. Until
            then the probability of a random order, a new one for each clip and step, falls from 1 to 0. The context
            comes first in any order. 0 for the order of the grid throughout.
        neighbors: Tell each token which codes lie next to it, as far as they are known: without tracks, half as many
            steps reach the same likelihood. ``auto``: where there are no tracks.
        later_temperature: Without tracks, the temperature is multiplied by this after the first latent frame. That one
            says what is in a clip, and a low temperature would leave the rare codes out in which an object begins.

    Raises:
        ValueError: If the later temperature is negative.
    """

    def __init__(
        self,
        width: int = 128,
        depth: int = 3,
        heads: int = 4,
        dropout: float = 0.0,
        radius: float = 0.5,
        background_width: int = 64,
        background_depth: int = 3,
        background_tokens: int | None = 48,
        random_orders_until: float = 0.0,
        neighbors: bool | Literal["auto"] = "auto",
        later_temperature: float = 1.0,
    ) -> None:
        super().__init__()
        if later_temperature < 0:
            raise ValueError(f"later_temperature is {later_temperature}; give 0 or more")
        self.width, self.depth, self.heads, self.dropout, self.radius = width, depth, heads, dropout, radius
        self.background_width, self.background_depth = background_width, background_depth
        self.background_tokens, self.random_orders_until = background_tokens, random_orders_until
        self.neighbors, self.later_temperature = neighbors, later_temperature

    def build(self, layout: TokenLayout, classes: int, *, tracks: bool = False, appearance: bool = False) -> None:
        """Create the layers with fresh weights; see `TokenModel.build`."""
        self.layout, self.classes, width = layout, classes, self.width
        self.embedding = TokenEmbedding(layout, width)
        self.start = nn.Parameter(torch.randn(width) * 0.3)
        self.label = nn.Embedding(classes + 1, width)
        self.cells = CellFeatures(layout, width, self.radius, tracks, appearance)
        neighbors = not tracks if self.neighbors == "auto" else self.neighbors
        self.neighborhood = Neighborhood(layout, width) if neighbors else None
        self.transformer = TokenTransformer(width, self.depth, self.heads, causal=True, dropout=self.dropout)
        self.head = CodeHead(layout, width)
        background = (layout, width, self.background_width, self.background_depth, self.dropout)
        self.background = ParallelHead(*background) if tracks else None

    def log_likelihood(self, tokens: Tensor, conditions: Conditions) -> dict[str, Tensor]:
        """Return the log-likelihood of ``object`` and ``background`` tokens; see `TokenModel.log_likelihood`.

        Without tracks all tokens are in ``object``.
        """
        label = class_ids(conditions.label, len(tokens), self.classes, tokens.device)
        cells, object_mask = self.cells(len(tokens), conditions)
        flat, positions = tokens.flatten(1), self._ordered(token_positions(object_mask), conditions)
        code = gather_tokens(flat, positions)
        inputs, rank = self._inputs(positions, code, cells, label), ranks(positions, self.layout.tokens)
        hidden = self.transformer(self._with_neighbors(inputs, self._narrow(flat), rank, positions))
        scored = self._scored(positions, conditions.context)
        parts = {"object": self.head.log_probability(hidden, code).masked_fill(~scored, 0).sum(dim=1)}
        if self.background is None:
            return parts
        features = self._features(flat, object_mask, cells)
        others, share = token_positions(~object_mask), 1.0
        if self.training and self.background_tokens is not None and self.background_tokens < others.shape[1]:
            share = self.background_tokens / others.shape[1]
            chosen = torch.rand(others.shape, device=tokens.device).argsort(dim=1)[:, : self.background_tokens]
            others = others.gather(1, chosen)
        scored = self._scored(others, conditions.context)
        log_probability = self.background.head.log_probability(
            gather_tokens(features, others), gather_tokens(flat, others)
        )
        return parts | {"background": log_probability.masked_fill(~scored, 0).sum(dim=1) / share}

    @torch.no_grad()
    def generate(
        self,
        prefix: Tensor,
        frames: int,
        conditions: Conditions,
        sampling: Sampling,
        generators: Sequence[torch.Generator],
    ) -> Tensor:
        """Return sampled clips, int64 ``(B, frames, h, w)``; see `TokenModel.generate`."""
        (t, h, w), total, count = self.layout.grid, self.layout.tokens, len(prefix)
        label = class_ids(conditions.label, count, self.classes, prefix.device)
        uniform = uniforms(generators, total, prefix.device)
        cells, object_mask = self.cells(count, conditions)
        later = torch.arange(frames, t, device=prefix.device)
        object_mask = object_mask.view(count, t, -1).index_fill(1, later, False).flatten(1)
        start = prefix[0].numel()  # position of the first token to sample
        tokens = F.pad(prefix.flatten(1), (0, total - start))
        tokens = self._sample_objects(tokens, start, object_mask, cells, label, uniform, sampling)
        if self.background is not None:
            features = self._features(tokens, object_mask, cells)
            plain = Sampling(sampling.temperature, sampling.top_p)
            sampled = self.background.head.sample(features.flatten(0, 1), uniform.flatten(), plain).view(count, -1)
            missing = ~object_mask & (torch.arange(total, device=prefix.device) >= start)
            tokens = torch.where(missing, sampled, tokens)
        return tokens.view(count, t, h, w)[:, :frames]

    def _sample_objects(
        self,
        tokens: Tensor,
        start: int,
        object_mask: Tensor,
        cells: Tensor,
        label: Tensor,
        uniform: Tensor,
        sampling: Sampling,
    ) -> Tensor:
        """Return tokens ``(B, N)`` in which object tokens, from position ``start`` on, are sampled in turn."""
        labels, positions = label, token_positions(object_mask)
        if sampling.guidance != 1:
            labels, cells = torch.cat([label, torch.full_like(label, self.classes)]), cells.repeat(2, 1, 1)
        tokens = F.pad(tokens, (0, 1))  # clips that have no object token left write there
        uniform = F.pad(uniform, (0, 1))
        vectors, rank = self._narrow(tokens), ranks(positions, tokens.shape[1])
        cache, previous = self.transformer.cache(positions.shape[1]), None
        area = self.layout.tokens // self.layout.grid[0]
        later = replace(sampling, temperature=sampling.temperature * self.later_temperature)
        first = int((positions < start).sum(dim=1).amin())  # object tokens of the prefix that all clips have
        if first:
            prefix = positions[:, :first]
            inputs = self._inputs(prefix, gather_tokens(tokens, prefix), cells, labels)
            self.transformer(self._with_neighbors(inputs, vectors, rank, prefix), cache)
            previous = prefix[:, -1:]
        for step in range(first, positions.shape[1]):
            current = positions[:, step : step + 1]
            code = gather_tokens(tokens, previous) if previous is not None else None
            inputs = self._input(current, previous, code, cells, labels)
            hidden = self.transformer(self._with_neighbors(inputs, vectors, rank, current), cache)
            chosen = later if step >= area and self.background is None else sampling
            sampled = self.head.sample(hidden[:, -1], gather_tokens(uniform, current)[:, 0], chosen)
            kept = torch.where(current < start, gather_tokens(tokens, current), sampled[:, None])
            tokens = tokens.scatter(1, current, kept)
            vectors = vectors.scatter(1, current[..., None].expand(-1, -1, vectors.shape[2]), self._narrow(kept))
            previous = current
        return tokens[:, :-1]

    def _ordered(self, positions: Tensor, conditions: Conditions) -> Tensor:
        """Return positions ``(B, L)`` in the order to learn them in: early in training, some clips in a random one."""
        share = 1 - conditions.progress / self.random_orders_until if self.random_orders_until else 0.0
        if not self.training or share <= 0:
            return positions
        _, h, w = self.layout.grid
        first, last = conditions.context * h * w, self.layout.tokens
        chosen = torch.rand(len(positions), 1, device=positions.device) < share
        anywhere = first + (last - first) * torch.rand(positions.shape, device=positions.device)
        key = torch.where(chosen & self._scored(positions, conditions.context), anywhere, positions.float())
        return positions.gather(1, key.argsort(dim=1, stable=True))

    def _narrow(self, tokens: Tensor) -> Tensor:
        """Return ``(B, S, E)``, what neighbors are told of tokens int64 ``(B, S)``; E is 0 without a neighborhood."""
        if self.neighborhood is None:
            return self.start.new_zeros((*tokens.shape, 0))
        vectors: Tensor = self.neighborhood.narrow(self.embedding.codes(tokens))
        return vectors

    def _with_neighbors(self, inputs: Tensor, vectors: Tensor, rank: Tensor, positions: Tensor) -> Tensor:
        """Return inputs ``(B, S, D)``, perhaps two of each clip, with the tokens next to them; see `Neighborhood`."""
        if self.neighborhood is None:
            return inputs
        near: Tensor = self.neighborhood(vectors, rank, positions)
        return inputs + near.repeat(len(inputs) // len(near), 1, 1)

    def _scored(self, positions: Tensor, context: int) -> Tensor:
        """Return bool ``(B, L)``: positions that exist and lie after the context."""
        _, h, w = self.layout.grid
        return (positions < self.layout.tokens) & (positions >= context * h * w)

    def _inputs(self, positions: Tensor, code: Tensor, cells: Tensor, label: Tensor) -> Tensor:
        """Return ``(B, L, D)``: of each object token its cell, and the object token before it."""
        first = self._input(positions[:, :1], None, None, cells, label)
        later = self._input(positions[:, 1:], positions[:, :-1], code[:, :-1], cells, label)
        return torch.cat([first, later], dim=1)

    def _input(
        self, positions: Tensor, previous: Tensor | None, code: Tensor | None, cells: Tensor, label: Tensor
    ) -> Tensor:
        """Return the transformer's input ``(B, S, D)`` for tokens at ``positions``, given those at ``previous``."""
        copies = len(label) // len(positions)
        current: Tensor = self.label(label)[:, None] + gather_tokens(cells, positions.repeat(copies, 1))
        if previous is None or code is None:
            return current + self.start
        embedded: Tensor = self.embedding(code, previous.clamp(max=self.layout.tokens - 1)).repeat(copies, 1, 1)
        return current + embedded + 0.5 * gather_tokens(cells, previous.repeat(copies, 1))

    def _features(self, tokens: Tensor, object_mask: Tensor, cells: Tensor) -> Tensor:
        """Return features ``(B, N, background_width)`` of background tokens, given object tokens ``(B, N)``."""
        assert self.background is not None
        embedded = self.embedding(tokens.masked_fill(~object_mask, 0))
        features: Tensor = self.background(embedded, object_mask, cells)
        return features
