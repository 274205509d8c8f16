"""Predicted clips are tracked against the true object, and each is collected once."""

import numpy as np
import torch

from trajvq.data.synthetic.scene import make_clips
from trajvq.metrics.forecast.predictions import ForecastPredictions, picture_figures
from trajvq.metrics.forecast.scoreboard import pad_or_cut
from trajvq.metrics.reconstruction.truth import truth_of


def test_true_frames_are_all_visible_and_blank_ones_are_not_even_beyond_the_clip() -> None:
    clips = make_clips(0, "test", 0, 4, 8, 32)
    batch = {name: torch.from_numpy(clips[name]) for name in ("pixel", "radius", "color", "background")}
    truth = truth_of(batch | {"video": torch.from_numpy(clips["video"]).transpose(1, 2).float() / 255})
    longer = np.concatenate([truth.video, truth.video[:, -1:]], axis=1)
    positions = np.concatenate([truth.pixel, truth.pixel[:, -1:]], axis=1)[:, :, 0]
    figures = picture_figures(truth, longer, positions, 4)
    assert figures["visible"].shape == (4, 5)
    assert figures["visible"].all()
    assert np.abs(figures["pixel"] - positions[:, 4:]).max() < 0.1
    assert figures["object_square_error"].sum() == 0
    assert (figures["object_pixels"][:, :4] > 0).all()
    assert not figures["object_pixels"][:, 4].any()
    longer[:, 6:] = 255
    assert picture_figures(truth, longer, positions, 4)["visible"].mean(axis=0).tolist() == [1, 1, 0, 0, 0]


def test_clips_are_collected_once_and_in_order() -> None:
    predictions = ForecastPredictions()
    predictions.update({"index": torch.tensor([3, 1]), "truth": np.array([[3.0], [1.0]])})
    predictions.update({"index": torch.tensor([0, 3]), "truth": np.array([[0.0], [3.0]])})
    arrays = predictions.compute()
    assert arrays["index"].tolist() == [0, 1, 3]
    assert arrays["truth"].tolist() == [[0.0], [1.0], [3.0]]
    assert pad_or_cut(arrays["truth"], 3).shape == (3, 3)
