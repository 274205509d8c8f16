"""Other quantizers than FSQ, by vector-quantize-pytorch (``pip install trajvq[quantizers]``), behind FSQ's interface.

B clips, d channels, t, h, w places of the grid of tokens. Each takes latents ``(B, d, t, h, w)``, gives codes of the
same shape, float32, and numbers them; in training it leaves a loss of its own in ``loss``.
"""

from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn


class _Codebook(nn.Module):
    """What the quantizers share: numbers and codes by a table of codes, exact in evaluation.

    Args:
        dim: Channels of a code.
        codebook_size: Codes.
    """

    def __init__(self, dim: int, codebook_size: int) -> None:
        super().__init__()
        if dim < 1 or codebook_size < 2:
            raise ValueError(f"dim is {dim} and codebook_size {codebook_size}; give at least 1 and 2")
        self.dim, self.codebook_size = dim, codebook_size
        self.loss: Tensor | None = None

    def table(self) -> Tensor:
        """Return all codes, float32 ``(codebook_size, d)``."""
        raise NotImplementedError

    def learn(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        """Return codes with gradients and the quantizer's own loss, for latents ``(B, t, h, w, d)``."""
        raise NotImplementedError

    def forward(self, latent: Tensor) -> Tensor:
        """Quantize latents ``(B, d, t, h, w)`` to codes of the same shape, float32."""
        with torch.autocast(latent.device.type, enabled=False):
            latent = latent.float()
            if not self.training:
                return self.codes(self.nearest(latent))
            codes, self.loss = self.learn(rearrange(latent, "b d t h w -> b t h w d"))
        return rearrange(codes, "b t h w d -> b d t h w")

    def nearest(self, latent: Tensor) -> Tensor:
        """Return the numbers ``(B, t, h, w)`` of the codes nearest to latents ``(B, d, t, h, w)``."""
        places = rearrange(latent, "b d t h w -> (b t h w) d")
        found = torch.cdist(places[None], self.table()[None])[0].argmin(dim=-1)
        return found.view(latent.shape[0], *latent.shape[2:])

    def indices(self, codes: Tensor) -> Tensor:
        """Number codes ``(B, d, t, h, w)``: int64 ``(B, t, h, w)`` below ``codebook_size``."""
        return self.nearest(codes.float())

    def codes(self, indices: Tensor) -> Tensor:
        """Return the codes ``(B, d, t, h, w)`` of indices ``(B, t, h, w)``."""
        return rearrange(self.table()[indices], "b t h w d -> b d t h w")


class VQ(_Codebook):
    """Vector quantization with a moving-average codebook (van den Oord et al., 2017); dead codes are revived.

    Args:
        dim: Channels of a code.
        codebook_size: Codes.
        decay: Of the codebook's moving average.
        commitment: Weight of the loss that keeps latents near their codes.
        revive_below: Codes used less often a batch, by moving average, are set to latents of the batch.
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

    def table(self) -> Tensor:
        """Return all codes, float32 ``(codebook_size, d)``."""
        codes: Tensor = self.quantizer.codebook
        return codes.float()

    def learn(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        """Return codes with gradients and the commitment loss, for latents ``(B, t, h, w, d)``."""
        codes, _, loss = self.quantizer(latent.flatten(1, 3))
        return codes.view_as(latent), loss.sum()


class SimVQ(_Codebook):
    """A linear layer of a frozen random codebook, so that every code moves with every step (Zhu et al., 2024).

    Args:
        dim: Channels of a code.
        codebook_size: Codes.
        commitment: Weight of the loss between latents and codes.
    """

    def __init__(self, dim: int = 8, codebook_size: int = 1000, commitment: float = 1.0) -> None:
        super().__init__(dim, codebook_size)
        self.commitment = commitment
        self.quantizer = _library().SimVQ(dim=dim, codebook_size=codebook_size, commitment_weight=commitment)

    def table(self) -> Tensor:
        """Return all codes, float32 ``(codebook_size, d)``."""
        codes: Tensor = self.quantizer.codebook
        return codes.float()

    def learn(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        """Return codes with gradients and the loss between them, for latents ``(B, t, h, w, d)``."""
        codes, _, loss = self.quantizer(latent.flatten(1, 3))
        return codes.view_as(latent), loss


class LFQ(_Codebook):
    """Signs of the channels, with a loss that spreads the codes (MAGVIT-v2, Yu et al., 2023).

    Args:
        bits: Channels of a code; there are 2 to that power codes.
        entropy: Weight of the entropy loss.
        diversity: Weight in it of using all codes, against being sure of each.
        commitment: Weight of the loss that keeps latents near -1 and 1.
    """

    def __init__(self, bits: int = 10, entropy: float = 0.01, diversity: float = 1.0, commitment: float = 0.1) -> None:
        super().__init__(bits, 2**bits)
        self.bits, self.entropy, self.diversity, self.commitment = bits, entropy, diversity, commitment
        self.quantizer = _library().LFQ(
            dim=bits, entropy_loss_weight=entropy, diversity_gamma=diversity, commitment_loss_weight=commitment
        )

    def table(self) -> Tensor:
        """Return all codes, float32 ``(codebook_size, d)``: every row of signs."""
        codes: Tensor = self.quantizer.codebook
        return codes.float()

    def learn(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        """Return codes with gradients and the entropy loss, for latents ``(B, t, h, w, d)``."""
        codes, _, loss = self.quantizer(latent.flatten(1, 3))
        return codes.view_as(latent), loss

    def nearest(self, latent: Tensor) -> Tensor:
        """Return the numbers ``(B, t, h, w)`` of the signs of latents ``(B, d, t, h, w)``."""
        places = rearrange(latent > 0, "b d t h w -> b t h w d").long()
        found: Tensor = (places * self.quantizer.mask.long()).sum(dim=-1)
        return found


def _library() -> Any:
    try:
        import vector_quantize_pytorch
    except ImportError:
        raise ValueError("VQ, SimVQ and LFQ need vector-quantize-pytorch: pip install trajvq[quantizers]") from None
    return vector_quantize_pytorch
