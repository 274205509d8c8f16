"""MaskedTokens: hidden tokens given the visible ones, in any order, so that a clip is sampled in a few passes.

MaskGIT (Chang et al., 2022) for video, as in MAGVIT (Yu et al., 2023): a bidirectional transformer predicts all hidden
tokens, a pass keeps those it is surest of, and the next pass predicts what is still hidden.

B clips, T frames; t, h, w tokens over latent frames, rows and columns; N tokens of a clip in the order of the grid, S
that the transformer sees, M to predict; D channels.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trajvq.models.cells import CellFeatures, gather_tokens, token_positions
from trajvq.models.codes import CodeHead, TokenEmbedding
from trajvq.models.sampling import Sampling, uniforms
from trajvq.models.token_model import Conditions, class_ids
from trajvq.models.transformer import TokenLayout, TokenTransformer

HIDDEN = -1  # the code of a hidden token


class Stage(NamedTuple):
    """Tokens that are predicted together.

    Attributes:
        first: Position of the first of them; tokens before are given.
        last: Position after the last of them.
        length: S, tokens that the transformer sees.
    """

    first: int
    last: int
    length: int


class MaskedTokens(nn.Module):
    """A `trajvq.models.token_model.TokenModel`: a transformer that predicts hidden tokens from visible ones.

    Its likelihood is a lower bound: the mean over all orders in which tokens can be predicted one by one, as for
    autoregressive diffusion (Hoogeboom et al., 2022). Sampling a few tokens in each pass is faster and less exact.

    Args:
        width: D.
        depth: Transformer blocks.
        heads: Attention heads.
        dropout: Share dropped in training.
        passes: Passes to sample a clip, or a latent frame; never more than it has tokens.
        by_frame: Predict a latent frame at a time, given those before it, as forecasts need; otherwise all together.
        choice_temperature: How random the choice of the tokens that a pass keeps is: 0 keeps the surest, large numbers
            choose without regard to it. It falls to 0 with the passes, and is multiplied by the temperature of codes.
        likelihood_passes: Masks that estimate the likelihood in evaluation, of a clip or of each latent frame. They are
            the same for all clips.
    """

    def __init__(
        self,
        width: int = 128,
        depth: int = 4,
        heads: int = 4,
        dropout: float = 0.0,
        passes: int = 12,
        by_frame: bool = False,
        choice_temperature: float = 4.5,
        likelihood_passes: int = 8,
    ) -> None:
        super().__init__()
        if passes < 1 or likelihood_passes < 1:
            raise ValueError(f"passes is {passes} and likelihood_passes {likelihood_passes}; both are at least 1")
        self.width, self.depth, self.heads, self.dropout = width, depth, heads, dropout
        self.passes, self.by_frame, self.choice_temperature = passes, by_frame, choice_temperature
        self.likelihood_passes = likelihood_passes

    def build(self, layout: TokenLayout, classes: int, *, tracks: bool = False, appearance: bool = False) -> None:
        """Create the layers with fresh weights; see `TokenModel.build`."""
        self.layout, self.classes, width = layout, classes, self.width
        self.embedding = TokenEmbedding(layout, width)
        self.hidden = nn.Parameter(torch.randn(width) * 0.3)
        self.label = nn.Embedding(classes + 1, width)
        self.cells = CellFeatures(layout, width, 0.0, tracks, appearance)
        self.transformer = TokenTransformer(width, self.depth, self.heads, dropout=self.dropout)
        self.head = CodeHead(layout, width)

    def log_likelihood(self, tokens: Tensor, conditions: Conditions) -> dict[str, Tensor]:
        """Return a bound of the log-likelihood of all ``tokens``; see `TokenModel.log_likelihood`.

        In training it is estimated without bias from one random mask of each clip, with ``by_frame`` in one random
        latent frame of all; in evaluation from ``likelihood_passes`` fixed masks.
        """
        flat, (count, total) = tokens.flatten(1), (len(tokens), self.layout.tokens)
        label, cells = class_ids(conditions.label, count, self.classes, tokens.device), self.cells(count, conditions)[0]
        stages = self._stages(conditions.context, self.layout.grid[0])
        if self.training:
            stage = stages[int(torch.randint(len(stages), ()))]
            size = stage.last - stage.first
            # Numbers of hidden tokens that differ between clips make the batch's estimate more exact.
            share = (torch.rand(()) + torch.arange(count) / count) % 1
            uniform = torch.rand(count, size, device=flat.device)
            hidden = _random_masks(uniform, ((share * size).long() + 1).to(flat.device))
            return {"tokens": self._estimate(flat, stage, hidden, cells, label) * len(stages)}
        parts = torch.zeros(count, device=flat.device)
        for stage in stages:
            size = stage.last - stage.first
            masks = min(self.likelihood_passes, size)
            counts = ((torch.arange(masks) + 0.5) / masks * size).long() + 1
            generator = torch.Generator().manual_seed(total)
            for hidden in _random_masks(torch.rand(masks, size, generator=generator), counts).to(flat.device):
                parts = parts + self._estimate(flat, stage, hidden.expand(count, -1), cells, label) / masks
        return {"tokens": parts}

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
        label = class_ids(conditions.label, len(prefix), self.classes, prefix.device)
        cells = self.cells(len(prefix), conditions)[0]
        if sampling.guidance != 1:
            label, cells = torch.cat([label, torch.full_like(label, self.classes)]), cells.repeat(2, 1, 1)
        tokens = F.pad(prefix.flatten(1), (0, self.layout.tokens - prefix[0].numel()), value=HIDDEN)
        for stage in self._stages(prefix.shape[1], frames):
            tokens = self._sample_stage(tokens, stage, cells, label, sampling, generators)
        return tokens.view(len(prefix), *self.layout.grid)[:, :frames]

    def _sample_stage(
        self,
        tokens: Tensor,
        stage: Stage,
        cells: Tensor,
        label: Tensor,
        sampling: Sampling,
        generators: Sequence[torch.Generator],
    ) -> Tensor:
        """Return tokens ``(B, N)`` in which those of a stage are sampled: all in each pass, the surest of them kept."""
        count = len(tokens)
        positions = torch.arange(stage.first, stage.last, device=tokens.device).expand(count, -1)
        for step in range(1, self.passes + 1):
            hidden = positions.shape[1]
            later = min(int((stage.last - stage.first) * math.cos(math.pi / 2 * step / self.passes)), hidden - 1)
            uniform = uniforms(generators, 2 * hidden, tokens.device)
            features = gather_tokens(
                self._features(tokens, stage, cells, label), positions.repeat(len(label) // count, 1)
            )
            code = self.head.sample(features.flatten(0, 1), uniform[:, :hidden].flatten(), sampling).view(count, hidden)
            gumbel = -(-uniform[:, hidden:].clamp(min=1e-12).log()).clamp(min=1e-12).log()
            noise = self.choice_temperature * sampling.temperature * (1 - step / self.passes)
            certainty = self.head.log_probability(features[:count], code) + noise * gumbel
            order = certainty.argsort(dim=1, descending=True, stable=True)
            kept = order[:, : hidden - later]
            tokens = tokens.scatter(1, positions.gather(1, kept), code.gather(1, kept))
            if later == 0:
                break
            positions = positions.gather(1, order[:, hidden - later :])
        return tokens

    def _stages(self, context: int, frames: int) -> list[Stage]:
        """Return the stages of a clip of latent frames of which the first ones are given."""
        area = self.layout.tokens // self.layout.grid[0]
        if self.by_frame:
            return [Stage(frame * area, (frame + 1) * area, (frame + 1) * area) for frame in range(context, frames)]
        return [Stage(context * area, frames * area, self.layout.tokens)]

    def _estimate(self, tokens: Tensor, stage: Stage, hidden: Tensor, cells: Tensor, label: Tensor) -> Tensor:
        """Return an estimate ``(B,)`` of the likelihood of a stage's tokens by those of them that a mask hides.

        Args:
            tokens: int64 ``(B, N)``.
            stage: The stage, of M tokens.
            hidden: bool ``(B, M)``; at least one of each clip.
            cells: ``(B, N, D)``.
            label: int64 ``(B,)``.
        """
        size = stage.last - stage.first
        mask = F.pad(hidden, (stage.first, self.layout.tokens - stage.last))
        positions = token_positions(mask)
        masked = tokens.masked_fill(mask, HIDDEN)
        features = gather_tokens(self._features(masked, stage, cells, label), positions)
        log_probability = self.head.log_probability(features, gather_tokens(tokens, positions))
        scored = log_probability.masked_fill(positions == self.layout.tokens, 0.0)
        return scored.sum(dim=1) * size / hidden.sum(dim=1)

    def _features(self, tokens: Tensor, stage: Stage, cells: Tensor, label: Tensor) -> Tensor:
        """Return ``(B, S, D)`` of tokens ``(B, N)``, of which some are hidden, once for every label of a clip."""
        tokens, cells = tokens[:, : stage.length], cells[:, : stage.length]
        hidden = (tokens == HIDDEN)[..., None]
        embedded = torch.where(hidden, self.hidden, self.embedding.codes(tokens.clamp(min=0)))
        embedded = (embedded + self.embedding.grid()[: stage.length]).repeat(len(label) // len(tokens), 1, 1)
        features: Tensor = self.transformer(embedded + cells + self.label(label)[:, None])
        return features


def _random_masks(uniform: Tensor, hidden: Tensor) -> Tensor:
    """Return bool masks ``(R, M)`` by random numbers of that shape, of which int64 ``(R,)`` numbers are true."""
    return uniform.argsort(dim=1).argsort(dim=1) < hidden[:, None]
