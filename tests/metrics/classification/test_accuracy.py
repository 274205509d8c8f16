"""Classification figures: no answer is wrong, batches do not matter, and rows are what they say."""

from pathlib import Path

import pytest
import torch

from trajvq.data.storage.clips import Clips
from trajvq.metrics.classification.accuracy import ClassAnswers, class_figures
from trajvq.metrics.classification.rows import ClassRows, nearest

CLASSES = ["a", "b", "c"]


def test_figures_count_what_was_answered_and_none_as_wrong() -> None:
    label, answer = torch.tensor([0, 0, 1, 1, 2, 2]), torch.tensor([0, 1, 1, 1, -1, 2])
    clear = torch.tensor([True, False, True, True, True, True])
    found = class_figures(label, answer, CLASSES, clear)
    assert found["accuracy"]["value"] == pytest.approx(4 / 6)
    assert found["accuracy_identifiable"]["value"] == pytest.approx(4 / 5)
    assert {name: rate["value"] for name, rate in found["per_class"].items()} == {"a": 0.5, "b": 1.0, "c": 0.5}
    assert found["confusion"] == [[1, 1, 0, 0], [0, 2, 0, 0], [0, 0, 1, 1]]
    assert "ece" not in found


def test_calibration_is_the_gap_between_confidence_and_accuracy() -> None:
    label = torch.zeros(100, dtype=torch.int64)
    share = torch.tensor([[0.8, 0.1, 0.1]]).repeat(100, 1)
    share[80:] = torch.tensor([0.1, 0.8, 0.1])
    everything = torch.ones(100, dtype=torch.bool)
    honest = class_figures(label, share.argmax(dim=1), CLASSES, everything, share)
    assert honest["ece"] == pytest.approx(0.0, abs=1e-6)
    share[:, :] = torch.tensor([0.1, 0.8, 0.1])
    assert class_figures(label, share.argmax(dim=1), CLASSES, everything, share)["ece"] == pytest.approx(0.8)


def test_answers_are_the_same_in_any_batches_and_order() -> None:
    torch.manual_seed(0)
    share, label = torch.rand(10, 3), torch.randint(3, (10,))
    whole, parts = ClassAnswers(), ClassAnswers()
    whole.update(share, label, torch.arange(10))
    for rows in ([7, 8, 9], [0, 1], [2, 3, 4, 5, 6]):
        parts.update(share[rows], label[rows], torch.tensor(rows))
    for name, value in whole.compute().items():
        assert torch.equal(parts.compute()[name], value)


def test_the_nearest_of_the_training_clips_answers_for_itself() -> None:
    train = torch.rand(20, 6)
    label = torch.arange(20) % 3
    assert torch.equal(nearest(train, label, train[5:9] + 1e-4), label[5:9])


def test_rows_stand_beside_each_other_and_the_judge_on_true_points_is_not_far_from_right(dataset: Path) -> None:
    clips = {split: Clips(dataset, split) for split in ("train", "val", "test")}
    test = clips["test"]
    asked = {"test": {"index": torch.arange(12), **{n: test.columns[n] for n in ("label", "identifiable")}}}
    rows = ClassRows(clips, test.manifest.classes).compute(asked)["test"]
    assert list(rows) == ["majority", "pixel_probe", "nearest_pixels", "judge_true", "judge_tracked"]
    share = torch.bincount(test.columns["label"], minlength=4)
    common = int(clips["train"].columns["label"].mode().values)
    assert rows["majority"]["accuracy"]["value"] == pytest.approx(float(share[common] / 12))
    assert rows["judge_true"]["accuracy"]["value"] >= 0.5  # of 8 frames some arcs are none
    few = ClassRows(clips, test.manifest.classes, train_clips=4)
    assert len(few.label) == 4
