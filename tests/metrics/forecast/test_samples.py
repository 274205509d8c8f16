"""Sampled forecasts: every sample counts, and calibrated samples score best."""

from typing import Any

import numpy as np
import pytest

from trajvq.metrics.forecast.errors import forecast_figures
from trajvq.metrics.forecast.samples import median_path, sample_forecast_figures
from trajvq.metrics.reconstruction.objects import MISSING_ERROR


def random_figures(scale: float, clips: int = 400, count: int = 20) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    truth = np.cumsum(rng.standard_normal((clips, 4, 2)), axis=1)
    samples = scale * np.cumsum(rng.standard_normal((clips, count, 4, 2)), axis=2)
    return sample_forecast_figures(truth, np.ones((clips, 4), bool), samples, np.arange(clips))


def test_samples_of_the_true_distribution_contain_nine_of_ten_paths_and_score_best() -> None:
    calibrated, narrow, wide = random_figures(1.0), random_figures(0.3), random_figures(3.0)
    assert calibrated["calibration"]["low"] < calibrated["calibration_ideal"] < calibrated["calibration"]["high"]
    assert narrow["calibration"]["value"] < 0.5
    assert wide["calibration"]["value"] > 0.98
    assert calibrated["energy_score"]["value"] < min(narrow["energy_score"]["value"], wide["energy_score"]["value"])
    assert calibrated["min_ade_20"]["value"] < calibrated["ade_samples"]["value"]


def test_samples_that_are_all_alike_score_their_ade() -> None:
    rng = np.random.default_rng(0)
    truth, single = rng.standard_normal((2, 30, 5, 2))
    valid = rng.random((30, 5)) < 0.7
    valid[0] = False
    figures = sample_forecast_figures(truth, valid, np.repeat(single[:, None], 3, axis=1), np.arange(30))
    alone = forecast_figures(truth, valid, single, np.arange(30))["ade"]["value"]
    for name in ("ade_samples", "energy_score", "min_ade_3"):
        assert figures[name]["value"] == pytest.approx(alone)


def test_a_single_sample_has_no_figures_of_variety() -> None:
    truth, samples = np.zeros((2, 3, 2)), np.ones((2, 1, 3, 2))
    figures = sample_forecast_figures(truth, np.ones((2, 3), bool), samples, np.arange(2))
    assert figures.keys() == {"ade_samples", "min_ade_1"}
    assert figures["min_ade_1"]["value"] == pytest.approx(np.sqrt(2))


def test_a_sample_without_an_object_costs_and_is_not_left_out() -> None:
    truth = np.zeros((2, 3, 2))
    samples = np.zeros((2, 4, 3, 2))
    samples[:, 0] = np.nan
    figures = sample_forecast_figures(truth, np.ones((2, 3), bool), samples, np.arange(2))
    assert figures["ade_samples"]["value"] == pytest.approx(MISSING_ERROR / 4)
    assert figures["min_ade_4"]["value"] == 0


def test_one_stray_sample_does_not_move_the_median_path() -> None:
    samples = np.random.default_rng(0).normal(0, 0.01, (1, 9, 2, 2))
    samples[0, 0] = 1000.0
    samples[0, 1:7, 1] = np.nan
    median = median_path(samples)
    assert np.linalg.norm(median[0, 0]) < 0.05
    assert np.isnan(median[0, 1]).all()
