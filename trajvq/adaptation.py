"""Adaptation: what a run takes from its training clips, so that one config fits any clips.

N clips, T frames, H rows, W columns.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from trajvq.data.storage.clips import ClipSource
from trajvq.metrics.background import estimate_background, stands_out
from trajvq.path_symmetry import path_symmetry_ratios
from trajvq.two_samples import nearest, turned_ratio

SAMPLED_CLIPS, SAMPLED_VALUES = 512, 100_000_000  # clips that are read, at most, and their values altogether
PART = 16  # clips that are normalized at a time
EVERY = 4  # frames apart are those whose common color is searched
CONTRAST_QUANTILE = 0.9995  # of a clip's differences from the background
LEAST_CONTRAST = 2  # of 255 levels, of clips in which hardly anything is to be seen
FIXED = 0.25  # share of the backgrounds' variance that may remain where a fixed camera explains it
LEAST_VARIATION = 0.02  # of backgrounds, in units of the contrast, from which they are more than one color
THRESHOLD = 0.04  # difference from the background, in any channel and in units of the contrast, that shows an object
WINDOW, WINDOWS = 27, 2000  # pixels of a window, an odd multiple of 3; windows from either half of the clips
SEED = 0
APART = 3  # frames between the two pictures of a window
ALIKE = 0.9  # symmetry ratio from which the clips have a symmetry
PATHS_ALIKE = 0.5  # ratio of paths from which they do not lack it; each class has few

Turn = Callable[[Tensor], Tensor]
TURNS: dict[str, tuple[Turn, ...]] = {
    "columns": (lambda x: x.flip(-1),),
    "rows": (lambda x: x.flip(-2),),
    "transpose": (lambda x: x.transpose(-1, -2),),
    "reverse": (lambda x: x.flip(2),),
    "colors": (lambda x: x[:, [1, 0, 2]], lambda x: x[:, [0, 2, 1]]),  # these two generate all orders
}


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
    """

    background: Tensor
    contrast: float
    plain: float
    symmetry_ratios: dict[str, float]
    path_ratios: dict[str, float] = field(default_factory=dict)

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
    sample = _sample(clips)
    video = sample["video"]  # stays uint8, a quarter of the memory
    label = sample.get("label") if by_class else None
    levels = torch.stack([_ranked(video[:, ::EVERY, c].flatten(), 0.5) for c in range(3)]).view(3, 1, 1)
    contrast = _contrast(video, levels)
    backgrounds = _backgrounds(video, levels, contrast)
    plain = (backgrounds.amax(dim=(-2, -1)) == backgrounds.amin(dim=(-2, -1))).flatten(1).all(dim=1)
    picture = _fixed_camera(backgrounds)
    if picture is not None:
        levels = (levels + 255 * contrast * picture[:, 0]).round().clamp(0, 255).byte()
        contrast = _contrast(video, levels)
        backgrounds = _backgrounds(video, levels, contrast)
    return Adaptation(
        background=levels[:, None].float() / 255,
        contrast=contrast,
        plain=float(plain.float().mean()),
        symmetry_ratios=_symmetry_ratios(video, levels, contrast, backgrounds, label),
        path_ratios=path_symmetry_ratios(video, label) if by_class else {},
    )


