"""Adaptation: what a run takes from its training clips, so that one config fits any clips.

N clips, T frames, H rows, W columns.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from trajvq.data.storage.clips import ClipSource
from trajvq.io.video import to_float
from trajvq.metrics.background import estimate_background, stands_out

SAMPLED_CLIPS, SAMPLED_VALUES = 512, 100_000_000  # clips that are read, at most, and their values altogether
CONTRAST_QUANTILE = 0.9995  # of a clip's differences from the background
LEAST_CONTRAST = 2 / 255  # of clips in which hardly anything is to be seen
FIXED = 0.25  # share of the backgrounds' variance that may remain where a fixed camera explains it
LEAST_VARIATION = 0.02  # of backgrounds, in units of the contrast, from which they are more than one color
WINDOW, WINDOWS = 27, 1000  # pixels of a window, an odd multiple of 3; windows from either half of the clips
APART = 3  # frames between the two pictures of a window
ALIKE = 0.75  # share of the expected turned neighbors from which the clips have a symmetry

Turn = Callable[[Tensor], Tensor]
TURNS: dict[str, tuple[Turn, ...]] = {
    "columns": (lambda x: x.flip(-1),),
    "rows": (lambda x: x.flip(-2),),
    "transpose": (lambda x: x.transpose(-1, -2),),
    "colors": (lambda x: x[:, [1, 0, 2]], lambda x: x[:, [0, 2, 1]]),  # these two generate all orders
}


@dataclass(frozen=True)
class Adaptation:
    """What the training clips look like.

    Attributes:
        background: One color, or the picture of a fixed camera as nested lists ``(3, H, W)``; in [0, 1].
        contrast: Difference from it that a typical clip reaches, in [0, 1].
        fixed_camera: Whether ``background`` is a picture.
        plain: Share of the clips whose own background is one color.
        symmetries: By name of a symmetry, how often a turned clip is the closest one, as a ratio to the half that is
            expected where the clips have the symmetry; 0 where it changes nothing.
    """

    background: list[Any]
    contrast: float
    fixed_camera: bool
    plain: float
    symmetries: dict[str, float]

    def picture(self) -> Tensor:
        """Return the background as float ``(3, 1, 1, 1)`` or ``(3, 1, H, W)``."""
        background = torch.tensor(self.background)
        return background[:, None] if self.fixed_camera else background.view(3, 1, 1, 1)

    def held(self) -> tuple[str, ...]:
        """Return the names of the symmetries that the clips have."""
        return tuple(name for name, ratio in self.symmetries.items() if ratio >= ALIKE)

    def lines(self) -> list[str]:
        """Return what was found, a line each."""
        if self.fixed_camera:
            center = "a fixed camera's background, by place"
        else:
            color = tuple(round(255 * value) for value in self.background)
            center = f"color {color}"
        tested = ", ".join(f"{name} {ratio:.2f}" for name, ratio in self.symmetries.items())
        return [
            f"normalization: minus {center}, divided by a contrast of {255 * self.contrast:.0f}/255",
            f"symmetries: {', '.join(self.held()) or 'none'} (turned clips among the closest, of expected: {tested})",
            f"backgrounds: {self.plain:.0%} of the clips have one of a single color",
        ]


def adapt(clips: ClipSource) -> Adaptation:
    """Look at a sample of the training clips; the same clips give the same answer.

    Args:
        clips: The training clips.
    """
    first = clips.batch([0])["video"]
    count = max(min(len(clips), SAMPLED_CLIPS, SAMPLED_VALUES // first.numel()), 1)
    rows = torch.linspace(0, len(clips) - 1, count).round().long().tolist()
    video = to_float(clips.batch(rows)["video"])
    color = video.transpose(0, 1).flatten(1)[:, ::7].median(dim=1).values.view(3, 1, 1, 1)
    contrast = _contrast(video, color)
    normalized = (video - color) / contrast
    backgrounds = torch.cat([estimate_background(part) for part in torch.split(normalized, 16)])
    picture = _fixed_camera(backgrounds)
    if picture is not None:
        normalized -= picture
        rescaled = _contrast(normalized, torch.zeros(()))
        normalized /= rescaled
        picture, contrast = color + contrast * picture, contrast * rescaled
    return Adaptation(
        background=color.flatten().tolist() if picture is None else picture[:, 0].tolist(),
        contrast=contrast,
        fixed_camera=picture is not None,
        plain=float((backgrounds.std(dim=(-2, -1)).amax(dim=(1, 2)) == 0).float().mean()),
        symmetries=_symmetries(normalized),
    )


def _fixed_camera(backgrounds: Tensor) -> Tensor | None:
    """Return the background ``(3, 1, H, W)`` that clips share; None if half of them do not predict the others'."""
    if len(backgrounds) < 4:
        return None
    picture, others = backgrounds[::2].median(dim=0).values, backgrounds[1::2]
    varies = others.square().mean()
    explained = varies > LEAST_VARIATION**2 and (others - picture).square().mean() < FIXED * varies
    return backgrounds.median(dim=0).values if explained else None


