"""Position and appearance of the objects in decoded clips, by the tracker alone: no labels and no truth.

B clips, K objects, T frames.
"""

import numpy as np
import torch
from torch import Tensor

from trajvq.metrics.matching import link
from trajvq.metrics.tracking import Tracker, Tracks, track, track_clips

OCTAVES = 5  # of the radius, up to half a picture
OFTEN = 0.5  # share of the frames that show an object, or it is none of several


def tracks_in(video: Tensor, tracker: Tracker = track, objects: int = 1) -> Tensor:
    """Track the objects of clips.

    Args:
        video: float ``(B, 3, T, H, W)`` in [0, 1].
        tracker: The tracker.
        objects: K. For a single one it is the largest object of each frame; several are linked over time, and those
            seen most often are taken.

    Returns:
        float32 ``(B, K, T, 6)``: x, y and radius in px, and color in [0, 1]; NaN where no object is visible.
    """
    tracks = track_clips(video, tracker)
    tracks = tracks if objects == 1 else often_seen(link(tracks))
    tracks = tracks.widened(max(objects, tracks.pixel.shape[2]))
    radius = np.where(tracks.radius > 0, tracks.radius, np.nan)[..., None]
    columns = np.concatenate([tracks.pixel, radius, tracks.color], axis=-1)[:, :, :objects]
    return torch.from_numpy(columns.swapaxes(1, 2)).float().to(video.device)


def often_seen(linked: Tracks) -> Tracks:
    """Return linked tracks without the objects that hardly any frame shows, such as fragments of others."""
    present = np.isfinite(linked.pixel).all(axis=-1)  # (N, T, K)
    rare = (present.mean(axis=1, keepdims=True) < OFTEN) & np.ones_like(present)
    return Tracks(
        pixel=np.where(rare[..., None], np.nan, linked.pixel),
        radius=np.where(rare, 0.0, linked.radius),
        color=np.where(rare[..., None], np.nan, linked.color),
        count=linked.count,
    )


def as_path(positions: Tensor, height: int, width: int) -> Tensor:
    """Return positions in px ``(..., 2)`` as x and y from -1 to 1 between the edges of the picture."""
    return 2 * positions / positions.new_tensor([width, height]) - 1


def as_appearance(tracks: Tensor, width: int) -> Tensor:
    """Return the appearance of each object, float ``(..., K, 4)`` from -1 to 1: logarithmic radius, and color.

    Args:
        tracks: ``(..., K, T, 6)``; see `tracks_in`. The result is the median over frames; NaN for an object that is
            never seen, but 0 for the first.
        width: Width of the picture in pixels.
    """
    radius, color = tracks[..., 2:3], tracks[..., 3:]
    numbers = torch.cat([1 + (2 * radius / width).log2() * 2 / OCTAVES, 2 * color - 1], dim=-1)
    appearance = numbers.nanmedian(dim=-2).values.clamp(-1, 1)
    first = torch.arange(appearance.shape[-2], device=tracks.device)[:, None] == 0
    return torch.where(first, appearance.nan_to_num(0.0), appearance)
