"""Which symmetries training clips have, by windows around their objects.

B and N clips, T frames, H rows, W columns.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from trajvq.adaptation.normalization import normalize
from trajvq.adaptation.two_samples import nearest, turned_ratio
from trajvq.metrics.background import stands_out

THRESHOLD = 0.04  # difference from the background, in any channel and in units of the contrast, that shows an object
WINDOW, WINDOWS = 27, 2000  # pixels of a window, an odd multiple of 3; windows from either half of the clips
SEED = 0
APART = 3  # frames between the two pictures of a window
ALIKE = 0.9  # symmetry ratio from which the clips have a symmetry

Turn = Callable[[Tensor], Tensor]
TURNS: dict[str, tuple[Turn, ...]] = {
    "columns": (lambda x: x.flip(-1),),
    "rows": (lambda x: x.flip(-2),),
    "transpose": (lambda x: x.transpose(-1, -2),),
    "reverse": (lambda x: x.flip(2),),
    "colors": (lambda x: x[:, [1, 0, 2]], lambda x: x[:, [0, 2, 1]]),  # these two generate all orders
}


def window_symmetry_ratios(
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
            pair = normalize(clip[None, [start, start + later]], levels, contrast)[0]
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
