"""The Quantizer protocol: what a tokenizer needs to turn latents into numbered codes and back.

B clips; d channels of a code; t, h, w tokens over frames, rows and columns.
"""

from math import prod
from typing import Any, Protocol

from torch import Tensor, nn


class Quantizer(Protocol):
    """Latents to codes, and codes to numbers and back. Any `torch.nn.Module` with these members will do.

    In evaluation mode ``codes(indices(forward(latent)))`` equals ``forward(latent)``. Two more attributes are optional:

    * ``levels``, a tuple of ints: how many values each digit of an index has, the first turning fastest; their product
      is ``codebook_size``. Models of tokens then share weights among codes that share digits, and large codebooks need
      no row of weights per code. Without it each code is embedded by a row of its own.
    * ``loss``, a scalar that ``forward`` leaves in training, to be added to the loss; None if there is none.

    Attributes:
        dim: d.
        codebook_size: Number of codes.
    """

    dim: int
    codebook_size: int

    def forward(self, latent: Tensor) -> Tensor:
        """Return codes of latents, both float ``(B, d, t, h, w)``, with gradients to the latents."""
        ...

    def indices(self, codes: Tensor) -> Tensor:
        """Return the indices int64 ``(B, t, h, w)``, below ``codebook_size``, of codes ``(B, d, t, h, w)``."""
        ...

    def codes(self, indices: Tensor) -> Tensor:
        """Return the codes float ``(B, d, t, h, w)`` of indices int64 ``(B, t, h, w)``."""
        ...


def check_quantizer(module: nn.Module) -> None:
    """Check that a module has all members of a `Quantizer`.

    Raises:
        ValueError: If one is missing; the message names it.
    """
    missing = [name for name in ("dim", "codebook_size", "indices", "codes") if not hasattr(module, name)]
    if missing:
        raise ValueError(f"{type(module).__name__} is no quantizer: it lacks {', '.join(missing)}")


def levels_of(quantizer: Any, codebook_size: int) -> tuple[int, ...]:
    """Return the levels of the digits of a code; ``(codebook_size,)`` where codes have no digits.

    Args:
        quantizer: A `Quantizer`, or None for a tokenizer that has none.
        codebook_size: Number of codes.

    Raises:
        ValueError: If the levels do not multiply to the size of the codebook.
    """
    levels = tuple(int(level) for level in getattr(quantizer, "levels", (codebook_size,)))
    if prod(levels) != codebook_size:
        name = type(quantizer).__name__
        raise ValueError(f"levels of {name} are {list(levels)}, which do not multiply to {codebook_size:,} codes")
    return levels
