"""Figures of K sampled forecasts of a clip: how near the best and all come, and if they know how sure to be.

The distance of two paths is their mean distance over the frames in which the object can be seen, in px. For a
single path the energy score is its ``ade``.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajvq.io.arrays import Floats
from trajvq.metrics.intervals import bootstrap, wilson
from trajvq.metrics.reconstruction.metric import MISSING

REGION = 0.9  # share of paths that the region of samples is meant to hold


def sample_forecast_figures(truth: Floats, valid: NDArray[np.bool_], samples: Floats) -> dict[str, Any]:
    """Compare K samples of each clip with what happened; no sample is left out, a missing object costs `MISSING` px.

    Args:
        truth: ``(N, M, 2)`` true places, px.
        valid: ``(N, M)`` frames in which the object can be seen.
        samples: ``(N, K, M, 2)``, at least 2 each; NaN where there is no object.

    Returns:
        ``ade_samples``: of a sample on average; ``min_ade_K``: of the best of K; ``energy_score`` (Gneiting and
        Raftery, 2007), E|X - y| - E|X - X'| / 2; ``within_90``: share of clips whose true path is no further from
        the samples than nine of ten of these are from each other. If truth and samples came from the same source,
        that share would be ``within_90_ideal``, close to 0.9.
    """
    rows = valid.any(axis=1)
    truth, valid, samples = truth[rows], valid[rows], samples[rows]
    count = samples.shape[1]
    paths = np.concatenate([samples, truth[:, None]], axis=1)
    apart = np.stack([path_distance(paths, paths[:, k : k + 1], valid[:, None]) for k in range(count + 1)], axis=1)
    own, error = apart[:, :count, :count], apart[:, :count, count]
    spread = own.sum(axis=(1, 2)) / (count * (count - 1))  # unbiased
    # How far each of the K + 1 paths is from all others: truth is inside if its rank is not among the last tenth.
    outside = apart.sum(axis=2)
    rank = 1 + (outside[:, :count] < outside[:, count:]).sum(axis=1)
    allowed = round(REGION * (count + 1))
    return {
        "ade_samples": bootstrap(error.mean(axis=1)),
        f"min_ade_{count}": bootstrap(error.min(axis=1)),
        "energy_score": bootstrap(error.mean(axis=1) - spread / 2),
        "within_90": wilson(float((rank <= allowed).sum()), len(rank)),
        "within_90_ideal": allowed / (count + 1),
    }


def path_distance(first: Floats, second: Floats, valid: NDArray[np.bool_]) -> Floats:
    """Return the mean distance of paths ``(..., M, 2)`` over the frames of ``(..., M)`` that are valid, px."""
    apart = np.linalg.norm(first - second, axis=-1)
    apart = np.where(np.isfinite(apart), np.minimum(apart, MISSING), MISSING)
    # Two samples without an object are alike, which would be rewarded as certainty only if they were right.
    none = ~np.asarray(np.isfinite(first).all(axis=-1)) & ~np.asarray(np.isfinite(second).all(axis=-1))
    apart = np.where(none, 0.0, apart)
    shown = np.broadcast_to(valid, apart.shape)
    return np.asarray((apart * shown).sum(axis=-1) / np.maximum(shown.sum(axis=-1), 1))


def middle_path(samples: Floats) -> Floats:
    """Return the ``(N, M, 2)`` geometric medians of places of ``(N, K, M, 2)`` samples; NaN where most have none.

    The place that is nearest to all samples on average is the best answer where ``ade`` is asked for.
    """
    seen: NDArray[np.bool_] = np.asarray(np.isfinite(samples).all(axis=-1))
    places, weight = np.where(seen[..., None], samples, 0.0), seen.astype(float)
    middle = (places * weight[..., None]).sum(axis=1) / np.maximum(weight.sum(axis=1), 1)[..., None]
    for _ in range(20):  # Weiszfeld's method (1937)
        apart = np.linalg.norm(places - middle[:, None], axis=-1)
        pull = weight / np.maximum(apart, 1e-3)
        middle = (places * pull[..., None]).sum(axis=1) / np.maximum(pull.sum(axis=1), 1e-9)[..., None]
    middle[weight.mean(axis=1) <= 0.5] = np.nan
    return np.asarray(middle)
