"""Foresight: all places of a clip to come, at once, from those seen, as samples that a proper score has taught.

The network takes noise beside the places seen, and two of its answers to each context are trained on the energy
score (Gneiting and Raftery, 2007; as in engression, Shen and Meinshausen, 2024): near to what happened, and as far
from each other as that is uncertain. Nothing is fed back, so errors do not add up along the way.

B clips, T frames, n of them seen, K samples, D channels.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ResidualLayer(nn.Module):
    """A two-layer network behind a norm and beside an identity.

    Args:
        width: D.
        expansion: Hidden channels, in widths.
    """

    def __init__(self, width: int, expansion: int = 2) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.hidden, self.outward = nn.Linear(width, expansion * width), nn.Linear(expansion * width, width)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = x + self.outward(F.gelu(self.hidden(self.norm(x))))
        return made


class Foresight(nn.Module):
    """The places of later frames from those of the first ones, x and y from -1 to 1 between the picture's edges.

    Args:
        frames: T, of the clips it is trained on.
        width: D.
        layers: Residual layers.
        noise: Random numbers that a sample is made of.
    """

    def __init__(self, frames: int, width: int = 256, layers: int = 4, noise: int = 16) -> None:
        super().__init__()
        self.frames, self.noise = frames, noise
        self.inward = nn.Linear(4 * frames, width)
        self.given = nn.Embedding(frames + 1, width)
        self.chance = nn.Linear(noise, width, bias=False)
        self.layers = nn.Sequential(*(ResidualLayer(width) for _ in range(layers)))
        self.outward = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 2 * frames))

    def forward(self, seen: Tensor, given: Tensor, chance: Tensor) -> Tensor:
        """Return whole paths ``(B, K, T, 2)``; where places were seen they are no better than these.

        Args:
            seen: float ``(B, T, 2)``; from each clip's ``given`` on it is not looked at.
            given: int64 ``(B,)``, places seen, 1 to T.
            chance: float ``(B, K, noise)``, standard normal.
        """
        there = torch.arange(self.frames, device=seen.device) < given[:, None]
        last = seen.gather(1, (given - 1)[:, None, None].expand(-1, 1, 2))
        place = torch.where(there[..., None], torch.cat([seen, 2 * (seen - last)], dim=-1), 0.0)
        known = self.inward(place.flatten(1)) + self.given(given)
        made: Tensor = self.outward(self.layers(known[:, None] + self.chance(chance))).unflatten(-1, (-1, 2))
        return last[:, None] + made

    def loss(self, path: Tensor, given: Tensor) -> Tensor:
        """Return the mean energy score of two samples a clip over the frames not seen.

        Args:
            path: float ``(B, T, 2)``; frames with NaN are not charged.
            given: int64 ``(B,)``, places that are shown, 1 to T - 1.
        """
        charged = path.isfinite().all(dim=-1) & (torch.arange(self.frames, device=path.device) >= given[:, None])
        path = path.nan_to_num()
        chance = torch.randn(len(path), 2, self.noise, device=path.device)
        made = self(path, given, chance)
        error = (made - path[:, None]).norm(dim=-1).mean(dim=1)
        spread = (made[:, 0] - made[:, 1]).norm(dim=-1)
        return ((error - spread / 2) * charged).sum() / charged.sum().clamp(min=1)
