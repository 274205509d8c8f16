"""The cells of the token grid: where each lies relative to a track, and which ones the object touches.

B clips, T frames; t, h, w tokens over latent frames, rows and columns, N of a clip; D channels.
"""

import torch
from torch import Tensor, nn

from trajvq.models.transformer import TokenLayout

FREQUENCIES = (0.5, 1.0, 2.0)  # periods per cell of the sines that encode a position within a cell


class CellOffsets(nn.Module):
    """Embed the track relative to every cell: a token depends on where the object is in its cell, not on the cell.

    Args:
        layout: Of the tokens.
        width: D.
        numbers: Size of the appearance vector, 0 without one.
    """

    centers: Tensor

    def __init__(self, layout: TokenLayout, width: int, numbers: int = 0) -> None:
        super().__init__()
        self.layout = layout
        _, h, w = layout.grid
        row, column = torch.meshgrid(torch.arange(h) + 0.5, torch.arange(w) + 0.5, indexing="ij")
        self.register_buffer("centers", torch.stack([column, row], dim=-1).view(-1, 2), persistent=False)
        features = 2 * 2 * layout.frames * (2 + 2 * len(FREQUENCIES))  # frames of this latent frame and of the last one
        self.network = nn.Sequential(nn.Linear(features + numbers, width), nn.GELU(), nn.Linear(width, width))

    def offsets(self, tracks: Tensor) -> Tensor:
        """Return positions relative to the center of each cell, in cells: ``(B, t, h * w, frames, 2)``.

        Args:
            tracks: float ``(B, T, 2)``, x and y from -1 to 1 between the edges.
        """
        t, h, w = self.layout.grid
        cells = (tracks + 1) / 2 * tracks.new_tensor([w, h])
        return cells.view(len(tracks), t, 1, -1, 2) - self.centers[:, None]

    def object_mask(self, tracks: Tensor, radius: float) -> Tensor:
        """Return bool ``(B, N)``: the cells whose edge a position comes within ``radius`` cells of."""
        inside = self.offsets(tracks).abs().amax(dim=-1).amin(dim=-1) <= 0.5 + radius
        return inside.flatten(1)

    def forward(self, tracks: Tensor, appearance: Tensor | None = None) -> Tensor:
        """Return ``(B, t, h * w, D)``.

        Args:
            tracks: float ``(B, T, 2)``; see `offsets`.
            appearance: float ``(B, numbers)``; None where there is none.
        """
        current = self.offsets(tracks).flatten(3)
        offsets = torch.cat([current, torch.cat([current[:, :1], current[:, :-1]], dim=1)], dim=-1)
        window = torch.exp(-offsets.square() / 2)  # far away the phase says nothing
        waves = [window * f(2 * torch.pi * k * offsets) for k in FREQUENCIES for f in (torch.sin, torch.cos)]
        features = [torch.tanh(offsets), offsets / max(self.layout.grid[1:]), *waves]
        if appearance is not None:
            features.append(appearance[:, None, None].expand(-1, *offsets.shape[1:3], -1))
        cells: Tensor = self.network(torch.cat(features, dim=-1))
        return cells


class CellFeatures(nn.Module):
    """What is known of every cell before its token: its row, column and frame, the track, and the appearance.

    Args:
        layout: Of the tokens.
        width: D.
        radius: Cells from the edge of a cell within which the object touches it.
        tracks: Tracks are known.
        appearance: Size of the appearance vector, 0 without one.
    """

    index: Tensor

    def __init__(self, layout: TokenLayout, width: int, radius: float, tracks: bool, appearance: int) -> None:
        super().__init__()
        self.layout, self.radius = layout, radius
        grid = torch.meshgrid(*(torch.arange(size) for size in layout.grid), indexing="ij")
        self.register_buffer("index", torch.stack([axis.flatten() for axis in grid]), persistent=False)
        self.axes = nn.ParameterList(torch.randn(size, width) * 0.3 for size in layout.grid)
        self.offsets = CellOffsets(layout, width, appearance) if tracks else None

    def forward(self, count: int, tracks: Tensor | None, appearance: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return features ``(B, N, D)``, and the object mask, bool ``(B, N)``: everywhere true without tracks.

        Args:
            count: B.
            tracks: float ``(B, T, 2)`` without gaps.
            appearance: float ``(B, numbers)``.
        """
        axes = [axis[index] for axis, index in zip(self.axes, self.index, strict=True)]
        position = torch.stack(axes).sum(dim=0).expand(count, -1, -1)
        if self.offsets is None:
            return position, torch.ones(count, self.layout.tokens, dtype=torch.bool, device=position.device)
        if tracks is None:
            raise ValueError(
                "this token model is conditioned on tracks: set data.tracks, or network.trajectory to null"
            )
        features = position + self.offsets(tracks, appearance).flatten(1, 2)
        return features, self.offsets.object_mask(tracks, self.radius)


def token_positions(mask: Tensor) -> Tensor:
    """Return int64 ``(B, L)``: the indices at which bool ``(B, N)`` is true, ascending, padded with N."""
    longest = int(mask.sum(dim=1).amax())
    positions = (~mask).to(torch.uint8).sort(dim=1, stable=True).indices[:, :longest]
    return positions.masked_fill(~mask.gather(1, positions), mask.shape[1])


def gather_tokens(values: Tensor, positions: Tensor) -> Tensor:
    """Return ``(B, L, ...)`` of values ``(B, N, ...)`` at positions int64 ``(B, L)``; at N, any."""
    positions = positions.clamp(max=values.shape[1] - 1)
    index = positions if values.ndim == 2 else positions[..., None].expand(-1, -1, values.shape[2])
    gathered: Tensor = values.gather(1, index)
    return gathered


def fill_gaps(tracks: Tensor) -> Tensor:
    """Return tracks ``(B, T, 2)`` in which missing positions (NaN) repeat the last one before, or the first one after.

    A track without any position stays in the center.
    """
    present = ~tracks.isnan().any(dim=-1)
    frames = torch.arange(tracks.shape[1], device=tracks.device)
    previous = frames.where(present, -1).cummax(dim=1).values
    first = present.to(torch.uint8).argmax(dim=1, keepdim=True)
    source = torch.where(previous < 0, first, previous)
    return tracks.gather(1, source[..., None].expand(-1, -1, 2)).nan_to_num(0.0)


def pad_tracks(tracks: Tensor | None, layout: TokenLayout) -> Tensor | None:
    """Return tracks ``(B, S, 2)`` with the last position repeated up to the frames of training clips."""
    if tracks is None:
        return None
    missing = layout.grid[0] * layout.frames - tracks.shape[1]
    return torch.cat([tracks, tracks[:, -1:].expand(-1, missing, -1)], dim=1)
