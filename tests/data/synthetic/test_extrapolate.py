"""The equation goes on where a clip ends, and through the frames there are it is the true path."""

from pathlib import Path

import numpy as np

from trajvq.data.storage.clips import Clips
from trajvq.data.synthetic.extrapolate import continued_paths


def test_within_the_clip_it_is_the_stored_path_and_beyond_it_leaves_the_picture_for_good(dataset: Path) -> None:
    clips = Clips(dataset, "test")
    rows = np.array([3, 1, 10])
    found = continued_paths(clips, rows, 40)
    assert found is not None
    assert found.shape == (3, 40, 2)
    np.testing.assert_allclose(found[:, :8], clips.columns["pixel"].numpy()[rows], atol=2e-3)
    gone = np.asarray(np.isnan(found).any(axis=-1))
    assert (np.diff(gone.astype(int), axis=1) >= 0).all()
    assert gone[:, -1].any()  # a thrown ball does not come back


def test_without_equations_nothing_is_known(dataset: Path) -> None:
    clips = Clips(dataset, "test")
    clips.columns.pop("label")
    assert continued_paths(clips, np.array([0]), 12) is None
