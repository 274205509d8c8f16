"""The token transformer, with PyTorch's scaled dot-product attention; and TokenLayout, the shape of a clip's tokens.

B clips; t, h, w tokens over latent frames, rows and columns; N tokens in a sequence; D channels.
"""

from dataclasses import dataclass
from math import prod

from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class TokenLayout:
    """Codebook and grid of the tokens of a clip.

    Attributes:
        codebook_size: Number of different tokens.
        levels: Number of values of each digit of a token, the first digit turning fastest;
            ``(codebook_size,)`` for codes without digits. See `trajvq.models.quantizer.Quantizer`.
        grid: t, h, w.
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


class KeyValues:
    """Keys and values of one attention layer for the tokens so far, so that each is computed once.

    Args:
        length: Tokens of the whole sequence.

    Attributes:
        filled: Tokens so far.
    """

    def __init__(self, length: int) -> None:
        self.length, self.filled = length, 0
        self.buffer: Tensor | None = None  # keys and values, (2, B, heads, length, D / heads)

    def add(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Add keys and values ``(B, heads, N, D / heads)`` of the next N tokens; return those of all so far."""
        if self.buffer is None:
            self.buffer = key.new_empty((2, *key.shape[:2], self.length, key.shape[3]))
        start, self.filled = self.filled, self.filled + key.shape[2]
        self.buffer[0, :, :, start : self.filled], self.buffer[1, :, :, start : self.filled] = key, value
        return self.buffer[0, :, :, : self.filled], self.buffer[1, :, :, : self.filled]


def check_heads(width: int, heads: int) -> None:
    """Check that channels divide into heads.

    Raises:
        ValueError: If they do not.
    """
    if heads < 1 or width % heads:
        raise ValueError(f"a width of {width} does not divide into {heads} heads; give a multiple of them")


class Attention(nn.Module):
    """Self-attention, over all tokens or causal.

    Args:
        width: D; a multiple of ``heads``.
        heads: Number of heads.
        causal: Attend to no later token.
        dropout: Share of attention weights dropped in training.
    """

    def __init__(self, width: int, heads: int, causal: bool = False, dropout: float = 0.0) -> None:
        super().__init__()
        check_heads(width, heads)
        self.heads, self.causal, self.dropout = heads, causal, dropout
        self.inward, self.outward = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x_BND: Tensor, cache: KeyValues | None = None) -> Tensor:
        query, key, value = self.inward(x_BND).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        dropout = self.dropout if self.training else 0.0
        causal = self.causal
        if cache is not None:
            assert causal
            assert cache.filled == 0 or x_BND.shape[1] == 1
            causal = cache.filled == 0
            key, value = cache.add(key, value)
        attended = F.scaled_dot_product_attention(query, key, value, is_causal=causal, dropout_p=dropout)
        projected: Tensor = self.outward(attended.transpose(1, 2).flatten(2))
        return projected


class Block(nn.Module):
    """Attention and a perceptron, each after a norm and with a skip connection.

    Args:
        width: D.
        heads: Number of heads.
        causal: See `Attention`.
        dropout: Share dropped in training.
    """

    def __init__(self, width: int, heads: int, causal: bool = False, dropout: float = 0.0) -> None:
        super().__init__()
        self.attention = Attention(width, heads, causal, dropout)
        self.norm_attention, self.norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.hidden, self.outward = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.drop = nn.Dropout(dropout)

    def forward(self, x_BND: Tensor, cache: KeyValues | None = None) -> Tensor:
        x_BND = x_BND + self.drop(self.attention(self.norm_attention(x_BND), cache))
        residual: Tensor = self.drop(self.outward(F.gelu(self.hidden(self.norm(x_BND)))))
        return x_BND + residual


class TokenTransformer(nn.Module):
    """A stack of blocks over embedded tokens.

    Args:
        width: D.
        depth: Number of blocks; 0 for the identity.
        heads: Number of heads.
        causal: Attend to no later token.
        dropout: Share dropped in training.
    """

    def __init__(self, width: int, depth: int, heads: int, causal: bool = False, dropout: float = 0.0) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(Block(width, heads, causal, dropout) for _ in range(depth)))
        self.norm = nn.LayerNorm(width) if depth else nn.Identity()

    def cache(self, length: int) -> list[KeyValues]:
        """Return an empty cache for `forward` of a causal transformer, one part per block.

        Args:
            length: Tokens of the whole sequence.
        """
        return [KeyValues(length) for _ in self.blocks]

    def forward(self, x_BND: Tensor, cache: list[KeyValues] | None = None) -> Tensor:
        """Return features ``(B, N, D)`` of embedded tokens ``(B, N, D)``.

        Args:
            x_BND: Embedded tokens; with a cache, only those after the tokens already in it: any number in the first
                call, one in each later call.
            cache: See `cache`.
        """
        for number, block in enumerate(self.blocks):
            x_BND = block(x_BND, cache[number] if cache else None)
        normed: Tensor = self.norm(x_BND)
        return normed
