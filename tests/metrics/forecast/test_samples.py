"""Sampled forecasts are charged for every sample, and rewarded for being as sure as they are right."""

from typing import Any

import numpy as np
import pytest

from trajvq.metrics.forecast.errors import forecast_figures
from trajvq.metrics.forecast.samples import middle_path, sample_forecast_figures
from trajvq.metrics.reconstruction.metric import MISSING


def figures(scale: float, clips: int = 400, samples: int = 20) -> dict[str, Any]:
    chance = np.random.default_rng(0)
    truth = np.cumsum(chance.standard_normal((clips, 4, 2)), axis=1)
    drawn = scale * np.cumsum(chance.standard_normal((clips, samples, 4, 2)), axis=2)
    return sample_forecast_figures(truth, np.ones((clips, 4), bool), drawn)


def test_samples_from_the_true_source_hold_nine_of_ten_and_score_best() -> None:
    right, sure, unsure = figures(1.0), figures(0.3), figures(3.0)
    assert right["within_90"]["low"] < right["within_90_ideal"] < right["within_90"]["high"]
    assert sure["within_90"]["value"] < 0.5
    assert unsure["within_90"]["value"] > 0.98
    assert right["energy_score"]["value"] < min(sure["energy_score"]["value"], unsure["energy_score"]["value"])
    assert right["min_ade_20"]["value"] < right["ade_samples"]["value"]


def test_samples_that_are_all_alike_score_their_ade() -> None:
    chance = np.random.default_rng(0)
    truth, single = chance.standard_normal((2, 30, 5, 2))
    valid = chance.random((30, 5)) < 0.7
    valid[0] = False
    found = sample_forecast_figures(truth, valid, np.repeat(single[:, None], 3, axis=1))
    alone = forecast_figures(truth, valid, single)["ade"]["value"]
    for name in ("ade_samples", "energy_score", "min_ade_3"):
        assert found[name]["value"] == pytest.approx(alone)


def test_a_sample_without_an_object_costs_and_is_not_left_out() -> None:
    truth = np.zeros((2, 3, 2))
    drawn = np.zeros((2, 4, 3, 2))
    drawn[:, 0] = np.nan
    found = sample_forecast_figures(truth, np.ones((2, 3), bool), drawn)
    assert found["ade_samples"]["value"] == pytest.approx(MISSING / 4)
    assert found["min_ade_4"]["value"] == 0


def test_the_middle_path_is_not_moved_by_one_stray_sample() -> None:
    drawn = np.random.default_rng(0).normal(0, 0.01, (1, 9, 2, 2))
    drawn[0, 0] = 1000.0
    drawn[0, 1:7, 1] = np.nan
    middle = middle_path(drawn)
    assert np.linalg.norm(middle[0, 0]) < 0.05
    assert np.isnan(middle[0, 1]).all()
