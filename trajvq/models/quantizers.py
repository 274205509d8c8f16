"""VQ, SimVQ and LFQ from vector-quantize-pytorch (``pip install 'trajvq[quantizers]'``), as `Quantizer` modules.

B clips; d channels of a code; t, h, w tokens over frames, rows and columns. Codes are float32 whatever the precision;
in training each quantizer leaves a loss of its own in ``loss``.
"""

from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn

DISTANCES = 2**25  # most distances between latents and codes held at a time
ENTROPY_BITS = 12  # of which the entropy is computed together


class _Codebook(nn.Module):
    """Common part: indices and codes from a table of all codes, exact in evaluation.

    Args:
        dim: d.
        codebook_size: Number of codes.

    Raises:
        ValueError: If ``dim`` is below 1 or ``codebook_size`` below 2.
    """

    quantizer: Any

    def __init__(self, dim: int, codebook_size: int) -> None:
        super().__init__()
        if dim < 1 or codebook_size < 2:
            raise ValueError(f"dim is {dim} and codebook_size {codebook_size}; give at least 1 and 2")
        self.dim, self.codebook_size = dim, codebook_size
        self.loss: Tensor | None = None

    def table(self) -> Tensor:
        """Return all codes, float32 ``(codebook_size, d)``."""
        codes: Tensor = self.quantizer.codebook
        return codes.float()

    def learn(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        """Return codes with gradients and the quantizer's own loss, for latents ``(B, t, h, w, d)``."""
        codes, _, loss = self.quantizer(latent.flatten(1, 3))
        return codes.view_as(latent), loss

    def forward(self, latent: Tensor) -> Tensor:
        """Return codes of latents, both ``(B, d, t, h, w)``, as float32."""
        with torch.autocast(latent.device.type, enabled=False):
            latent = latent.float()
            if not self.training:
                return self.codes(self.indices(latent))
            codes, self.loss = self.learn(rearrange(latent, "b d t h w -> b t h w d"))
        return rearrange(codes, "b t h w d -> b d t h w")

    def indices(self, codes: Tensor) -> Tensor:
        """Return the indices int64 ``(B, t, h, w)`` of codes ``(B, d, t, h, w)``, or of those nearest to latents."""
        rows = rearrange(codes.float(), "b d t h w -> (b t h w) d")
        table = self.table()
        parts = rows.split(max(DISTANCES // self.codebook_size, 1))  # type: ignore[no-untyped-call]
        nearest = torch.cat([torch.cdist(part[None], table[None])[0].argmin(dim=-1) for part in parts])
        return nearest.view(codes.shape[0], *codes.shape[2:])

    def codes(self, indices: Tensor) -> Tensor:
        """Return the codes ``(B, d, t, h, w)`` of indices ``(B, t, h, w)``."""
        return rearrange(self.table()[indices], "b t h w d -> b d t h w")


class VQ(_Codebook):
    """Vector quantization with a moving-average codebook (van den Oord et al., 2017); dead codes are revived.

    Args:
        dim: Channels of a code.
        codebook_size: Number of codes.
        decay: Decay of the codebook's moving average.
        commitment: Weight of the loss that keeps latents near their codes.
        revive_below: Codes used less often per batch, by moving average, are replaced with latents of the batch.
    """

    def __init__(
        self,
        dim: int = 8,
        codebook_size: int = 1000,
        decay: float = 0.99,
        commitment: float = 0.25,
        revive_below: float = 0.5,
    ) -> None:
        super().__init__(dim, codebook_size)
        self.decay, self.commitment, self.revive_below = decay, commitment, revive_below
        self.quantizer = _library().VectorQuantize(
            dim=dim,
            codebook_size=codebook_size,
            decay=decay,
            commitment_weight=commitment,
            threshold_ema_dead_code=revive_below,
        )

    def learn(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        """Return codes with gradients and the commitment loss, for latents ``(B, t, h, w, d)``."""
        codes, loss = super().learn(latent)
        return codes, loss.sum()


class SimVQ(_Codebook):
    """A linear layer over a frozen random codebook, so that every step moves every code (Zhu et al., 2024).

    Args:
        dim: Channels of a code.
        codebook_size: Number of codes.
        commitment: Weight of the loss between latents and codes.
    """

    def __init__(self, dim: int = 8, codebook_size: int = 1000, commitment: float = 1.0) -> None:
        super().__init__(dim, codebook_size)
        self.commitment = commitment
        self.quantizer = _library().SimVQ(dim=dim, codebook_size=codebook_size, commitment_weight=commitment)


class LFQ(_Codebook):
    """Signs of the channels, with a loss that makes use of all codes (MAGVIT-v2, Yu et al., 2023).

    The entropy of more than `ENTROPY_BITS` bits is summed over equal groups of them, as in Open-MAGVIT2 (Luo et al.,
    2024): of all codes at once it would need a probability per token and code.

    Args:
        bits: Channels of a code; there are ``2 ** bits`` codes.
        entropy: Weight of the entropy loss.
        diversity: Weight, within it, of using all codes against being certain of each.
        commitment: Weight of the loss that keeps latents near -1 and 1.
    """

    basis: Tensor

    def __init__(self, bits: int = 10, entropy: float = 0.01, diversity: float = 1.0, commitment: float = 0.1) -> None:
        super().__init__(bits, 2**bits)
        self.levels = (2,) * bits
        self.bits, self.entropy, self.diversity, self.commitment = bits, entropy, diversity, commitment
        self.quantizer = _library().LFQ(
            dim=bits,
            codebook_size=2 ** (bits // _entropy_groups(bits)),
            num_codebooks=_entropy_groups(bits),
            entropy_loss_weight=entropy,
            diversity_gamma=diversity,
            commitment_loss_weight=commitment,
        )
        basis = 2 ** torch.arange(bits - 1, -1, -1)
        self.register_buffer("basis", basis.view(-1, 1, 1, 1), persistent=False)

    def indices(self, codes: Tensor) -> Tensor:
        """Return the indices int64 ``(B, t, h, w)`` of the signs of codes or latents ``(B, d, t, h, w)``."""
        return ((codes > 0).long() * self.basis).sum(dim=1)

    def codes(self, indices: Tensor) -> Tensor:
        """Return the codes ``(B, d, t, h, w)``, -1 or 1, of indices ``(B, t, h, w)``."""
        return (indices[:, None] // self.basis % 2 * 2 - 1).float()


def _entropy_groups(bits: int) -> int:
    """Return into how many equal groups of bits the entropy is split: as few as keep `ENTROPY_BITS` each."""
    return next(groups for groups in range(1, bits + 1) if bits % groups == 0 and bits // groups <= ENTROPY_BITS)


def _library() -> Any:
    try:
        import vector_quantize_pytorch
    except ImportError:
        raise ValueError("VQ, SimVQ and LFQ need vector-quantize-pytorch: pip install 'trajvq[quantizers]'") from None
    return vector_quantize_pytorch
