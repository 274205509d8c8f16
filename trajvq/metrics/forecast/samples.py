"""Figures of K sampled forecasts of each object: how accurate they are, and whether their variety is calibrated.

The distance of two paths is their mean distance over valid frames, px. N objects, K samples, M predicted frames.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from trajvq.io.arrays import Floats, shown_in
from trajvq.metrics.intervals import bootstrap_objects, rate_of_objects
from trajvq.metrics.reconstruction.objects import MISSING_ERROR
from trajvq.optim.geometric_median import geometric_median

REGION = 0.9  # share of true paths that the region of the samples should contain
MEDIAN_ROUNDS = 20
LEAST_DISTANCE = 1e-3  # px, of the geometric median to a sample


def sample_forecast_figures(
    truth: Floats, valid: NDArray[np.bool_], samples: Floats, clip: NDArray[np.int64]
) -> dict[str, Any]:
    """Compare K samples of each object with the truth. A missing object counts as `MISSING_ERROR` px.

    Args:
        truth: ``(N, M, 2)`` true positions, px.
        valid: ``(N, M)`` frames in which the object is visible; others are ignored.
        samples: ``(N, K, M, 2)`` px; NaN where no object is predicted.
        clip: ``(N,)`` numbers of their clips, which intervals are over.

    Returns:
        ``ade_samples``: average displacement error over samples; ``min_ade_K``: of the best of K samples;
        ``energy_score``: E|X - y| - E|X - X'| / 2 (Gneiting and Raftery, 2007), for a single path its ``ade``;
        ``calibration``: share of objects whose true path is no farther from the samples than 90 % of these are from
        each other; and ``calibration_ideal``: its expectation, close to 0.9, if truth and samples have the same
        distribution. A single sample has no variety: the last three are left out. Empty if no frame is valid.
    """
    rows = valid.any(axis=1)
    if not rows.any():
        return {}
    truth, valid, samples, clip = truth[rows], valid[rows], samples[rows], clip[rows]
    count = samples.shape[1]
    paths = np.concatenate([samples, truth[:, None]], axis=1)
    distance = np.stack([path_distance(paths, paths[:, k : k + 1], valid[:, None]) for k in range(count + 1)], axis=1)
    between, error = distance[:, :count, :count], distance[:, :count, count]
    accuracy = {
        "ade_samples": bootstrap_objects(error.mean(axis=1), clip),
        f"min_ade_{count}": bootstrap_objects(error.min(axis=1), clip),
    }
    if count < 2:
        return accuracy
    mean_between = between.sum(axis=(1, 2)) / (count * (count - 1))  # unbiased: a sample is no pair with itself
    # Rank the K + 1 paths by their distance to all others: the truth is inside if it is not in the last tenth.
    total = distance.sum(axis=2)
    rank = 1 + (total[:, :count] < total[:, count:]).sum(axis=1)
    allowed = round(REGION * (count + 1))
    return accuracy | {
        "energy_score": bootstrap_objects(error.mean(axis=1) - mean_between / 2, clip),
        "calibration": rate_of_objects(rank <= allowed, clip),
        "calibration_ideal": allowed / (count + 1),
    }


def path_distance(first: Floats, second: Floats, valid: NDArray[np.bool_]) -> Floats:
    """Return the mean distance of paths over valid frames, px.

    Args:
        first: ``(..., M, 2)`` px; NaN where there is no object.
        second: ``(..., M, 2)`` px. Two missing objects have the distance 0, one has `MISSING_ERROR`.
        valid: ``(..., M)``.
    """
    distance = np.fmin(np.linalg.norm(first - second, axis=-1), MISSING_ERROR)  # also where it is NaN
    neither = ~shown_in(first) & ~shown_in(second)
    distance = np.where(neither, 0.0, distance)
    counted = np.broadcast_to(valid, distance.shape)
    return np.asarray((distance * counted).sum(axis=-1) / np.maximum(counted.sum(axis=-1), 1))


def median_path(samples: Floats) -> Floats:
    """Return the geometric medians of sampled positions, which minimize the expected ``ade``.

    Args:
        samples: ``(N, K, M, 2)`` px; NaN where no object is predicted.

    Returns:
        ``(N, M, 2)`` px; NaN in frames in which at least half of the samples have no object.
    """
    present = shown_in(samples)
    positions = torch.from_numpy(np.where(present[..., None], samples, 0.0))
    weight = torch.from_numpy(present.astype(float))
    median = geometric_median(positions, MEDIAN_ROUNDS, weight, LEAST_DISTANCE).numpy()
    median[present.mean(axis=1) <= 0.5] = np.nan
    return np.asarray(median)
