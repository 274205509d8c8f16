"""MAGVIT2: the VideoTokenizer of magvit2-pytorch, as a `trajvq.tokens.Tokenizer`.

    pip install magvit2-pytorch==0.5.1 && pip uninstall --yes torchvision

The second command since torchvision has to be of one build with torch. It is not needed: the library reads only the
weights of a perceptual loss from it, which is switched off here.
"""

from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from experiments.blindness.magvit2 import LAYERS, LEVELS, load_library

INSTALL = "it needs the library: pip install magvit2-pytorch==0.5.1 && pip uninstall --yes torchvision"


class MAGVIT2(nn.Module):
    """4 x 8 x 8 causal tokens with FSQ, by the causal 3-D convolutions of MAGVIT-v2 (Yu et al., 2023).

    Of two frames the library's layers see the first one alone before they halve their number, so that the last three
    frames of a clip would change no token. A copy of the first frame before the clip moves all by one: a token then
    sees its own four frames. Its own token is left out.

    Args:
        size: Height and width of the clips that the library expects; others work as well.

    Raises:
        ValueError: If magvit2-pytorch is not installed.
    """

    strides = (4, 8, 8)

    def __init__(self, size: int = 64) -> None:
        super().__init__()
        try:
            library = load_library()
        except ImportError as error:
            raise ValueError(f"{INSTALL} ({error})") from None
        self.size, self.codebook_size = size, prod(LEVELS)
        self.network: Any = library.VideoTokenizer(
            image_size=size,
            use_fsq=True,
            fsq_levels=list(LEVELS),
            use_gan=False,
            perceptual_loss_weight=0.0,
            **LAYERS["tokens"],
        )
        del self.network.discr  # no loss uses it

    def _quantized(self, video: Tensor) -> tuple[Tensor, Tensor]:
        """Return codes ``(B, d, t, h, w)`` and tokens int32 ``(B, t, h, w)``."""
        longer = torch.cat([video[:, :, :1], video], dim=2)
        latent = self.network.encode(longer, video_contains_first_frame=False)[:, :, 1:]
        codes, indices = self.network.quantizers(latent)
        return codes, indices

    def quantize(self, video: Tensor) -> Tensor:
        """Return codes float ``(B, d, t, h, w)`` of clips float ``(B, 3, T, H, W)`` in [0, 1]."""
        return self._quantized(video)[0]

    def encode(self, video: Tensor) -> Tensor:
        """Return tokens int64 ``(B, t, h, w)`` of clips float ``(B, 3, T, H, W)`` in [0, 1]."""
        return self._quantized(video)[1].long()

    def decode(self, indices: Tensor) -> Tensor:
        """Return clips float ``(B, 3, T, H, W)`` of tokens int64 ``(B, t, h, w)``."""
        video: Tensor = self.network.decode_from_code_indices(indices, video_contains_first_frame=False)
        return video

    def forward(self, video: Tensor) -> Tensor:
        if not self.training:
            return self.decode(self.encode(video))
        video = self.network.decode(self.quantize(video), video_contains_first_frame=False)
        return video
