"""SplitEncoder: the tokens of whole splits and the codes that they number, by as few passes as possible."""

import torch
from torch import Tensor

from trajvq.data.storage.clips import Clips
from trajvq.io.video import to_float
from trajvq.tokens.protocol import Tokenizer


class SplitEncoder:
    """Encodes splits. The vector of a code is remembered, so that `Tokenizer.quantize` runs only where codes are new.

    Args:
        network: The tokenizer, in evaluation mode.
        device: Where to encode.
        batch_size: Clips encoded at a time.
    """

    def __init__(self, network: Tokenizer, device: torch.device, batch_size: int) -> None:
        self.network, self.device, self.batch_size = network, device, batch_size
        self.learned = torch.empty(0, dtype=torch.int64)  # codes with a vector, ascending
        self.vectors = torch.empty(0, 0)

    def encode(self, clips: Clips, with_codes: bool) -> tuple[Tensor, Tensor | None]:
        """Encode all clips of a split.

        Args:
            clips: The split, N clips.
            with_codes: Also return the codes.

        Returns:
            Tokens int64 ``(N, t, h, w)``, and codes float ``(N, d, t, h, w)`` or None; both on the CPU.
        """
        tokens, codes = [], []
        for batch in clips.loader(self.batch_size):
            video = to_float(batch["video"].to(self.device))
            indices = self.network.encode(video).cpu()
            tokens.append(indices)
            if with_codes:
                codes.append(self._codes(video, indices))
        return torch.cat(tokens), torch.cat(codes) if with_codes else None

    def _codes(self, video: Tensor, indices: Tensor) -> Tensor:
        """Return the codes ``(B, d, t, h, w)`` of tokens ``(B, t, h, w)``."""
        if not torch.isin(indices, self.learned).all():
            # The whole batch, as `encode` had it: another batch may round differently.
            vectors = self.network.quantize(video).cpu().movedim(1, -1).flatten(0, -2)
            numbers = torch.cat([self.learned, indices.flatten()])
            vectors = torch.cat([self.vectors, vectors]) if len(self.learned) else vectors
            self.learned, group = torch.unique(numbers, return_inverse=True)
            self.vectors = torch.empty(len(self.learned), vectors.shape[1]).to(vectors.dtype)
            self.vectors[group] = vectors  # all vectors of a group are the same
        return self.vectors[torch.searchsorted(self.learned, indices)].movedim(-1, 1)
