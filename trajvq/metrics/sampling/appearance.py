"""Appearance of sampled objects: whether their sizes and colors occur in real clips.

N clips, T frames.
"""

import numpy as np
from numpy.typing import NDArray

from trajvq.io.arrays import Floats, shown_in

TOLERANCE = np.array([0.3, 10 / 255, 10 / 255, 10 / 255])  # of the radius in px and of the color's channels
TAILS = (0.01, 0.99)  # between which the appearances of real clips are taken, so that a bad one changes nothing


def mean_appearance(radius: Floats, color: Floats) -> Floats:
    """Return the mean radius in px and color in [0, 1] of each clip's object, ``(N, 4)``; 0 for a clip without one.

    Args:
        radius: ``(N, T)`` px.
        color: ``(N, T, 3)`` in [0, 1]; NaN in frames without object.
    """
    present = shown_in(color)
    numbers = np.concatenate([radius[..., None], color], axis=-1)
    total = np.where(present[..., None], np.nan_to_num(numbers), 0.0).sum(axis=1)
    return np.asarray(total / np.maximum(present.sum(axis=1), 1)[:, None])


def matching_appearance(samples: Floats, real: Floats) -> NDArray[np.bool_]:
    """Return ``(M,)``: whether radius and every channel of the color lie within those of real clips.

    These are the 1 to 99 % of the real clips that show an object, wider by 0.3 px and by 10 of 255 levels. A sample
    without object (radius 0) never matches, whatever real clips lose.

    Args:
        samples: ``(M, 4)`` of samples; see `mean_appearance`.
        real: ``(N, 4)`` of reconstructed real clips.
    """
    visible = real[real[:, 0] > 0]
    if not len(visible):
        return np.zeros(len(samples), dtype=bool)
    low, high = np.quantile(visible, TAILS, axis=0)
    within = (samples >= low - TOLERANCE) & (samples <= high + TOLERANCE)
    return np.asarray(within.all(axis=1) & (samples[:, 0] > 0))
