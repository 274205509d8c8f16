"""Where the object is in what tokens decode to: the tokenizer's own decoder and the tracker, no label, no truth."""

import torch
from torch import Tensor

from trajvq.metrics.background import estimate_background
from trajvq.metrics.reconstruction import as_bytes
from trajvq.metrics.tracking import track


def places_in(video: Tensor) -> Tensor:
    """Return px, float32 ``(B, T, 2)``, NaN where nothing is seen, of clips float ``(B, 3, T, H, W)`` in [0, 1]."""
    video = video.clamp(0, 1)
    found = track(as_bytes(video), as_bytes(estimate_background(video))).pixel
    return torch.from_numpy(found).float().to(video.device)


def as_path(places: Tensor, height: int, width: int) -> Tensor:
    """Return places in px as paths, x and y from -1 to 1 between the picture's edges."""
    return 2 * places / places.new_tensor([width, height]) - 1
