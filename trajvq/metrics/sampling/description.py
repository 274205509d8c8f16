"""How many bits clips need at a given precision: from a count of their parameters, and from a Gaussian bound."""

import numpy as np
from numpy.typing import NDArray

from trajvq.data.synthetic.motion import FAMILIES
from trajvq.io.arrays import Floats

LEAST_VARIANCE = 1e-9  # px²; directions of path space with less need no bits


def gaussian_bits(
    path: Floats,
    label: NDArray[np.int64],
    path_error: float,
    appearance: Floats | None = None,
    appearance_error: float = 1.0,
) -> float:
    """Return an upper bound of the bits per clip that class, path and appearance need at a given precision.

    The paths of a class are taken as Gaussian in all their coordinates. Of all sources with its covariance, a Gaussian
    needs the most bits (reverse water-filling; Cover and Thomas, Elements of Information Theory, 10.3). No tokenizer
    has to spend more.

    Args:
        path: ``(N, T, 2)`` true positions, px; N well above 2 T.
        label: ``(N,)`` classes.
        path_error: Mean distance of a decoded from the true position, px.
        appearance: ``(N, K)`` further numbers of a clip, such as color and radius; None for none.
        appearance_error: Mean absolute error of one of these numbers.

    Raises:
        ValueError: If an error is not positive.
    """
    if min(path_error, appearance_error) <= 0:
        raise ValueError(f"errors of {path_error} and {appearance_error} need infinitely many bits; use positive ones")
    classes, sizes = np.unique(label, return_counts=True)
    shares = sizes / len(label)
    bits = float(-(shares * np.log2(shares)).sum())
    for number, share in zip(classes, shares, strict=True):
        # The mean distance of a two-dimensional Gaussian error is sqrt(pi / 2) of its standard deviation.
        bits += share * _gaussian(path[label == number].reshape((label == number).sum(), -1), 2 / np.pi * path_error**2)
    if appearance is not None:
        bits += _gaussian(appearance, np.pi / 2 * appearance_error**2)
    return bits


def parameter_bits(
    labels: NDArray[np.int64],
    classes: tuple[str, ...],
    side: float,
    errors: tuple[float, float, float],
    objects: NDArray[np.int64] | None = None,
) -> float:
    """Return the mean bits per clip of the numbers that describe it, at the precision that a tokenizer reaches.

    This is a plain count (Rissanen, 1978) to compare with tokens: for each unknown of the motion family in the picture
    a coordinate within the frame; the radius as a share of the frame; three colors of 256 values; and the class. The
    objects of a clip have numbers of their own, but one class. Unknowns that matter less could be coarser.

    Args:
        labels: ``(N,)`` classes.
        classes: Names of the classes. One that is no registered motion family counts like the family with the most
            unknowns.
        side: Side of the frame in px.
        errors: RMS errors of a coordinate in px, of the radius in px, and of a color in 256ths.
        objects: ``(N,)`` number of objects in each clip; None for one.
    """
    unknowns = {motion.name: motion.unknowns for motion in FAMILIES}
    most = max(unknowns.values())
    number = np.ones(len(labels)) if objects is None else objects
    mean = float(np.mean(number * [unknowns.get(classes[k], most) for k in labels]))
    position, radius, color = (max(error, 1e-3) for error in errors)
    appearance = np.log2(max(side / radius, 1)) + 3 * np.log2(max(256 / color, 1))
    return float(mean * np.log2(max(side / position, 1)) + number.mean() * appearance + np.log2(len(classes)))


def _gaussian(samples: Floats, distortion: float) -> float:
    """Return the bits of a Gaussian with the samples' covariance, at a mean squared error of each coordinate."""
    variance = np.linalg.eigvalsh(np.atleast_2d(np.cov(samples, rowvar=False)))
    variance = np.where(variance > LEAST_VARIANCE, variance, 0.0)
    low, high = 0.0, float(variance.max()) + distortion
    for _ in range(60):  # bisect for the water level whose mean error is the distortion
        level = (low + high) / 2
        low, high = (level, high) if np.minimum(variance, level).mean() < distortion else (low, level)
    coded = variance > level
    return float(0.5 * np.log2(variance[coded] / level).sum())
