"""Augmentations of clips in training, on the device. They need no labels.

B clips, T frames, H rows, W columns.
"""

from collections.abc import Sequence
from typing import Literal, Protocol, get_args, runtime_checkable

import torch
from torch import Tensor, nn

from trajvq.adaptation import THRESHOLD, Adaptation
from trajvq.metrics.background import stands_out

ANYWHERE = 0.5  # of the batches where every clip's background is more than a color

Symmetry = Literal["columns", "rows", "transpose", "colors"]
ClipSymmetry = Literal["columns", "rows", "transpose", "reverse", "colors"]

Generators = Sequence[torch.Generator] | None


class Augmentation(Protocol):
    """Random clips from clips. Any `torch.nn.Module` with this call will do."""

    def __call__(
        self, video: Tensor, background: Tensor, progress: float = 0.0, generators: Generators = None
    ) -> tuple[Tensor, Tensor]:
        """Return augmented clips and their backgrounds.

        Args:
            video: float ``(B, 3, T, H, W)``; in [0, 1], or normalized by their contrast.
            background: float ``(B, 3, 1, H, W)``, in the same units.
            progress: Share of the training that is done, 0 to 1.
            generators: One on the CPU for each clip, the only source of its randomness; None for torch's global one.
        """
        ...


@runtime_checkable
class AdaptiveAugmentation(Protocol):
    """An `Augmentation` that chooses for itself what suits the training clips."""

    def adapt(self, adaptation: Adaptation) -> list[str]:
        """Choose, and return what was chosen, a line each. Called in every process before the first step.

        A run that continues calls it again, with what its checkpoint kept.
        """
        ...


@runtime_checkable
class PathAugmentation(Protocol):
    """Turns paths of objects into random others, as an `Augmentation` does with clips."""

    def paths(self, path: Tensor, height: int, width: int) -> Tensor:
        """Return augmented paths float ``(B, T, 2)``; NaN stays NaN.

        Args:
            path: float ``(B, T, 2)``, x and y from -1 to 1 between the edges of the picture.
            height: Height of the picture in pixels.
            width: Width of the picture in pixels.
        """
        ...


@runtime_checkable
class ShiftingAugmentation(Protocol):
    """An augmentation that shifts objects, by which copies of training clips may be shifted.

    Attributes:
        shift: Largest shift in pixels.
    """

    shift: int


