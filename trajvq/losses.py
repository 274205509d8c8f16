"""Reconstruction losses. They need no labels.

Clips are normalized by their contrast, or in [0, 1] for tokenizers that know no normalization.
"""

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional as F

from trajvq.metrics.background import stands_out


class PlainLoss(nn.Module):
    """Mean squared error, which small objects hardly change: a blank clip of the default data has 0.0018."""

    def forward(self, reconstruction: Tensor, video: Tensor, background: Tensor) -> Tensor:
        """Return the error between clips ``(B, 3, T, H, W)``, a scalar. The background does not matter."""
        return F.mse_loss(reconstruction, video)


class BalancedLoss(nn.Module):
    """Squared error in which the object and its surroundings have a fixed share, however small they are.

    Pixels that differ from an estimate of the clip's own background count as object, dilated; no labels are needed.
    Pixels that differ in the reconstruction count as object as well. Otherwise a second object would cost a hundredth
    of a missing one, and reconstructions would contain some.

    Args:
        object_weight: Share of the loss for the object and its surroundings, in [0, 1].
        threshold: Difference from the background, in any channel, from which a pixel of the clip is part of an
            object. The limit is higher where light or noise change the whole frame, see
            `trajvq.metrics.background.stands_out`.
        dilate: Pixels around the object that count with it.
        reconstruction_threshold: The same difference for pixels of the reconstruction; larger, since a reconstruction
            is never exact.
        patch_weight: Weight of a second error, added to the squared error of each pixel: the sum over the 3 x 3 pixels
            around it, divided by 3 and squared. A wrong color is wrong in the same direction all over a patch and
            counts up to nine times as much there, so it is learned before the last detail of the outline.
    """

    def __init__(
        self,
        object_weight: float = 0.3,
        threshold: float = 0.04,
        dilate: int = 1,
        reconstruction_threshold: float = 0.2,
        patch_weight: float = 0.3,
    ) -> None:
        super().__init__()
        self.object_weight, self.threshold, self.dilate = object_weight, threshold, dilate
        self.reconstruction_threshold, self.patch_weight = reconstruction_threshold, patch_weight

    def mask(self, reconstruction: Tensor, video: Tensor, background: Tensor) -> Tensor:
        """Return bool ``(B, 1, T, H, W)``: objects of the clips, dilated, and objects of the reconstructions."""
        dilated = stands_out((video - background).abs_().amax(dim=1), self.threshold)
        for dim in (-1, -2):
            dilated = _dilated(dilated, self.dilate, dim)
        reconstructed = (reconstruction - background).abs_().amax(dim=1) > self.reconstruction_threshold
        return (dilated | reconstructed)[:, None]

    def forward(self, reconstruction: Tensor, video: Tensor, background: Tensor) -> Tensor:
        """Return the error between clips ``(B, 3, T, H, W)``, a scalar; backgrounds are ``(B, 3, 1, H, W)``."""
        with torch.no_grad():
            mask, channels = self.mask(reconstruction, video, background)[:, 0], video.shape[1]
            counts = torch.stack([mask.sum(), (~mask).sum()]).to(video.dtype)
            object_count, background_count = channels * _over_processes(counts).clamp(min=1)
            weight = torch.where(mask, self.object_weight / object_count, (1 - self.object_weight) / background_count)
        error = reconstruction - video
        square = error.square().sum(dim=1)
        if self.patch_weight:
            square = square + self.patch_weight * _patches(error).square().sum(dim=1)
        return (square * weight).sum()


def _patches(error: Tensor) -> Tensor:
    """Return a third of the sum over the 3 x 3 pixels around each pixel ``(..., H, W)``, with zeros outside."""
    for dim in (-1, -2):
        size = error.shape[dim]
        if size > 1:
            summed = error.clone()
            summed.narrow(dim, 1, size - 1).add_(error.narrow(dim, 0, size - 1))
            summed.narrow(dim, 0, size - 1).add_(error.narrow(dim, 1, size - 1))
            error = summed
    return error / 3


def _over_processes(counts: Tensor) -> Tensor:
    """Average counts over processes, so that their mean loss is the loss of one process with all clips."""
    if distributed.is_available() and distributed.is_initialized():
        distributed.all_reduce(counts)
        counts = counts / distributed.get_world_size()
    return counts


def _dilated(mask: Tensor, pixels: int, dim: int) -> Tensor:
    """Return a bool mask dilated by a few pixels in both directions along one dimension."""
    dilated, size = mask.clone(), mask.shape[dim]
    for step in range(1, min(pixels, size - 1) + 1):
        length = size - step
        dilated.narrow(dim, step, length).logical_or_(mask.narrow(dim, 0, length))
        dilated.narrow(dim, 0, length).logical_or_(mask.narrow(dim, step, length))
    return dilated
