"""AppearanceModel: the radius and color of a clip's object, sampled before any token so that all tokens agree.

B clips, L numbers, D channels.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trajvq.models.sampling import Sampling, inverse_cdf, uniforms

BINS = 64  # between -1 and 1
NUMBERS = 4  # radius, red, green, blue; see `trajvq.tokens.tracks.as_appearance`


class AppearanceModel(nn.Module):
    """A categorical distribution of each number of the appearance, given those before it.

    Args:
        width: D.
    """

    def __init__(self, width: int = 128) -> None:
        super().__init__()
        self.width = width

    def build(self, classes: int, numbers: int = NUMBERS) -> None:
        """Create the layers with fresh weights.

        Args:
            classes: Number of classes; the label of that number stands for no class.
            numbers: L.
        """
        width, self.numbers = self.width, numbers
        self.label = nn.Embedding(classes + 1, width)
        self.position = nn.Parameter(torch.randn(numbers, width) * 0.3)  # which number comes next
        self.value = nn.Parameter(torch.randn(numbers, BINS, width) * 0.1)  # of each bin of each number
        self.mix = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.head = nn.Linear(width, BINS)

    def snap(self, appearance: Tensor) -> Tensor:
        """Return numbers ``(..., L)`` moved to the center of their bin."""
        return (_bins(appearance) + 0.5) * (2 / BINS) - 1

    def log_probability(self, appearance: Tensor, label: Tensor) -> Tensor:
        """Return the natural log-probability ``(B,)`` of appearances.

        Args:
            appearance: float ``(B, L)`` from -1 to 1; values beyond count as the nearest end.
            label: int64 ``(B,)``.
        """
        bins = _bins(appearance)
        values = torch.stack([self.value[k, bins[:, k]] for k in range(self.numbers)], dim=1)
        previous = F.pad(values.cumsum(dim=1), (0, 0, 1, 0))[:, :-1]
        logits = self.head(self._mix(previous + self.position, label))
        return -F.cross_entropy(logits.flatten(0, 1), bins.flatten(), reduction="none").view_as(bins).sum(dim=1)

    def sample(self, label: Tensor, sampling: Sampling, generators: Sequence[torch.Generator]) -> Tensor:
        """Return sampled appearances ``(B, L)``; at a noise scale of 0 the likeliest ones.

        Args:
            label: int64 ``(B,)``.
            sampling: Its ``noise_scale`` counts.
            generators: One on the CPU for each clip.
        """
        uniform = uniforms(generators, self.numbers, label.device)
        embedded = torch.zeros(len(label), 1, self.width, device=label.device)
        numbers = []
        for k in range(self.numbers):
            logits = self.head(self._mix(embedded + self.position[k], label))[:, 0]
            probability = logits.double().softmax(dim=-1)
            greedy = sampling.noise_scale == 0
            bins = probability.argmax(dim=-1) if greedy else inverse_cdf(probability, uniform[:, k : k + 1])[:, 0]
            embedded = embedded + self.value[k, bins][:, None]
            numbers.append((bins + 0.5) * (2 / BINS) - 1)
        return torch.stack(numbers, dim=1).to(self.value.dtype)

    def _mix(self, embedded: Tensor, label: Tensor) -> Tensor:
        x = embedded + self.label(label)[:, None]
        mixed: Tensor = x + self.mix(x)
        return mixed


def _bins(appearance: Tensor) -> Tensor:
    return ((appearance + 1) * (BINS / 2)).long().clamp(0, BINS - 1)
