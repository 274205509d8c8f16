"""ClipSymmetries: whole clips mapped to others of their class, for the training of tasks.

B clips, T frames, H rows, W columns.
"""

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from trajvq.adaptation import Adaptation
from trajvq.augment.protocols import Generators

ClipSymmetry = Literal["columns", "rows", "transpose", "reverse", "colors"]


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
        applied = [name for name in self.symmetries if name != "transpose" or adaptation.square]
        names = ", ".join(applied) or "none"
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
        """Whether clips have every symmetry in place and time, so that paths may be turned by any angle.

        Clips that are not square are never transposed, but their paths are: windows of such clips show the symmetry.
        """
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
