"""SSIM (Wang et al., 2004) with its 11x11 Gaussian window, as two matrix products."""

from collections.abc import Callable

import torch
from torch import Tensor

WINDOW, SIGMA = 11, 1.5
LUMINANCE, CONTRAST = 0.01**2, 0.03**2
BATCH = 64  # pictures computed at once, so that they stay in the processor's cache


def ssim(picture: Tensor, target: Tensor) -> Tensor:
    """Return the SSIM of every picture.

    It equals scikit-image's with ``gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1``: the
    window slides over whole positions only. torchmetrics also counts windows beyond a reflected border and differs by
    a few thousandths.

    Args:
        picture: Float ``(N, C, H, W)`` in [0, 1], at least 11 pixels high and wide.
        target: The same shape.

    Returns:
        ``(N,)``.
    """
    rows, columns = _windows(picture.shape[-2]).to(picture), _windows(picture.shape[-1]).to(picture)

    def mean(values: Tensor) -> Tensor:
        return rows @ values @ columns.T

    parts = zip(torch.split(picture, BATCH), torch.split(target, BATCH), strict=True)
    return torch.cat([_similarity(mean, *pair) for pair in parts])


def _similarity(mean: Callable[[Tensor], Tensor], picture: Tensor, target: Tensor) -> Tensor:
    x, y = mean(picture), mean(target)
    xx, yy, xy = mean(picture**2) - x**2, mean(target**2) - y**2, mean(picture * target) - x * y
    similar = (2 * x * y + LUMINANCE) * (2 * xy + CONTRAST)
    similar = similar / ((x**2 + y**2 + LUMINANCE) * (xx.clamp(min=0) + yy.clamp(min=0) + CONTRAST))
    return similar.mean(dim=(1, 2, 3))


def _windows(size: int) -> Tensor:
    """Return a matrix ``(size - 10, size)`` whose rows are the Gaussian window at each whole position."""
    distance = torch.arange(WINDOW) - WINDOW // 2
    window = torch.exp(-0.5 * (distance / SIGMA) ** 2)
    window = window / window.sum()
    matrix = torch.zeros(size - WINDOW + 1, size)
    for position in range(len(matrix)):
        matrix[position, position : position + WINDOW] = window
    return matrix
