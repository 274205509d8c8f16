"""The token transformer: tokens and their places in time and space to features, by attention (torch's SDPA).

B clips; t, h, w tokens over frames, rows and columns; N tokens in a row; D channels.
"""

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class TokenLayout:
    """What the tokens of a clip look like.

    Attributes:
        codebook_size: Number of different tokens.
        levels: Of the digits that a token is made of, the first one turning fastest, as FSQ numbers its
            codes; ``(codebook_size,)`` where a code is but a number.
        grid: Tokens over frames, rows and columns.
        frames: Frames that a token covers.
    """

    codebook_size: int
    levels: tuple[int, ...]
    grid: tuple[int, int, int]
    frames: int = 1

    @property
    def tokens(self) -> int:
        """Tokens of a clip."""
        return prod(self.grid)


class TokenEmbedding(nn.Module):
    """Tokens to vectors: a small network of their digits, and a sum over frame, row and column of their place.

    Codes that share digits share weights, so what is learnt of one helps the others. Where FSQ writes a channel with
    several digits, those that share one need not be neighbours on the channel. The network sees each code of the
    codebook once a call, not each token.

    Args:
        layout: Of the tokens.
        width: D.
    """

    digits: Tensor
    place: Tensor

    def __init__(self, layout: TokenLayout, width: int) -> None:
        super().__init__()
        self.layout = layout
        codes, columns, basis = torch.arange(layout.codebook_size), [], 1
        for level in layout.levels:
            columns.append(F.one_hot(codes // basis % level, level))
            basis *= level
        self.register_buffer("digits", torch.cat(columns, dim=1).float(), persistent=False)
        axes = torch.meshgrid(*(torch.arange(size) for size in layout.grid), indexing="ij")
        self.register_buffer("place", torch.stack([axis.flatten() for axis in axes]), persistent=False)
        self.code = nn.Parameter(torch.randn(sum(layout.levels), width) * 0.3)
        self.mix = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.axes = nn.ParameterList(torch.randn(size, width) * 0.3 for size in layout.grid)

    def forward(self, tokens_BN: Tensor, places_BN: Tensor | None = None) -> Tensor:
        """Return ``(B, N, D)`` of tokens int64 ``(B, N)``.

        Args:
            tokens_BN: Tokens below ``codebook_size``.
            places_BN: Where each lies in the grid, counted frame by frame and row by row; None: from the first on.
        """
        places = torch.arange(tokens_BN.shape[1], device=tokens_BN.device) if places_BN is None else places_BN
        known_ND = sum(axis[place] for axis, place in zip(self.axes, self.place, strict=True))
        assert isinstance(known_ND, Tensor)
        codes_KD = self.digits @ self.code
        return F.embedding(tokens_BN, codes_KD + self.mix(codes_KD)) + F.embedding(places, known_ND)


class KeyValues:
    """Keys and values that one attention layer keeps of the tokens it has seen, so that none is worked on twice.

    Args:
        length: Tokens there will be.
    """

    def __init__(self, length: int) -> None:
        self.length, self.seen = length, 0
        self.held: Tensor | None = None  # keys and values, (2, B, heads, length, D / heads)

    def add(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Keep keys and values ``(B, heads, N, D / heads)`` of the next N tokens; return those of all so far."""
        if self.held is None:
            self.held = key.new_empty((2, *key.shape[:2], self.length, key.shape[3]))
        start, self.seen = self.seen, self.seen + key.shape[2]
        self.held[0, :, :, start : self.seen], self.held[1, :, :, start : self.seen] = key, value
        return self.held[0, :, :, : self.seen], self.held[1, :, :, : self.seen]


class Attention(nn.Module):
    """Attention of every token to all, or to itself and those before it.

    Args:
        width: D; a multiple of ``heads``.
        heads: Heads.
        causal: Look at no later token.
        dropout: Share of attention weights dropped in training.
    """

    def __init__(self, width: int, heads: int, causal: bool = False, dropout: float = 0.0) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"a width of {width} does not divide into {heads} heads")
        self.heads, self.causal, self.dropout = heads, causal, dropout
        self.inward, self.outward = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x_BND: Tensor, cache: KeyValues | None = None) -> Tensor:
        query, key, value = self.inward(x_BND).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        share = self.dropout if self.training else 0.0
        causal = self.causal
        if cache is not None:
            assert causal
            assert cache.seen == 0 or x_BND.shape[1] == 1
            causal = cache.seen == 0
            key, value = cache.add(key, value)
        seen = F.scaled_dot_product_attention(query, key, value, is_causal=causal, dropout_p=share)
        made: Tensor = self.outward(seen.transpose(1, 2).flatten(2))
        return made


class Block(nn.Module):
    """Attention and a two-layer network, each behind a norm and beside an identity.

    Args:
        width: D.
        heads: Heads.
        causal: See `Attention`.
        dropout: Share dropped in training.
        expansion: Hidden channels of the two-layer network, in widths.
    """

    def __init__(self, width: int, heads: int, causal: bool = False, dropout: float = 0.0, expansion: int = 4) -> None:
        super().__init__()
        self.attention = Attention(width, heads, causal, dropout)
        self.norm_attention, self.norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.hidden, self.outward = nn.Linear(width, expansion * width), nn.Linear(expansion * width, width)
        self.drop = nn.Dropout(dropout)

    def forward(self, x_BND: Tensor, cache: KeyValues | None = None) -> Tensor:
        x_BND = x_BND + self.drop(self.attention(self.norm_attention(x_BND), cache))
        made: Tensor = x_BND + self.drop(self.outward(F.gelu(self.hidden(self.norm(x_BND)))))
        return made


class TokenTransformer(nn.Module):
    """A stack of blocks over embedded tokens.

    Args:
        width: D.
        depth: Blocks; with none what comes in goes out.
        heads: Heads.
        causal: Look at no later token.
        dropout: Share dropped in training.
        expansion: See `Block`.
    """

    def __init__(
        self,
        width: int,
        depth: int,
        heads: int,
        causal: bool = False,
        dropout: float = 0.0,
        expansion: int = 4,
    ) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(Block(width, heads, causal, dropout, expansion) for _ in range(depth)))
        self.norm = nn.LayerNorm(width) if depth else nn.Identity()

    def cache(self, length: int) -> list[KeyValues]:
        """Return an empty cache for `forward`, of a causal transformer: one for each block.

        Args:
            length: Tokens there will be in all.
        """
        return [KeyValues(length) for _ in self.blocks]

    def forward(self, x_BND: Tensor, cache: list[KeyValues] | None = None) -> Tensor:
        """Return features ``(B, N, D)`` of embedded tokens ``(B, N, D)``.

        Args:
            x_BND: Embedded tokens; with a cache those that follow the ones it has seen: any number the first time,
                one a call after that.
            cache: See `cache`.
        """
        for number, block in enumerate(self.blocks):
            x_BND = block(x_BND, cache[number] if cache else None)
        made: Tensor = self.norm(x_BND)
        return made
