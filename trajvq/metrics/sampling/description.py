"""How many bits clips need at all, told to a given precision: by counting their numbers, and by a Gaussian bound."""

import numpy as np
from numpy.typing import NDArray

from trajvq.data.synthetic.projective import FREEDOM
from trajvq.io.arrays import Floats

DIRECTIONS = 1e-9  # px² of spread below which a direction of path space needs no bits


def gaussian_bits(
    path: Floats,
    label: NDArray[np.int64],
    path_error: float,
    look: Floats | None = None,
    look_error: float = 1.0,
) -> float:
    """Return bits a clip that are enough to tell class, path and look to the precision given.

    A class's paths are taken for Gaussian in all their coordinates, and a Gaussian needs the most bits of all sources
    with its covariance (reverse water-filling; Cover and Thomas, Elements of Information Theory, 10.3). So this is
    an upper bound of what the data need, and no tokenizer has to spend more.

    Args:
        path: ``(N, T, 2)`` true places, px; N well above 2 T.
        label: ``(N,)`` classes.
        path_error: Mean distance of a told place from the true one, px.
        look: ``(N, K)`` what else makes a clip, such as color and radius; None for nothing.
        look_error: Mean absolute error of one of those numbers.

    Raises:
        ValueError: If an error is not positive.
    """
    if min(path_error, look_error) <= 0:
        raise ValueError(f"errors of {path_error} and {look_error} need endless bits; give positive ones")
    classes, sizes = np.unique(label, return_counts=True)
    shares = sizes / len(label)
    bits = float(-(shares * np.log2(shares)).sum())
    for number, share in zip(classes, shares, strict=True):
        # The mean distance of a two-dimensional Gaussian error is sqrt(pi / 2) of its standard deviation.
        bits += share * _gaussian(path[label == number].reshape((label == number).sum(), -1), 2 / np.pi * path_error**2)
    if look is not None:
        bits += _gaussian(look, np.pi / 2 * look_error**2)
    return bits


def parameter_bits(
    labels: NDArray[np.int64], classes: tuple[str, ...], side: float, errors: tuple[float, float, float]
) -> float:
    """Return the bits that the numbers behind a clip are worth, at the precision that a tokenizer reaches.

    The unknowns of the class's family in the picture, each as a place in the frame told as finely as that; the
    radius, as part of the frame; three colors of 256 values; and which class it is. A plain count (Rissanen, 1978),
    for comparison with tokens: numbers that matter less could be told more coarsely.

    Args:
        labels: ``(N,)`` classes.
        classes: Their names; one that is no motion family counts as the largest.
        side: Of the frame in px.
        errors: RMS errors of a coordinate in px, of the radius in px, and of a color in 256ths.
    """
    most = max(FREEDOM.values())
    unknowns = float(np.mean([FREEDOM.get(classes[k], most) for k in labels]))
    place, radius, color = (max(error, 1e-3) for error in errors)
    look = np.log2(max(side / radius, 1)) + 3 * np.log2(max(256 / color, 1))
    return float(unknowns * np.log2(max(side / place, 1)) + look + np.log2(len(classes)))


def _gaussian(samples: Floats, distortion: float) -> float:
    """Return the bits of a Gaussian of the samples' covariance, told to a mean squared error of every coordinate."""
    spread = np.linalg.eigvalsh(np.atleast_2d(np.cov(samples, rowvar=False)))
    spread = np.where(spread > DIRECTIONS, spread, 0.0)
    low, high = 0.0, float(spread.max()) + distortion
    for _ in range(60):  # the water level at which the mean error is the one allowed
        level = (low + high) / 2
        low, high = (level, high) if np.minimum(spread, level).mean() < distortion else (low, level)
    told = spread > level
    return float(0.5 * np.log2(spread[told] / level).sum())
