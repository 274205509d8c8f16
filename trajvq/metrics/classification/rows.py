"""The rows that a classifier should not lose to: the commonest class, pixels, and the judge on the path."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from trajvq.data.storage.clips import Clips
from trajvq.data.synthetic.projective import FREEDOM
from trajvq.io.video import to_float
from trajvq.metrics.classification.accuracy import class_figures
from trajvq.metrics.judge import calibrate, fit_families
from trajvq.metrics.reconstruction.codes import linear_answers
from trajvq.metrics.reconstruction.metric import truth_of
from trajvq.metrics.tracking import track

SIDE = 16  # rows and columns that frames are averaged to, so that clips that differ by a pixel are alike
BATCH = 50


def pixel_features(clips: Clips, rows: Tensor) -> Tensor:
    """Return the pixels of some clips as float ``(N, T * 3 * 16 * 16)`` in [0, 1], averaged over small squares."""
    found = []
    for part in torch.split(rows, BATCH):
        video = clips.batch(part.tolist())["video"].float() / 255
        small = F.adaptive_avg_pool2d(video.flatten(0, 1), min(SIDE, *video.shape[-2:]))
        found.append(small.view(len(part), -1))
    return torch.cat(found)


def nearest(train: Tensor, label: Tensor, test: Tensor) -> Tensor:
    """Return int64 ``(M,)``: for each of ``test`` the label of the nearest of ``train``, both float ``(N, D)``."""
    return label[torch.cdist(test, train).argmin(dim=1)]


class ClassRows:
    """Answers of the trivial and the classical rows, fitted on ``train`` and, for the judge's noise, on ``val``.

    Args:
        clips: ``train``, ``val`` and the splits that are asked for.
        classes: Names of the classes.
        train_clips: Fit on the first so many training clips only; None for all.
    """

    def __init__(self, clips: Mapping[str, Clips], classes: list[str], train_clips: int | None = None) -> None:
        self.clips, self.classes = clips, classes
        self.rows = torch.arange(len(clips["train"]) if train_clips is None else min(train_clips, len(clips["train"])))
        self.label = clips["train"].columns["label"][self.rows]

    def compute(self, asked: Mapping[str, Mapping[str, Tensor]]) -> dict[str, dict[str, Any]]:
        """Return the figures of every row for every split.

        Args:
            asked: For each split ``index``, ``label`` and ``identifiable`` of the clips that were answered.
        """
        train = pixel_features(self.clips["train"], self.rows)
        tests = {split: pixel_features(self.clips[split], answers["index"]) for split, answers in asked.items()}
        logits = linear_answers(train, self.label, list(tests.values()), len(self.classes), penalty=1e-2)
        common = int(self.label.mode().values)
        found: dict[str, dict[str, Any]] = {}
        for (split, answers), probe in zip(asked.items(), logits, strict=True):
            label = answers["label"]
            given: dict[str, tuple[Tensor, Tensor | None]] = {
                "majority": (torch.full_like(label, common), None),
                "pixel_probe": (probe.argmax(dim=1), probe.softmax(dim=1)),
                "nearest_pixels": (nearest(train, self.label, tests[split]), None),
            }
            given |= {name: (answer, None) for name, answer in self._judged(split, answers["index"]).items()}
            found[split] = {
                name: class_figures(label, answer, self.classes, answers["identifiable"], probability)
                for name, (answer, probability) in given.items()
            }
        return found

    def _judged(self, split: str, index: Tensor) -> dict[str, Tensor]:
        """Return the judge's answers from true and from tracked points, where it knows a class and there is truth."""
        if "pixel" not in self.clips["val"].columns or not set(self.classes) & set(FREEDOM):
            return {}
        val = self.clips["val"]
        known, asked = _points(val, torch.arange(len(val))), _points(self.clips[split], index)
        label, classes = val.columns["label"].numpy(), tuple(self.classes)
        return {
            f"judge_{source}": torch.from_numpy(
                calibrate(known[source], known["true"], label, classes).choose(fit_families(asked[source]))
            )
            for source in ("true", "tracked")
        }


def _points(clips: Clips, rows: Tensor) -> dict[str, np.ndarray[Any, np.dtype[np.float64]]]:
    """Return the true and the tracked path of some clips, ``(N, T, 2)`` px each."""
    true, tracked = [], []
    for part in torch.split(rows, BATCH):
        batch = clips.batch(part.tolist())
        truth = truth_of(batch | {"video": to_float(batch["video"])})
        true.append(truth.pixel)
        tracked.append(track(truth.video, truth.background, truth.contrast, np.pi * truth.radius**2).pixel)
    return {"true": np.concatenate(true), "tracked": np.concatenate(tracked)}
