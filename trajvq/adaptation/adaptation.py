"""Adaptation: what a run takes from its training clips, so that one config fits any clips."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from trajvq.adaptation.normalization import backgrounds_of, contrast_of, fixed_camera, ranked
from trajvq.adaptation.path_symmetry import PATHS_ALIKE, path_symmetry_ratios
from trajvq.adaptation.window_symmetry import ALIKE, window_symmetry_ratios
from trajvq.data.storage.clips import ClipSource

SAMPLED_CLIPS, SAMPLED_VALUES = 512, 100_000_000  # clips of a sample, at most, and their values altogether
SAMPLES = 4  # whose symmetry ratios are averaged, where there are as many clips: one of 512 clips has errors of 0.03
EVERY = 4  # frames apart are those whose common color is searched


@dataclass(frozen=True, eq=False)
class Adaptation:
    """What the training clips look like.

    Attributes:
        background: float ``(3, 1, 1, 1)``, one color, or ``(3, 1, H, W)``, the picture of a fixed camera; in [0, 1].
        contrast: Difference from it that a typical clip reaches, in [0, 1].
        plain: Share of the clips whose own background is one color.
        symmetry_ratios: By name of a symmetry, how often the nearest neighbor of a clip is a turned one, divided by
            the half that is expected of clips with the symmetry; 0 where turning changes nothing.
        path_ratios: The same for the paths of the clips' objects, the lowest of a class; empty where no paths were
            compared.
        square: Whether whole clips can be transposed; windows of them can be in any case.
    """

    background: Tensor
    contrast: float
    plain: float
    symmetry_ratios: dict[str, float]
    path_ratios: dict[str, float] = field(default_factory=dict)
    square: bool = True

    @property
    def fixed_camera(self) -> bool:
        """Whether all clips share the picture of a background."""
        return self.background.shape[-2:] != (1, 1)

    @property
    def symmetries(self) -> tuple[str, ...]:
        """Names of the symmetries that the clips have."""
        lacking = {name for name, ratio in self.path_ratios.items() if ratio < PATHS_ALIKE}
        return tuple(name for name, ratio in self.symmetry_ratios.items() if ratio >= ALIKE and name not in lacking)

    def normalization_line(self) -> str:
        """Return how a tokenizer normalizes the clips, in a line."""
        background = f"their median color {tuple((255 * self.background).round().int().flatten().tolist())}"
        if self.fixed_camera:
            background = "the background picture of their fixed camera"
        return f"normalization: clips minus {background}, divided by their contrast of {255 * self.contrast:.0f}/255"

    def background_line(self) -> str:
        """Return how many clips have a plain background, in a line."""
        return f"backgrounds: {self.plain:.0%} of the training clips have a background of one color"

    def symmetry_line(self) -> str:
        """Return how far the clips have each symmetry, in a line."""
        ratios = ", ".join(f"{name} {ratio:.2f}" for name, ratio in self.symmetry_ratios.items())
        meaning = f"near 1: clips turned or recolored like this look like the others; {ALIKE} is enough"
        paths = ", ".join(f"{name} {ratio:.2f}" for name, ratio in self.path_ratios.items())
        return f"symmetries: {ratios} ({meaning})" + (f"; of paths: {paths} ({PATHS_ALIKE})" if paths else "")


def adapt(clips: ClipSource, by_class: bool = False) -> Adaptation:
    """Look at a sample of the training clips. The same clips give the same answer.

    Args:
        clips: The training clips.
        by_class: Compare clips only with others of their class, if they have labels: a symmetry must keep the class.
            Compare whole paths, too.
    """
    first, *others = _samples(clips)
    sample = clips.batch(first)
    video = sample["video"]  # stays uint8, a quarter of the memory
    label = sample.get("label") if by_class else None
    levels = torch.stack([ranked(video[:, ::EVERY, c].flatten(), 0.5) for c in range(3)]).view(3, 1, 1)
    contrast = contrast_of(video, levels)
    backgrounds = backgrounds_of(video, levels, contrast)
    plain = (backgrounds.amax(dim=(-2, -1)) == backgrounds.amin(dim=(-2, -1))).flatten(1).all(dim=1)
    picture = fixed_camera(backgrounds)
    if picture is not None:
        levels = (levels + 255 * contrast * picture[:, 0]).round().clamp(0, 255).byte()
        contrast = contrast_of(video, levels)
        backgrounds = backgrounds_of(video, levels, contrast)
    ratios = [window_symmetry_ratios(video, levels, contrast, backgrounds, label)]
    for indices in others:
        batch = clips.batch(indices)
        grounds = backgrounds_of(batch["video"], levels, contrast)
        label_of = batch.get("label") if by_class else None
        ratios.append(window_symmetry_ratios(batch["video"], levels, contrast, grounds, label_of))
    return Adaptation(
        background=levels[:, None].float() / 255,
        contrast=contrast,
        plain=float(plain.float().mean()),
        symmetry_ratios={name: sum(each[name] for each in ratios) / len(ratios) for name in ratios[0]},
        path_ratios=path_symmetry_ratios(video, label) if by_class else {},
        square=video.shape[-2] == video.shape[-1],
    )


def _samples(clips: ClipSource) -> list[list[int]]:
    """Return the clips of one to four samples that share hardly a clip, each at equal distances."""
    total = len(clips)
    count = max(min(total, SAMPLED_CLIPS, SAMPLED_VALUES // clips.batch([0])["video"].numel()), 1)
    first = [k * (total - 1) // max(count - 1, 1) for k in range(count)]
    number = min(SAMPLES, total // count)
    apart = total // count  # clips between two of a sample, about
    return [[(k + sample * apart // number) % total for k in first] for sample in range(number)]
