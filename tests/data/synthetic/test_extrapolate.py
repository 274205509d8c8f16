"""The equation gives the true path within a clip and after its end."""

from pathlib import Path

import numpy as np

from trajvq.data.storage.clips import Clips
from trajvq.data.synthetic.extrapolate import extrapolate_paths


def test_it_is_the_stored_path_within_the_clip_and_never_returns_into_the_picture(dataset: Path) -> None:
    clips = Clips(dataset, "test")
    rows = np.array([3, 1, 10])
    path = extrapolate_paths(clips, rows, 40)
    assert path is not None
    assert path.shape == (3, 40, 2)
    np.testing.assert_allclose(path[:, :8], clips.columns["pixel"][:, :, 0].numpy()[rows], atol=2e-3)
    outside = np.asarray(np.isnan(path).any(axis=-1))
    assert (np.diff(outside.astype(int), axis=1) >= 0).all()
    assert outside[:, -1].any()  # a thrown ball does not come back


def test_without_labels_there_is_no_true_path(dataset: Path) -> None:
    clips = Clips(dataset, "test")
    clips.columns.pop("label")
    assert extrapolate_paths(clips, np.array([0]), 12) is None