class ObjectWindows(nn.Module):
    """Cut windows in space and time around objects and anywhere, and flip, transpose and recolor them.

    Most of a clip is background. Windows around the object show the tokenizer several times as much of the object per
    second. Where backgrounds are more than a color, other batches hold windows that lie anywhere and have all frames
    of their clips: windows around objects alone never show most of a background, nor how it stays the same. The last
    part of the training uses whole clips. Every batch has about as many pixels.

    Args:
        frames: Frames of a window; a multiple of the tokenizer's stride.
        size: Rows and columns of a window; a multiple of the tokenizer's strides.
        windows: Windows per clip.
        margin: Least distance in pixels between the object's center and the edge of the window, where possible.
        until: Share of the training after which clips stay whole.
        anywhere: Share of the batches whose windows lie anywhere; ``auto``: `ANYWHERE`, times the share of the clips
            whose background is more than a color.
        symmetries: Apply these at random: ``columns`` (left to right), ``rows`` (top to bottom), ``transpose`` (square
            clips) and ``colors`` (any order); ``auto``: those that the training clips have.
    """

    def __init__(
        self,
        frames: int = 8,
        size: int = 32,
        windows: int = 1,
        margin: int = 6,
        until: float = 0.7,
        anywhere: float | Literal["auto"] = "auto",
        symmetries: Sequence[Symmetry] | Literal["auto"] = "auto",
    ) -> None:
        super().__init__()
        self.frames, self.size, self.windows, self.margin = frames, size, windows, margin
        self.until, self.anywhere = until, anywhere
        self.symmetries = symmetries if symmetries == "auto" else list(symmetries)
        self.share = 0.0 if anywhere == "auto" else anywhere
        self.turns: tuple[str, ...] | None = None if symmetries == "auto" else tuple(symmetries)

    def adapt(self, adaptation: Adaptation) -> list[str]:
        """Choose what is ``auto`` by what the training clips look like.

        Returns:
            How clips are augmented from now on, in a line.
        """
        if self.anywhere == "auto":
            self.share = ANYWHERE * (1 - adaptation.plain)
        if self.symmetries == "auto":
            self.turns = tuple(name for name in adaptation.symmetries if name in get_args(Symmetry))
        windows = f"windows anywhere in {self.share:.0%} of the batches, around objects in the others"
        if self.share == 0:
            windows = "windows around objects"
        return [f"augmentation: {windows}; random symmetries: {', '.join(self.turns or ()) or 'none'}"]

    def forward(
        self, video: Tensor, background: Tensor, progress: float = 0.0, generators: Generators = None
    ) -> tuple[Tensor, Tensor]:
        """Return windows ``(B * windows, 3, frames, size, size)``, or whole clips, and their backgrounds.

        Arguments as of `Augmentation`. With ``generators`` all windows lie around objects, since whether a batch's lie
        anywhere is not for one clip to choose.
        """
        if self.turns is None:
            raise ValueError("symmetries are auto: call adapt() first, or name them")
        anywhere = generators is None and self.share > 0 and float(torch.rand(())) < self.share
        cut = self._whole if progress >= self.until else self._anywhere if anywhere else self._around_objects
        if generators is None:
            return _turned(*cut(video, background, None), self.turns, None)
        clips = zip(video.split(1), background.split(1), generators, strict=True)  # type: ignore[no-untyped-call]
        parts = [_turned(*cut(clip, ground, each), self.turns, each) for clip, ground, each in clips]
        return torch.cat([clip for clip, _ in parts]), torch.cat([ground for _, ground in parts])

    def _whole(self, video: Tensor, background: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        keep = max(len(video) * self.windows * self.frames * self.size**2 // video[0, 0].numel(), 1)
        return video[:keep], background[:keep]

    def _anywhere(self, video: Tensor, background: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        count, _, frames, *picture = video.shape
        sizes = [min(self.size, side) for side in picture]
        windows, backgrounds = [], []
        for number in range(max(count * self.windows * self.frames // frames, 1)):
            top, left = (
                int(torch.randint(side - size + 1, (), generator=generator))
                for side, size in zip(picture, sizes, strict=True)
            )
            area = (..., slice(top, top + sizes[0]), slice(left, left + sizes[1]))
            windows.append(video[number % count][area])
            backgrounds.append(background[number % count][area])
        return torch.stack(windows), torch.stack(backgrounds)

    def _around_objects(
        self, video: Tensor, background: Tensor, generator: torch.Generator | None
    ) -> tuple[Tensor, Tensor]:
        count, _, all_frames, *picture = video.shape
        frames, sizes = min(self.frames, all_frames), [min(self.size, side) for side in picture]
        last = all_frames - frames  # starts beyond both ends are moved there: else the clip's ends would be rare
        shape = (count, self.windows)
        start = (torch.randint(all_frames + 1, shape, generator=generator) - frames // 2).clamp(0, last)
        anchor = (start + torch.randint(frames, shape, generator=generator)).to(video.device)
        clip = torch.arange(count, device=video.device)[:, None]
        picture_at = video[clip, :, anchor]  # (B, windows, 3, H, W): the frame that positions each window
        mask = stands_out((picture_at - background[:, None, :, 0]).abs().amax(dim=2), THRESHOLD).float()
        corners = []
        for axis, (side, size) in enumerate(zip(picture, sizes, strict=True)):
            weight = mask.sum(dim=2 if axis else 3)  # (B, windows, side): pixels of the object per row or column
            coordinate = torch.arange(side, device=video.device) + 0.5
            center = (weight * coordinate).sum(dim=-1) / weight.sum(dim=-1).clamp(min=1)
            center = torch.where(weight.sum(dim=-1) > 0, center, side / 2)
            margin = min(self.margin, size // 2)
            offset = margin + _uniform(center.shape, video.device, generator) * (size - 2 * margin)
            corners.append((center - offset).long().clamp(0, side - size).tolist())
        windows, backgrounds = [], []
        for number, starts in enumerate(start.tolist()):
            for window, first in enumerate(starts):
                top, left = corners[0][number][window], corners[1][number][window]
                area = (..., slice(top, top + sizes[0]), slice(left, left + sizes[1]))
                windows.append(video[number, :, first : first + frames][area])
                backgrounds.append(background[number][area])
        return torch.stack(windows), torch.stack(backgrounds)


def _turned(
    video: Tensor, background: Tensor, turns: Sequence[str], generator: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    """Return clips and backgrounds with the same random flips, transposition and order of colors for all."""
    device = video.device if generator is None else generator.device
    colors = torch.randperm(3, device=device, generator=generator).to(video.device)
    columns, rows, transpose = (torch.rand(3, generator=generator) < 0.5).tolist()
    dims = [dim for dim, name, flip in ((-1, "columns", columns), (-2, "rows", rows)) if flip and name in turns]
    transpose = transpose and "transpose" in turns and video.shape[-1] == video.shape[-2]

    def turn(clips: Tensor) -> Tensor:
        clips = clips[:, colors] if "colors" in turns else clips
        clips = clips.flip(dims)
        return (clips.transpose(-1, -2) if transpose else clips).contiguous()

    return turn(video), turn(background)


def _uniform(shape: torch.Size, device: torch.device, generator: torch.Generator | None) -> Tensor:
    """Return uniform random numbers in [0, 1) on a device, from the generator's own device if there is one."""
    source = device if generator is None else generator.device
    return torch.rand(shape, device=source, generator=generator).to(device)


class ClipSymmetries(nn.Module):
    """Map whole clips to others of the same class: mirror, transpose, reverse, recolor and shift them.

    Projective motions stay in their family under all of these.

    Args:
        symmetries: Apply these at random: ``columns`` (left to right), ``rows`` (top to bottom), ``transpose`` (square
            clips), ``reverse`` (backwards in time) and ``colors`` (any order); ``auto``: those that the training clips
            have, within each class if they have classes. Name them where a symmetry that changes the class shows only
            over a whole clip, as with the direction of a turn.
        shift: Largest shift in pixels, vertically and horizontally; the border is repeated.
    """

    def __init__(self, symmetries: Sequence[ClipSymmetry] | Literal["auto"] = "auto", shift: int = 6) -> None:
        super().__init__()
        self.symmetries = symmetries if symmetries == "auto" else list(symmetries)
        self.shift = shift

    def adapt(self, adaptation: Adaptation) -> list[str]:
        """Choose the symmetries if they are ``auto``; what is chosen stays, and names the tokens in their cache.

        Returns:
            How clips are augmented from now on, in a line.
        """
        if self.symmetries == "auto":
            self.symmetries = [name for name in get_args(ClipSymmetry) if name in adaptation.symmetries]
        names = ", ".join(self.symmetries) or "none"
        return [f"augmentation: clips shifted by up to {self.shift} px; random symmetries: {names}"]

    def forward(
        self, video: Tensor, background: Tensor, progress: float = 0.0, generators: Generators = None
    ) -> tuple[Tensor, Tensor]:
        """Return clips and backgrounds, shaped like the given ones; see `Augmentation`."""
        pairs = [
            self._moved(clip, ground, generators[number] if generators else None)
            for number, (clip, ground) in enumerate(zip(video, background, strict=True))
        ]
        return torch.stack([clip for clip, _ in pairs]), torch.stack([ground for _, ground in pairs])

    @property
    def complete(self) -> bool:
        """Whether clips have every symmetry in place and time, so that paths may be turned by any angle."""
        return all(self._has(name) for name in ("columns", "rows", "transpose", "reverse"))

    def _has(self, name: ClipSymmetry) -> bool:
        if self.symmetries == "auto":
            raise ValueError("symmetries are auto: call adapt() first, or name them")
        return name in self.symmetries

    def _moved(self, clip: Tensor, background: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        reverse, rows, columns, transpose = (torch.rand(4, generator=generator) < 0.5).tolist()
        colors = torch.randperm(3, generator=generator).to(clip.device)
        down, right = torch.randint(2 * self.shift + 1, (2,), generator=generator).tolist()
        height, width = clip.shape[-2:]
        dims = [dim for dim, flip in ((-2, rows and self._has("rows")), (-1, columns and self._has("columns"))) if flip]
        transpose = transpose and self._has("transpose") and height == width

        def move(frames: Tensor) -> Tensor:
            frames = frames.flip(dims)
            frames = frames.transpose(-1, -2) if transpose else frames
            frames = frames.flip(1) if self._has("reverse") and reverse else frames
            frames = frames[colors] if self._has("colors") else frames
            padded = nn.functional.pad(frames, (self.shift,) * 4, mode="replicate")
            return padded[..., down : down + height, right : right + width]

        return move(clip), move(background)

    def paths(self, path: Tensor, height: int, width: int) -> Tensor:
        """Move paths as `forward` moves clips; see `PathAugmentation`."""
        reverse, rows, columns, transpose = (torch.rand(4, len(path), 1, 1, device=path.device) < 0.5).unbind()
        mirrored = torch.cat([columns & self._has("columns"), rows & self._has("rows")], dim=-1)
        path = torch.where(mirrored, -path, path)
        path = torch.where(transpose & (self._has("transpose") and height == width), path.flip(-1), path)
        path = torch.where(reverse & self._has("reverse"), path.flip(1), path)
        shift = torch.randint(-self.shift, self.shift + 1, (len(path), 1, 2), device=path.device)
        return path + 2 * shift / path.new_tensor([width, height])


class NoPathSymmetries:
    """A `PathAugmentation` that leaves paths as they are."""

    def paths(self, path: Tensor, height: int, width: int) -> Tensor:
        """Return the paths; see `PathAugmentation`."""
        return path


class PathSymmetries:
    """Map paths to others of the same kind: mirror, rotate, reverse and put them anywhere in the picture.

    Args:
        rotate: Rotate by any angle; otherwise by quarter turns only.
        reverse: Play half of the paths backwards.
        margin: Least distance from the edge of the picture, in half pictures, where a path fits.
    """

    def __init__(self, rotate: bool = True, reverse: bool = True, margin: float = 0.08) -> None:
        self.rotate, self.reverse, self.margin = rotate, reverse, margin

    def paths(self, path: Tensor, height: int, width: int) -> Tensor:
        """Return augmented paths; see `PathAugmentation`. Angles are those of a square picture."""
        uniform = torch.rand(5, len(path), 1, 1, device=path.device)
        path = torch.where(uniform[0] < 0.5, path.flip(-1), path)
        path = torch.where(uniform[1] < 0.5, -path, path)
        mirrored = path * path.new_tensor([-1.0, 1.0])
        path = torch.where(uniform[2] < 0.5, mirrored, path)
        if self.rotate:
            angle = 2 * torch.pi * uniform[3]
            x, y = path[..., :1], path[..., 1:]
            path = torch.cat([angle.cos() * x - angle.sin() * y, angle.sin() * x + angle.cos() * y], dim=-1)
        if self.reverse:
            path = torch.where(uniform[4] < 0.5, path.flip(1), path)
        missing = path.isnan()
        low = self.margin - 1 - path.masked_fill(missing, torch.inf).amin(dim=1, keepdim=True)
        high = 1 - self.margin - path.masked_fill(missing, -torch.inf).amax(dim=1, keepdim=True)
        fraction = torch.rand(low.shape, device=path.device)
        shift = torch.where(high > low, low + (high - low) * fraction, (low + high) / 2)
        return path + shift.nan_to_num(0.0, 0.0, 0.0)


def path_symmetries(augment: object) -> PathAugmentation:
    """Return how paths may be moved, given how the clips are: by any angle and to anywhere if these are symmetric.

    Args:
        augment: The augmentation of the clips; None for none.
    """
    if isinstance(augment, ClipSymmetries) and augment.complete:
        return PathSymmetries()
    return augment if isinstance(augment, PathAugmentation) else NoPathSymmetries()
