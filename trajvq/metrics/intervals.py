"""Intervals: how far a figure of so many clips can be trusted."""

from typing import TypedDict

import numpy as np

from trajvq.io.arrays import Floats

Z = 1.959964  # two-sided 95 %
DRAWS = 1000  # resamples of a bootstrap


class Interval(TypedDict):
    """A figure with its 95 % interval, as scoreboards write it."""

    value: float
    low: float
    high: float


def wilson(hits: float, count: int) -> Interval:
    """Return a rate with its Wilson score interval (1927).

    Args:
        hits: Successes; a fraction where clips count by their share of frames.
        count: Independent trials: clips, not frames, since the frames of a clip fail together.
    """
    if count == 0:
        return {"value": float("nan"), "low": 0.0, "high": 1.0}
    rate = hits / count
    middle = (rate + Z**2 / (2 * count)) / (1 + Z**2 / count)
    reach = Z / (1 + Z**2 / count) * np.sqrt(rate * (1 - rate) / count + Z**2 / (4 * count**2))
    return {"value": float(rate), "low": float(max(middle - reach, 0.0)), "high": float(min(middle + reach, 1.0))}


def bootstrap(clips: Floats, seed: int = 0) -> Interval:
    """Return the mean of ``(N,)`` figures of clips with its percentile bootstrap interval over clips."""
    picks = np.random.default_rng(seed).integers(0, len(clips), (DRAWS, len(clips)))
    low, high = np.quantile(clips[picks].mean(axis=1), (0.025, 0.975))
    return {"value": float(clips.mean()), "low": float(low), "high": float(high)}


def bootstrap_ratio(top: Floats, bottom: Floats, seed: int = 0) -> Interval:
    """Return sum(top) / sum(bottom) of ``(N,)`` clips with its percentile bootstrap interval over clips."""
    picks = np.random.default_rng(seed).integers(0, len(top), (DRAWS, len(top)))
    low, high = np.quantile(top[picks].sum(axis=1) / np.maximum(bottom[picks].sum(axis=1), 1e-12), (0.025, 0.975))
    return {"value": float(top.sum() / max(bottom.sum(), 1e-12)), "low": float(low), "high": float(high)}


def paired_difference(first: Floats, second: Floats, seed: int = 0) -> Interval:
    """Return the mean difference of two models' ``(N,)`` figures on the same clips, with its bootstrap interval.

    Raises:
        ValueError: If there are not as many of both.
    """
    if first.shape != second.shape:
        raise ValueError(f"{len(first)} and {len(second)} clips cannot be paired")
    return bootstrap(first - second, seed)
