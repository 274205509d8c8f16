"""Forecaster: the generator of the sampler, made to go on: it knows no class, and plans a whole path ahead.

B clips; t, h, w tokens over latent frames, rows and columns, N of a clip; C codes.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from trajvq.models.cells import filled
from trajvq.models.generator import Generator
from trajvq.models.rollout import Rollout
from trajvq.models.sampling import Sampling, draw
from trajvq.models.trajectory_predictor import TrajectoryPredictor
from trajvq.models.transformer import TokenLayout


class Forecaster(Generator):
    """Goes on with clips: first where the object will be, then the tokens that show it there.

    Args:
        ahead: Foresee all places to come at once; otherwise the sampler's planner tells one after another.
        parallel: Tell the tokens of a latent frame at once, given the path and the latent frames before; otherwise
            those near the path are told in turn, see `Generator`.
        width: See `Generator`.
        depth: See `Generator`.
        heads: See `Generator`.
        dropout: See `Generator`.
        reach: See `Generator`.
        background_width: D of what tells tokens at once.
        background_depth: Its residual blocks.
        predictor_width: D of `TrajectoryPredictor`.
        predictor_layers: Its layers before noise comes in.
        predictor_noisy_layers: Its layers after.
        noise: Its random numbers a sample.
        trajectory_width: D of the planner, where there is no foresight.
        trajectory_depth: Its transformer blocks.
        mixtures: Its Gaussians of each point.
    """

    def __init__(
        self,
        ahead: bool = True,
        parallel: bool = False,
        width: int = 128,
        depth: int = 3,
        heads: int = 4,
        dropout: float = 0.0,
        reach: float = 0.5,
        background_width: int = 64,
        background_depth: int = 3,
        predictor_width: int = 192,
        predictor_layers: int = 3,
        predictor_noisy_layers: int = 2,
        noise: int = 16,
        trajectory_width: int = 128,
        trajectory_depth: int = 4,
        mixtures: int = 12,
    ) -> None:
        super().__init__(
            width=width,
            depth=depth,
            heads=heads,
            dropout=dropout,
            look=False,
            reach=reach,
            trajectory_width=trajectory_width,
            trajectory_depth=trajectory_depth,
            mixtures=mixtures,
            background_width=background_width,
            background_depth=background_depth,
            class_dropout=0.0,
        )
        self.ahead, self.parallel = ahead, parallel
        self.predictor_width, self.predictor_layers, self.noise = predictor_width, predictor_layers, noise
        self.predictor_noisy_layers = predictor_noisy_layers

    def build(self, layout: TokenLayout, classes: int = 0) -> None:
        """Make the layers with fresh weights; classes are not looked at."""
        super().build(layout, 0)
        if self.ahead:
            frames = layout.grid[0] * layout.frames
            del self.planner
            sight = TrajectoryPredictor(
                frames, self.predictor_width, self.predictor_layers, self.predictor_noisy_layers, self.noise
            )
            self.planner = sight  # type: ignore[assignment]  # it answers like a planner
        if self.parallel:
            del self.transformer, self.head
            self.start.requires_grad_(False)
            self.label.requires_grad_(False)

    def path_loss(self, path: Tensor, given: Tensor) -> Tensor:
        """Return how badly places after the first ones are foreseen, a mean over those to come.

        Args:
            path: float ``(B, T, 2)``, x and y from -1 to 1 between the edges; NaN where nothing is seen.
            given: int64 ``(B,)``, frames that are shown of each, 1 to T - 1.
        """
        if isinstance(self.planner, TrajectoryPredictor):
            seen = torch.arange(path.shape[1], device=path.device) < given[:, None]
            return self.planner.loss(torch.where(seen[..., None], filled(path), path), given)
        path = filled(path)
        ahead = (torch.arange(path.shape[1], device=path.device) >= given[:, None]).to(path.dtype)
        found = self.planner.log_probability(path, self._labels(None, len(path)))
        return -(found * ahead).sum() / ahead.sum()

    def token_loss(self, tokens: Tensor, path: Tensor, rest: int | None = None) -> Tensor:
        """Return the mean negative log-likelihood in nats of a token, given the path.

        Args:
            tokens: int64 ``(B, t, h, w)``.
            path: float ``(B, T, 2)``; see `path_loss`.
            rest: Where tokens are told in turn, so many random ones of those told at once are looked at; None for all.
        """
        if not self.parallel:
            likelihood = self.log_likelihood(tokens, None, path, rest=rest)
            return -(likelihood.told + likelihood.rest).mean() / self.layout.tokens
        cells, _ = self._cells(filled(path), None, len(tokens))
        count, (t, *_) = len(tokens), self.layout.grid
        last, clip = torch.randint(1, t, (count,), device=tokens.device), torch.arange(count, device=tokens.device)
        later = torch.arange(t, device=tokens.device) >= last[:, None]
        ground = self._ground(tokens.masked_fill(later[..., None, None], -1).flatten(1), cells)
        logits = self.rest(ground.view(count, t, -1, self.background_width)[clip, last])
        return F.cross_entropy(logits.flatten(0, 1), tokens[clip, last].flatten())

    def _rollout(
        self,
        generators: Sequence[torch.Generator],
        label: Tensor,
        prefix: Tensor,
        path: Tensor,
        look: Tensor | None,
        frames: int,
        how: Sampling,
    ) -> Rollout:
        if not self.parallel:
            return super()._rollout(generators, label, prefix, path, look, frames, how)
        (t, h, w), count, points = self.layout.grid, len(label), frames * self.layout.frames
        numbers = points * 3
        chance = torch.stack([torch.rand(numbers + t * h * w, generator=g, dtype=torch.float64) for g in generators])
        chance = chance.to(label.device)
        uniform = chance[:, numbers:].reshape(count, t, h * w)
        planned = self.planner.rollout(
            path, points, label, chance[:, :numbers].view(count, points, 1, 3), how.noise_scale
        )
        missing = (t - frames) * self.layout.frames
        cells, _ = self._cells(torch.cat([planned, planned[:, -1:].expand(-1, missing, -1)], dim=1), None, count)
        made = F.pad(prefix, (0, 0, 0, 0, 0, t - prefix.shape[1]), value=-1)
        for step in range(prefix.shape[1], frames):
            ground = self._ground(made.flatten(1), cells).reshape(count, t, h * w, -1)
            logits = self.rest(ground[:, step])
            drawn = draw(logits.flatten(0, 1), uniform[:, step].flatten(), how)
            made[:, step] = drawn.view(count, h, w)
        return Rollout(made[:, :frames], planned, None)
