"""ObjectWindows: parts of clips, for the training of tokenizers.

B clips, T frames, H rows, W columns.
"""

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from trajvq.adaptation import THRESHOLD, Adaptation
from trajvq.augment.protocols import Generators
from trajvq.metrics.background import stands_out

ANYWHERE = 0.5  # of the batches where every clip's background is more than a color

Symmetry = Literal["columns", "rows", "transpose", "colors"]


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
