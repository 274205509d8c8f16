"""What is kept of single clips for the report: errors are the scoreboard's, and the worst clips are the worst."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from trajvq.data.storage.clips import Clips
from trajvq.metrics.forecast.errors import forecast_figures
from trajvq.metrics.scoreboard import value_of
from trajvq.tasks.details import forecast_details, sample_details

GIVEN = 4


def test_forecasts_are_ranked_by_the_errors_of_the_scoreboard(dataset: Path) -> None:
    clips = Clips(dataset, "test")
    random = np.random.default_rng(0)
    truth = clips.columns["pixel"].numpy().astype(float)
    model = truth[:, GIVEN:] + random.normal(0, 3, truth[:, GIVEN:].shape)
    model[2, 1] = np.nan  # nothing is seen there: valid, not skipped
    valid = random.random(truth.shape[:2]) < 0.8
    places = {"truth": truth, "valid": valid, "model": model, "samples": np.stack([model, model + 1], axis=1)}

    def go_on(video: Tensor, index: Tensor) -> Tensor:
        assert torch.equal(video[:, :, 0], clips.batch(index.tolist())["video"].transpose(1, 2)[:, :, 0] / 255)
        return torch.zeros_like(video)

    found = forecast_details(clips, places, np.arange(12), GIVEN, go_on)
    board = forecast_figures(truth[:, GIVEN:], valid[:, GIVEN:], model)
    assert np.nanmean(found.by_clip("ade")) == pytest.approx(value_of(board["ade"]))
    assert np.nanmean(found.by_clip("fde")) == pytest.approx(value_of(board["fde"]))
    assert found.shown[0] == np.nanargmax(found.by_clip("ade"))
    np.testing.assert_array_equal(found.clips["prediction"][:, :GIVEN], found.clips["target"][:, :GIVEN])
    assert not found.clips["prediction"][:, GIVEN:].any()
    assert np.isnan(found.paths["prediction"][:, :GIVEN]).all()
    assert found.paths["guesses"].shape == (len(found.shown), 2, 8, 2)


def test_samples_of_every_class_are_kept_and_the_unseen_come_first() -> None:
    asked = np.repeat(np.arange(2), 6)
    points = np.zeros((12, 8, 2))
    points[9, :5] = np.nan
    clips = np.arange(12, dtype=np.uint8)[:, None, None, None, None] + np.zeros((12, 8, 3, 4, 4), dtype=np.uint8)
    found = sample_details(points, asked, ["linear", "circular"], None, lambda rows: clips[rows])
    assert found.shown[0] == 9
    assert found.clips["sample"][0].max() == 9
    assert found.figures["unseen"][9] == pytest.approx(5 / 8)
    assert found.facts["label"].tolist() == asked.tolist()
