"""Whether samples resemble clips: do they cover what there is, and are they more than copies of the training clips?

N clips, T frames, F features.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajvq.io.arrays import Floats
from trajvq.metrics.tracking import Tracks

NEIGHBOURS = 5
FAR = -64.0  # px, where an object that is not seen is put: outside of any frame, so that it resembles nothing
SYMMETRIES = 16  # of paths: two mirrors, the transpose, backwards
PART = 500  # clips compared at a time


def path_features(pixel: Floats) -> Floats:
    """Return ``(N, 2 T)`` px of paths ``(N, T, 2)``; a missing point is `FAR`."""
    return np.nan_to_num(pixel, nan=FAR).reshape(len(pixel), -1)


def features(seen: Tracks) -> Floats:
    """Return ``(N, 2 T + 4)`` analytic features of clips: the path, the mean radius, and the mean color."""
    there = seen.present[..., None]
    count = np.maximum(there.sum(axis=1), 1)
    color = np.where(there, np.nan_to_num(seen.color), 0).sum(axis=1) / count
    radius = np.where(there[..., 0], seen.radius, 0).sum(axis=1, keepdims=True) / count
    return np.concatenate([path_features(seen.pixel), radius, color], axis=1)


class Cover(NamedTuple):
    """Density and coverage (Naeem et al., 2020).

    Attributes:
        coverage: Share of real clips that have a made one among their neighbours.
        density: How many real neighbourhoods a made clip lies in, over what is expected; 1 is alike.
    """

    coverage: float
    density: float


def cover(real: Floats, made: Floats) -> Cover:
    """Return density and coverage of made clips, in parts of as many as there are real ones, averaged.

    A neighbourhood reaches to the fifth nearest other real clip, or the last; features are scaled by their spread over
    real clips.

    Args:
        real: ``(N, F)`` features of real clips, two or more.
        made: ``(M, F)`` features of made clips.
    """
    scale = real.std(axis=0) + 1e-6
    real, made = real / scale, made / scale
    neighbours = min(NEIGHBOURS, len(real) - 1)
    reach = np.sort(distances(real, real), axis=1)[:, neighbours]  # the first is the clip itself
    parts = [made[start : start + len(real)] for start in range(0, len(made), len(real))]
    whole = [part for part in parts if len(part) == len(real)] or [made]
    inside = [distances(real, part) <= reach[:, None] for part in whole]
    coverage = np.mean([one.any(axis=1).mean() for one in inside])
    density = np.mean([one.sum() / (neighbours * one.shape[1]) for one in inside])
    return Cover(float(coverage), float(density))


def distances(first: Floats, second: Floats) -> Floats:
    """Return Euclidean distances ``(N, M)`` of ``(N, F)`` and ``(M, F)``."""
    square = np.square(first).sum(axis=1)[:, None] + np.square(second).sum(axis=1) - 2 * first @ second.T
    return np.asarray(np.sqrt(np.maximum(square, 0)))


class Nearest(NamedTuple):
    """For each of N clips the nearest training clip.

    Attributes:
        distance: ``(N,)``.
        which: ``(N,)`` its number.
    """

    distance: Floats
    which: NDArray[np.int64]


def nearest_paths(path: Floats, train: Floats, size: tuple[int, int] = (64, 64)) -> Nearest:
    """Find the training paths ``(M, T, 2)`` nearest to ``(N, T, 2)``, px RMS, mirrored, turned or reversed as may be.

    Training shows its clips in all these ways, so that a copy of a mirrored clip is a copy. The pictures are of
    ``size`` rows and columns.
    """
    center = np.array([size[1] / 2, size[0] / 2])
    middle, given = (np.nan_to_num(paths, nan=FAR) - center for paths in (train, path))
    best, which = np.full(len(path), np.inf), np.zeros(len(path), dtype=np.int64)
    for number in range(SYMMETRIES):
        turned = middle * np.array([1 - 2 * (number & 1), 1 - (number & 2)])
        turned = turned[..., ::-1] if number & 4 else turned
        turned = turned[:, ::-1] if number & 8 else turned
        for start in range(0, len(given), PART):
            part = slice(start, start + PART)
            away = distances(given[part].reshape(len(given[part]), -1), turned.reshape(len(turned), -1))
            column = away.argmin(axis=1)
            found = away[np.arange(len(column)), column] / np.sqrt(path.shape[1])
            nearer = found < best[part]
            best[part] = np.where(nearer, found, best[part])
            which[part] = np.where(nearer, column, which[part])
    return Nearest(best, which)


def nearest_tokens(tokens: NDArray[np.int64], train: NDArray[np.int64]) -> Nearest:
    """Find the training clips ``(M, ...)`` that share most tokens with ``(N, ...)``; distance is the rest."""
    flat, known = tokens.reshape(len(tokens), -1).astype(np.int32), train.reshape(len(train), -1).astype(np.int32)
    best, which = np.zeros(len(flat)), np.zeros(len(flat), dtype=np.int64)
    for row, clip in enumerate(flat):
        differs = (known != clip).mean(axis=1)
        which[row] = differs.argmin()
        best[row] = differs[which[row]]
    return Nearest(best, which)


def memorization(made: Nearest, val: Nearest) -> tuple[float, float]:
    """Compare how near samples and unseen clips come to training clips.

    Returns:
        The median distance of samples over that of ``val``, 1 where nothing is copied and 0 where all is; and the
        share of samples that are nearer than all but 1 % of ``val``.
    """
    ratio = float(np.median(made.distance) / max(float(np.median(val.distance)), 1e-9))
    return ratio, float((made.distance < np.quantile(val.distance, 0.01)).mean())
