"""Objects of real clips: each of several is judged, with its stored truth or with what is tracked in its stead."""

import numpy as np
import pytest
import torch

from trajvq.data.storage.clips import Clips
from trajvq.data.synthetic.generate import generate
from trajvq.data.synthetic.presets import OOD
from trajvq.io.video import to_float
from trajvq.metrics.judge import Judge, calibrate
from trajvq.metrics.sampling.real import real_objects
from trajvq.metrics.tracking import Tracks, track_clips


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Clips:
    folder = tmp_path_factory.mktemp("real") / "data"
    generate(folder, {"train": 0, "val": 0, "test": 16, **dict.fromkeys(OOD, 0)}, preset="scenes")
    return Clips(folder, "test")


@pytest.fixture(scope="module")
def tracks(clips: Clips) -> Tracks:
    return track_clips(to_float(clips.batch(list(range(16)))["video"]))


def test_every_object_that_can_be_seen_is_judged(clips: Clips, tracks: Tracks) -> None:
    real = real_objects(clips, tracks)
    objects = real.objects
    assert 16 <= len(objects.clip) == len(real.paths) <= 64
    assert real.most == int(np.isfinite(clips.columns["pixel"].numpy()).any(axis=(1, 3)).sum(axis=1).max()) > 1
    close = np.linalg.norm(objects.pixel - real.paths, axis=-1)[objects.valid]
    assert np.nanmedian(close) < 0.05
    judge = Judge.at(0.2, tuple(clips.manifest.classes), 16)
    label = clips.columns["label"].numpy()[objects.clip]
    for path in (real.paths, objects.pixel):
        assert np.mean(judge.classify(path, objects.valid) == label) >= 0.95


def test_the_fewest_objects_are_those_of_the_emptiest_clip(
    clips: Clips, tracks: Tracks, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert real_objects(clips, tracks).least == 1
    pixel = torch.rand(16, 16, 3, 2) * 40 + 10
    monkeypatch.setattr(clips, "columns", {"pixel": pixel})
    real = real_objects(clips, tracks)
    assert (real.least, real.most) == (3, 3)
    pixel[5, :, 1] = torch.nan
    real = real_objects(clips, tracks)
    assert (real.least, real.most) == (2, 3)


def test_without_stored_truth_it_is_tracked(clips: Clips, tracks: Tracks, monkeypatch: pytest.MonkeyPatch) -> None:
    columns: dict[str, torch.Tensor] = {"label": clips.columns["label"]}
    monkeypatch.setattr(clips, "columns", columns)
    real = real_objects(clips, tracks)
    assert 1 < real.most <= 4
    np.testing.assert_allclose(real.objects.pixel, real.paths)
    classes, label = tuple(clips.manifest.classes), columns["label"].numpy()[real.objects.clip]
    judge = calibrate(real.objects.pixel, real.paths, label, classes, real.objects.valid, tracked=True)
    assert judge.sigma < 0.1  # frames in which objects touch do not count
