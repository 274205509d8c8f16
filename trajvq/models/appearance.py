"""AppearanceModel: what a clip's object looks like, a few numbers told one after another before any token.

B clips, L numbers, D channels.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

BINS = 64  # between -1 and 1


class AppearanceModel(nn.Module):
    """How large and of which color the object is: a categorical distribution a number, given those before.

    Args:
        classes: Classes; a label of as many stands for no class.
        numbers: L.
        width: D.
    """

    def __init__(self, classes: int, numbers: int, width: int) -> None:
        super().__init__()
        self.numbers = numbers
        self.label = nn.Embedding(classes + 1, width)
        self.start = nn.Parameter(torch.randn(numbers, width) * 0.3)  # which number is next
        self.told = nn.Parameter(torch.randn(numbers, BINS, width) * 0.1)  # what each bin of each number says
        self.mix = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.head = nn.Linear(width, BINS)

    def rounded(self, look: Tensor) -> Tensor:
        """Return numbers ``(..., L)`` moved to the middle of their bin."""
        return (_bins(look) + 0.5) * (2 / BINS) - 1

    def log_probability(self, look: Tensor, label: Tensor) -> Tensor:
        """Return the natural logarithm ``(B,)`` of the probability of looks.

        Args:
            look: float ``(B, L)`` from -1 to 1; what lies beyond counts as the end.
            label: int64 ``(B,)``.
        """
        bins = _bins(look)
        said = torch.stack([self.told[k, bins[:, k]] for k in range(self.numbers)], dim=1)
        before = F.pad(said.cumsum(dim=1), (0, 0, 1, 0))[:, :-1]
        logits = self.head(self._mixed(before + self.start, label))
        return -F.cross_entropy(logits.flatten(0, 1), bins.flatten(), reduction="none").view_as(bins).sum(dim=1)

    def draw(self, label: Tensor, chance: Tensor, likeliest: bool = False) -> Tensor:
        """Return looks ``(B, L)`` by uniform numbers float64 ``(B, L)``, one for each; or the likeliest ones."""
        said, made = torch.zeros(len(label), 1, self.told.shape[-1], device=label.device), []
        for k in range(self.numbers):
            share = self.head(self._mixed(said + self.start[k], label))[:, 0].double().softmax(dim=-1)
            if likeliest:
                bins = share.argmax(dim=-1)
            else:
                ladder = share.cumsum(dim=-1)
                found = torch.searchsorted(ladder, chance[:, k : k + 1] * ladder[:, -1:], right=True)[:, 0]
                bins = found.clamp(max=BINS - 1)
            said = said + self.told[k, bins][:, None]
            made.append((bins + 0.5) * (2 / BINS) - 1)
        return torch.stack(made, dim=1).to(self.told.dtype)

    def _mixed(self, said: Tensor, label: Tensor) -> Tensor:
        x = said + self.label(label)[:, None]
        made: Tensor = x + self.mix(x)
        return made


def _bins(look: Tensor) -> Tensor:
    return ((look + 1) * (BINS / 2)).long().clamp(0, BINS - 1)
