"""Paths and tracks for tests of sampled clips."""

import numpy as np

from trajvq.metrics.tracking import Tracks


def straight_paths(count: int, seed: int) -> np.ndarray:
    """Return ``(count, 16, 2)`` px: straight paths anywhere in a picture of 64 x 64 pixels."""
    rng = np.random.default_rng(seed)
    start, end = rng.uniform(8, 56, (2, count, 1, 2))
    return np.asarray(start + (end - start) * np.linspace(0, 1, 16)[:, None])


def tracks_of(pixel: np.ndarray, color: float = 0.2) -> Tracks:
    """Return tracks of one object a frame at ``(N, T, 2)`` px, all of the same size and gray level."""
    shape = pixel.shape[:2]
    radius, colors = np.full((*shape, 1), 2.5), np.full((*shape, 1, 3), color)
    return Tracks(pixel[:, :, None], radius, colors, np.ones(shape, dtype=np.int64))
