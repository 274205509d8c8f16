"""Codes of the codebook: embed them, predict their probabilities and sample them, whatever the codebook's size.

The module distinguishes three kinds of codebook:

* Codes with digits (FSQ, LFQ), at most `LARGE` of them: codes that share digits share weights, and all codes are
  embedded and scored at once.
* Codes with digits, more than `LARGE`: the digits are split into groups, and each group is predicted given the groups
  before it, as in Open-MAGVIT2 (Luo et al., 2024, arXiv:2409.04410). No layer has a row or a logit per code.
* Codes without digits (VQ, SimVQ), ``levels == (codebook_size,)``: one row of weights per code.

Letters in names: B clips, N tokens, S positions, D channels, K codes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trajvq.models.causal import ChannelNorm
from trajvq.models.sampling import Sampling, code_probability, guided, inverse_cdf, remaining_uniform
from trajvq.models.transformer import TokenLayout

LARGE = 4_096  # codes; with more, only the tokens at hand are embedded, and digits are predicted in groups
GROUP = 1_024  # most combinations of digits that one group has
SCORES = 2**25  # most probabilities that sampling holds at a time, of all rows together


class TokenEmbedding(nn.Module):
    """Embed tokens: a small network of the code's digits, plus a vector for each of frame, row and column.

    Codes that share digits share weights, so examples of one code help the others. FSQ may write one channel with
    several digits; codes that share one of them need not be neighbors on that channel, hence the network.

    Args:
        layout: Layout of the tokens.
        width: D.
    """

    digits: Tensor | None
    coordinates: Tensor

    def __init__(self, layout: TokenLayout, width: int) -> None:
        super().__init__()
        self.layout = layout
        self.register_buffer("digits", _digit_table(layout), persistent=False)
        axes = torch.meshgrid(*(torch.arange(size) for size in layout.grid), indexing="ij")
        self.register_buffer("coordinates", torch.stack([axis.flatten() for axis in axes]), persistent=False)
        self.code = nn.Parameter(torch.randn(sum(layout.levels), width) * 0.3)
        self.mix = _network(width)
        self.axes = nn.ParameterList(torch.randn(size, width) * 0.3 for size in layout.grid)

    def forward(self, tokens_BN: Tensor, positions_BN: Tensor | None = None) -> Tensor:
        """Return ``(B, N, D)`` of tokens int64 ``(B, N)``.

        Args:
            tokens_BN: Tokens below ``codebook_size``.
            positions_BN: Index of each token in the grid, counted frame by frame and row by row; None for the first N.
        """
        positions = torch.arange(tokens_BN.shape[1], device=tokens_BN.device) if positions_BN is None else positions_BN
        return self.codes(tokens_BN) + F.embedding(positions, self.grid())

    def grid(self) -> Tensor:
        """Return the vectors of all positions of the grid, ``(t * h * w, D)``."""
        frame, row, column = (axis[index] for axis, index in zip(self.axes, self.coordinates, strict=True))
        position_ND: Tensor = frame + row + column
        return position_ND

    def codes(self, tokens: Tensor) -> Tensor:
        """Return ``(..., D)`` of tokens int64 ``(...)``, without their positions."""
        if tokens.numel() < self.layout.codebook_size or self.layout.codebook_size > LARGE:
            code = _sum_of_digits(tokens, self.layout.levels, self.code)
            mixed: Tensor = code + self.mix(code)
            return mixed
        code_KD = self.code if self.digits is None else self.digits @ self.code
        return F.embedding(tokens, code_KD + self.mix(code_KD))


class CodeHead(nn.Module):
    """Probabilities of codes given vectors; large codebooks are factorized over groups of digits.

    With several groups, temperature and top_p act on each group, not on the code as a whole.

    Args:
        layout: Layout of the tokens.
        width: D.
    """

    def __init__(self, layout: TokenLayout, width: int) -> None:
        super().__init__()
        groups = _groups(layout)
        self.sizes = [prod(levels) for levels in groups]
        self.groups = nn.ModuleList(
            _GroupHead(replace(layout, codebook_size=prod(levels), levels=levels), width) for levels in groups
        )
        self.links = nn.ModuleList(_GroupLink(levels, width) for levels in groups[:-1])

    def log_probability(self, hidden: Tensor, code: Tensor) -> Tensor:
        """Return the natural logarithm ``(B, S)`` of the probability of codes.

        Args:
            hidden: float ``(B, S, D)``.
            code: int64 ``(B, S)``.
        """
        total = torch.zeros((), device=hidden.device)
        for number, (size, head) in enumerate(zip(self.sizes, self.groups, strict=True)):
            digits, code = code % size, code // size
            logits = head(self._mixed(hidden, number))
            losses = F.cross_entropy(logits.flatten(0, 1), digits.flatten(), reduction="none").view_as(digits)
            total = total - losses
            hidden = self._after(hidden, number, digits)
        return total

    def sample(self, hidden: Tensor, uniform: Tensor, sampling: Sampling) -> Tensor:
        """Return codes int64 ``(B,)``, each from one uniform number of its own.

        The groups share the number: what remains of it after one group is uniform again, and serves the next.

        Args:
            hidden: float ``(B, D)``; with guidance ``(2 B, D)``, with the class and then without it.
            uniform: float64 ``(B,)`` in [0, 1).
            sampling: Temperature, top_p and guidance.
        """
        count = len(uniform)
        copies = hidden.view(1 if sampling.guidance == 1 else 2, count, hidden.shape[-1])
        rows = range(0, max(count, 1), max(SCORES // max(self.sizes), 1))
        parts = [slice(first, first + rows.step) for first in rows]
        return torch.cat([self._sample(copies[:, part].flatten(0, 1), uniform[part], sampling) for part in parts])

    def _sample(self, hidden: Tensor, uniform: Tensor, sampling: Sampling) -> Tensor:
        """Sample a few rows; see `sample`."""
        code, basis = torch.zeros_like(uniform, dtype=torch.int64), 1
        for number, (size, head) in enumerate(zip(self.sizes, self.groups, strict=True)):
            probability = code_probability(guided(head(self._mixed(hidden, number)), sampling.guidance), sampling)
            digits = inverse_cdf(probability, uniform[:, None])[:, 0]
            code, basis = code + basis * digits, basis * size
            if number < len(self.links):
                uniform = remaining_uniform(probability, uniform, digits)
                hidden = self._after(hidden, number, digits.repeat(len(hidden) // len(digits)))
        return code

    def _mixed(self, hidden: Tensor, number: int) -> Tensor:
        """Return the vectors that a group is predicted from."""
        if number == 0:
            return hidden
        mixed: Tensor = self.links[number - 1].mix(hidden)  # type: ignore[operator]
        return hidden + mixed

    def _after(self, hidden: Tensor, number: int, digits: Tensor) -> Tensor:
        """Return the vectors with the digits of a group added, for the groups after it."""
        if number == len(self.links):
            return hidden
        link: Tensor = self.links[number](digits)
        return hidden + link


class _GroupHead(nn.Module):
    """Logits of the codes of one group of digits, or of all codes: weights shared by digit beside weights per code.

    Args:
        layout: Layout of tokens made of these digits alone.
        width: D.
    """

    digits: Tensor | None

    def __init__(self, layout: TokenLayout, width: int) -> None:
        super().__init__()
        self.norm = ChannelNorm(width)
        self.register_buffer("digits", _digit_table(layout), persistent=False)
        if self.digits is None:
            self.own = nn.Linear(width, layout.codebook_size)
            nn.init.normal_(self.own.weight, std=0.1)
            nn.init.zeros_(self.own.bias)
            return
        TokenEmbedding(layout, 1)  # advances the random numbers: seeds keep the weights that published runs had
        self.shared = nn.Parameter(torch.randn(self.digits.shape[1], width) * 0.1)
        self.own = nn.Linear(width, layout.codebook_size)
        nn.init.zeros_(self.own.weight)
        nn.init.zeros_(self.own.bias)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return logits ``(..., K)`` of ``(..., D)``."""
        weight_KD = self.own.weight if self.digits is None else self.digits @ self.shared + self.own.weight
        return F.linear(self.norm(hidden), weight_KD, self.own.bias)


