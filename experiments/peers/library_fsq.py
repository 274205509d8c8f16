"""LibraryFSQ: the finite scalar quantization of vector-quantize-pytorch, as a `trajvq.models.quantizer.Quantizer`."""

from collections.abc import Sequence
from math import prod

import torch
from einops import rearrange
from torch import Tensor, nn


class LibraryFSQ(nn.Module):
    """Round each channel, squashed by a hyperbolic tangent, to one of its levels (Mentzer et al., 2023).

    Args:
        levels: Values of each channel, 3 or more.
    """

    def __init__(self, levels: Sequence[int] = (8, 5, 5, 5)) -> None:
        super().__init__()
        from vector_quantize_pytorch import FSQ

        self.levels = tuple(levels)
        self.dim, self.codebook_size = len(self.levels), prod(self.levels)
        self.library = FSQ(list(self.levels))

    def forward(self, latent: Tensor) -> Tensor:
        """Return codes of latents, both ``(B, d, t, h, w)``, as float32."""
        with torch.autocast(latent.device.type, enabled=False):
            codes: Tensor = self.library(latent.float())[0]
            if self.training:
                return codes
            return self.codes(self.indices(codes))  # the gradient's detour costs the last bit

    def indices(self, codes: Tensor) -> Tensor:
        """Return the indices int64 ``(B, t, h, w)`` of codes ``(B, d, t, h, w)``."""
        indices: Tensor = self.library.codes_to_indices(rearrange(codes, "b d t h w -> b t h w d"))
        return indices.long()

    def codes(self, indices: Tensor) -> Tensor:
        """Return the codes ``(B, d, t, h, w)`` of indices ``(B, t, h, w)``."""
        codes: Tensor = self.library.indices_to_codes(indices)
        return codes
