"""SSIM (Wang et al., 2004) with its 11x11 Gaussian window, as two matrix products."""

from collections.abc import Callable

import torch
from torch import Tensor

WINDOW, SIGMA = 11, 1.5
LUMINANCE, CONTRAST = 0.01**2, 0.03**2

PICTURES = 64  # worked on at once, so that they stay in the processor's cache


def ssim(made: Tensor, target: Tensor) -> Tensor:
    """Return the SSIM of every picture, equal to scikit-image's.

    That is, with ``gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1``: the window slides
    over whole positions only. torchmetrics also counts windows that reach over a reflected border, and differs by some
    thousandths.

    Args:
        made: float ``(N, C, H, W)`` in [0, 1], at least 11 pixels high and wide.
        target: The same shape.

    Returns:
        ``(N,)``.
    """
    rows, columns = _windows(made.shape[-2]).to(made), _windows(made.shape[-1]).to(made)

    def mean(picture: Tensor) -> Tensor:
        return rows @ picture @ columns.T

    parts = zip(torch.split(made, PICTURES), torch.split(target, PICTURES), strict=True)
    return torch.cat([_similarity(mean, some, other) for some, other in parts])


def _similarity(mean: Callable[[Tensor], Tensor], made: Tensor, target: Tensor) -> Tensor:
    x, y = mean(made), mean(target)
    xx, yy, xy = mean(made**2) - x**2, mean(target**2) - y**2, mean(made * target) - x * y
    similar = (2 * x * y + LUMINANCE) * (2 * xy + CONTRAST)
    similar = similar / ((x**2 + y**2 + LUMINANCE) * (xx.clamp(min=0) + yy.clamp(min=0) + CONTRAST))
    return similar.mean(dim=(1, 2, 3))


def _windows(size: int) -> Tensor:
    """Return ``(size - 10, size)``: a Gaussian window around each whole position."""
    distance = torch.arange(WINDOW) - WINDOW // 2
    window = torch.exp(-0.5 * (distance / SIGMA) ** 2)
    window = window / window.sum()
    matrix = torch.zeros(size - WINDOW + 1, size)
    for place in range(len(matrix)):
        matrix[place, place : place + WINDOW] = window
    return matrix
