"""Density and coverage: whether samples are as realistic and as varied as real clips (Naeem et al., 2020).

N real clips, M samples, T frames. With several objects in a clip, each of them counts like a clip.
"""

from typing import NamedTuple

import numpy as np

from trajvq.io.arrays import Floats
from trajvq.metrics.sampling.appearance import TOLERANCE

NEIGHBORS = 5
ABSENT = -64.0  # px, the position of a missing object: outside of any frame, so that it is far from every real one
PATH_TOLERANCE = 2.0  # px
ALIKE = 0.5  # of `TOLERANCE`, within which appearances are the same
ROUNDING = 1e-6  # of distances between scaled features


class Features(NamedTuple):
    """Analytic features of N tracked clips.

    Attributes:
        path: ``(N, 2 T)`` px; see `path_features`.
        appearance: ``(N, 4)``; see `trajvq.metrics.sampling.appearance.mean_appearance`.
    """

    path: Floats
    appearance: Floats


def path_features(pixel: Floats) -> Floats:
    """Return ``(N, 2 T)`` px of paths ``(N, T, 2)``; a missing point becomes `ABSENT`."""
    return np.nan_to_num(pixel, nan=ABSENT).reshape(len(pixel), 2 * pixel.shape[1])


class DensityCoverage(NamedTuple):
    """Density and coverage.

    Attributes:
        coverage: Share of real clips with a sample in their neighborhood: the lowest of three shares, for paths,
            for appearances, and for both together.
        density: Number of real neighborhoods of both together that contain a sample, relative to its expectation; 1
            for samples distributed like real clips.
    """

    coverage: float
    density: float


def density_and_coverage(real: Features, samples: Features) -> DensityCoverage:
    """Return density and coverage of samples, averaged over blocks of as many samples as there are real clips.

    The neighborhood of a real clip extends to its fifth nearest other real clip, or to the farthest if there are
    fewer; that of an appearance at least over half of `TOLERANCE`. Every number is divided by its standard deviation
    over real clips; a color or radius that hardly varies by `TOLERANCE`, and a coordinate by 2 px, so that noise does
    not count as variety.
    Then path and appearance weigh alike: each is divided by the square root of its count of numbers. Among few clips
    neighborhoods of both together are so wide that a single color seems to cover most of them; in those of the
    appearance alone it does not.

    Args:
        real: Of N real clips, N at least 2.
        samples: Of M samples.
    """
    path_scale = np.maximum(real.path.std(axis=0) + ROUNDING, PATH_TOLERANCE)
    scale = Features(path_scale, np.maximum(real.appearance.std(axis=0), TOLERANCE))
    real_path, path = (of.path / scale.path / np.sqrt(len(scale.path)) for of in (real, samples))
    real_appearance, appearance = (of.appearance / scale.appearance / np.sqrt(len(TOLERANCE)) for of in (real, samples))
    alike = float(np.linalg.norm(ALIKE * TOLERANCE / scale.appearance)) / np.sqrt(len(TOLERANCE))
    figures = [
        _in_one_space(real_path, path),
        _in_one_space(real_appearance, appearance, least=alike),
        _in_one_space(np.hstack([real_path, real_appearance]), np.hstack([path, appearance])),
    ]
    return DensityCoverage(min(each.coverage for each in figures), figures[-1].density)


def _in_one_space(real: Floats, samples: Floats, least: float = 0.0) -> DensityCoverage:
    """Return density and coverage of points ``(M, F)`` among real ones ``(N, F)``, with a least neighborhood."""
    neighbors = min(NEIGHBORS, len(real) - 1)
    radius = np.sort(distances(real, real), axis=1)[:, neighbors]  # the first is the clip itself
    radius = np.maximum(radius, least) + ROUNDING
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
