"""Paths and objects for tests of sampled clips."""

import numpy as np

from trajvq.metrics.sampling.objects import Objects


def straight_paths(count: int, seed: int) -> np.ndarray:
    """Return ``(count, 16, 2)`` px: straight paths anywhere in a picture of 64 x 64 pixels."""
    rng = np.random.default_rng(seed)
    start, end = rng.uniform(8, 56, (2, count, 1, 2))
    return np.asarray(start + (end - start) * np.linspace(0, 1, 16)[:, None])


def objects_of(pixel: np.ndarray, color: float = 0.2) -> Objects:
    """Return objects at ``(M, T, 2)`` px, each of a clip of its own, all of the same size and gray level."""
    shape = pixel.shape[:2]
    colors = np.where(np.isfinite(pixel[..., :1]), np.full((*shape, 3), color), np.nan)
    return Objects(pixel, np.full(shape, 2.5), colors, np.ones(shape, dtype=bool), np.arange(len(pixel)))
