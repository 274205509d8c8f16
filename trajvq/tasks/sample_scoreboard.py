"""The scoreboard of samples: judged by physics, compared with real clips, and searched for copies of training clips."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from trajvq.io.arrays import Floats, shown_in
from trajvq.metrics.intervals import Interval, rate_of_objects, wilson
from trajvq.metrics.sampling.appearance import matching_appearance
from trajvq.metrics.sampling.description import parameter_bits
from trajvq.metrics.sampling.memorization import Nearest, is_apart, memorization, nearest_paths, nearest_tokens
from trajvq.metrics.sampling.objects import Objects, without_gaps
from trajvq.metrics.sampling.physics import Physics, object_count, visible_frames
from trajvq.metrics.sampling.prdc import Features, density_and_coverage
from trajvq.metrics.sampling.real import UNJUDGED, RealObjects
from trajvq.metrics.scoreboard import value_of
from trajvq.models.classifier import TokenClassifier
from trajvq.models.transformer import TokenLayout
from trajvq.tasks.tracked_clips import RealClips, TrackedClips, TrainingClips, features_of
from trajvq.tasks.tracks import TrackTraining, classify_tracks
from trajvq.tokens.tracks import as_path

GAN = TrackTraining(steps=600)  # of the classifiers that learn from samples and from real clips
CLOSEST = 8  # pairs to look at
COPIES = 200  # training clips that are scored as if they were samples
Figures = dict[str, Any]


class Neighbors(NamedTuple):
    """The nearest training clips of N clips with M objects.

    Attributes:
        path: Of the objects, among those of `TrainingClips`.
        clip: ``(M,)`` numbers of the clips of the objects.
        tokens: Of the clips, among all versions.
    """

    path: Nearest
    clip: NDArray[np.int64]
    tokens: Nearest


class SampleScoreboard:
    """Everything that samples are measured against. Without an object in ``val``, figures of objects are left out.

    Args:
        train: Training clips in all versions.
        val: Clips that calibrate the judge and say how close unseen clips come to training clips.
        layout: Of the tokens.
        augment: The augmentation of training, for the classifiers.

    Raises:
        ValueError: If ``val`` is another split.
    """

    def __init__(self, train: TrainingClips, val: RealClips, layout: TokenLayout, augment: nn.Module | None) -> None:
        if val.clips.split != "val":
            raise ValueError(f"the judge is calibrated on val, not on {val.clips.split}")
        self.train, self.val, self.layout, self.augment = train, val, layout, augment
        _, _, height, width = val.clips.shape
        self.classes, self.size = tuple(val.clips.manifest.classes), (height, width)
        self.physics: Physics | None = None
        if val.matched.judged and self.classes and "label" in val.clips.columns:
            tracked = "pixel" not in val.clips.columns
            label = val.tracked.label
            self.physics = Physics.calibrated(val.matched.objects, val.matched.paths, label, self.classes, tracked)
        self.val_features = features_of(val.matched.objects)
        self.nearest_val = self._nearest(val.tracked)
        self.nearest: dict[str, Neighbors] = {}  # by row of samples

    def compute(self, real: RealClips, samples: Mapping[str, TrackedClips]) -> dict[str, Figures]:
        """Return the rows ``classes_rotated``, ``reconstructed``, ``copies`` and those of samples.

        Real clips are tracked and judged like samples, without their truth.

        Args:
            real: Clips of the split.
            samples: Clips to score, by the name of their row; ``model`` is one of them.
        """
        rows: dict[str, Figures] = {"classes_rotated": {}, "reconstructed": {}, "copies": self._copies()}
        if self.val.matched.judged:
            self._add_objects(rows, real, samples)
        for name, each in samples.items():
            self.nearest[name] = self._nearest(each)
            rows[name] = rows.get(name, {}) | self._memorization(self.nearest[name])
        description = self._description_bits(real)
        if description is not None:
            rows["model"]["description_bits"] = description
        return {name: row for name, row in rows.items() if row}

    def _add_objects(self, rows: dict[str, Figures], real: RealClips, samples: Mapping[str, TrackedClips]) -> None:
        """Add the figures of objects; arguments as of `compute`."""
        clips = {"reconstructed": real.tracked, **samples}
        objects = {name: self.objects_of(each) for name, each in clips.items()}
        features = {name: features_of(each) for name, each in objects.items()}
        if self.physics is not None:
            target = self.physics.rotated(samples["model"].label)
            if target is not None:
                rows["classes_rotated"] = self.physics.figures(objects["model"], target)
        for name in clips if real.clips.split != "val" else samples:  # the judge is calibrated on val
            compared = self.val_features if name == "reconstructed" else _shuffled(features[name])
            rows[name] = {
                **(self.physics.figures(objects[name], clips[name].label) if self.physics is not None else {}),
                "visible": self._visible(objects[name], clips[name]),
                **self._coverage(features["reconstructed"], compared),
                "appearance_match": self._appearance_match(features[name], objects[name]),
            }
        for name, each in clips.items():
            rows[name] = rows.get(name, {}) | object_count(each.tracks.count, self.val.matched.most)
        for name in samples:
            rows[name] |= _ratios(rows[name], rows["reconstructed"])
        if len(self.classes) > 1:
            self._add_classifiers(rows, clips, objects)

    def closest(self, row: str) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return the samples with the objects closest to those of training clips, and these clips and versions."""
        nearest = self.nearest[row]
        order = np.argsort(nearest.path.distance, kind="stable")
        first = np.sort(np.unique(nearest.clip[order], return_index=True)[1])[:CLOSEST]
        index = nearest.path.index[order[first]]
        return nearest.clip[order[first]], self.train.clip[index], self.train.version[index]

    def _visible(self, objects: Objects, clips: TrackedClips) -> Interval:
        real = self.val.matched
        return visible_frames(objects, clips.tracks.count, real.least, real.most)

    @staticmethod
    def _coverage(real: Features, samples: Features) -> Figures:
        """Return density and coverage; nothing for a single real object, which has no neighbors."""
        return density_and_coverage(real, samples)._asdict() if len(real.path) > 1 else {}

    def objects_of(self, samples: TrackedClips) -> Objects:
        """Return the objects of samples."""
        return Objects.of_samples(samples.tracks, self.val.matched.most, self.size)

    def remarks(self, real: RealClips) -> list[str]:
        """Return what a reader of a split's figures must know, in lines of a scoreboard."""
        on_val = "the row reconstructed lacks what would compare val with itself: the judge is calibrated on val"
        alone = "coverage and density are left out: a split of one clip has no neighborhoods"
        single = "gan_train and gan_test are left out: they need two classes"
        copied = "half of val or more cannot be told from training clips"
        repeats = [f"memorization of {name} is left out: {copied}" for name in self._spaces if not self._compares(name)]
        if not self.val.matched.judged:
            return [f"figures of objects are left out: {UNJUDGED}", *repeats]
        return [
            *(self.physics.remarks if self.physics else ["no class match and no physics residual: no classes"]),
            *([on_val] if real.clips.split == "val" else []),
            *([alone] if len(real.tracked.label) < 2 else []),
            *([single] if len(self.classes) < 2 else []),
            *repeats,
        ]

    def _copies(self) -> Figures:
        """Return what the search for copies says of training clips: random ones in random versions, shifted."""
        rng, train = np.random.default_rng(0), self.train
        count, versions = train.tokens.shape[:2]
        clip = rng.permutation(count)[:COPIES]
        version = rng.integers(versions, size=len(clip))
        shift = rng.uniform(-train.shift, train.shift, size=(len(clip), 1, 2))
        copy, row = np.nonzero((train.clip == clip[:, None]) & (train.version == version[:, None]))
        return self._memorization(self._nearest_of(train.paths[row] + shift[copy], copy, train.tokens[clip, version]))

    @property
    def _spaces(self) -> tuple[str, ...]:
        """What samples and training clips are compared by."""
        return ("path", "tokens") if self.val.matched.judged else ("tokens",)

    def _compares(self, space: str) -> bool:
        return is_apart(getattr(self.nearest_val, space))

    def _memorization(self, nearest: Neighbors) -> Figures:
        figures: Figures = {}
        clips = {"path": nearest.clip, "tokens": np.arange(len(nearest.tokens.distance))}
        for space, clip in ((name, clips[name]) for name in self._spaces if self._compares(name)):
            ratio, nearer = memorization(getattr(nearest, space), getattr(self.nearest_val, space))
            figures |= {f"memorization_{space}": ratio, f"nearer_{space}": rate_of_objects(nearer, clip)}
        return figures

    def _nearest(self, clips: TrackedClips) -> Neighbors:
        """Return the nearest training clips. An object too many hides no copy: it is not `strict`."""
        objects = Objects.of_samples(clips.tracks, self.val.matched.most, self.size, strict=False)
        return self._nearest_of(objects.pixel, objects.clip, clips.tokens)

    def _nearest_of(self, paths: Floats, clip: NDArray[np.int64], tokens: Tensor) -> Neighbors:
        """Return the neighbors of objects ``(M, T, 2)`` px of clips, and of the tokens of these clips."""
        return Neighbors(
            nearest_paths(paths, self.train.paths, self.size, self.train.shift),
            clip,
            nearest_tokens(tokens.numpy(), self.train.tokens.flatten(0, 1).numpy()),
        )

    def _appearance_match(self, features: Features, objects: Objects) -> Interval:
        return rate_of_objects(matching_appearance(features.appearance, self.val_features.appearance), objects.clip)

    def _add_classifiers(
        self, rows: dict[str, Figures], clips: Mapping[str, TrackedClips], objects: Mapping[str, Objects]
    ) -> None:
        """Add ``gan_train``, of classifiers taught by a row's paths, and ``gan_test``, of one taught by real ones."""
        tests = {name: (each, clips[name].label[each.clip]) for name, each in objects.items()}
        counts = {name: len(each.label) for name, each in clips.items()}
        first = self.train.version == 0
        label = self.train.label[self.train.clip[first]]
        for name, accuracy in self._accuracies(self.train.paths[first], label, tests).items():
            rows[name]["gan_test"] = wilson(accuracy * counts[name], counts[name])
        real = "reconstructed"
        rows[real]["gan_train"] = rows[real]["gan_test"]
        for name in clips.keys() - {real}:
            samples, label = tests[name]
            taught = samples.complete().any()  # samples without objects teach nothing, not even chance
            accuracy = self._accuracies(samples.pixel, label, {real: tests[real]})[real] if taught else 0.0
            rows[name]["gan_train"] = wilson(accuracy * counts[real], counts[real])

    def _accuracies(
        self,
        path: Floats,
        label: NDArray[np.int64],
        tests: Mapping[str, tuple[Objects, NDArray[np.int64]]],
    ) -> dict[str, float]:
        """Return accuracies of the classify task's network trained on paths ``(M, T, 2)`` and their labels ``(M,)``.

        An object that is missing from too many frames counts as wrong.
        """
        probability = classify_tracks(
            TokenClassifier(hidden=128),
            self.layout,
            len(self.classes),
            (self._normalized(path), torch.from_numpy(label)),
            {name: self._normalized(each.pixel) for name, (each, _) in tests.items()},
            GAN,
            self.augment,
            self.size,
        )
        return {
            name: float(((probability[name].argmax(dim=1).numpy() == labels) & each.complete()).mean())
            for name, (each, labels) in tests.items()
        }

    def _normalized(self, path: Floats) -> Tensor:
        return as_path(torch.from_numpy(without_gaps(path, self.size)).float(), *self.size)

    def _description_bits(self, real: RealClips) -> float | None:
        """Return the bits of a clip's true parameters; None without stored truth, or where nothing is tracked."""
        if "pixel" not in self.val.clips.columns or "label" not in real.clips.columns:
            return None
        errors = _errors(self.val.matched)
        if errors is None:
            return None
        number = shown_in(real.clips.columns["pixel"].numpy()).any(axis=1).sum(axis=1)
        return parameter_bits(real.tracked.label, self.classes, float(self.size[1]), errors, number)


