"""Augmentations of clips in training, on the device. They need no labels."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from trajvq.metrics.background import stands_out

THRESHOLD = 0.04  # difference from the background, in any channel, that shows an object


class ObjectWindows(nn.Module):
    """Cuts windows in space and time around objects, and flips, turns and recolors them.

    Most of a clip is background. Windows that hold the object show the tokenizer several times more of
    it a second. The last part of training sees whole clips again, so that it learns the rest of them too:
    of each batch as many clips as have the windows' number of pixels.

    Args:
        frames: Frames of a window; a multiple of the tokenizer's stride.
        size: Rows and columns of a window; a multiple of the tokenizer's strides.
        windows: Windows cut from each clip.
        margin: Pixels that the object's centre keeps from the window's edge where it can.
        until: Share of the training after which clips stay whole.
        symmetries: Flip, transpose and permute colors at random; a clip of anything stays a clip.
    """

    def __init__(
        self,
        frames: int = 8,
        size: int = 32,
        windows: int = 1,
        margin: int = 6,
        until: float = 0.7,
        symmetries: bool = True,
    ) -> None:
        super().__init__()
        self.frames, self.size, self.windows, self.margin = frames, size, windows, margin
        self.until, self.symmetries = until, symmetries

    def forward(self, video: Tensor, background: Tensor, done: float) -> tuple[Tensor, Tensor]:
        """Augment a batch.

        Args:
            video: float ``(B, 3, T, H, W)`` in [0, 1].
            background: float ``(B, 3, 1, H, W)`` in [0, 1].
            done: Share of the training that is done, 0 to 1.

        Returns:
            The windows, or whole clips, with their backgrounds, shaped alike.
        """
        if done < self.until:
            video, background = self._cut(video, background)
        else:
            pixels = len(video) * self.windows * self.frames * self.size**2
            keep = max(pixels // video[0, 0].numel(), 1)
            video, background = video[:keep], background[:keep]
        return self._turn(video, background) if self.symmetries else (video, background)

    def _cut(self, video: Tensor, background: Tensor) -> tuple[Tensor, Tensor]:
        count, _, all_frames, *picture = video.shape
        frames, sizes = min(self.frames, all_frames), [min(self.size, side) for side in picture]
        last = all_frames - frames  # starts beyond both ends are moved there, else the clip's ends were hardly seen
        start = (torch.randint(all_frames + 1, (count, self.windows)) - frames // 2).clamp(0, last)
        chosen = (start + torch.randint(frames, (count, self.windows))).to(video.device)
        clip = torch.arange(count, device=video.device)[:, None]
        moment = video[clip, :, chosen]  # (B, windows, 3, H, W): the frame each window is placed by
        shown = stands_out((moment - background[:, None, :, 0]).abs().amax(dim=2), THRESHOLD).float()
        corners = []
        for axis, (side, size) in enumerate(zip(picture, sizes, strict=True)):
            line = shown.sum(dim=2 if axis else 3)  # (B, windows, side): how much of an object rows or columns show
            place = torch.arange(side, device=video.device) + 0.5
            centre = (line * place).sum(dim=-1) / line.sum(dim=-1).clamp(min=1)
            centre = torch.where(line.sum(dim=-1) > 0, centre, side / 2)
            margin = min(self.margin, size // 2)
            offset = margin + torch.rand(centre.shape, device=video.device) * (size - 2 * margin)
            corners.append((centre - offset).long().clamp(0, side - size).tolist())
        cut, ground = [], []
        for number, starts in enumerate(start.tolist()):
            for window, first in enumerate(starts):
                top, left = corners[0][number][window], corners[1][number][window]
                where = (..., slice(top, top + sizes[0]), slice(left, left + sizes[1]))
                cut.append(video[number, :, first : first + frames][where])
                ground.append(background[number][where])
        return torch.stack(cut), torch.stack(ground)

    @staticmethod
    def _turn(video: Tensor, background: Tensor) -> tuple[Tensor, Tensor]:
        colors, flips = torch.randperm(3, device=video.device), torch.rand(3)
        dims = [dim for dim, flip in zip((-1, -2), flips.tolist(), strict=False) if flip < 0.5]
        square = video.shape[-1] == video.shape[-2]

        def turn(clips: Tensor) -> Tensor:
            clips = clips[:, colors].flip(dims)
            return (clips.transpose(-1, -2) if square and flips[2] < 0.5 else clips).contiguous()

        return turn(video), turn(background)


class ClipSymmetries(nn.Module):
    """Turns whole clips into others of the same class: mirrored, turned, backwards, moved, recolored.

    Projective motions stay in their family under all of these. Where a mirrored or reversed clip is something
    else, as a written digit is, switch that off.

    Args:
        turns: Flip rows and columns, and transpose square clips, at random.
        reverse: Play half of the clips backwards.
        colors: Permute the colors.
        shift: Move by up to so many pixels, up or down, left or right; the border is repeated.
    """

    def __init__(self, turns: bool = True, reverse: bool = True, colors: bool = True, shift: int = 6) -> None:
        super().__init__()
        self.turns, self.reverse, self.colors, self.shift = turns, reverse, colors, shift

    def forward(self, video: Tensor, chance: Sequence[torch.Generator] | None = None) -> Tensor:
        """Return clips shaped like the given ones.

        Args:
            video: float ``(B, 3, T, H, W)``.
            chance: A generator for each clip; None for torch's own.
        """
        made = [self._turn(clip, chance[k] if chance else None) for k, clip in enumerate(video)]
        return torch.stack(made)

    def _turn(self, clip: Tensor, chance: torch.Generator | None) -> Tensor:
        backwards, rows, columns, across = (torch.rand(4, generator=chance) < 0.5).tolist()
        colors, reach = torch.randperm(3, generator=chance), self.shift
        down, right = torch.randint(2 * reach + 1, (2,), generator=chance).tolist()
        if self.turns:
            clip = clip.flip([dim for dim, flip in ((-2, rows), (-1, columns)) if flip])
            clip = clip.transpose(-1, -2) if across and clip.shape[-1] == clip.shape[-2] else clip
        clip = clip.flip(1) if self.reverse and backwards else clip
        clip = clip[colors.to(clip.device)] if self.colors else clip
        height, width = clip.shape[-2:]
        wide = nn.functional.pad(clip, (reach, reach, reach, reach), mode="replicate")
        return wide[..., down : down + height, right : right + width]

    def paths(self, path: Tensor, height: int, width: int) -> Tensor:
        """Do to the paths of points what `forward` does to clips.

        Args:
            path: float ``(B, T, 2)``, x and y from -1 to 1 between the edges of the picture.
            height: Of the picture in pixels.
            width: Of the picture in pixels.
        """
        backwards, rows, columns, across = (torch.rand(4, len(path), 1, 1, device=path.device) < 0.5).unbind()
        if self.turns:
            path = torch.where(torch.cat([columns, rows], dim=-1), -path, path)
            path = torch.where(across & (height == width), path.flip(-1), path)
        if self.reverse:
            path = torch.where(backwards, path.flip(1), path)
        moved = torch.randint(-self.shift, self.shift + 1, (len(path), 1, 2), device=path.device)
        return path + 2 * moved / path.new_tensor([width, height])


class PathSymmetries(nn.Module):
    """Turns paths of points into others of the same kind: mirrored, turned, backwards, and put anywhere.

    Args:
        rotate: Turn by any angle; otherwise by quarters alone.
        reverse: Play half of the paths backwards.
        margin: Keep from the picture's edge where a path has room to, in half pictures.
    """

    def __init__(self, rotate: bool = True, reverse: bool = True, margin: float = 0.08) -> None:
        super().__init__()
        self.rotate, self.reverse, self.margin = rotate, reverse, margin

    def forward(self, path: Tensor) -> Tensor:
        """Return paths like the given ones, float ``(B, T, 2)``, x and y from -1 to 1 from edge to edge; NaN stays."""
        chance = torch.rand(5, len(path), 1, 1, device=path.device)
        path = torch.where(chance[0] < 0.5, path.flip(-1), path)
        path = torch.where(chance[1] < 0.5, -path, path)
        mirrored = path * path.new_tensor([-1.0, 1.0])
        path = torch.where(chance[2] < 0.5, mirrored, path)
        if self.rotate:
            angle = 2 * torch.pi * chance[3]
            x, y = path[..., :1], path[..., 1:]
            path = torch.cat([angle.cos() * x - angle.sin() * y, angle.sin() * x + angle.cos() * y], dim=-1)
        if self.reverse:
            path = torch.where(chance[4] < 0.5, path.flip(1), path)
        gone = path.isnan()
        low = self.margin - 1 - path.masked_fill(gone, torch.inf).amin(dim=1, keepdim=True)
        high = 1 - self.margin - path.masked_fill(gone, -torch.inf).amax(dim=1, keepdim=True)
        share = torch.rand(low.shape, device=path.device)
        move = torch.where(high > low, low + (high - low) * share, (low + high) / 2)
        return path + move.nan_to_num(0.0, 0.0, 0.0)
