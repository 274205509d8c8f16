"""Position and appearance of the largest object in decoded clips, by the tracker alone: no labels and no truth.

B clips, T frames.
"""

import numpy as np
import torch
from torch import Tensor

from trajvq.metrics.tracking import Tracker, track, track_clips

OCTAVES = 5  # of the radius, up to half a picture


def tracks_in(video: Tensor, tracker: Tracker = track) -> Tensor:
    """Track the largest object of each frame.

    Args:
        video: float ``(B, 3, T, H, W)`` in [0, 1].
        tracker: The tracker.

    Returns:
        float32 ``(B, T, 6)``: x, y and radius in px, and color in [0, 1]; NaN where no object is visible.
    """
    tracks = track_clips(video, tracker)
    radius = np.where(tracks.count > 0, tracks.radius[:, :, 0], np.nan)[..., None]
    columns = np.concatenate([tracks.pixel[:, :, 0], radius, tracks.color[:, :, 0]], axis=-1)
    return torch.from_numpy(columns).float().to(video.device)


def as_path(positions: Tensor, height: int, width: int) -> Tensor:
    """Return positions in px ``(..., 2)`` as x and y from -1 to 1 between the edges of the picture."""
    return 2 * positions / positions.new_tensor([width, height]) - 1


def as_appearance(tracks: Tensor, width: int) -> Tensor:
    """Return the appearance of each clip's object, float ``(..., 4)`` from -1 to 1: logarithmic radius, and color.

    Args:
        tracks: ``(..., T, 6)``; see `tracks_in`. The result is the median over frames, 0 for a clip without object.
        width: Width of the picture in pixels.
    """
    radius, color = tracks[..., 2:3], tracks[..., 3:]
    numbers = torch.cat([1 + (2 * radius / width).log2() * 2 / OCTAVES, 2 * color - 1], dim=-1)
    return numbers.nanmedian(dim=-2).values.clamp(-1, 1).nan_to_num(0.0)
