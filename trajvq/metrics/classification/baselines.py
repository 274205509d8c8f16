"""Baselines of classification: the commonest class, classifiers of pixels, and the judge on the path."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from trajvq.data.storage.clips import Clips
from trajvq.data.synthetic.motion import families_named
from trajvq.io.arrays import Floats
from trajvq.io.video import to_float
from trajvq.metrics.classification.accuracy import class_figures
from trajvq.metrics.judge import calibrate
from trajvq.metrics.reconstruction.codes import fit_linear_probe
from trajvq.metrics.reconstruction.truth import truth_of
from trajvq.metrics.tracking import track

SIDE = 16  # rows and columns that frames are averaged to, so that a shift by one pixel changes little
BATCH = 50


def pixel_features(clips: Clips, rows: Tensor) -> Tensor:
    """Return pixels averaged over small squares, float ``(N, T * 3 * 16 * 16)`` in [0, 1].

    Args:
        clips: A split.
        rows: int64 ``(N,)`` numbers of clips.
    """
    features = []
    for part in torch.split(rows, BATCH):
        video = clips.batch(part.tolist())["video"].float() / 255
        small = F.adaptive_avg_pool2d(video.flatten(0, 1), min(SIDE, *video.shape[-2:]))
        features.append(small.view(len(part), -1))
    return torch.cat(features)


def nearest(train: Tensor, label: Tensor, test: Tensor) -> Tensor:
    """Return int64 ``(M,)``: for each row of ``test`` the label of the nearest row of ``train``.

    Args:
        train: float ``(N, D)``.
        label: int64 ``(N,)`` labels of ``train``.
        test: float ``(M, D)``.
    """
    return label[torch.cdist(test, train).argmin(dim=1)]


class ClassificationBaselines:
    """Trivial and classical classifiers, fitted on ``train``; the judge is calibrated on ``val``.

    Args:
        clips: ``train``, ``val`` and the splits to classify.
        classes: Names of the classes.
        train_clips: Fit on this number of training clips only; None for all.
    """

    def __init__(self, clips: Mapping[str, Clips], classes: list[str], train_clips: int | None = None) -> None:
        self.clips, self.classes = clips, classes
        self.rows = torch.arange(len(clips["train"]) if train_clips is None else min(train_clips, len(clips["train"])))
        self.label = clips["train"].columns["label"][self.rows]

    def compute(self, targets: Mapping[str, Mapping[str, Tensor]]) -> dict[str, dict[str, Any]]:
        """Return the figures of every baseline for every split.

        Args:
            targets: For each split ``index``, ``label`` and ``identifiable`` of the clips to classify.
        """
        train = pixel_features(self.clips["train"], self.rows)
        tests = {split: pixel_features(self.clips[split], target["index"]) for split, target in targets.items()}
        logits = fit_linear_probe(train, self.label, list(tests.values()), len(self.classes), penalty=1e-2)
        commonest = int(self.label.mode().values)
        figures: dict[str, dict[str, Any]] = {}
        for (split, target), probe in zip(targets.items(), logits, strict=True):
            label = target["label"]
            predictions: dict[str, tuple[Tensor, Tensor | None]] = {
                "majority": (torch.full_like(label, commonest), None),
                "pixel_probe": (probe.argmax(dim=1), probe.softmax(dim=1)),
                "nearest_pixels": (nearest(train, self.label, tests[split]), None),
            }
            predictions |= {name: (judged, None) for name, judged in self._judge(split, target["index"]).items()}
            figures[split] = {
                name: class_figures(label, predicted, self.classes, target["identifiable"], probability)
                for name, (predicted, probability) in predictions.items()
            }
        return figures

    def _judge(self, split: str, index: Tensor) -> dict[str, Tensor]:
        """Return the judge's classes from true and from tracked points.

        Empty without motion families, and for ``val``, on which the judge is calibrated. Where no truth is stored, the
        tracked ``val`` stands for it.
        """
        if split == "val" or not families_named(self.classes):
            return {}
        val, stored = self.clips["val"], "pixel" in self.clips["val"].columns
        calibration, target = _points(val, torch.arange(len(val))), _points(self.clips[split], index)
        label, classes = val.columns["label"].numpy(), tuple(self.classes)
        judges = {
            source: calibrate(calibration[source], calibration["true"], label, classes, tracked=not stored)
            for source in (("true", "tracked") if stored else ("tracked",))
        }
        return {f"judge_{source}": torch.from_numpy(judge.classify(target[source])) for source, judge in judges.items()}


def _points(clips: Clips, rows: Tensor) -> dict[str, Floats]:
    """Return the true and the tracked paths of N clips, ``(N, T, 2)`` px each."""
    true, tracked = [], []
    for part in torch.split(rows, BATCH):
        batch = clips.batch(part.tolist())
        truth = truth_of(batch | {"video": to_float(batch["video"])})
        true.append(truth.pixel[:, :, 0])
        tracks = track(truth.video, truth.background, truth.contrast, np.pi * truth.radius**2)
        tracked.append(tracks.pixel[:, :, 0])
    return {"true": np.concatenate(true), "tracked": np.concatenate(tracked)}
