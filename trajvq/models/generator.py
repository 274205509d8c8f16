"""Generator: clips of tokens, told one departure from the usual clip after another, along a planned path.

First the planner says where the object is in every frame; then a causal transformer tells the tokens that differ
from the usual clip: each by its place, which lies after the last one's, and by its code there. Both are exact: any
clip can be told, and its probability is known. With no usual clip every place departs, which is the plain raster
order; without a plan the transformer does all.

B clips, T frames, N tokens of a clip in the order of the grid, L departures, D channels, C codes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trajvq.models.departures import UNKNOWN, Departures, departures, reach, retold, usual_tokens
from trajvq.models.planner import Planner
from trajvq.models.transformer import TokenEmbedding, TokenLayout, TokenTransformer

WAVES = (1.0, 2.0)  # turns a cell of the sines that tell where in a cell something is


@dataclass(frozen=True)
class Sampling:
    """How clips are drawn.

    Attributes:
        temperature: Of places and codes; 0 takes the likeliest.
        top_p: Choose among the likeliest places and codes that together have this share; at least one.
        spread: Times the width of the planner's Gaussians; 0 takes the middle of the likeliest.
        guidance: Weight of the class (Ho and Salimans, 2021): 1 samples as trained, more exaggerates it.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    spread: float = 1.0
    guidance: float = 1.0

    def __post_init__(self) -> None:
        if self.temperature < 0 or self.spread < 0 or self.guidance < 0 or not 0 < self.top_p <= 1:
            raise ValueError(f"temperature, spread and guidance are 0 or more and top_p is in (0, 1], not {self}")


class Likelihood(NamedTuple):
    """Natural logarithms of the probability of B clips, each ``(B,)``; their sum is the clip's.

    Attributes:
        plan: Of the path; 0 without planner.
        place: Of where tokens depart, given the path.
        code: Of what they are there.
        departures: How many there are.
    """

    plan: Tensor
    place: Tensor
    code: Tensor
    departures: Tensor


class Rollout(NamedTuple):
    """Clips that were drawn.

    Attributes:
        tokens: int64 ``(B, t, h, w)``.
        path: float ``(B, T, 2)``, planned, x and y from -1 to 1 between the edges; None without planner.
    """

    tokens: Tensor
    path: Tensor | None


