"""Cells along a path: how they lie to it, which ones it comes near, and what code each holds.

B clips, T frames, N tokens of a clip in the order of the grid, L told ones, D channels, C codes.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trajvq.models.causal import ChannelNorm
from trajvq.models.transformer import TokenEmbedding, TokenLayout

WAVES = (0.5, 1.0, 2.0)  # turns a cell of the sines that tell where in a cell something is


class CellOffsets(nn.Module):
    """How the path lies to every cell, as vectors: what a token holds depends on that and not on where its cell is.

    Args:
        layout: Of the tokens.
        width: D.
        numbers: That say how the object looks; a token depends on these, too.
    """

    centre: Tensor

    def __init__(self, layout: TokenLayout, width: int, numbers: int = 0) -> None:
        super().__init__()
        self.layout = layout
        _, h, w = layout.grid
        row, column = torch.meshgrid(torch.arange(h) + 0.5, torch.arange(w) + 0.5, indexing="ij")
        self.register_buffer("centre", torch.stack([column, row], dim=-1).view(-1, 2), persistent=False)
        places = 2 * 2 * layout.frames * (2 + 2 * len(WAVES))  # of the frames of this latent frame and of the last
        self.network = nn.Sequential(nn.Linear(places + numbers, width), nn.GELU(), nn.Linear(width, width))

    def offsets(self, path: Tensor) -> Tensor:
        """Return where points are from the middle of each cell, in cells: ``(B, t, h * w, frames, 2)``.

        Args:
            path: float ``(B, T, 2)``, x and y from -1 to 1 between the edges.
        """
        t, h, w = self.layout.grid
        point = (path + 1) / 2 * path.new_tensor([w, h])
        return point.view(len(path), t, 1, -1, 2) - self.centre[:, None]

    def near(self, path: Tensor, reach: float) -> Tensor:
        """Return bool ``(B, N)``: whether a point comes within so many cells of the edge of each cell."""
        near = self.offsets(path).abs().amax(dim=-1).amin(dim=-1) <= 0.5 + reach
        return near.flatten(1)

    def forward(self, path: Tensor, look: Tensor | None = None) -> Tensor:
        """Return ``(B, t, h * w, D)``.

        Args:
            path: float ``(B, T, 2)``; see `offsets`.
            look: float ``(B, numbers)``; None where there are none.
        """
        now = self.offsets(path).flatten(3)
        off = torch.cat([now, torch.cat([now[:, :1], now[:, :-1]], dim=1)], dim=-1)
        close = torch.exp(-off.square() / 2)  # far off there is nothing to tell
        waves = [close * f(2 * torch.pi * wave * off) for wave in WAVES for f in (torch.sin, torch.cos)]
        known = [torch.tanh(off), off / max(self.layout.grid[1:]), *waves]
        if look is not None:
            known.append(look[:, None, None].expand(-1, *off.shape[1:3], -1))
        made: Tensor = self.network(torch.cat(known, dim=-1))
        return made


class CodeHead(nn.Module):
    """Vectors to logits of codes: codes that share digits share weights, beside weights of their own.

    Args:
        layout: Of the tokens.
        width: D.
    """

    digits: Tensor

    def __init__(self, layout: TokenLayout, width: int) -> None:
        super().__init__()
        self.register_buffer("digits", TokenEmbedding(layout, 1).digits, persistent=False)
        self.norm = ChannelNorm(width)
        self.shared = nn.Parameter(torch.randn(self.digits.shape[1], width) * 0.1)
        self.own = nn.Linear(width, layout.codebook_size)
        nn.init.zeros_(self.own.weight)
        nn.init.zeros_(self.own.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits ``(..., C)`` of ``(..., D)``."""
        return F.linear(self.norm(x), self.digits @ self.shared + self.own.weight, self.own.bias)


def token_positions(near: Tensor) -> Tensor:
    """Return int64 ``(B, L)``: the places that are true in bool ``(B, N)``, rising; N after the last."""
    longest = int(near.sum(dim=1).amax())
    place = (~near).to(torch.uint8).sort(dim=1, stable=True).indices[:, :longest]
    return place.masked_fill(~near.gather(1, place), near.shape[1])


def filled(path: Tensor) -> Tensor:
    """Return paths ``(B, T, 2)`` with missing points (NaN) put where the last one before was, or the first after.

    A path without any point stays in the middle.
    """
    seen = ~path.isnan().any(dim=-1)
    moments = torch.arange(path.shape[1], device=path.device)
    before = moments.where(seen, -1).cummax(dim=1).values
    first = seen.to(torch.uint8).argmax(dim=1, keepdim=True)
    source = torch.where(before < 0, first, before)
    return path.gather(1, source[..., None].expand(-1, -1, 2)).nan_to_num(0.0)


def at(values: Tensor, place: Tensor) -> Tensor:
    """Return ``(B, S, ...)`` of values ``(B, N, ...)`` at places int64 ``(B, S)``; of N, any."""
    place = place.clamp(max=values.shape[1] - 1)
    index = place if values.ndim == 2 else place[..., None].expand(-1, -1, values.shape[2])
    found: Tensor = values.gather(1, index)
    return found


def log_share(logits: Tensor, code: Tensor) -> Tensor:
    """Return the logarithm ``(B, S)`` of the share that logits ``(B, S, C)`` give to codes."""
    found: Tensor = -F.cross_entropy(logits.flatten(0, 1), code.flatten(), reduction="none").view_as(code)
    return found
