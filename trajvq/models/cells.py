"""The cells of the token grid: where each lies relative to the objects' tracks, and which ones an object touches.

B clips, K objects, T frames; t, h, w tokens over latent frames, rows and columns, N of a clip; D channels.
"""

import torch
from torch import Tensor, nn

from trajvq.models.appearance import NUMBERS
from trajvq.models.token_model import Conditions
from trajvq.models.transformer import TokenLayout

FREQUENCIES = (0.5, 1.0, 2.0)  # periods per cell of the sines that encode a position within a cell
NEAREST = 2  # objects that a cell is told of
OUTSIDE = 1.5  # as far from the center as objects go on that are not seen; the edges of the picture lie at 1


class CellOffsets(nn.Module):
    """Embed the tracks relative to every cell: a token depends on where an object is in its cell, not on the cell.

    A cell is told of the objects that come nearest to it in its latent frame; what it is told of each is added up.

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
        """Return positions relative to the center of each cell, in cells: ``(B, K, t, h * w, frames, 2)``.

        Args:
            tracks: float ``(B, K, T, 2)``, x and y from -1 to 1 between the edges; NaN for an object that is not there.
        """
        t, h, w = self.layout.grid
        cells = (tracks + 1) / 2 * tracks.new_tensor([w, h])
        return cells.reshape(*tracks.shape[:2], t, 1, -1, 2) - self.centers[:, None]

    @staticmethod
    def distances(offsets: Tensor) -> Tensor:
        """Return ``(B, K, t, h * w)`` cells between the center of each cell and each object's nearest position.

        Infinite for an object that is not there.
        """
        return offsets.abs().amax(dim=-1).nan_to_num(torch.inf).amin(dim=-1)

    def object_mask(self, tracks: Tensor, radius: float) -> Tensor:
        """Return bool ``(B, N)``: the cells whose edge a position comes within ``radius`` cells of."""
        inside = self.distances(self.offsets(tracks)).amin(dim=1) <= 0.5 + radius
        return inside.flatten(1)

    def forward(self, tracks: Tensor, appearance: Tensor | None = None) -> Tensor:
        """Return ``(B, t, h * w, D)``.

        Args:
            tracks: float ``(B, K, T, 2)``; see `offsets`.
            appearance: float ``(B, K, numbers)``; None where there is none.
        """
        current = self.offsets(tracks)
        distance = self.distances(current)
        nearest = distance.topk(min(NEAREST, tracks.shape[1]), dim=1, largest=False)
        exists = nearest.values.isfinite()[..., None]
        current = current.flatten(4).nan_to_num()
        offsets = torch.cat([current, torch.cat([current[:, :, :1], current[:, :, :-1]], dim=2)], dim=-1)
        offsets = _chosen(offsets, nearest.indices)
        window = torch.exp(-offsets.square() / 2)  # far away the phase says nothing
        waves = [window * f(2 * torch.pi * k * offsets) for k in FREQUENCIES for f in (torch.sin, torch.cos)]
        features = [torch.tanh(offsets), offsets / max(self.layout.grid[1:]), *waves]
        if appearance is not None:
            features.append(
                _chosen(appearance[:, :, None, None].expand(-1, -1, *current.shape[2:4], -1), nearest.indices)
            )
        cells: Tensor = self.network(torch.cat(features, dim=-1))
        return cells.where(exists, 0.0).sum(dim=1)


def _chosen(values: Tensor, index: Tensor) -> Tensor:
    """Return those of values ``(B, K, t, h * w, n)`` of the objects at index int64 ``(B, M, t, h * w)``."""
    return values.gather(1, index[..., None].expand(-1, -1, -1, -1, values.shape[-1]))


class CellFeatures(nn.Module):
    """What is known of every cell before its token: its row, column and frame, the objects' tracks and appearance.

    Args:
        layout: Of the tokens.
        width: D.
        radius: Cells from the edge of a cell within which the object touches it.
        tracks: Tracks are known.
        appearance: So are appearances.
    """

    index: Tensor

    def __init__(self, layout: TokenLayout, width: int, radius: float, tracks: bool, appearance: bool) -> None:
        super().__init__()
        self.layout, self.radius = layout, radius
        grid = torch.meshgrid(*(torch.arange(size) for size in layout.grid), indexing="ij")
        self.register_buffer("index", torch.stack([axis.flatten() for axis in grid]), persistent=False)
        self.axes = nn.ParameterList(torch.randn(size, width) * 0.3 for size in layout.grid)
        self.offsets = CellOffsets(layout, width, NUMBERS if appearance else 0) if tracks else None

    def forward(self, count: int, conditions: Conditions) -> tuple[Tensor, Tensor]:
        """Return features ``(B, N, D)``, and the object mask, bool ``(B, N)``: everywhere true without tracks.

        Args:
            count: B.
            conditions: Tracks have no gaps; they are NaN for an object that is not there.
        """
        axes = [axis[index] for axis, index in zip(self.axes, self.index, strict=True)]
        position = torch.stack(axes).sum(dim=0).expand(count, -1, -1)
        if self.offsets is None:
            return position, torch.ones(count, self.layout.tokens, dtype=torch.bool, device=position.device)
        if conditions.tracks is None:
            raise ValueError(
                "this token model is conditioned on tracks: set data.tracks, or network.trajectory to null"
            )
        tracks = _padded(conditions.tracks, self.layout)
        features = position + self.offsets(tracks, conditions.appearance).flatten(1, 2)
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
    """Return tracks ``(..., T, 2)`` in which missing positions (NaN) lie on a line between those before and after.

    At either end an object goes on as it moved where it was last seen, out of the picture if it left it. A track with a
    single position stays there, one without any in the center.
    """
    present = ~tracks.isnan().any(dim=-1)
    count = tracks.shape[-2]
    frames = torch.arange(count, device=tracks.device).expand(present.shape)
    before = frames.where(present, -1).cummax(dim=-1).values
    after = frames.where(present, count).flip(-1).cummin(dim=-1).values.flip(-1)
    first, last = after[..., :1].clamp(max=count - 1), before[..., -1:].clamp(min=0)
    second = after.gather(-1, (first + 1).clamp(max=count - 1))
    last_but_one = before.gather(-1, (last - 1).clamp(min=0))
    # The line through two positions: those around a gap, and at either end the nearest two of the track.
    left = torch.where(before < 0, first, torch.where(after == count, last_but_one, before))
    right = torch.where(after == count, last, torch.where(before < 0, second, after))
    left, right = torch.where(left < 0, last, left), torch.where(right == count, first, right)
    points = tracks.nan_to_num()
    start, end = (points.gather(-2, index[..., None].expand(*index.shape, 2)) for index in (left, right))
    line = start + ((frames - left) / (right - left).clamp(min=1))[..., None] * (end - start)
    return torch.where(present[..., None], tracks, line.clamp(-OUTSIDE, OUTSIDE))


def fill_objects(tracks: Tensor) -> Tensor:
    """Return tracks ``(B, K, T, 2)`` without gaps; all NaN for an object that is never seen, unless it is the first."""
    exists = tracks.isfinite().any(dim=-1).any(dim=-1)
    first = torch.arange(tracks.shape[1], device=tracks.device) == 0
    return fill_gaps(tracks).where((exists | first)[..., None, None], torch.nan)


def _padded(tracks: Tensor, layout: TokenLayout) -> Tensor:
    """Return tracks ``(B, K, S, 2)`` with the last position repeated up to the frames of training clips."""
    missing = layout.grid[0] * layout.frames - tracks.shape[2]
    return torch.cat([tracks, tracks[:, :, -1:].expand(-1, -1, missing, -1)], dim=2)
