"""The equation gives the true path within a clip and after its end."""

from pathlib import Path

import numpy as np

from trajvq.data.storage.clips import Clips
from trajvq.data.synthetic.extrapolate import extrapolate_paths
from trajvq.data.synthetic.generate import generate
from trajvq.data.synthetic.presets import OOD


def test_it_is_the_stored_path_within_the_clip_and_never_returns_into_the_picture(dataset: Path) -> None:
    clips = Clips(dataset, "test")
    rows = np.array([3, 1, 10])
    path = extrapolate_paths(clips, rows, 40)
    assert path is not None
    assert path.shape == (3, 40, 1, 2)
    np.testing.assert_allclose(path[:, :8], clips.columns["pixel"].numpy()[rows], atol=2e-3)
    outside = np.asarray(np.isnan(path).any(axis=-1))
    assert (np.diff(outside.astype(int), axis=1) >= 0).all()
    assert outside[:, -1].any()  # a thrown ball does not come back


def scenes(folder: Path, count: int) -> Clips:
    """Return clips of eight frames with several objects."""
    sizes = dict.fromkeys(OOD, 0) | {"train": 0, "val": 0, "test": count}
    generate(folder, sizes, preset="scenes", frames=8, size=64)
    return Clips(folder, "test")


def test_every_object_of_a_scene_has_its_own_path(tmp_path: Path) -> None:
    clips = scenes(tmp_path / "scenes", 8)
    stored, path = clips.columns["pixel"].numpy(), extrapolate_paths(clips, np.arange(8), 8)
    assert path is not None
    assert path.shape == stored.shape
    both = np.isfinite(path) & np.isfinite(stored)
    assert both[:, :, 1].any()
    np.testing.assert_allclose(path[both], stored[both], atol=2e-3)


def test_an_object_that_enters_the_picture_goes_on_beyond_the_clip(tmp_path: Path) -> None:
    clips = scenes(tmp_path / "scenes", 20)
    stored, path = clips.columns["pixel"].numpy(), extrapolate_paths(clips, np.arange(20), 10)
    assert path is not None
    inside = np.asarray(((stored > 0.01) & (stored < 63.99)).all(axis=-1))
    finite = np.asarray(np.isfinite(path).all(axis=-1))
    assert finite[:, :8][inside].all()
    entered = ~finite[:, 0] & inside[:, -1]
    assert entered.sum() >= 2
    assert finite[:, 8][entered].any()


def test_without_labels_there_is_no_true_path(dataset: Path) -> None:
    clips = Clips(dataset, "test")
    clips.columns.pop("label")
    assert extrapolate_paths(clips, np.array([0]), 12) is None
