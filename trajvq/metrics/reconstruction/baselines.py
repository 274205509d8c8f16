"""Trivial reconstructions: rows that no model should lose to."""

from collections.abc import Callable

from torch import Tensor

# Each maps clips float (B, 3, T, H, W) and their backgrounds float (B, 3, 1, H, W) to clips.
TRIVIAL: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "blank": lambda video, background: background.expand_as(video),
    "mean_frame": lambda video, background: video.mean(dim=2, keepdim=True).expand_as(video),
    "median_frame": lambda video, background: video.median(dim=2, keepdim=True).values.expand_as(video),
    "copy_first": lambda video, background: video[:, :, :1].expand_as(video),
}
