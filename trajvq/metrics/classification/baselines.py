"""Baselines of classification: the commonest class, classifiers of pixels, and the judge on the path."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from trajvq.data.storage.clips import Clips
from trajvq.data.synthetic.motion import families_named
from trajvq.io.arrays import Floats, shown_in, visible_in
from trajvq.io.video import to_float
from trajvq.metrics.classification.accuracy import class_figures
from trajvq.metrics.judge import NONE, calibrate
from trajvq.metrics.matching import link, match
from trajvq.metrics.reconstruction.codes import fit_linear_probe
from trajvq.metrics.reconstruction.truth import truth_of
from trajvq.metrics.sampling.objects import excused, objects_to_see, without_gaps
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
        """Return the judge's classes from true and from tracked points, by vote of the objects of a clip.

        Empty without motion families, and for ``val``, on which the judge is calibrated. Where no truth is stored, the
        tracked ``val`` stands for it.
        """
        if split == "val" or not families_named(self.classes):
            return {}
        val, stored = self.clips["val"], "pixel" in self.clips["val"].columns
        calibration, target = _paths(val, torch.arange(len(val))), _paths(self.clips[split], index)
        label, classes = val.columns["label"].numpy()[calibration.clip], tuple(self.classes)
        judged = {}
        for source in ("true", "tracked") if stored else ("tracked",):
            points = getattr(calibration, source)
            judge = calibrate(points, calibration.true, label, classes, calibration.valid, tracked=not stored)
            votes = judge.classify(getattr(target, source), target.valid)
            judged[f"judge_{source}"] = torch.from_numpy(vote(votes, target.clip, len(index)))
        return judged


def vote(judged: NDArray[np.int64], clip: NDArray[np.int64], clips: int) -> NDArray[np.int64]:
    """Return the class ``(N,)`` that most objects of each clip have, of several the one of the first object.

    Args:
        judged: ``(M,)`` classes of objects; those that are `NONE` do not vote.
        clip: ``(M,)`` numbers of their clips, ascending.
        clips: N. A clip without votes is `NONE`.
    """
    judged, clip = judged[judged != NONE], clip[judged != NONE]
    votes = np.zeros((clips, int(judged.max(initial=0)) + 1))
    np.add.at(votes, (clip, judged), 1)
    first = np.unique(clip, return_index=True)[1]
    votes[clip[first], judged[first]] += 0.5
    return np.where(votes.any(axis=1), votes.argmax(axis=1), NONE)


def true_paths(clips: Clips, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return the stored paths of the objects by which N clips are judged, and the numbers of their clips.

    Args:
        clips: A split with ``pixel``.
        rows: int64 ``(N,)`` numbers of clips.

    Returns:
        float32 ``(M, T, 2)`` px, gaps bridged by lines; and int64 ``(M,)``, ascending, 0 to N - 1.
    """
    pixel = clips.columns["pixel"][rows].numpy()
    occluded = clips.columns["occluded"][rows].numpy() if "occluded" in clips.columns else None
    clip, k = np.nonzero(_to_judge(visible_in(pixel, occluded)))
    return torch.from_numpy(without_gaps(pixel[clip, :, k], clips.shape[2:])), torch.from_numpy(clip)


def of_clips(probability: Tensor, clip: Tensor, clips: int) -> Tensor:
    """Return the mean ``(N, classes)`` of the probabilities ``(M, classes)`` of each clip's objects; 0 without any.

    Args:
        probability: Of the objects.
        clip: int64 ``(M,)`` numbers of their clips.
        clips: N.
    """
    total = probability.new_zeros(clips, probability.shape[1]).index_add_(0, clip, probability)
    return total / torch.bincount(clip, minlength=clips).clamp(min=1)[:, None]


class _Paths(NamedTuple):
    """The paths of M objects of N clips, clip by clip.

    Attributes:
        true: ``(M, T, 2)`` px.
        tracked: ``(M, T, 2)`` px; NaN where the object is not found.
        valid: ``(M, T)`` frames in which it can be seen.
        clip: ``(M,)`` number of its clip.
    """

    true: Floats
    tracked: Floats
    valid: NDArray[np.bool_]
    clip: NDArray[np.int64]


def _to_judge(valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return ``(N, K)``: the objects that can be seen in half of the frames ``(N, T, K)``, else the one most seen."""
    count, enough = valid.sum(axis=1), objects_to_see(valid)
    most = (count == count.max(axis=1, keepdims=True)) & (count > 0)
    return np.asarray(enough | (most & ~enough.any(axis=1, keepdims=True)))


def _paths(clips: Clips, rows: Tensor) -> _Paths:
    """Return the paths of the objects of N clips by which they are judged."""
    parts = []
    for number, part in enumerate(torch.split(rows, BATCH)):
        batch = clips.batch(part.tolist())
        truth = truth_of(batch | {"video": to_float(batch["video"])})
        pixel, valid = truth.pixel, truth.valid
        if truth.tracked:
            tracks = link(track(truth.video, truth.background))
            pixel = tracks.pixel
            valid = shown_in(pixel) & ~excused(pixel, tracks.radius, clips.shape[2:])
        else:
            tracks = track(truth.video, truth.background, truth.contrast, np.pi * truth.radius**2)
        matches = match(tracks, pixel)
        points = np.where((matches.surplus == 0)[..., None, None], matches.tracks.pixel, np.nan)
        clip, k = np.nonzero(_to_judge(valid))
        parts.append((pixel[clip, :, k], points[clip, :, k], valid[clip, :, k], number * BATCH + clip))
    return _Paths(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
