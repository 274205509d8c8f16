"""Density and coverage: whether samples are as realistic and as varied as real clips (Naeem et al., 2020).

N real clips, M samples, T frames, F features.
"""

from typing import NamedTuple

import numpy as np

from trajvq.io.arrays import Floats
from trajvq.metrics.tracking import Tracks

NEIGHBORS = 5
ABSENT = -64.0  # px, the position of a missing object: outside of any frame, so that it is far from every real one


def path_features(pixel: Floats) -> Floats:
    """Return ``(N, 2 T)`` px of paths ``(N, T, 2)``; a missing point becomes `ABSENT`."""
    return np.nan_to_num(pixel, nan=ABSENT).reshape(len(pixel), -1)


def track_features(tracks: Tracks) -> Floats:
    """Return ``(N, 2 T + 4)`` analytic features of the largest objects: the path, the mean radius and color."""
    present = tracks.present[..., None]
    count = np.maximum(present.sum(axis=1), 1)
    color = np.where(present, np.nan_to_num(tracks.color[:, :, 0]), 0).sum(axis=1) / count
    radius = np.where(present[..., 0], tracks.radius[:, :, 0], 0).sum(axis=1, keepdims=True) / count
    return np.concatenate([path_features(tracks.pixel[:, :, 0]), radius, color], axis=1)


class DensityCoverage(NamedTuple):
    """Density and coverage.

    Attributes:
        coverage: Share of real clips with a sample in their neighborhood.
        density: Number of real neighborhoods that contain a sample, relative to its expectation; 1 for samples
            distributed like real clips.
    """

    coverage: float
    density: float


def density_and_coverage(real: Floats, samples: Floats) -> DensityCoverage:
    """Return density and coverage of samples, averaged over blocks of as many samples as there are real clips.

    The neighborhood of a real clip extends to its fifth nearest other real clip, or to the farthest if there are
    fewer. Every feature is divided by its standard deviation over real clips.

    Args:
        real: ``(N, F)`` features of real clips, N at least 2.
        samples: ``(M, F)`` features of samples.
    """
    scale = real.std(axis=0) + 1e-6
    real, samples = real / scale, samples / scale
    neighbors = min(NEIGHBORS, len(real) - 1)
    radius = np.sort(distances(real, real), axis=1)[:, neighbors]  # the first is the clip itself
    blocks = [samples[start : start + len(real)] for start in range(0, len(samples), len(real))]
    whole = [block for block in blocks if len(block) == len(real)] or [samples]
    inside = [distances(real, block) <= radius[:, None] for block in whole]
    coverage = np.mean([block.any(axis=1).mean() for block in inside])
    density = np.mean([block.sum() / (neighbors * block.shape[1]) for block in inside])
    return DensityCoverage(float(coverage), float(density))


def distances(first: Floats, second: Floats) -> Floats:
    """Return Euclidean distances ``(N, M)`` of ``(N, F)`` and ``(M, F)``."""
    square = np.square(first).sum(axis=1)[:, None] + np.square(second).sum(axis=1) - 2 * first @ second.T
    return np.asarray(np.sqrt(np.maximum(square, 0)))
