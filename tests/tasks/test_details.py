"""Single clips kept for the report: their errors are the scoreboard's, and the worst clips come first."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.metrics.sampling.paths import objects_of, straight_paths
from trajvq.data.storage.clips import Clips
from trajvq.metrics.forecast.errors import forecast_figures
from trajvq.metrics.judge import FIXED_SIGMA, Judge
from trajvq.metrics.scoreboard import value_of
from trajvq.tasks.details import forecast_details, sample_details

CONTEXT = 4


def test_forecasts_are_ranked_by_the_errors_of_the_scoreboard(dataset: Path) -> None:
    clips = Clips(dataset, "test")
    random = np.random.default_rng(0)
    truth = clips.columns["pixel"][:, :, 0].numpy().astype(float)
    model = truth[:, CONTEXT:] + random.normal(0, 3, truth[:, CONTEXT:].shape)
    model[2, 1] = np.nan  # no object is tracked there: it is charged, not skipped
    valid = random.random(truth.shape[:2]) < 0.8
    tracks = {
        "clip": np.arange(12),
        "truth": truth,
        "valid": valid,
        "model": model,
        "samples": np.stack([model, model + 1], axis=1),
    }

    def predict(video: Tensor, index: Tensor) -> Tensor:
        assert torch.equal(video[:, :, 0], clips.batch(index.tolist())["video"].transpose(1, 2)[:, :, 0] / 255)
        return torch.zeros_like(video)

    details = forecast_details(clips, tracks, np.arange(12), CONTEXT, predict)
    board = forecast_figures(truth[:, CONTEXT:], valid[:, CONTEXT:], model, np.arange(12))
    assert np.nanmean(details.by_clip("ade")) == pytest.approx(value_of(board["ade"]))
    assert np.nanmean(details.by_clip("fde")) == pytest.approx(value_of(board["fde"]))
    assert details.kept[0] == np.nanargmax(details.by_clip("ade"))
    np.testing.assert_array_equal(details.clips["prediction"][:, :CONTEXT], details.clips["target"][:, :CONTEXT])
    assert not details.clips["prediction"][:, CONTEXT:].any()
    assert np.isnan(details.paths["prediction"][:, :, :CONTEXT]).all()
    assert details.paths["samples"].shape == (len(details.kept), 2, 8, 2)


def test_a_clip_of_two_objects_has_their_mean_error_and_both_paths(dataset: Path) -> None:
    clips = Clips(dataset, "test")
    truth = np.zeros((3, 8, 2))
    model = np.stack([np.full((4, 2), [error, 0.0]) for error in (1.0, 3.0, 5.0)])
    tracks = {"clip": np.array([0, 0, 2]), "truth": truth, "valid": np.ones((3, 8), bool), "model": model}
    details = forecast_details(clips, tracks, np.arange(3), CONTEXT, lambda video, _: torch.zeros_like(video))
    np.testing.assert_array_equal(details.by_clip("ade"), [2.0, np.nan, 5.0])
    assert details.kept.tolist() == [2, 0, 1]
    assert details.paths["truth"].shape == (3, 2, 8, 2)
    assert np.isfinite(details.paths["truth"]).all(axis=(2, 3)).tolist() == [
        [True, False],
        [True, True],
        [False, False],
    ]


def test_samples_of_every_class_are_kept_and_those_without_object_come_first() -> None:
    target = np.repeat(np.arange(2), 6)
    points = np.zeros((12, 8, 2))
    points[9, :5] = np.nan
    clips = np.arange(12, dtype=np.uint8)[:, None, None, None, None] + np.zeros((12, 8, 3, 4, 4), dtype=np.uint8)
    details = sample_details(objects_of(points), target, ["linear", "circular"], None, lambda rows: clips[rows])
    assert details.kept[0] == 9
    assert details.clips["sample"][0].max() == 9
    assert details.figures["unseen"][9] == pytest.approx(5 / 8)
    assert details.facts["label"].tolist() == target.tolist()


def test_samples_of_several_objects_have_the_figures_and_paths_of_all() -> None:
    classes, frames = ["linear", "circular"], 16
    angle = 2 * np.pi * np.linspace(0, 1, frames)[:, None]
    circle = 32 + 12 * np.concatenate([np.cos(angle), np.sin(angle)], axis=1)
    lines = straight_paths(3, 0)
    lines[2, :2] = np.nan
    objects = replace(objects_of(np.stack([lines[0], circle, lines[1], lines[2]])), clip=np.array([0, 0, 1, 1]))
    objects.valid[3, :2] = False  # it is hidden there
    judge = Judge.at(FIXED_SIGMA, tuple(classes), frames)
    clips = np.zeros((2, frames, 3, 4, 4), dtype=np.uint8)
    details = sample_details(objects, np.zeros(2, dtype=np.int64), classes, judge, lambda rows: clips[rows])
    np.testing.assert_array_equal(details.figures["wrong"], [0.5, 0.0])
    np.testing.assert_array_equal(details.figures["unseen"], [0.0, 0.0])
    assert details.facts["answer"].tolist() == [1, 0]
    assert details.kept.tolist() == [0, 1]
    np.testing.assert_array_equal(details.paths["tracked"], objects.pixel.reshape(2, 2, frames, 2))
