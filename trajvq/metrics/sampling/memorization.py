"""Memorization: whether samples are copies of training clips, by the distance to the nearest one.

N clips, K training clips, T frames.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trajvq.io.arrays import Floats
from trajvq.metrics.sampling.prdc import ABSENT, distances

SYMMETRIES = 16  # of paths: two mirrors, the transpose, and reversal in time
BLOCK = 500  # clips compared at a time
TAIL = 0.01  # share of unseen clips that come closer to a training clip than a sample should


@dataclass(frozen=True)
class Nearest:
    """The nearest training clip of each of N clips.

    Attributes:
        distance: ``(N,)``.
        index: ``(N,)`` its number.
    """

    distance: Floats
    index: NDArray[np.int64]


def nearest_paths(paths: Floats, train: Floats, size: tuple[int, int] = (64, 64)) -> Nearest:
    """Find the nearest training path of every path, under all mirrors, the transpose and reversal.

    Training augments its clips in these ways, so that a copy of a mirrored clip is a copy too.

    Args:
        paths: ``(N, T, 2)`` px; NaN where there is no object.
        train: ``(K, T, 2)`` px.
        size: Height and width of the picture in pixels.

    Returns:
        The distance is RMS over frames, px.
    """
    center = np.array([size[1] / 2, size[0] / 2])
    centered, train = (np.nan_to_num(pixel, nan=ABSENT) - center for pixel in (paths, train))
    distance, index = np.full(len(paths), np.inf), np.zeros(len(paths), dtype=np.int64)
    for symmetry in range(SYMMETRIES):
        turned = train * np.array([1 - 2 * (symmetry & 1), 1 - (symmetry & 2)])
        turned = turned[..., ::-1] if symmetry & 4 else turned
        turned = turned[:, ::-1] if symmetry & 8 else turned
        for start in range(0, len(centered), BLOCK):
            block = slice(start, start + BLOCK)
            between = distances(centered[block].reshape(len(centered[block]), -1), turned.reshape(len(turned), -1))
            column = between.argmin(axis=1)
            lowest = between[np.arange(len(column)), column] / np.sqrt(paths.shape[1])
            closer = lowest < distance[block]
            distance[block] = np.where(closer, lowest, distance[block])
            index[block] = np.where(closer, column, index[block])
    return Nearest(distance, index)


def nearest_tokens(tokens: NDArray[np.int64], train: NDArray[np.int64]) -> Nearest:
    """Find for every clip the training clip that shares most tokens.

    Args:
        tokens: ``(N, ...)``.
        train: ``(K, ...)``.

    Returns:
        The distance is the share of tokens that differ.
    """
    flat, train_flat = tokens.reshape(len(tokens), -1).astype(np.int32), train.reshape(len(train), -1).astype(np.int32)
    distance, index = np.zeros(len(flat)), np.zeros(len(flat), dtype=np.int64)
    for row, clip in enumerate(flat):
        differs = (train_flat != clip).mean(axis=1)
        index[row] = differs.argmin()
        distance[row] = differs[index[row]]
    return Nearest(distance, index)


def memorization(samples: Nearest, val: Nearest) -> tuple[float, float]:
    """Compare how close samples and unseen clips come to training clips.

    Args:
        samples: Of the samples.
        val: Of the validation clips, which no training run sees.

    Returns:
        The median distance of samples over that of ``val`` (1 if nothing is copied, 0 if every sample is a copy);
        and the share of samples that are closer than all but 1 % of ``val``.
    """
    ratio = float(np.median(samples.distance) / max(float(np.median(val.distance)), 1e-9))
    return ratio, float((samples.distance < np.quantile(val.distance, TAIL)).mean())
