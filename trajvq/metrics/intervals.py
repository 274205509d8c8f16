"""95 % intervals of figures over clips."""

from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from trajvq.io.arrays import Floats

Z = 1.959964  # standard normal quantile of a two-sided 95 % interval
TAILS = (0.025, 0.975)
RESAMPLES, SEED = 1000, 0  # of a bootstrap


class Interval(TypedDict):
    """A figure with its 95 % interval, as scoreboards store it."""

    value: float
    low: float
    high: float


def wilson(hits: float, count: int) -> Interval:
    """Return a rate with its Wilson score interval (1927).

    Args:
        hits: Number of successes; fractional where a clip counts by its share of frames.
        count: Number of independent trials: clips, not frames, since the frames of a clip fail together.
    """
    if count == 0:
        return {"value": float("nan"), "low": 0.0, "high": 1.0}
    rate = hits / count
    center = (rate + Z**2 / (2 * count)) / (1 + Z**2 / count)
    half_width = Z / (1 + Z**2 / count) * np.sqrt(rate * (1 - rate) / count + Z**2 / (4 * count**2))
    return {
        "value": float(rate),
        "low": float(max(center - half_width, 0.0)),
        "high": float(min(center + half_width, 1.0)),
    }


def rate_of_objects(hits: NDArray[np.bool_], clip: NDArray[np.int64]) -> Interval:
    """Return a rate over objects with the interval of as many trials as there are clips.

    Args:
        hits: ``(M,)``.
        clip: ``(M,)`` numbers of their clips.
    """
    clips = len(np.unique(clip))
    return wilson(float(hits.mean()) * clips, clips)


def bootstrap(clips: Floats) -> Interval:
    """Return the mean of a figure ``(N,)`` of N clips with its percentile bootstrap interval over clips."""
    rows = np.random.default_rng(SEED).integers(0, len(clips), (RESAMPLES, len(clips)))
    low, high = np.quantile(clips[rows].mean(axis=1), TAILS)
    return {"value": float(clips.mean()), "low": float(low), "high": float(high)}


def bootstrap_ratio(numerator: Floats, denominator: Floats) -> Interval:
    """Return sum(numerator) / sum(denominator), ``(N,)`` each, with its percentile bootstrap interval over clips."""
    rows = np.random.default_rng(SEED).integers(0, len(numerator), (RESAMPLES, len(numerator)))
    low, high = np.quantile(numerator[rows].sum(axis=1) / np.maximum(denominator[rows].sum(axis=1), 1e-12), TAILS)
    return {"value": float(numerator.sum() / max(denominator.sum(), 1e-12)), "low": float(low), "high": float(high)}


def bootstrap_objects(values: Floats, clip: NDArray[np.int64]) -> Interval:
    """Return the mean of a figure ``(R,)`` of objects, with its bootstrap interval over their clips ``(R,)``."""
    _, row = np.unique(clip, return_inverse=True)
    sums = np.asarray(np.bincount(row, values), dtype=np.float64)
    return bootstrap_ratio(sums, np.bincount(row).astype(np.float64))


def paired_difference(first: Floats, second: Floats) -> Interval:
    """Return the mean difference of a figure ``(N,)`` of two models on the same clips, with its bootstrap interval.

    Raises:
        ValueError: If the numbers of clips differ.
    """
    if first.shape != second.shape:
        raise ValueError(f"{len(first)} and {len(second)} clips cannot be paired")
    return bootstrap(first - second)
