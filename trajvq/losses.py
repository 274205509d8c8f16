"""Reconstruction losses that do not go blind to small objects. They need no labels."""

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional as F

from trajvq.metrics.background import stands_out


class PlainLoss(nn.Module):
    """Mean square error. On small objects its easiest answer is to draw nothing."""

    def forward(self, reconstruction: Tensor, video: Tensor, background: Tensor) -> Tensor:
        """Compare clips ``(B, 3, T, H, W)``; returns a scalar. The background is not looked at."""
        return F.mse_loss(reconstruction, video)


class BalancedLoss(nn.Module):
    """Weighs what differs from the background, and its surroundings, like all the rest together.

    The object is what differs from an estimate of the clip's own background, dilated; so the loss
    works on any video without labels. What the reconstruction draws counts with the object too:
    else a second object would cost a hundredth of a missing one, and there would be some.

    Args:
        object_weight: Share of the loss that the object and its surroundings get, in [0, 1].
        threshold: Difference from the background in any channel that makes a pixel part of an object, in [0, 1]; more
            is asked where light or noise change the whole frame, see `trajvq.metrics.background.stands_out`.
        dilate: Pixels of surroundings that count with the object.
        drawn: The same difference for the reconstruction's pixels, in [0, 1]; larger, since it is never exact.
        patch_weight: Weight of the error summed over the 3 x 3 pixels around each, divided by 3 and squared, added to
            the squared error of the pixel alone. A wrong color is wrong in all of a patch and the same way, so it
            counts up to nine times as much there, and is learnt before the last of the outline.
    """

    def __init__(
        self,
        object_weight: float = 0.5,
        threshold: float = 0.04,
        dilate: int = 1,
        drawn: float = 0.2,
        patch_weight: float = 0.3,
    ) -> None:
        super().__init__()
        self.object_weight, self.threshold, self.dilate, self.drawn = object_weight, threshold, dilate, drawn
        self.patch_weight = patch_weight

    def mask(self, reconstruction: Tensor, video: Tensor, background: Tensor) -> Tensor:
        """Return bool ``(B, 1, T, H, W)``: objects and surroundings of the clips, and what is drawn."""
        near = stands_out((video - background).abs_().amax(dim=1), self.threshold)
        for dim in (-1, -2):
            near = _widened(near, self.dilate, dim)
        return (near | ((reconstruction - background).abs_().amax(dim=1) > self.drawn))[:, None]

    def forward(self, reconstruction: Tensor, video: Tensor, background: Tensor) -> Tensor:
        """Compare clips ``(B, 3, T, H, W)``, with their backgrounds ``(B, 3, 1, H, W)``; returns a scalar."""
        with torch.no_grad():
            near, channels = self.mask(reconstruction, video, background)[:, 0], video.shape[1]
            counts = torch.stack([near.sum(), (~near).sum()]).to(video.dtype)
            found, rest = channels * _over_processes(counts).clamp(min=1)
            share = torch.where(near, self.object_weight / found, (1 - self.object_weight) / rest)
        error = reconstruction - video
        square = error.square().sum(dim=1)
        if self.patch_weight:
            square = square + self.patch_weight * _patches(error).square().sum(dim=1)
        return (square * share).sum()


def _patches(error: Tensor) -> Tensor:
    """Return a third of the sum over the 3 x 3 pixels around each, ``(..., H, W)``; zeros beyond the edge."""
    for dim in (-1, -2):
        size = error.shape[dim]
        if size > 1:
            made = error.clone()
            made.narrow(dim, 1, size - 1).add_(error.narrow(dim, 0, size - 1))
            made.narrow(dim, 0, size - 1).add_(error.narrow(dim, 1, size - 1))
            error = made
    return error / 3


def _over_processes(counts: Tensor) -> Tensor:
    """Average counts over processes, so that their losses average to the loss of one process with all clips."""
    if distributed.is_available() and distributed.is_initialized():
        distributed.all_reduce(counts)
        counts = counts / distributed.get_world_size()
    return counts


def _widened(mask: Tensor, pixels: int, dim: int) -> Tensor:
    """Grow a bool mask by a few pixels both ways along one dimension."""
    made, size = mask.clone(), mask.shape[dim]
    for step in range(1, min(pixels, size - 1) + 1):
        rest = size - step
        made.narrow(dim, step, rest).logical_or_(mask.narrow(dim, 0, rest))
        made.narrow(dim, 0, rest).logical_or_(mask.narrow(dim, step, rest))
    return made
