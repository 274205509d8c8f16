"""Generator: clips of tokens along a planned path, those that hold the object one after another, the rest at once.

First the planner says where the object is in every frame, and the palette how it looks. Then a causal transformer tells
the tokens of the cells that the path comes near, in the order of the grid, each given those before it. What the others
are, background and what little the object changes there, is told last and at once, given those. All of it is exact: any
clip can be told, and its probability is known. Without a plan every cell is told in turn: the plain raster order.

Every part sees only its own latent frame and those before it, so that the first frames of a clip can be given; but for
the look, which is one for the whole clip.

B clips, T frames, N tokens of a clip in the order of the grid, L told ones, D channels, C codes.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trajvq.models.appearance import AppearanceModel
from trajvq.models.autoregressive_trajectory import AutoregressiveTrajectory
from trajvq.models.causal import ResidualBlock
from trajvq.models.cells import CellOffsets, CodeHead, at, filled, log_share, token_positions
from trajvq.models.rollout import Likelihood, Rollout
from trajvq.models.sampling import Sampling, draw, guided
from trajvq.models.transformer import TokenEmbedding, TokenLayout, TokenTransformer

LOOK = 4  # numbers that say how an object looks


class Generator(nn.Module):
    """A generator of clips, by class or of any; its layers are made by `build`, when the tokens are known.

    Args:
        width: D.
        depth: Transformer blocks of the teller of tokens near the path.
        heads: Heads.
        dropout: Share dropped in training.
        plan: Plan the object's path before telling tokens; its places are needed in training.
        look: Plan how the object looks, too: its radius and color, which all tokens then agree on.
        reach: How near the path a cell is told in turn, in cells from its edge.
        trajectory_width: D of the planner.
        trajectory_depth: Its transformer blocks.
        mixtures: Gaussians of each point planned.
        background_width: D of what tells the rest.
        background_depth: Its residual blocks.
        class_dropout: Share of the clips in training that hide their class, for guidance and for clips of any class.
    """

    def __init__(
        self,
        width: int = 128,
        depth: int = 3,
        heads: int = 4,
        dropout: float = 0.0,
        plan: bool = True,
        look: bool = True,
        reach: float = 0.5,
        trajectory_width: int = 128,
        trajectory_depth: int = 4,
        mixtures: int = 12,
        background_width: int = 64,
        background_depth: int = 3,
        class_dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.width, self.depth, self.heads, self.dropout = width, depth, heads, dropout
        self.plan, self.look, self.reach = plan, plan and look, reach
        self.trajectory_width, self.trajectory_depth = trajectory_width, trajectory_depth
        self.mixtures, self.background_width, self.background_depth = mixtures, background_width, background_depth
        self.class_dropout = class_dropout

    def build(self, layout: TokenLayout, classes: int) -> None:
        """Make the layers with fresh weights.

        Args:
            layout: Of the tokens.
            classes: Number of classes; 0 for clips of no class.
        """
        self.layout, self.classes = layout, classes
        width, rest = self.width, self.background_width
        self.embedding = TokenEmbedding(layout, width)
        self.start = nn.Parameter(torch.randn(width) * 0.3)
        self.label = nn.Embedding(classes + 1, width)
        self.axes = nn.ParameterList(torch.randn(size, width) * 0.3 for size in layout.grid)
        self.transformer = TokenTransformer(width, self.depth, self.heads, causal=True, dropout=self.dropout)
        self.head = CodeHead(layout, width)
        if self.plan:
            self.offsets = CellOffsets(layout, width, LOOK if self.look else 0)
            self.planner = AutoregressiveTrajectory(
                layout, classes, self.trajectory_width, self.trajectory_depth, self.heads, self.mixtures, self.dropout
            )
            self.shown, self.hidden = nn.Linear(width, rest), nn.Linear(width, rest)
            self.blocks = nn.Sequential(*(ResidualBlock(rest) for _ in range(self.background_depth)))
            self.rest = CodeHead(layout, rest)
        if self.look:
            self.palette = AppearanceModel(classes, LOOK, self.trajectory_width)

    def log_likelihood(
        self,
        tokens: Tensor,
        label: Tensor | None = None,
        path: Tensor | None = None,
        look: Tensor | None = None,
        rest: int | None = None,
    ) -> Likelihood:
        """Return the likelihood of clips; in training some hide their class.

        Args:
            tokens: int64 ``(B, t, h, w)``.
            label: int64 ``(B,)``; None, or -1 for a clip, where the class is not known.
            path: float ``(B, T, 2)``, where the object is tracked in the decoded tokens, x and y from -1 to 1 between
                the edges; NaN where nothing is seen.
            look: float ``(B, 4)``, how it looks there; see `trajvq.tokens.tracks.as_appearance`.
            rest: Estimate the likelihood of the rest from so many random ones of each clip; None sums all.
        """
        told, others = self.token_likelihood(tokens, label, path, look, rest)
        if path is None or not self.plan:
            return Likelihood(torch.zeros_like(told), torch.zeros_like(told), told, others)
        return Likelihood(
            self.trajectory_likelihood(path, label),
            self.appearance_likelihood(look, label).expand_as(told),
            told,
            others,
        )

    def trajectory_likelihood(self, path: Tensor, label: Tensor | None = None) -> Tensor:
        """Return the natural logarithm ``(B,)`` of the probability of paths; see `log_likelihood`."""
        found: Tensor = self.planner.log_probability(filled(path), self._hidden(label, len(path))).sum(dim=1)
        return found

    def appearance_likelihood(self, look: Tensor | None, label: Tensor | None = None) -> Tensor:
        """Return the natural logarithm ``(B,)`` of the probability of looks, 0 without palette."""
        if look is None or not self.look:
            return torch.zeros((), device=self.start.device)
        return self.palette.log_probability(look, self._hidden(label, len(look)))

    def token_likelihood(
        self,
        tokens: Tensor,
        label: Tensor | None = None,
        path: Tensor | None = None,
        look: Tensor | None = None,
        rest: int | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return the natural logarithms, ``(B,)`` each, of the probability of told tokens and of the rest.

        Both are given path and look; see `log_likelihood`.
        """
        count, label = len(tokens), self._hidden(label, len(tokens))
        if self.plan:
            if path is None:
                raise ValueError("the planner learns from places: set data.tracks, or model.network.plan to false")
            path = self.planner.rounded(filled(path))
        if self.look:
            if look is None:
                raise ValueError("the palette learns from looks: set data.tracks, or model.network.look to false")
            look = self.palette.rounded(look)
        cells, near = self._cells(path if self.plan else None, look if self.look else None, count)
        flat, place = tokens.flatten(1), token_positions(near)
        there = place < self.layout.tokens
        code = at(flat, place)
        hidden = self.transformer(self._steps(place, code, cells, label))
        told = log_share(self.head(hidden), code).masked_fill(~there, 0).sum(dim=1)
        if not self.plan:
            return told, torch.zeros_like(told)
        ground = self._ground(torch.where(near, flat, -1), cells)  # (B, N, background_width)
        others, share = token_positions(~near), 1.0
        if rest is not None and rest < others.shape[1]:
            share = rest / others.shape[1]
            others = others.gather(1, torch.rand(others.shape, device=tokens.device).argsort(dim=1)[:, :rest])
        there = others < self.layout.tokens
        found = log_share(self.rest(at(ground, others)), at(flat, others)).masked_fill(~there, 0).sum(dim=1)
        return told, found / share

    @torch.no_grad()
    def rollout(
        self,
        generators: Sequence[torch.Generator],
        label: Tensor | None = None,
        prefix: Tensor | None = None,
        path: Tensor | None = None,
        look: Tensor | None = None,
        frames: int | None = None,
        how: Sampling | None = None,
    ) -> Rollout:
        """Draw clips. Each takes its chance from a generator of its own, whatever is drawn beside it.

        Args:
            generators: A generator on the CPU for each of B clips.
            label: int64 ``(B,)``; None, or -1 for a clip, for any class.
            prefix: int64 ``(B, s, h, w)``, the first latent frames, which stay as they are; None for none.
            path: float ``(B, S, 2)``, where the object is tracked in the frames of the prefix; see `log_likelihood`.
            look: float ``(B, 4)``, how it looks there; in training it is that of the whole clip.
            frames: Latent frames to draw, those of the prefix included; None for as many as were trained. Beyond
                them the last ones are the prefix of the next.
            how: How to draw; None for as trained.
        """
        t, h, w = self.layout.grid
        how, frames = how or Sampling(), t if frames is None else frames
        if frames < 1:
            raise ValueError(f"{frames} latent frames are no clip")
        device = self.start.device
        label = self._labels(label, len(generators)).to(device)
        given = torch.zeros(len(generators), 0, h, w, dtype=torch.int64) if prefix is None else prefix
        tokens = given.to(device)
        if self.plan and tokens.shape[1] and path is None:
            raise ValueError("the planner needs to know where the object is in the frames given")
        if self.look and tokens.shape[1] and look is None:
            raise ValueError("the palette needs to know how the object looks in the frames given")
        seen = (
            filled(path.to(device)) if self.plan and path is not None else torch.zeros(len(generators), 0, 2).to(device)
        )
        look = look.to(device) if self.look and look is not None else None
        while tokens.shape[1] < frames:
            first = max(tokens.shape[1] - (t - 1), 0)
            context, points = tokens[:, first:], seen[:, first * self.layout.frames :]
            drawn = self._rollout(generators, label, context, points, look, min(frames - first, t), how)
            tokens = torch.cat([tokens, drawn.tokens[:, context.shape[1] :]], dim=1)
            if drawn.path is not None:
                seen = torch.cat([seen, drawn.path[:, points.shape[1] :]], dim=1)
            look = drawn.look
        return Rollout(tokens, seen if self.plan else None, look)

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
        """Draw at most as many latent frames as were trained."""
        total, (t, h, w), count = self.layout.tokens, self.layout.grid, len(label)
        draws, points = AutoregressiveTrajectory.draws(how.guidance), frames * self.layout.frames
        parts = (points * draws * 3 * self.plan, LOOK * self.look, total)
        chance = torch.stack([torch.rand(sum(parts), generator=g, dtype=torch.float64) for g in generators])
        chance, colors, uniform = chance.to(label.device).split(parts, dim=1)  # type: ignore[no-untyped-call]
        planned = None
        if self.look:
            look = (
                self.palette.draw(label, colors, how.noise_scale == 0) if look is None else self.palette.rounded(look)
            )
        if self.plan:
            given = chance.reshape(count, points, draws, 3)
            planned = self.planner.rollout(path, points, label, given, how.noise_scale, how.guidance)
            missing = t * self.layout.frames - points
            whole = torch.cat([planned, planned[:, -1:].expand(-1, missing, -1)], dim=1)
            cells, near = self._cells(whole, look, count)
        else:
            cells, near = self._cells(None, None, count)
        near = near.view(count, t, -1).index_fill(1, torch.arange(frames, t, device=near.device), False).flatten(1)
        begun = prefix.flatten(1)
        made = torch.cat([begun, begun.new_zeros(count, total - begun.shape[1])], dim=1)
        made = self._tell(made, begun.shape[1], near, cells, label, uniform, how)
        if self.plan:
            logits = self.rest(self._ground(torch.where(near, made, -1), cells))
            drawn = draw(logits.flatten(0, 1), uniform.flatten(), how).view(count, -1)
            rest = ~near & (torch.arange(total, device=near.device) >= begun.shape[1])
            made = torch.where(rest, drawn, made)
        return Rollout(made.view(count, t, h, w)[:, :frames], planned, look)

    def _tell(
        self, made: Tensor, given: int, near: Tensor, cells: Tensor, label: Tensor, uniform: Tensor, how: Sampling
    ) -> Tensor:
        """Return tokens ``(B, N)`` in which those near the path, but the first so many of all, are drawn in turn."""
        asked, place = label, token_positions(near)
        if how.guidance != 1:
            asked, cells = torch.cat([label, torch.full_like(label, self.classes)]), cells.repeat(2, 1, 1)
        made = F.pad(made, (0, 1))  # where clips write that have told all
        uniform = F.pad(uniform, (0, 1))
        cache = self.transformer.cache(place.shape[1])
        before: Tensor | None = None
        for step in range(place.shape[1]):
            here = place[:, step : step + 1]
            code = at(made, before) if before is not None else None
            hidden = self.transformer(self._step(here, before, code, cells, asked), cache)
            drawn = draw(guided(self.head(hidden[:, -1]), how.guidance), at(uniform, here)[:, 0], how)
            made = made.scatter(1, here, torch.where(here < given, at(made, here), drawn[:, None]))
            before = here
        return made[:, :-1]

    def _labels(self, label: Tensor | None, count: int) -> Tensor:
        if label is None:
            return torch.full((count,), self.classes, device=self.start.device)
        return label.masked_fill(label < 0, self.classes)

    def _hidden(self, label: Tensor | None, count: int) -> Tensor:
        """Return labels of which training hides some."""
        label = self._labels(label, count)
        if self.training:
            label = label.masked_fill(torch.rand(count, device=label.device) < self.class_dropout, self.classes)
        return label

    def _cells(self, path: Tensor | None, look: Tensor | None, count: int) -> tuple[Tensor, Tensor]:
        """Return what is known of every cell beforehand ``(B, N, D)``, and which are told in turn, bool ``(B, N)``."""
        places = [axis[place] for axis, place in zip(self.axes, self.embedding.place, strict=True)]
        known = torch.stack(places).sum(dim=0).expand(count, -1, -1)
        if path is None:
            return known, torch.ones(count, self.layout.tokens, dtype=torch.bool, device=known.device)
        return known + self.offsets(path, look).flatten(1, 2), self.offsets.near(path, self.reach)

    def _steps(self, place: Tensor, code: Tensor, cells: Tensor, label: Tensor) -> Tensor:
        """Return ``(B, L, D)``: for each token told what is known of its cell, and the token told before it."""
        first = self._step(place[:, :1], None, None, cells, label)
        return torch.cat([first, self._step(place[:, 1:], place[:, :-1], code[:, :-1], cells, label)], dim=1)

    def _step(self, place: Tensor, before: Tensor | None, code: Tensor | None, cells: Tensor, label: Tensor) -> Tensor:
        """Return the transformer's input ``(B, S, D)`` for tokens at ``place``, given those told before each."""
        times = len(label) // len(place)
        known: Tensor = self.label(label)[:, None] + at(cells, place.repeat(times, 1))
        if before is None or code is None:
            return known + self.start
        told = self.embedding(code, before.clamp(max=self.layout.tokens - 1))
        made: Tensor = known + told.repeat(times, 1, 1) + 0.5 * at(cells, before.repeat(times, 1))
        return made

    def _ground(self, told: Tensor, cells: Tensor) -> Tensor:
        """Return ``(B, N, background_width)`` of the tokens told, int64 ``(B, N)`` with -1 for the others."""
        shown = self.shown(self.embedding(told.clamp(min=0))) * (told >= 0)[..., None]
        made: Tensor = self.blocks((shown + self.hidden(cells)).unflatten(1, self.layout.grid))
        return made.flatten(1, 3)
