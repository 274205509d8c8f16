"""Intervals cover the truth as often as they claim."""

import numpy as np
import pytest

from trajvq.metrics.intervals import bootstrap, bootstrap_objects, paired_difference, rate_of_objects, wilson


def test_wilson_at_both_ends() -> None:
    assert wilson(0, 100) == pytest.approx({"value": 0.0, "low": 0.0, "high": 0.0370}, abs=1e-4)
    assert wilson(100, 100) == pytest.approx({"value": 1.0, "low": 0.9630, "high": 1.0}, abs=1e-4)
    assert wilson(50, 100) == pytest.approx({"value": 0.5, "low": 0.4038, "high": 0.5962}, abs=1e-4)
    assert wilson(0, 0)["high"] == 1.0


def test_intervals_cover_the_truth_in_about_95_of_100_cases() -> None:
    rng = np.random.default_rng(0)
    rates = [wilson(float(rng.binomial(200, 0.9)), 200) for _ in range(400)]
    means = [bootstrap(rng.exponential(2.0, 200)) for _ in range(200)]
    assert 0.92 < np.mean([i["low"] <= 0.9 <= i["high"] for i in rates]) < 0.985
    assert 0.89 < np.mean([i["low"] <= 2.0 <= i["high"] for i in means]) < 0.985


def test_a_paired_difference_is_narrower_than_separate_intervals() -> None:
    rng = np.random.default_rng(1)
    hard = rng.exponential(1.0, 300)
    difference = paired_difference(hard + 0.1 + 0.01 * rng.normal(size=300), hard)
    assert 0.09 < difference["low"] < difference["high"] < 0.11
    with pytest.raises(ValueError, match="paired"):
        paired_difference(hard, hard[:10])


def test_objects_of_a_clip_count_together() -> None:
    values = np.random.default_rng(0).normal(5, 1, 40)
    alone = bootstrap_objects(values, np.arange(40))
    assert alone == pytest.approx(bootstrap(values))
    twins = bootstrap_objects(values.repeat(2), np.arange(40).repeat(2))
    assert twins == pytest.approx(alone)  # no narrower: twins are no more clips
    assert bootstrap_objects(np.array([1.0, 1.0, 4.0]), np.array([0, 0, 1]))["value"] == 2
    assert rate_of_objects(np.array([True, True, False, False]), np.array([0, 0, 1, 1])) == wilson(1, 2)
