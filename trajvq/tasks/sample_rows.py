"""The scoreboard of drawn clips: judged, compared with real ones, and searched for copies of training clips.

All clips are looked at in the same way: as their tokens decode, tracked without knowing the truth.
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
from trajvq.io.video import to_uint8
from trajvq.metrics.background import estimate_background
from trajvq.metrics.intervals import wilson
from trajvq.metrics.judge import Judge, calibrate
from trajvq.metrics.sampling.description import parameter_bits
from trajvq.metrics.sampling.physics import reference_residuals, sample_figures
from trajvq.metrics.sampling.prdc import Nearest, cover, features, memorization, nearest_paths, nearest_tokens
from trajvq.metrics.tracking import Tracks, track
from trajvq.models.classifier import TokenClassifier
from trajvq.models.transformer import TokenLayout
from trajvq.tasks.true_path import path_answers
from trajvq.tokens.frozen import FrozenTokenizer

BATCH = 50
STEPS, SMOOTHING, BOTH = 600, 0.1, (3e-3, 50, (0.9, 0.99), 0.05)  # of the classifier trained on drawn or real paths
CLOSEST = 8  # pairs shown


@dataclass(frozen=True)
class TrackedClips:
    """Clips as tokens, and what is tracked in what they decode to.

    Attributes:
        tokens: int64 ``(N, t, h, w)``.
        label: int64 ``(N,)``.
        tracks: Of the N clips.
    """

    tokens: Tensor
    label: NDArray[np.int64]
    tracks: Tracks

    @property
    def points(self) -> Floats:
        """``(N, T, 2)`` px where exactly one object is seen, else NaN."""
        return np.where((self.tracks.count == 1)[..., None], self.tracks.pixel, np.nan)


def look(tokenizer: FrozenTokenizer, tokens: Tensor, label: Tensor) -> TrackedClips:
    """Decode and track clips."""
    parts = []
    for part in torch.split(tokens, BATCH):
        video = tokenizer.decode(part).clamp(0, 1)
        parts.append(track(to_uint8(video), to_uint8(estimate_background(video))))
    whole = Tracks(*(np.concatenate([getattr(part, name) for part in parts]) for name in Tracks.__annotations__))
    return TrackedClips(tokens, label.numpy(), whole)


def seen_before(tokens: Tensor, label: Tensor, pixel: Tensor) -> TrackedClips:
    """Return clips whose paths ``(N, T, 2)`` were tracked before; nothing else is known of them."""
    path = pixel.numpy().astype(float)
    there = np.isfinite(path).all(axis=-1)
    unknown = np.full((*there.shape, 3), np.nan)
    return TrackedClips(tokens, label.numpy(), Tracks(path, np.zeros(there.shape), unknown, there.astype(np.int64)))


class SampleRows:
    """What drawn clips are measured against.

    Args:
        train: Training clips as they are in the first version.
        val: Clips that calibrate the judge, and that show how near to training clips unseen ones come.
        clips: ``val`` of the dataset, with its truth where there is one.
        layout: Of the tokens.
        augment: The augmentation of training, for the classifiers.
    """

    def __init__(
        self, train: TrackedClips, val: TrackedClips, clips: Clips, layout: TokenLayout, augment: nn.Module | None
    ) -> None:
        self.train, self.val, self.layout, self.augment = train, val, layout, augment
        self.classes, self.size = tuple(clips.manifest.classes), clips.shape[2:]
        self.judge: Judge | None = None
        self.errors: tuple[float, float, float] | None = None
        if "pixel" in clips.columns and self.classes:
            true = clips.columns["pixel"].numpy().astype(float)
            self.judge = calibrate(val.tracks.pixel, true, val.label, self.classes)
            self.usual = reference_residuals(val.tracks.pixel, val.label, self.classes)
            self.errors = _errors(val.tracks, clips)
        self.near_val = {"path": nearest_paths(val.tracks.pixel, train.tracks.pixel, self.size)}
        self.near_val["tokens"] = nearest_tokens(val.tokens.numpy(), train.tokens.numpy())

    def compute(self, real: TrackedClips, drawn: TrackedClips) -> tuple[dict[str, dict[str, Any]], Nearest]:
        """Return the rows ``classes_rotated``, ``reconstructed`` and ``model``, and the nearest training clips.

        Args:
            real: The split's clips.
            drawn: The clips drawn.
        """
        rows: dict[str, dict[str, Any]] = {"classes_rotated": {}, "reconstructed": {}, "model": {}}
        if self.judge is not None:
            rotated = (drawn.label + 1) % len(self.classes)
            for name, seen, asked in (
                ("classes_rotated", drawn, rotated),
                ("reconstructed", real, real.label),
                ("model", drawn, drawn.label),
            ):
                rows[name] = sample_figures(seen.tracks, asked, self.judge, self.usual)
        else:
            rows["model"]["visible"] = wilson((drawn.tracks.count == 1).mean() * len(drawn.label), len(drawn.label))
        shuffled = np.random.default_rng(0).permutation(len(drawn.label))  # parts hold all classes alike
        for name, made in (("reconstructed", features(self.val.tracks)), ("model", features(drawn.tracks)[shuffled])):
            rows[name] |= cover(features(real.tracks), made)._asdict()
        if len(self.classes) > 1:
            for name, seen in (("reconstructed", self.train), ("model", drawn)):
                right = trained_on(seen, real, self.layout, self.size, self.augment)
                rows[name]["train_on"] = wilson(right * len(real.label), len(real.label))
        near = {"path": nearest_paths(drawn.tracks.pixel, self.train.tracks.pixel, self.size)}
        near["tokens"] = nearest_tokens(drawn.tokens.numpy(), self.train.tokens.numpy())
        for what, nearest in near.items():
            ratio, share = memorization(nearest, self.near_val[what])
            count = len(drawn.label)
            rows["model"] |= {f"memorization_{what}": ratio, f"nearer_{what}": wilson(share * count, count)}
        if self.errors is not None and np.isfinite(self.errors).all():  # a tokenizer may draw nothing to be tracked
            bits = parameter_bits(real.label, self.classes, float(self.size[1]), self.errors)
            rows["model"]["description_bits"] = bits
        return {name: row for name, row in rows.items() if row}, near["path"]


def trained_on(
    train: TrackedClips, test: TrackedClips, layout: TokenLayout, picture: Sequence[int], augment: nn.Module | None
) -> float:
    """Return the accuracy on real paths of a classifier trained on others: the classify task's network.

    Args:
        train: Clips to learn from.
        test: Clips to tell the class of.
        layout: Of the tokens.
        picture: Rows and columns, pixels.
        augment: The augmentation of training.
    """
    scale = torch.tensor([picture[1] / 2, picture[0] / 2])
    paths = [torch.from_numpy(np.nan_to_num(s.tracks.pixel, nan=0.0)).float() / scale - 1 for s in (train, test)]
    answers = path_answers(
        TokenClassifier(hidden=128),
        layout,
        int(max(train.label.max(), test.label.max())) + 1,
        (paths[0], torch.from_numpy(train.label)),
        picture,
        {"test": paths[1]},
        augment,
        STEPS,
        128,
        (SMOOTHING, 0.0),
        0,
        BOTH,
    )
    return float((answers["test"].argmax(dim=1).numpy() == test.label).mean())


def closest(nearest: Nearest, count: int = CLOSEST) -> Sequence[int]:
    """Return the numbers of the drawn clips that come nearest to training clips, the nearest first."""
    return [int(row) for row in np.argsort(nearest.distance, kind="stable")[:count]]


def _errors(tracks: Tracks, clips: Clips) -> tuple[float, float, float]:
    """Return RMS errors of a coordinate, px, of the radius, px, and of a color, in 256ths."""
    off = tracks.pixel - clips.columns["pixel"].numpy()
    place = float(np.sqrt(np.nanmean(np.square(off))))
    known = {"radius": (tracks.radius, 1.0, 1), "color": (tracks.color, 255.0, 2)}
    found = []
    for name, (seen, scale, _) in known.items():
        if name not in clips.columns:
            found.append(1.0)
            continue
        true = clips.columns[name].numpy().astype(float)
        true = true[:, None] if name == "color" else true
        found.append(float(np.sqrt(np.nanmean(np.square(seen * scale - true)))))
    return place, found[0], found[1]