class _GroupLink(nn.Module):
    """What the groups after this one see of it: its digits as vectors, and a network that mixes them in.

    Args:
        levels: Levels of the group's digits.
        width: D.
    """

    def __init__(self, levels: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.levels = levels
        self.code = nn.Parameter(torch.randn(sum(levels), width) * 0.3)
        self.mix = _network(width)

    def forward(self, digits: Tensor) -> Tensor:
        """Return ``(..., D)`` of the group's digits as one number, int64 ``(...)``."""
        return _sum_of_digits(digits, self.levels, self.code)


def _network(width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))


def _groups(layout: TokenLayout) -> list[tuple[int, ...]]:
    """Split digits into runs of at most `GROUP` combinations; one run where the codebook has a logit per code."""
    if layout.codebook_size <= LARGE or len(layout.levels) == 1:
        return [layout.levels]
    groups: list[tuple[int, ...]] = [()]
    for level in layout.levels:
        if prod(groups[-1]) * level > GROUP and groups[-1]:
            groups.append(())
        groups[-1] += (level,)
    return groups


def digits_of(codes: Tensor, levels: Sequence[int]) -> Iterator[Tensor]:
    """Yield each digit of codes, int64 shaped like them, the fastest turning first."""
    for level in levels:
        yield codes % level
        codes = codes // level


def _digit_table(layout: TokenLayout) -> Tensor | None:
    """Return float ``(K, sum(levels))``, the digits of all codes as one-hot rows; None if they are not needed."""
    if len(layout.levels) == 1 or layout.codebook_size > LARGE:
        return None
    columns = digits_of(torch.arange(layout.codebook_size), layout.levels)
    return torch.cat(
        [F.one_hot(column, level) for column, level in zip(columns, layout.levels, strict=True)], dim=1
    ).float()


def _sum_of_digits(codes: Tensor, levels: Sequence[int], weight: Tensor) -> Tensor:
    """Return ``(..., D)``: the sum of the rows of ``weight`` ``(sum(levels), D)`` that the digits of codes choose."""
    rows = zip(digits_of(codes, levels), torch.split(weight, list(levels)), strict=True)
    total: Tensor = sum(F.embedding(column, part) for column, part in rows)  # type: ignore[assignment]
    return total