def _shuffled(features: Features) -> Features:
    """Return the features in another order, so that parts of them hold all classes alike."""
    order = np.random.default_rng(0).permutation(len(features.path))
    return Features(features.path[order], features.appearance[order])


def _ratios(row: Figures, real: Figures) -> Figures:
    """Return ``of_ceiling`` and ``coverage_of_real``, where real clips have the figure."""
    pairs = {"of_ceiling": "class_match", "coverage_of_real": "coverage"}
    return {
        ratio: value_of(row[name]) / value_of(real[name])
        for ratio, name in pairs.items()
        if name in row and name in real and value_of(real[name]) > 0
    }


def _errors(real: RealObjects) -> tuple[float, float, float] | None:
    """Return RMS errors of a coordinate in px, of the radius in px, and of a color in 256ths; 1 if it is not known.

    They are those of frames in which an object can be seen. None if no object is tracked in any.
    """
    objects = real.objects
    present = shown_in(objects.pixel) & objects.valid
    if not present.any():
        return None

    def rms(error: Floats) -> float:
        return float(np.sqrt(np.nanmean(np.square(error)))) if np.isfinite(error).any() else 1.0

    path, color = (
        np.where(present[..., None], error, np.nan)
        for error in (objects.pixel - real.paths, 255 * (objects.color - real.color))
    )
    return rms(path), rms(np.where(present, objects.radius - real.radius, np.nan)), rms(color)
