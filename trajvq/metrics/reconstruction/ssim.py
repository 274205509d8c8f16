"""SSIM (Wang et al., 2004) with its 11x11 Gaussian window, as two matrix products."""

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from trajvq.io.arrays import Bytes

WINDOW, SIGMA = 11, 1.5
LEFT_OUT = f"ssim is left out: its window of {WINDOW} px is larger than the frames"
LUMINANCE, CONTRAST = 0.01**2, 0.03**2
BATCH = 64  # pictures computed at once, so that they stay in the processor's cache


def pictures_of(video: Bytes) -> Tensor:
    """Return the frames of clips uint8 ``(N, T, C, H, W)`` as float ``(N T, C, H, W)`` in [0, 1]."""
    return torch.from_numpy(video).flatten(0, 1).float() / 255


class Moments(NamedTuple):
    """Means over windows ``(N, C, H - 10, W - 10)`` of pictures: of the values and of their squares."""

    mean: Tensor
    square: Tensor


def moments(picture: Tensor) -> Moments:
    """Return the moments of pictures, float ``(N, C, H, W)``; a target's serve for all that is compared with it."""
    parts = [Moments(_mean(part), _mean(part**2)) for part in torch.split(picture, BATCH)]
    return Moments(*(torch.cat(values) for values in zip(*parts, strict=True)))


def ssim(picture: Tensor, target: Tensor, target_moments: Moments | None = None) -> Tensor:
    """Return the SSIM of every picture.

    It equals scikit-image's with ``gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1``: the
    window slides over whole positions only. torchmetrics also counts windows beyond a reflected border and differs by
    a few thousandths.

    Args:
        picture: Float ``(N, C, H, W)`` in [0, 1], at least 11 pixels high and wide.
        target: The same shape.
        target_moments: Of the target; None computes them.

    Returns:
        ``(N,)``.
    """
    reference = target_moments or moments(target)
    parts = (torch.split(values, BATCH) for values in (picture, target, *reference))
    return torch.cat([_similarity(first, second, Moments(*m)) for first, second, *m in zip(*parts, strict=True)])


def _similarity(picture: Tensor, target: Tensor, of_target: Moments) -> Tensor:
    (x, x_square), (y, y_square) = Moments(_mean(picture), _mean(picture**2)), of_target
    xx, yy, xy = x_square - x**2, y_square - y**2, _mean(picture * target) - x * y
    similar = (2 * x * y + LUMINANCE) * (2 * xy + CONTRAST)
    similar = similar / ((x**2 + y**2 + LUMINANCE) * (xx.clamp(min=0) + yy.clamp(min=0) + CONTRAST))
    return similar.mean(dim=(1, 2, 3))


def _mean(values: Tensor) -> Tensor:
    """Return the means over the windows of ``(N, C, H, W)``."""
    rows, columns = _windows(values.shape[-2]).to(values), _windows(values.shape[-1]).to(values)
    return rows @ values @ columns.T


@lru_cache(maxsize=8)
def _windows(size: int) -> Tensor:
    """Return a matrix ``(size - 10, size)`` whose rows are the Gaussian window at each whole position."""
    distance = torch.arange(WINDOW) - WINDOW // 2
    window = torch.exp(-0.5 * (distance / SIGMA) ** 2)
    window = window / window.sum()
    matrix = torch.zeros(size - WINDOW + 1, size)
    for position in range(len(matrix)):
        matrix[position, position : position + WINDOW] = window
    return matrix