class CellOffsets(nn.Module):
    """How the path lies to every cell, as vectors: what a token holds depends on that and not on where its cell is.

    Args:
        layout: Of the tokens.
        width: D.
    """

    centre: Tensor

    def __init__(self, layout: TokenLayout, width: int) -> None:
        super().__init__()
        self.layout = layout
        _, h, w = layout.grid
        row, column = torch.meshgrid(torch.arange(h) + 0.5, torch.arange(w) + 0.5, indexing="ij")
        self.register_buffer("centre", torch.stack([column, row], dim=-1).view(-1, 2), persistent=False)
        numbers = 2 * 2 * layout.frames * (2 + 2 * len(WAVES))  # of the frames of this latent frame and of the last
        self.network = nn.Sequential(nn.Linear(numbers, width), nn.GELU(), nn.Linear(width, width))

    def forward(self, path: Tensor) -> Tensor:
        """Return ``(B, N, D)`` of paths ``(B, T, 2)``, x and y from -1 to 1 between the edges."""
        t, h, w = self.layout.grid
        point = (path + 1) / 2 * path.new_tensor([w, h])
        frames = point.reshape(len(point), t, -1)  # (B, t, 2 * frames)
        both = torch.cat([frames, torch.cat([frames[:, :1], frames[:, :-1]], dim=1)], dim=-1)
        off = both[:, :, None] - self.centre.repeat(1, both.shape[-1] // 2)  # (B, t, h * w, 4 * frames)
        waves = [wave * torch.pi * 2 * off for wave in WAVES]
        near = torch.exp(-off.square() / 2)  # far off there is nothing to tell
        parts = [torch.tanh(off), off / max(h, w), *(near * f(wave) for wave in waves for f in (torch.sin, torch.cos))]
        made: Tensor = self.network(torch.cat(parts, dim=-1))
        return made.flatten(1, 2)


class Generator(nn.Module):
    """A generator of clips, by class or of any; its layers are made by `build`, when the tokens are known.

    Args:
        width: D.
        depth: Transformer blocks of the teller of departures.
        heads: Heads.
        dropout: Share dropped in training.
        plan: Plan the object's path before telling tokens; its places are needed in training.
        plan_width: D of the planner.
        plan_depth: Its transformer blocks.
        mixtures: Gaussians of each point planned.
        usual: Tell departures from the usual clip; False tells every token.
        unlabelled: Share of the clips in training that hide their class, for guidance and for clips of any class.
    """

    usual_clip: Tensor
    reach: Tensor

    def __init__(
        self,
        width: int = 128,
        depth: int = 3,
        heads: int = 4,
        dropout: float = 0.0,
        plan: bool = True,
        plan_width: int = 128,
        plan_depth: int = 4,
        mixtures: int = 12,
        usual: bool = True,
        unlabelled: float = 0.1,
    ) -> None:
        super().__init__()
        self.width, self.depth, self.heads, self.dropout = width, depth, heads, dropout
        self.plan, self.plan_width, self.plan_depth, self.mixtures = plan, plan_width, plan_depth, mixtures
        self.usual, self.unlabelled = usual, unlabelled

    def build(self, layout: TokenLayout, classes: int, tokens: Tensor | None = None) -> None:
        """Make the layers with fresh weights.

        Args:
            layout: Of the tokens.
            classes: Number of classes; 0 for clips of no class.
            tokens: ``(M, t, h, w)`` of training clips, which say what is usual; a checkpoint knows it already.
        """
        self.layout, self.classes = layout, classes
        width, (t, h, w) = self.width, layout.grid
        known = self.usual and tokens is not None
        usual = usual_tokens(tokens) if known and tokens is not None else torch.full(layout.grid, UNKNOWN)
        self.register_buffer("usual_clip", usual)
        self.embedding = TokenEmbedding(layout, width)
        self.start = nn.Parameter(torch.randn(width) * 0.3)
        self.label = nn.Embedding(classes + 1, width)
        self.transformer = TokenTransformer(width, self.depth, self.heads, causal=True, dropout=self.dropout)
        self.axes = nn.ParameterList(torch.randn(size, width) * 0.3 for size in (t, h, w))
        self.end = nn.Parameter(torch.randn(width) * 0.3)
        self.query = nn.Linear(width, width)
        self.mix = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU())
        self.head = nn.Linear(2 * width, layout.codebook_size)
        if self.plan:
            self.offsets = CellOffsets(layout, width)
            self.planner = Planner(
                layout, classes, self.plan_width, self.plan_depth, self.heads, self.mixtures, self.dropout
            )

    def log_likelihood(self, tokens: Tensor, label: Tensor | None = None, path: Tensor | None = None) -> Likelihood:
        """Return the likelihood of clips; in training some hide their class.

        Args:
            tokens: int64 ``(B, t, h, w)``.
            label: int64 ``(B,)``; None, or -1 for a clip, where the class is not known.
            path: float ``(B, T, 2)``, where the object is tracked in the decoded tokens, x and y from -1 to 1 between
                the edges; NaN where nothing is seen.
        """
        label = self._labels(label, len(tokens))
        if self.training:
            label = label.masked_fill(torch.rand(len(label), device=label.device) < self.unlabelled, self.classes)
        told = departures(tokens.flatten(1), self.usual_clip.flatten())
        plan, cells = tokens.new_zeros(len(tokens), dtype=torch.float32), self._cells(None, len(tokens))
        if self.plan:
            if path is None:
                raise ValueError("the planner learns from places: set data.places, or model.network.plan to false")
            path = self.planner.rounded(filled(path))
            plan, cells = self.planner.log_probability(path, label).sum(dim=1), self._cells(path, len(tokens))
        hidden = self.transformer(self._embed(told, label, cells))  # (B, L + 1, D)
        end = told.place.new_full((len(tokens), 1), self.layout.tokens)
        wanted = torch.cat([told.place, end], dim=1)
        place = self._place_logits(hidden, wanted[:, :-1], cells).log_softmax(dim=-1)
        place = place.gather(2, wanted[..., None])[..., 0]
        there = torch.cat([torch.ones_like(end), told.place], dim=1)[:, 1:] < self.layout.tokens
        first_end = F.pad(there, (1, 0), value=True)  # each departure, and the end once
        code = self._code_logits(hidden[:, :-1], told.place, cells).log_softmax(dim=-1)
        code = code.gather(2, told.code[..., None])[..., 0]
        return Likelihood(
            plan,
            place.masked_fill(~first_end, 0).sum(dim=1),
            code.masked_fill(~there, 0).sum(dim=1),
            there.sum(dim=1),
        )

    @torch.no_grad()
    def rollout(
        self,
        chances: Sequence[torch.Generator],
        label: Tensor | None = None,
        prefix: Tensor | None = None,
        path: Tensor | None = None,
        frames: int | None = None,
        how: Sampling | None = None,
    ) -> Rollout:
        """Draw clips. Each takes its chance from a generator of its own, whatever is drawn beside it.

        Args:
            chances: A generator on the CPU for each of B clips.
            label: int64 ``(B,)``; None, or -1 for a clip, for any class.
            prefix: int64 ``(B, s, h, w)``, the first latent frames, which stay as they are; None for none.
            path: float ``(B, S, 2)``, where the object is tracked in the frames of the prefix; see `log_likelihood`.
            frames: Latent frames to draw, those of the prefix included; None for as many as were trained. Beyond
                them the last ones are the prefix of the next.
            how: How to draw; None for as trained.
        """
        t, h, w = self.layout.grid
        how, frames = how or Sampling(), t if frames is None else frames
        if frames < 1:
            raise ValueError(f"{frames} latent frames are no clip")
        device = self.start.device
        label = self._labels(label, len(chances)).to(device)
        given = torch.zeros(len(chances), 0, h, w, dtype=torch.int64) if prefix is None else prefix
        tokens = given.to(device)
        if self.plan and tokens.shape[1] and path is None:
            raise ValueError("the planner needs to know where the object is in the frames given")
        seen = filled(path.to(device)) if self.plan and path is not None else torch.zeros(len(chances), 0, 2).to(device)
        while tokens.shape[1] < frames:
            first = max(tokens.shape[1] - (t - 1), 0)
            context = self._moved(tokens[:, first:], first)
            asked = min(frames - first, t)
            drawn = self._rollout(chances, label, context, seen[:, first * self.layout.frames :], asked, how)
            tokens = torch.cat([tokens, drawn.tokens[:, context.shape[1] :]], dim=1)
            if drawn.path is not None:
                seen = torch.cat([seen, drawn.path[:, seen.shape[1] - first * self.layout.frames :]], dim=1)
        return Rollout(tokens, seen if self.plan else None)

    def _rollout(
        self,
        chances: Sequence[torch.Generator],
        label: Tensor,
        prefix: Tensor,
        path: Tensor,
        frames: int,
        how: Sampling,
    ) -> Rollout:
        """Draw at most as many latent frames as were trained."""
        count, (_, h, w) = len(label), self.layout.grid
        total, given = self.layout.tokens, prefix.shape[1] * h * w
        draws, points = Planner.draws(how.guidance), frames * self.layout.frames
        numbers = points * draws * 3 * self.plan
        chance = torch.stack([torch.rand(numbers + 2 * total + 2, generator=g, dtype=torch.float64) for g in chances])
        chance = chance.to(label.device)
        planned, asked = None, label
        if self.plan:
            uniform = chance[:, :numbers].view(count, points, draws, 3)
            planned = self.planner.rollout(path, points, label, uniform, how.spread, how.guidance)
        if how.guidance != 1:
            asked = torch.cat([label, torch.full_like(label, self.classes)])
        cells = self._cells(planned, count).repeat(len(asked) // count, 1, 1)
        usual = self.usual_clip.flatten()
        known = departures(prefix.flatten(1), usual[:given])
        forced = known.place.masked_fill(known.place == given, total)
        place, code = label.new_zeros(2, count, 0)
        ended = torch.zeros(count, dtype=torch.bool, device=label.device)
        cache = self.transformer.cache(total + 1)
        step_input = self._embed(Departures(place, code), asked, cells)
        uniform = chance[:, numbers:].view(count, -1, 2)
        for step in range(total + 1):
            hidden = self.transformer(step_input, cache)
            last = place[:, -1:] if step else label.new_full((count, 1), -1)
            free = torch.ones_like(ended) if step >= forced.shape[1] else forced[:, step] == total
            logits = self._guided(self._place_logits(hidden, last, cells, first=True), how.guidance)
            logits[:, :given] = -torch.inf  # what was given is told
            late = logits[:, frames * h * w :].logsumexp(dim=1, keepdim=True)
            logits = torch.cat([logits[:, : frames * h * w], late], dim=1)
            new = draw(logits, uniform[:, step, 0], how)
            new = torch.where((new == frames * h * w) | ended, total, new)
            new = new if step >= forced.shape[1] else torch.where(free, new, forced[:, step])
            ended |= new == total
            if ended.all():
                break
            logits = self._guided(self._code_logits(hidden, new[:, None], cells), how.guidance)
            letter = draw(logits, uniform[:, step, 1], how).masked_fill(ended, 0)
            if step < forced.shape[1]:
                letter = torch.where(free, letter, known.code[:, step])
            place, code = torch.cat([place, new[:, None]], dim=1), torch.cat([code, letter[:, None]], dim=1)
            step_input = self._embed_next(new[:, None], letter[:, None], asked, cells)
        made = retold(Departures(place, code), usual).view(count, *self.layout.grid)[:, :frames]
        return Rollout(made, planned)

    def _labels(self, label: Tensor | None, count: int) -> Tensor:
        if label is None:
            return torch.full((count,), self.classes, device=self.start.device)
        return label.masked_fill(label < 0, self.classes)

    def _moved(self, tokens: Tensor, frames: int) -> Tensor:
        """Return tokens as if they were so many latent frames earlier: what is usual there is so here."""
        if not frames:
            return tokens
        there = self.usual_clip[[min(frames + k, len(self.usual_clip) - 1) for k in range(tokens.shape[1])]]
        return torch.where(tokens == there, self.usual_clip[: tokens.shape[1]], tokens)

    def _cells(self, path: Tensor | None, count: int) -> Tensor:
        """Return what is known of every place beforehand, and of the end: ``(B, N + 1, D)``."""
        places = [axis[place] for axis, place in zip(self.axes, self.embedding.place, strict=True)]
        known = torch.stack(places).sum(dim=0).expand(count, -1, -1)
        if path is not None:
            missing = self.layout.grid[0] * self.layout.frames - path.shape[1]
            known = known + self.offsets(torch.cat([path, path[:, -1:].expand(-1, missing, -1)], dim=1))
        return torch.cat([known, self.end.expand(count, 1, -1)], dim=1)

    def _embed(self, told: Departures, label: Tensor, cells: Tensor) -> Tensor:
        """Return ``(B, L + 1, D)``: the start and every departure."""
        start = (self.start + self.label(label))[:, None]
        if not told.place.shape[1]:
            return start
        return torch.cat([start, self._embed_next(told.place, told.code, label, cells)], dim=1)

    def _embed_next(self, place: Tensor, code: Tensor, label: Tensor, cells: Tensor) -> Tensor:
        times = len(label) // len(place)
        place, code = place.repeat(times, 1), code.repeat(times, 1)
        token = self.embedding(code, place.clamp(max=self.layout.tokens - 1))
        made: Tensor = token + _at(cells, place) + self.label(label)[:, None]
        return made

    def _place_logits(self, hidden: Tensor, wanted: Tensor, cells: Tensor, first: bool = False) -> Tensor:
        """Return logits of the next place, the end being the last of them: float ``(B, S, N + 1)``.

        Args:
            hidden: ``(B, S, D)``.
            wanted: int64 ``(B, S)``, the place before each; without the start's unless ``first``.
            cells: See `_cells`.
            first: Whether ``wanted`` begins with the place before the first of ``hidden``.
        """
        last = wanted if first else F.pad(wanted, (1, 0), value=-1)
        last = last.repeat(len(hidden) // len(last), 1)
        logits = self.query(hidden) @ cells.transpose(1, 2) / self.width**0.5
        places = torch.arange(self.layout.tokens + 1, device=last.device)
        limit = reach(self.usual_clip.flatten())[(last + 1).clamp(max=self.layout.tokens)]
        allowed = ((places > last[..., None]) & (places <= limit[..., None])) | (
            (places == self.layout.tokens) & (last[..., None] == self.layout.tokens)
        )
        return logits.masked_fill(~allowed, -torch.inf)

    def _code_logits(self, hidden: Tensor, place: Tensor, cells: Tensor) -> Tensor:
        """Return logits ``(B, S, C)`` of the codes at places int64 ``(B, S)``: never the usual one."""
        place = place.repeat(len(hidden) // len(place), 1)
        logits: Tensor = self.head(self.mix(hidden + _at(cells, place)))
        usual = torch.cat([self.usual_clip.flatten(), self.usual_clip.new_full((1,), UNKNOWN)])[place]
        never = torch.arange(self.layout.codebook_size, device=place.device) == usual[..., None]
        return logits.masked_fill(never, -torch.inf)

    @staticmethod
    def _guided(logits: Tensor, guidance: float) -> Tensor:
        """Return logits ``(B, C)`` of the last step, of the class against those of none where there are both."""
        last = logits[:, -1].log_softmax(dim=-1)
        if guidance == 1:
            return last
        with_class, without = last.chunk(2)
        lifted = without + guidance * (with_class - without)
        return lifted.masked_fill(torch.isinf(with_class), -torch.inf)


def filled(path: Tensor) -> Tensor:
    """Return paths ``(B, T, 2)`` with missing points (NaN) put where the last one before was, or the first after.

    A path without any point stays in the middle.
    """
    seen = ~path.isnan().any(dim=-1)
    moments = torch.arange(path.shape[1], device=path.device)
    before = moments.where(seen, -1).cummax(dim=1).values
    first = seen.to(torch.uint8).argmax(dim=1, keepdim=True)
    source = torch.where(before < 0, first, before)
    return path.gather(1, source[..., None].expand(-1, -1, 2)).nan_to_num(0.0)


def draw(logits: Tensor, uniform: Tensor, how: Sampling) -> Tensor:
    """Choose by one uniform number a row (inverse distribution function), so that rows do not disturb each other.

    Args:
        logits: ``(B, C)``.
        uniform: float64 ``(B,)`` in [0, 1).
        how: Its temperature and top_p.

    Returns:
        int64 ``(B,)``.
    """
    if how.temperature == 0:
        return logits.argmax(dim=-1)
    share = (logits.double() / how.temperature).softmax(dim=-1)
    if how.top_p < 1:
        falling, order = share.sort(dim=-1, descending=True, stable=True)
        out = falling.cumsum(dim=-1) - falling >= how.top_p
        share = share.scatter(1, order, falling.masked_fill(out, 0.0))
    ladder = share.cumsum(dim=-1)
    chosen = torch.searchsorted(ladder, uniform[:, None] * ladder[:, -1:], right=True)[:, 0]
    return chosen.clamp(max=share.shape[1] - 1)


def _at(cells: Tensor, place: Tensor) -> Tensor:
    """Return ``(B, S, D)`` of cells ``(B, N + 1, D)`` at places int64 ``(B, S)``."""
    found: Tensor = cells.gather(1, place[..., None].expand(-1, -1, cells.shape[2]))
    return found
