"""The scoreboard of samples: judged by physics, compared with real clips, and searched for copies of training clips.

All clips are treated alike: decoded from their tokens and tracked without knowing the truth.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from trajvq.data.storage.clips import Clips
from trajvq.io.arrays import Floats
from trajvq.metrics.intervals import wilson
from trajvq.metrics.judge import Judge, calibrate
from trajvq.metrics.sampling.description import parameter_bits
from trajvq.metrics.sampling.memorization import Nearest, memorization, nearest_paths, nearest_tokens
from trajvq.metrics.sampling.physics import reference_residuals, sample_figures
from trajvq.metrics.sampling.prdc import density_and_coverage, track_features
from trajvq.metrics.tracking import Tracks, join_tracks, track_clips
from trajvq.models.classifier import TokenClassifier
from trajvq.models.transformer import TokenLayout
from trajvq.tasks.tracks import TrackTraining, classify_tracks, normalized
from trajvq.tokens.frozen import FrozenTokenizer

BATCH = 50
GAN_TRAIN = TrackTraining(steps=600)  # of the classifiers that learn from samples and from real clips
CLOSEST = 8  # pairs to look at


@dataclass(frozen=True)
class TrackedClips:
    """Clips as tokens, and the tracks in what they decode to.

    Attributes:
        tokens: int64 ``(N, t, h, w)``.
        label: int64 ``(N,)``.
        tracks: Of the N clips.
    """

    tokens: Tensor
    label: NDArray[np.int64]
    tracks: Tracks

    @classmethod
    def decoded(cls, tokenizer: FrozenTokenizer, tokens: Tensor, label: Tensor) -> "TrackedClips":
        """Decode and track clips."""
        parts = [track_clips(tokenizer.decode(part)) for part in torch.split(tokens, BATCH)]
        return cls(tokens, label.numpy(), join_tracks(parts))

    @classmethod
    def from_paths(cls, tokens: Tensor, label: Tensor, pixel: Tensor) -> "TrackedClips":
        """Return clips whose paths ``(N, T, 2)`` px were tracked before; neither radius nor color is known."""
        path = pixel.numpy().astype(float)
        count = np.isfinite(path).all(axis=-1).astype(np.int64)
        radius, color = np.zeros((*count.shape, 1)), np.full((*count.shape, 1, 3), np.nan)
        return cls(tokens, label.numpy(), Tracks(path[:, :, None], radius, color, count))

    @property
    def points(self) -> Floats:
        """``(N, T, 2)`` px where there is exactly one object, else NaN."""
        return np.where((self.tracks.count == 1)[..., None], self.path, np.nan)

    @property
    def path(self) -> Floats:
        """``(N, T, 2)`` px of the largest object of each frame; NaN without one."""
        return self.tracks.pixel[:, :, 0]


class SampleScoreboard:
    """Everything that samples are measured against.

    Args:
        train: Training clips in their first version.
        val: Clips that calibrate the judge and say how close unseen clips come to training clips.
        clips: ``val`` of the dataset, with its truth where there is one.
        layout: Of the tokens.
        augment: The augmentation of training, for the classifiers.
    """

    def __init__(
        self, train: TrackedClips, val: TrackedClips, clips: Clips, layout: TokenLayout, augment: nn.Module | None
    ) -> None:
        self.train, self.val, self.layout, self.augment = train, val, layout, augment
        _, _, height, width = clips.shape
        self.classes, self.size = tuple(clips.manifest.classes), (height, width)
        self.judge: Judge | None = None
        self.errors: tuple[float, float, float] | None = None
        if "pixel" in clips.columns and self.classes:
            truth = clips.columns["pixel"][:, :, 0].numpy().astype(float)
            self.judge = calibrate(val.path, truth, val.label, self.classes)
            self.reference = reference_residuals(val.path, val.label, self.classes)
            self.errors = _errors(val.tracks, clips)
        self.nearest_val = self._nearest(val)

    def compute(self, real: TrackedClips, samples: TrackedClips) -> tuple[dict[str, dict[str, Any]], Nearest]:
        """Return the rows ``classes_rotated``, ``reconstructed`` and ``model``, and the nearest training clips.

        Args:
            real: Clips of the split.
            samples: Clips to score.
        """
        count = len(samples.label)
        rows = self._physics(real, samples)
        shuffled = np.random.default_rng(0).permutation(count)  # parts hold all classes alike
        features = {
            "reconstructed": track_features(self.val.tracks),
            "model": track_features(samples.tracks)[shuffled],
        }
        for name, tested in features.items():
            rows[name] |= density_and_coverage(track_features(real.tracks), tested)._asdict()
        if len(self.classes) > 1:
            for name, train in (("reconstructed", self.train), ("model", samples)):
                accuracy = self._accuracy_after(train, real)
                rows[name]["gan_train"] = wilson(accuracy * len(real.label), len(real.label))
        nearest = self._nearest(samples)
        for space, neighbors in nearest.items():
            ratio, share = memorization(neighbors, self.nearest_val[space])
            rows["model"] |= {f"memorization_{space}": ratio, f"nearer_{space}": wilson(share * count, count)}
        if self.errors is not None and np.isfinite(self.errors).all():  # a tokenizer may show nothing to track
            description = parameter_bits(real.label, self.classes, float(self.size[1]), self.errors)
            rows["model"]["description_bits"] = description
        return {name: row for name, row in rows.items() if row}, nearest["path"]

    def _physics(self, real: TrackedClips, samples: TrackedClips) -> dict[str, dict[str, Any]]:
        """Return what the judge says of samples, of real clips, and of samples under the wrong class."""
        rows: dict[str, dict[str, Any]] = {"classes_rotated": {}, "reconstructed": {}, "model": {}}
        if self.judge is None:
            count = len(samples.label)
            rows["model"]["visible"] = wilson((samples.tracks.count == 1).mean() * count, count)
            return rows
        rotated = (samples.label + 1) % len(self.classes)
        targets = {
            "classes_rotated": (samples, rotated),
            "reconstructed": (real, real.label),
            "model": (samples, samples.label),
        }
        for name, (clips, target) in targets.items():
            rows[name] = sample_figures(clips.tracks, target, self.judge, self.reference)
        return rows

    def _nearest(self, clips: TrackedClips) -> dict[str, Nearest]:
        """Return the nearest training clips, by path and by tokens."""
        return {
            "path": nearest_paths(clips.path, self.train.path, self.size),
            "tokens": nearest_tokens(clips.tokens.numpy(), self.train.tokens.numpy()),
        }

    def _accuracy_after(self, train: TrackedClips, test: TrackedClips) -> float:
        """Return the accuracy on ``test`` of the classify task's network trained on the paths of ``train``."""
        paths = [
            normalized(torch.from_numpy(np.nan_to_num(clips.path, nan=0.0)).float(), *self.size)
            for clips in (train, test)
        ]
        probability = classify_tracks(
            TokenClassifier(hidden=128),
            self.layout,
            int(max(train.label.max(), test.label.max())) + 1,
            (paths[0], torch.from_numpy(train.label)),
            {"test": paths[1]},
            GAN_TRAIN,
            self.augment,
            self.size,
        )["test"]
        return float((probability.argmax(dim=1).numpy() == test.label).mean())


def closest(nearest: Nearest, count: int = CLOSEST) -> Sequence[int]:
    """Return the numbers of the samples closest to training clips, the closest first."""
    return [int(row) for row in np.argsort(nearest.distance, kind="stable")[:count]]


def _errors(tracks: Tracks, clips: Clips) -> tuple[float, float, float]:
    """Return RMS errors of a coordinate in px, of the radius in px, and of a color in 256ths; 1 if it is not known."""

    def rms(error: Floats) -> float:
        return float(np.sqrt(np.nanmean(np.square(error))))

    columns = {name: clips.columns[name].numpy() for name in ("pixel", "radius", "color") if name in clips.columns}
    position = rms(tracks.pixel[:, :, 0] - columns["pixel"][:, :, 0])
    radius = rms(tracks.radius[:, :, 0] - columns["radius"][:, :, 0].astype(float)) if "radius" in columns else 1.0
    color = rms(tracks.color[:, :, 0] * 255 - columns["color"].astype(float)[:, :1]) if "color" in columns else 1.0
    return position, radius, color
