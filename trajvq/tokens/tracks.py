"""Where the object is and how it looks in what tokens decode to: the tokenizer's own decoder and the tracker.

No label, no truth.
"""

import numpy as np
import torch
from torch import Tensor

from trajvq.io.video import to_uint8
from trajvq.metrics.background import estimate_background
from trajvq.metrics.tracking import track

OCTAVES = 5  # of the radius, up to half a picture


def tracks_in(video: Tensor) -> Tensor:
    """Return what is tracked in clips: float32 ``(B, T, 6)``: x, y and radius in px, color in [0, 1].

    Args:
        video: float ``(B, 3, T, H, W)`` in [0, 1].

    Returns:
        NaN where nothing is seen.
    """
    video = video.clamp(0, 1)
    found = track(to_uint8(video), to_uint8(estimate_background(video)))
    radius = np.where(found.count > 0, found.radius, np.nan)[..., None]
    seen = np.concatenate([found.pixel, radius, found.color], axis=-1)
    return torch.from_numpy(seen).float().to(video.device)


def positions_in(video: Tensor) -> Tensor:
    """Return places alone, px, float32 ``(B, T, 2)``; see `tracks_in`."""
    return tracks_in(video)[..., :2]


def as_path(places: Tensor, height: int, width: int) -> Tensor:
    """Return places in px as paths, x and y from -1 to 1 between the picture's edges."""
    return 2 * places / places.new_tensor([width, height]) - 1


def as_appearance(seen: Tensor, width: int) -> Tensor:
    """Return how the object of a clip looks, float ``(..., 4)`` from -1 to 1: radius, as a logarithm, and color.

    Args:
        seen: ``(..., T, 6)``; see `tracks_in`. The median of the frames counts; without any the look is all 0.
        width: Of the picture in pixels.
    """
    radius, color = seen[..., 2:3], seen[..., 3:]
    numbers = torch.cat([1 + (2 * radius / width).log2() * 2 / OCTAVES, 2 * color - 1], dim=-1)
    return numbers.nanmedian(dim=-2).values.clamp(-1, 1).nan_to_num(0.0)
