"""Reconstruction losses that do not go blind to small objects. They need no labels."""

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional as F


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
        threshold: Difference from the background in any channel that makes a pixel part of an object, in [0, 1].
        dilate: Pixels of surroundings that count with the object.
        drawn: The same difference for the reconstruction's pixels, in [0, 1]; larger, since it is never exact.
    """

    def __init__(
        self, object_weight: float = 0.5, threshold: float = 0.04, dilate: int = 1, drawn: float = 0.2
    ) -> None:
        super().__init__()
        self.object_weight, self.threshold, self.dilate, self.drawn = object_weight, threshold, dilate, drawn

    def mask(self, reconstruction: Tensor, video: Tensor, background: Tensor) -> Tensor:
        """Return bool ``(B, 1, T, H, W)``: objects and surroundings of the clips, and what is drawn."""
        apart = (video - background).abs().amax(dim=1) > self.threshold
        side, edge = 2 * self.dilate + 1, self.dilate
        grown = F.max_pool2d(apart.float(), (side, 1), stride=1, padding=(edge, 0))
        near = F.max_pool2d(grown, (1, side), stride=1, padding=(0, edge)).bool()
        return (near | ((reconstruction - background).abs().amax(dim=1) > self.drawn))[:, None]

    def forward(self, reconstruction: Tensor, video: Tensor, background: Tensor) -> Tensor:
        """Compare clips ``(B, 3, T, H, W)``, with their backgrounds ``(B, 3, 1, H, W)``; returns a scalar."""
        with torch.no_grad():
            near = self.mask(reconstruction, video, background).to(video.dtype)
            found, rest = _over_processes(torch.stack([near.sum(), (1 - near).sum()])).clamp(min=1)
            share = self.object_weight * near / found
            share += (1 - self.object_weight) * (1 - near) / rest
        square = (reconstruction - video).square().mean(dim=1, keepdim=True)
        return (square * share).sum()


def _over_processes(counts: Tensor) -> Tensor:
    """Average counts over processes, so that their losses average to the loss of one process with all clips."""
    if distributed.is_available() and distributed.is_initialized():
        distributed.all_reduce(counts)
        counts = counts / distributed.get_world_size()
    return counts
