"""The background and the contrast of training clips, by which a tokenizer normalizes.

N clips, T frames, H rows, W columns.
"""

import torch
from torch import Tensor

from trajvq.metrics.background import estimate_background

PART = 16  # clips that are normalized at a time
CONTRAST_QUANTILE = 0.9995  # of a clip's differences from the background
LEAST_CONTRAST = 2  # of 255 levels, of clips in which hardly anything is to be seen
FIXED = 0.25  # share of the backgrounds' variance that may remain where a fixed camera explains it
LEAST_VARIATION = 0.02  # of backgrounds, in units of the contrast, from which they are more than one color


def ranked(levels: Tensor, quantile: float) -> Tensor:
    """Return the least level of uint8 ``(n,)`` that at least this share of them does not exceed, uint8."""
    counts = torch.bincount(levels, minlength=256)
    return (counts.cumsum(dim=0) < max(int(quantile * len(levels)), 1)).sum().byte()


def contrast_of(video: Tensor, levels: Tensor) -> float:
    """Return the median over clips of the largest differences from the background, but for a few outliers."""
    largest = []
    for clip in video:
        difference = torch.maximum(clip, levels) - torch.minimum(clip, levels)  # uint8 knows no negative numbers
        largest.append(ranked(difference.amax(dim=1).flatten(), CONTRAST_QUANTILE))
    return max(int(torch.stack(largest).median()), LEAST_CONTRAST) / 255


def normalize(frames: Tensor, levels: Tensor, contrast: float) -> Tensor:
    """Return float ``(B, 3, T, H, W)`` of uint8 ``(B, T, 3, H, W)``, as `trajvq.models.ClipNormalization` does."""
    return frames.transpose(1, 2).float().sub_(levels[:, None]).div_(255 * contrast)


def backgrounds_of(video: Tensor, levels: Tensor, contrast: float) -> Tensor:
    """Return the normalized background ``(N, 3, 1, H, W)`` of each clip."""
    parts = video.split(PART)  # type: ignore[no-untyped-call]
    return torch.cat([estimate_background(normalize(part, levels, contrast)) for part in parts])


def fixed_camera(backgrounds: Tensor) -> Tensor | None:
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
