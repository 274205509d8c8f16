"""Rows that no reconstruction should lose to."""

from collections.abc import Callable

from torch import Tensor

# Each takes clips float (B, 3, T, H, W) and their background float (B, 3, 1, H, W), and returns clips.
TRIVIAL: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "blank": lambda video, background: background.expand_as(video),
    "mean_frame": lambda video, background: video.mean(dim=2, keepdim=True).expand_as(video),
    "median_frame": lambda video, background: video.median(dim=2, keepdim=True).values.expand_as(video),
    "copy_first": lambda video, background: video[:, :, :1].expand_as(video),
}