def _sample(clips: ClipSource) -> dict[str, Tensor]:
    """Return a batch of clips at equal distances."""
    values = clips.batch([0])["video"].numel()
    count = max(min(len(clips), SAMPLED_CLIPS, SAMPLED_VALUES // values), 1)
    return clips.batch([k * (len(clips) - 1) // max(count - 1, 1) for k in range(count)])


def _ranked(levels: Tensor, quantile: float) -> Tensor:
    """Return the least level of uint8 ``(n,)`` that at least this share of them does not exceed, uint8."""
    counts = torch.bincount(levels, minlength=256)
    return (counts.cumsum(dim=0) < max(int(quantile * len(levels)), 1)).sum().byte()


def _contrast(video: Tensor, levels: Tensor) -> float:
    """Return the median over clips of the largest differences from the background, but for a few outliers."""
    largest = []
    for clip in video:
        difference = torch.maximum(clip, levels) - torch.minimum(clip, levels)  # uint8 knows no negative numbers
        largest.append(_ranked(difference.amax(dim=1).flatten(), CONTRAST_QUANTILE))
    return max(int(torch.stack(largest).median()), LEAST_CONTRAST) / 255


def _normalized(frames: Tensor, levels: Tensor, contrast: float) -> Tensor:
    """Return float ``(B, 3, T, H, W)`` of uint8 ``(B, T, 3, H, W)``, as `trajvq.models.ClipNormalization` does."""
    return frames.transpose(1, 2).float().sub_(levels[:, None]).div_(255 * contrast)


def _backgrounds(video: Tensor, levels: Tensor, contrast: float) -> Tensor:
    """Return the normalized background ``(N, 3, 1, H, W)`` of each clip."""
    parts = video.split(PART)  # type: ignore[no-untyped-call]
    return torch.cat([estimate_background(_normalized(part, levels, contrast)) for part in parts])


def _fixed_camera(backgrounds: Tensor) -> Tensor | None:
    """Return the background ``(3, 1, H, W)`` that clips share; None if half of them do not predict the others'.

    Each pixel is that of most clips: an object that rests in a clip is part of this clip's background.
    """
    if len(backgrounds) < 4:
        return None
    others = backgrounds[1::2]
    variation = others.square().median(dim=0).values.mean()
    if variation < LEAST_VARIATION**2:
        return None
    remaining = (others - backgrounds[::2].median(dim=0).values).square().median(dim=0).values.mean()
    return backgrounds.median(dim=0).values if remaining < FIXED * variation else None


def _symmetry_ratios(
    video: Tensor, levels: Tensor, contrast: float, backgrounds: Tensor, label: Tensor | None
) -> dict[str, float]:
    """Compare windows of one half of the clips with those of the other half and with turned ones.

    Where clips have a symmetry, the nearest neighbor is a turned one as often as not. With labels, neighbors are of the
    same class.
    """
    ratios, half, generator = dict.fromkeys(TURNS, 0.0), len(video) // 2, torch.Generator().manual_seed(SEED)
    if half < 2:
        return ratios
    label = torch.zeros(len(video), dtype=torch.long, device="cpu") if label is None else label
    samples, classes = [], []
    for part in (slice(half), slice(half, None)):
        windows, clip = _object_windows(video[part], levels, contrast, backgrounds[part], generator)
        if not windows:
            return ratios
        samples.append(torch.stack(windows))
        classes.append(label[part][torch.tensor(clip, device="cpu")])
    first, second = samples
    other = classes[0][:, None] != classes[1]
    features = _features(first)
    straight = nearest(features, _features(second), other)
    square = first.shape[-1] == first.shape[-2]
    for name, turns in TURNS.items():
        if name != "transpose" or square:
            ratios[name] = min(
                turned_ratio(straight, nearest(features, _features(turn(second)), other)) for turn in turns
            )
    return ratios


def _features(windows: Tensor) -> Tensor:
    """Return float ``(n, d)``: windows ``(n, 3, 2, h, w)`` at a third of their resolution."""
    return F.avg_pool2d(windows.flatten(1, 2), min(3, *windows.shape[-2:])).flatten(1)


def _object_windows(
    video: Tensor, levels: Tensor, contrast: float, backgrounds: Tensor, generator: torch.Generator
) -> tuple[list[Tensor], list[int]]:
    """Return normalized windows ``(3, 2, h, w)`` around random pixels of objects, two frames each, and their clips."""
    frames = video.shape[1]
    later = min(APART, frames - 1)
    windows: list[Tensor] = []
    clips: list[int] = []
    for number, (clip, background) in enumerate(zip(video, backgrounds, strict=True)):
        starts = torch.randint(frames - later, (max(WINDOWS // len(video), 1),), generator=generator, device="cpu")
        for start, count in zip(*(part.tolist() for part in torch.unique(starts, return_counts=True)), strict=True):
            pair = _normalized(clip[None, [start, start + later]], levels, contrast)[0]
            # Of both frames, so that the window of a clip played backwards is the same.
            pixels = stands_out((pair - background).abs().amax(dim=0), THRESHOLD).any(dim=0).nonzero()
            if len(pixels):
                chosen = pixels[torch.randint(len(pixels), (count,), generator=generator, device="cpu")]
                windows += [_window(pair, pixels, pixel) for pixel in chosen]
                clips += [number] * count
    return windows, clips


def _window(pair: Tensor, pixels: Tensor, pixel: Tensor) -> Tensor:
    """Return a window around the center of those pixels of objects that lie near one of them."""
    near = ((pixels - pixel).abs() <= WINDOW // 2).all(dim=1)
    corner = []
    for center, side in zip(pixels[near].float().mean(dim=0).tolist(), pair.shape[-2:], strict=True):
        corner.append(min(max(round(center) - WINDOW // 2, 0), max(side - WINDOW, 0)))
    return pair[..., corner[0] : corner[0] + WINDOW, corner[1] : corner[1] + WINDOW]
