"""TrajectoryPredictor: all places of a clip to come, at once, from those seen, as samples that a proper score has taught.

The network takes noise beside the places seen, and two of its answers to each context are trained on the energy
score (Gneiting and Raftery, 2007; as in engression, Shen and Meinshausen, 2024): near to what happened, and as far
from each other as that is uncertain. Nothing is fed back, so errors do not add up along the way.

B clips, T frames, n of them seen, K samples, D channels; x and y from -1 to 1 between the picture's edges.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MIDDLE = 64  # samples whose middle is the answer where one is asked for


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


class TrajectoryPredictor(nn.Module):
    """The places of later frames from those of the first ones; see `AutoregressiveTrajectory`.

    Paths are looked at from where the object was seen last, along its way there and with its turn to one side, so
    that motions which differ by place, direction or a mirror are one to the network. Where the picture lies is told
    beside.

    Args:
        frames: T, of the clips it is trained on.
        width: D.
        layers: Residual layers before noise comes in.
        noisy_layers: Residual layers after.
        noise: Random numbers that a sample is made of, at most 3 T.
    """

    fixed: Tensor

    def __init__(self, frames: int, width: int = 192, layers: int = 3, noisy_layers: int = 2, noise: int = 16) -> None:
        super().__init__()
        self.frames, self.noise = frames, min(noise, 3 * frames)
        self.inward = nn.Linear(2 * frames + 4, width)
        self.given = nn.Embedding(frames + 1, width)
        self.layers = nn.Sequential(*(ResidualLayer(width) for _ in range(layers)))
        self.chance = nn.Linear(self.noise, width, bias=False)
        self.noisy_layers = nn.Sequential(*(ResidualLayer(width) for _ in range(noisy_layers)))
        self.outward = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 2 * frames))
        for weight in (self.given.weight, self.chance.weight):
            nn.init.normal_(weight, std=0.05)  # at first what was seen counts most, or noise drowns it
        draws = torch.randn(MIDDLE, self.noise, generator=torch.Generator().manual_seed(0))
        self.register_buffer("fixed", draws, persistent=False)

    def forward(self, seen: Tensor, given: Tensor, chance: Tensor) -> Tensor:
        """Return whole paths ``(B, K, T, 2)``; where places were seen they are no better than these.

        Args:
            seen: float ``(B, T, 2)``; from each clip's ``given`` on it is not looked at.
            given: int64 ``(B,)``, places seen, 1 to T.
            chance: float ``(B, K, noise)``, standard normal.
        """
        last, along, side = _standpoint(seen, given)
        there = torch.arange(self.frames, device=seen.device) < given[:, None]
        off = _turned(seen - last, along, side)  # (B, T, 2)
        middle = _turned(-last, along, side)[:, 0]
        way = torch.stack([along[:, 0], along[:, 1] * side], dim=-1)
        features = torch.cat([4 * torch.where(there[..., None], off, 0.0).flatten(1), middle, way], dim=1)
        known = self.layers(self.inward(features) + self.given(given))
        made = self.outward(self.noisy_layers(known[:, None] + self.chance(chance)))
        count, draws = chance.shape[:2]
        flat = made.view(count, draws * self.frames, 2)
        placed: Tensor = last[:, None] + _back(flat, along, side).view(count, draws, self.frames, 2)
        return placed

    def loss(self, path: Tensor, given: Tensor) -> Tensor:
        """Return the mean energy score of two samples a clip over the frames not seen.

        Args:
            path: float ``(B, T, 2)``; frames with NaN are not valid.
            given: int64 ``(B,)``, places that are shown, 1 to T - 1.
        """
        valid = path.isfinite().all(dim=-1) & (torch.arange(self.frames, device=path.device) >= given[:, None])
        path = path.nan_to_num()
        made = self(path, given, torch.randn(len(path), 2, self.noise, device=path.device))
        error = (made - path[:, None]).norm(dim=-1).mean(dim=1)
        noise_scale = (made[:, 0] - made[:, 1]).norm(dim=-1)
        score: Tensor = ((error - noise_scale / 2) * valid).sum() / valid.sum().clamp(min=1)
        return score

    @staticmethod
    def rounded(path: Tensor) -> Tensor:
        """Return places as they are: there is no grid."""
        return path

    @staticmethod
    def log_probability(path: Tensor, label: Tensor) -> Tensor:
        """Return zeros ``(B, T)``: samples have no density. What is trained is `loss`."""
        return path.new_zeros(path.shape[:2])

    def rollout(
        self, path: Tensor, frames: int, label: Tensor, chance: Tensor, noise_scale: float = 1.0, guidance: float = 1.0
    ) -> Tensor:
        """Return paths ``(B, frames, 2)`` that go on from the given ones.

        Args:
            path: float ``(B, S, 2)``, S from 1 on; what is beyond ``frames`` is left out.
            frames: At most T.
            label: Not looked at.
            chance: ``(B, frames, ...)`` uniform numbers, at least as many as the noise.
            noise_scale: Times the noise; with 0 each place is the geometric median of 64 samples, the best guess where
                the mean distance counts.
            guidance: Not looked at.
        """
        given = path.shape[1]
        if given >= frames:
            short: Tensor = path[:, :frames]
            return short
        seen = F.pad(path, (0, 0, 0, self.frames - given))
        shown = torch.full((len(path),), given, device=path.device)
        if noise_scale == 0:
            made = geometric_median(self(seen, shown, self.fixed.expand(len(path), -1, -1)))
        else:
            uniform = chance.flatten(1)[:, : self.noise].clamp(1e-9, 1 - 1e-9)
            normal = torch.special.ndtri(uniform).to(path.dtype) * noise_scale
            made = self(seen, shown, F.pad(normal, (0, self.noise - normal.shape[1]))[:, None])[:, 0]
        return torch.cat([path, made[:, given:frames]], dim=1)


def _standpoint(seen: Tensor, given: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the last place seen ``(B, 1, 2)``, the unit vector that leads there ``(B, 2)``, and the side it turns to.

    The side is 1 or -1, ``(B,)``.
    """

    def at(back: int) -> Tensor:
        moment = (given - 1 - back).clamp(min=0)[:, None, None].expand(-1, 1, 2)
        return seen.gather(1, moment)[:, 0]

    last, before, earlier = at(0), at(2), at(5)
    way = last - before
    length = way.norm(dim=-1, keepdim=True)
    along = torch.where(length > 1e-6, way / length.clamp(min=1e-6), way.new_tensor([1.0, 0.0]))
    bend = before - earlier
    side = torch.where(bend[:, 0] * way[:, 1] - bend[:, 1] * way[:, 0] < 0, -1.0, 1.0)
    return last[:, None], along, side


def _turned(path: Tensor, along: Tensor, side: Tensor) -> Tensor:
    """Return paths ``(B, T, 2)`` in axes along and across the way, the side that is turned to being positive."""
    x = (path * along[:, None]).sum(dim=-1)
    y = path[..., 1] * along[:, None, 0] - path[..., 0] * along[:, None, 1]
    return torch.stack([x, y * side[:, None]], dim=-1)


def _back(path: Tensor, along: Tensor, side: Tensor) -> Tensor:
    """Undo `_turned`."""
    x, y = path[..., 0], path[..., 1] * side[:, None]
    across = torch.stack([-along[:, 1], along[:, 0]], dim=-1)
    return x[..., None] * along[:, None] + y[..., None] * across[:, None]


def geometric_median(points: Tensor, rounds: int = 12) -> Tensor:
    """Return the place ``(B, ..., 2)`` nearest on average to K points ``(B, K, ..., 2)`` (Weiszfeld, 1937)."""
    middle: Tensor = points.mean(dim=1)
    for _ in range(rounds):
        pull = 1 / (points - middle[:, None]).norm(dim=-1, keepdim=True).clamp(min=1e-4)
        middle = (points * pull).sum(dim=1) / pull.sum(dim=1)
    return middle
