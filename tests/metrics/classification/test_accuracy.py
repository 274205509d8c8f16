"""Classification figures: none counts as wrong, batches do not matter, and baselines do what their name says."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from trajvq.data.storage.clips import Clips
from trajvq.data.synthetic.generate import generate
from trajvq.data.synthetic.presets import OOD
from trajvq.metrics.classification.accuracy import ClassPredictions, class_figures
from trajvq.metrics.classification.baselines import ClassificationBaselines, nearest, of_clips, true_paths, vote

CLASSES = ["a", "b", "c"]


def test_figures_count_none_of_the_classes_as_wrong() -> None:
    label, predicted = torch.tensor([0, 0, 1, 1, 2, 2]), torch.tensor([0, 1, 1, 1, -1, 2])
    identifiable = torch.tensor([True, False, True, True, True, True])
    figures = class_figures(label, predicted, CLASSES, identifiable)
    assert figures["accuracy"]["value"] == pytest.approx(4 / 6)
    assert figures["accuracy_identifiable"]["value"] == pytest.approx(4 / 5)
    assert {name: rate["value"] for name, rate in figures["per_class"].items()} == {"a": 0.5, "b": 1.0, "c": 0.5}
    assert figures["confusion"] == [[1, 1, 0, 0], [0, 2, 0, 0], [0, 0, 1, 1]]
    assert "ece" not in figures


def test_without_a_clip_whose_class_can_be_seen_the_accuracy_over_them_is_left_out() -> None:
    label = torch.tensor([0, 1])
    figures = class_figures(label, label, CLASSES, torch.zeros(2, dtype=torch.bool))
    assert "accuracy_identifiable" not in figures
    json.dumps(figures, allow_nan=False)


def test_calibration_is_the_gap_between_confidence_and_accuracy() -> None:
    label = torch.zeros(100, dtype=torch.int64)
    share = torch.tensor([[0.8, 0.1, 0.1]]).repeat(100, 1)
    share[80:] = torch.tensor([0.1, 0.8, 0.1])
    everything = torch.ones(100, dtype=torch.bool)
    honest = class_figures(label, share.argmax(dim=1), CLASSES, everything, share)
    assert honest["ece"] == pytest.approx(0.0, abs=1e-6)
    share[:, :] = torch.tensor([0.1, 0.8, 0.1])
    assert class_figures(label, share.argmax(dim=1), CLASSES, everything, share)["ece"] == pytest.approx(0.8)


def test_a_single_clip_has_every_figure() -> None:
    share, label = torch.tensor([[0.1, 0.7, 0.2]]), torch.tensor([1])
    figures = class_figures(label, share.argmax(dim=1), CLASSES, torch.tensor([True]), share)
    assert figures["accuracy"]["value"] == 1
    assert figures["ece"] == pytest.approx(0.3)
    predictions = ClassPredictions()
    predictions.update(share, label, torch.tensor([0]))
    shapes = {name: tuple(value.shape) for name, value in predictions.sorted_by_clip().items()}
    assert shapes == {"probability": (1, 3), "label": (1,), "index": (1,), "identifiable": (1,)}


def test_predictions_are_the_same_in_any_batches_and_order() -> None:
    torch.manual_seed(0)
    share, label = torch.rand(10, 3), torch.randint(3, (10,))
    whole, parts = ClassPredictions(), ClassPredictions()
    whole.update(share, label, torch.arange(10))
    for rows in ([7, 8, 9], [0, 1], [2, 3, 4, 5, 6]):
        parts.update(share[rows], label[rows], torch.tensor(rows))
    for name, value in whole.sorted_by_clip().items():
        assert torch.equal(parts.sorted_by_clip()[name], value)


def test_the_nearest_training_clip_gives_its_label() -> None:
    train = torch.rand(20, 6)
    label = torch.arange(20) % 3
    assert torch.equal(nearest(train, label, train[5:9] + 1e-4), label[5:9])


def test_every_baseline_has_a_row_and_the_judge_on_true_points_is_mostly_right(dataset: Path) -> None:
    clips = {split: Clips(dataset, split) for split in ("train", "val", "test")}
    test = clips["test"]
    identifiable = test.columns["identifiable"][:, 0]
    targets = {"test": {"index": torch.arange(12), "label": test.columns["label"], "identifiable": identifiable}}
    rows = ClassificationBaselines(clips, test.manifest.classes).compute(targets)["test"]
    assert list(rows) == ["majority", "pixel_probe", "nearest_pixels", "judge_true", "judge_tracked"]
    share = torch.bincount(test.columns["label"], minlength=4)
    common = int(clips["train"].columns["label"].mode().values)
    assert rows["majority"]["accuracy"]["value"] == pytest.approx(float(share[common] / 12))
    assert rows["judge_true"]["accuracy"]["value"] >= 0.5  # of 8 frames some arcs are none
    few = ClassificationBaselines(clips, test.manifest.classes, train_clips=4)
    assert len(few.label) == 4


def test_the_judge_judges_every_object(tmp_path: Path) -> None:
    sizes = {"train": 8, "val": 30, "test": 30, **dict.fromkeys(OOD, 0)}
    generate(tmp_path / "scenes", sizes, preset="scenes")
    clips = {split: Clips(tmp_path / "scenes", split) for split in ("train", "val", "test")}
    label = clips["test"].columns["label"]
    targets = {"test": {"index": torch.arange(30), "label": label, "identifiable": torch.ones(30, dtype=torch.bool)}}
    baselines = ClassificationBaselines(clips, clips["test"].manifest.classes)
    rows = baselines.compute(targets)["test"]
    for name in ("judge_true", "judge_tracked"):
        assert rows[name]["accuracy"]["value"] >= 0.95
    occluded = clips["test"].columns["occluded"]
    before = occluded.clone()
    occluded[:, 7:] = True  # nothing is seen in half of the frames
    assert baselines.compute(targets)["test"]["judge_true"]["accuracy"]["value"] >= 0.5
    occluded[:] = before
    for part in clips.values():
        for name in ("pixel", "radius", "color", "occluded"):
            part.columns.pop(name)
    without_truth = baselines.compute(targets)["test"]
    assert "judge_true" not in without_truth
    assert without_truth["judge_tracked"]["accuracy"]["value"] >= 0.95


def test_the_true_paths_of_a_clip_are_those_of_all_its_objects(tmp_path: Path) -> None:
    generate(tmp_path / "s", {"train": 12, "val": 0, "test": 0, **dict.fromkeys(OOD, 0)}, preset="scenes")
    clips = Clips(tmp_path / "s", "train")
    pixel = clips.columns["pixel"]
    pixel[4] = np.nan  # nothing is to be seen
    pixel[5, 3, 0] = np.nan  # once a gap
    rows = torch.arange(11, 1, -1)
    paths, clip = true_paths(clips, rows)
    assert 20 < len(paths) <= np.isfinite(pixel[rows].numpy()).any(axis=(1, 3)).sum()
    assert paths.isfinite().all()
    assert len(np.unique(paths.flatten(1).numpy(), axis=0)) == len(paths)
    assert set(clip.tolist()) == set(range(10)) - {7}
    first = torch.stack([paths[clip == number][0] for number in (0, 9)])
    assert torch.equal(first, pixel[[11, 2], :, 0])
    probability = torch.rand(len(paths), 4)
    means = of_clips(probability, clip, 10)
    assert torch.allclose(means[0], probability[clip == 0].mean(dim=0))
    assert not means[7].any()


def test_the_class_of_a_clip_is_that_of_most_of_its_objects() -> None:
    judged = np.array([2, 1, 1, -1, -1, 3, 0, 3, 2, 0])
    clip = np.array([0, 0, 0, 1, 2, 2, 2, 3, 4, 4])
    assert vote(judged, clip, 6).tolist() == [1, -1, 3, 3, 2, -1]