def _contrast(video: Tensor, background: Tensor) -> float:
    """Return the median over clips of the largest differences from the background, but for a few outliers."""
    largest = [
        difference.kthvalue(max(int(CONTRAST_QUANTILE * difference.numel()), 1)).values
        for difference in ((clip - background).abs().amax(dim=0).flatten() for clip in video)
    ]
    return max(float(torch.stack(largest).median()), LEAST_CONTRAST)


def _symmetries(video: Tensor) -> dict[str, float]:
    """Compare windows of one half of the clips with those of the other and with turned ones.

    Where clips have a symmetry, the closest window is a turned one as often as not. This is the two-sample test by
    nearest neighbors (Schilling, 1986), and it needs no labels and no training.

    Args:
        video: float ``(N, 3, T, H, W)``, normalized.
    """
    half = len(video) // 2
    if half < 2:
        return dict.fromkeys(TURNS, 0.0)
    generator = torch.Generator().manual_seed(0)
    known, asked = (_object_windows(part, generator) for part in (video[:half], video[half:]))
    if not len(known) or not len(asked):
        return dict.fromkeys(TURNS, 0.0)
    straight = _distance(asked, known)
    square = known.shape[-1] == known.shape[-2]
    ratios = {}
    for name, turns in TURNS.items():
        possible = turns if name != "transpose" or square else ()
        ratios[name] = min((_turned_share(straight, _distance(asked, turn(known))) for turn in possible), default=0.0)
    return ratios


def _turned_share(straight: Tensor, turned: Tensor) -> float:
    """Return twice the share of windows with a closer turned neighbor; 0 if turning changes nothing."""
    tie = (straight - turned).abs() <= 1e-5 * (straight + turned)
    if bool(tie.all()):
        return 0.0
    return float(2 * ((turned < straight) & ~tie).float().mean() + tie.float().mean())


def _distance(asked: Tensor, known: Tensor) -> Tensor:
    """Return the distance ``(n,)`` of each window ``(n, 3, 2, h, w)`` to the closest of others."""
    return torch.cdist(_features(asked), _features(known)).amin(dim=1)


def _features(windows: Tensor) -> Tensor:
    return F.avg_pool2d(windows.flatten(1, 2), 3).flatten(1)


def _object_windows(video: Tensor, generator: torch.Generator) -> Tensor:
    """Return windows ``(n, 3, 2, h, w)`` around random pixels of objects, two frames each."""
    backgrounds = estimate_background(video)
    *_, frames, height, width = video.shape
    size = (min(WINDOW, height), min(WINDOW, width))
    later = min(APART, frames - 1)
    windows = []
    for number in range(WINDOWS // len(video) * len(video) or len(video)):
        clip, background = video[number % len(video)], backgrounds[number % len(video)]
        first = int(torch.randint(frames - later, (1,), generator=generator))
        mask = stands_out((clip[:, first] - background[:, 0]).abs().amax(dim=0), 0.04)
        places = mask.nonzero()
        if len(places):
            place = places[int(torch.randint(len(places), (1,), generator=generator))]
            close = places[((places - place).abs() <= WINDOW // 2).all(dim=1)].float().mean(dim=0)
            top, left = (
                min(max(round(float(center)) - side // 2, 0), whole - side)
                for center, side, whole in zip(close, size, (height, width), strict=True)
            )
            pair = clip[:, [first, first + later], top : top + size[0], left : left + size[1]]
            windows.append(pair)
    return torch.stack(windows) if windows else video.new_empty(0)
