"""The parts of an error add up to the whole, and a lost object counts where it was lost."""

import numpy as np
import pytest

from trajvq.metrics.forecast.budget import error_budget


def test_independent_parts_add_up() -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(0, 64, (400, 16, 2))
    tracked = truth + 0.01 * rng.normal(size=truth.shape)
    reconstructed = tracked + 0.2 * rng.normal(size=truth.shape)
    predicted = reconstructed + 1.5 * rng.normal(size=truth.shape)
    budget = error_budget(truth, tracked, reconstructed, predicted)
    for name, sigma in (("extractor", 0.01), ("tokenizer", 0.2), ("dynamics", 1.5)):
        assert budget[name] == pytest.approx(2 * sigma**2, rel=0.05)  # type: ignore[literal-required]
    assert abs(budget["together"]) < 0.05 * budget["total"]
    parts = budget["extractor"] + budget["tokenizer"] + budget["dynamics"] + budget["together"]
    assert parts == pytest.approx(budget["total"])


def test_errors_that_cancel_show() -> None:
    truth = np.zeros((2, 3, 2))
    budget = error_budget(truth, truth, truth + 1, truth)
    assert budget["total"] == 0
    assert budget["together"] == -budget["tokenizer"] - budget["dynamics"] == -4


def test_a_lost_object_is_attributed_to_the_step_that_lost_it() -> None:
    truth = np.zeros((1, 4, 2))
    reconstructed = truth.copy()
    reconstructed[0, 1] = np.nan
    budget = error_budget(truth, truth, reconstructed, truth)
    assert budget["tokenizer"] == 32**2 / 4
    assert budget["extractor"] == 0
    predicted = truth.copy()
    predicted[0, 2] = np.nan
    assert error_budget(truth, truth, truth, predicted)["total"] == 32**2 / 4
