"""Objects are rows of their own: found without stored truth, and the same over all frames."""

from pathlib import Path

import numpy as np
import torch

from trajvq.data.storage.clips import Clips
from trajvq.io.video import to_float
from trajvq.metrics.forecast.objects import identities, paths_of
from trajvq.metrics.reconstruction.truth import truth_of


def test_tracked_paths_of_training_clips_are_the_true_ones(dataset: Path) -> None:
    clips = Clips(dataset, "train")
    stored = paths_of(clips, 5)
    assert stored.shape == (5, 8, 2)
    del clips.columns["pixel"]
    tracked = paths_of(clips, 5)
    assert tracked.shape == stored.shape
    assert np.abs(tracked - stored).max() < 0.3


def test_tracked_objects_keep_their_place_whatever_their_size() -> None:
    video = np.full((1, 6, 3, 48, 48), 255, np.uint8)
    y, x = np.mgrid[:48, :48] + 0.5
    for frame in range(6):
        for center, radius in (((10 + 2 * frame, 12), 2 + 0.5 * frame), ((36 - 2 * frame, 36), 4 - 0.3 * frame)):
            video[0, frame, :, np.hypot(x - center[0], y - center[1]) < radius] = 0
    clips = torch.from_numpy(video)
    positions, valid = identities(truth_of({"video": to_float(clips)}))
    assert positions.shape == (1, 6, 2, 2)
    assert valid.all()
    rows = positions[0, :, :, 1]
    assert np.abs(rows - rows[0]).max() < 0.5  # each stays in its row, though the smaller one grows
