"""TokenCounts: the ideal code length of clips under a simple model of tokens, counted on other clips.

N clips of t latent frames of h x w cells. The model has three estimates, each backing off to the next:

    p(x | a) = (n(a, x) + u(a) p(x | cell)) / (n(a) + u(a))     a: the token one latent frame earlier, same cell
    p(x | cell) = (n(cell, x) + u(cell) p(x)) / (n(cell) + u(cell))
    p(x) = (n(x) + 1/2) / (n + K/2)                              K: size of the codebook

n counts tokens and u different codes: what a context has shown u codes of, it may show a new one of (Witten and Bell,
1991). The last is the estimate of Krichevsky and Trofimov (1981). Each sums to 1 over the codebook. Tokens of the first
latent frame, which have none before them, follow p(x | cell).
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from trajvq.io.arrays import Floats

Codes = NDArray[np.int64]


class TokenCounts:
    """Counts of the tokens of some clips. Memory grows with the number of tokens, not with the codebook.

    Args:
        tokens: int64 ``(N, t, h, w)``, N > 0: the clips to count, such as those of ``train``.
        codebook_size: Number of codes.
    """

    def __init__(self, tokens: Tensor, codebook_size: int) -> None:
        self.codebook_size = codebook_size
        self.codes, number = np.unique(tokens.cpu().numpy(), return_inverse=True)
        number = number.reshape(tokens.shape)
        size = len(self.codes) + 1  # codes by their number among those counted; the last stands for all others
        self.marginal = np.bincount(number.ravel(), minlength=size)
        self.by_cell = _ContextCounts(_cells(number), number, size)
        self.by_previous = _ContextCounts(number[:, :-1], number[:, 1:], size)

    def code_length(self, tokens: Tensor) -> Floats:
        """Return the ideal code length of clips in bits, ``(N,)``.

        Args:
            tokens: int64 ``(N, t, h, w)``.
        """
        indices = tokens.cpu().numpy()
        number = np.searchsorted(self.codes, indices)
        counted = self.codes[np.minimum(number, len(self.codes) - 1)] == indices
        number = np.where(counted, number, len(self.codes))
        coarse = (self.marginal[number] + 0.5) / (self.marginal.sum() + self.codebook_size / 2)
        probability = self.by_cell.estimate(_cells(number), number, coarse)
        previous, following = number[:, :-1], number[:, 1:]
        probability[:, 1:] = self.by_previous.estimate(previous, following, probability[:, 1:])
        return np.asarray(-np.log2(probability).sum(axis=(1, 2, 3)))


class _ContextCounts:
    """Counts of codes by context, sparse.

    Args:
        context: int64, any shape: the context of each token.
        code: int64, the same shape: the token, below ``size``.
        size: Number of different codes.
    """

    def __init__(self, context: Codes, code: Codes, size: int) -> None:
        self.size = size
        self.pairs, self.pair_counts = np.unique(context * size + code, return_counts=True)
        self.contexts, first = np.unique(self.pairs // size, return_index=True)
        self.different = np.diff([*first, len(self.pairs)])
        sums = np.cumsum([0, *self.pair_counts])
        self.totals = np.diff(sums[[*first, len(self.pairs)]])

    def estimate(self, context: Codes, code: Codes, coarse: Floats) -> Floats:
        """Return the probability of each token in its context, given its probability without it."""
        pairs = _look_up(self.pairs, [self.pair_counts], context * self.size + code)[0]
        totals, different = _look_up(self.contexts, [self.totals, self.different], context)
        return np.asarray(
            np.where(totals > 0, (pairs + different * coarse) / np.maximum(totals + different, 1), coarse)
        )


def _cells(tokens: Codes) -> Codes:
    """Return the number of each token's cell in its latent frame, in the shape of ``(N, t, h, w)`` tokens."""
    rows, columns = tokens.shape[-2:]
    return np.broadcast_to(np.arange(rows * columns).reshape(rows, columns), tokens.shape)


def _look_up(keys: Codes, values: Iterable[Codes], wanted: Codes) -> list[Codes]:
    """Return the values of sorted keys for the keys that are wanted; 0 for a key that does not exist."""
    if not len(keys):
        return [np.zeros_like(wanted) for _ in values]
    position = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    exists = keys[position] == wanted
    return [np.where(exists, value[position], 0) for value in values]
