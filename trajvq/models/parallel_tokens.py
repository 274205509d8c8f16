"""ParallelTokens: the tokens of a latent frame in parallel, given the track and the latent frames before.

B clips, T frames; t, h, w tokens over latent frames, rows and columns, N of a clip; D channels.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trajvq.models.background import ParallelHead
from trajvq.models.cells import CellFeatures
from trajvq.models.codes import TokenEmbedding
from trajvq.models.sampling import Sampling, uniforms
from trajvq.models.token_model import Conditions, class_ids
from trajvq.models.transformer import TokenLayout


class ParallelTokens(nn.Module):
    """A `trajvq.models.token_model.TokenModel`: tokens of a latent frame are independent, given all before it.

    Fast, and good where the track leaves little open: with nothing but the background unknown, tokens hardly depend on
    each other. Guidance is not used.

    Args:
        width: D.
        radius: See `trajvq.models.autoregressive_tokens.AutoregressiveTokens`.
        background_width: Channels of the residual blocks.
        background_depth: Residual blocks.
        dropout: Share dropped in training.
    """

    def __init__(
        self,
        width: int = 128,
        radius: float = 0.5,
        background_width: int = 64,
        background_depth: int = 3,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.width, self.radius, self.dropout = width, radius, dropout
        self.background_width, self.background_depth = background_width, background_depth

    def build(self, layout: TokenLayout, classes: int, *, tracks: bool = False, appearance: bool = False) -> None:
        """Create the layers with fresh weights; see `TokenModel.build`."""
        self.layout, self.classes, width = layout, classes, self.width
        self.embedding = TokenEmbedding(layout, width)
        self.label = nn.Embedding(classes + 1, width) if classes else None
        self.cells = CellFeatures(layout, width, self.radius, tracks, appearance)
        self.background = ParallelHead(layout, width, self.background_width, self.background_depth, self.dropout)

    def log_likelihood(self, tokens: Tensor, conditions: Conditions) -> dict[str, Tensor]:
        """Return the log-likelihood of all ``tokens``; see `TokenModel.log_likelihood`.

        In training it is estimated from one random latent frame of each clip.
        """
        count, (t, *_) = len(tokens), self.layout.grid
        cells, clips = self._cells(count, conditions), torch.arange(count, device=tokens.device)
        first = conditions.context
        if self.training:
            frame = torch.randint(first, t, (count,), device=tokens.device)
            return {"tokens": self._frame_log_likelihood(tokens, frame, cells, clips) * (t - first)}
        frames = [torch.full_like(clips, frame) for frame in range(first, t)]
        parts = [self._frame_log_likelihood(tokens, frame, cells, clips) for frame in frames]
        return {"tokens": torch.stack(parts).sum(dim=0)}

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
        (t, h, w), count = self.layout.grid, len(prefix)
        uniform = uniforms(generators, t * h * w, prefix.device).view(count, t, h * w)
        cells = self._cells(count, conditions)
        plain = Sampling(sampling.temperature, sampling.top_p)
        tokens = F.pad(prefix, (0, 0, 0, 0, 0, t - prefix.shape[1]), value=-1)
        for frame in range(prefix.shape[1], frames):
            features = self._features(tokens, cells)[:, frame]
            sampled = self.background.head.sample(features.flatten(0, 1), uniform[:, frame].flatten(), plain)
            tokens[:, frame] = sampled.view(count, h, w)
        return tokens[:, :frames]

    def _cells(self, count: int, conditions: Conditions) -> Tensor:
        """Return features of all cells ``(B, N, D)``."""
        cells: Tensor = self.cells(count, conditions)[0]
        if self.label is None:
            return cells
        embedded: Tensor = self.label(class_ids(conditions.label, count, self.classes, cells.device))
        return cells + embedded[:, None]

    def _features(self, tokens: Tensor, cells: Tensor) -> Tensor:
        """Return features ``(B, t, h * w, background_width)`` of tokens ``(B, t, h, w)``; -1 is not known."""
        observed = (tokens >= 0).flatten(1)
        features: Tensor = self.background(self.embedding(tokens.flatten(1).clamp(min=0)), observed, cells)
        return features.view(len(tokens), self.layout.grid[0], -1, features.shape[-1])

    def _frame_log_likelihood(self, tokens: Tensor, frame: Tensor, cells: Tensor, clips: Tensor) -> Tensor:
        """Return the log-likelihood ``(B,)`` of one latent frame of each clip, given those before it."""
        later = torch.arange(tokens.shape[1], device=tokens.device) >= frame[:, None]
        features = self._features(tokens.masked_fill(later[..., None, None], -1), cells)[clips, frame]
        log_probability: Tensor = self.background.head.log_probability(features, tokens[clips, frame].flatten(1))
        return log_probability.sum(dim=1)
