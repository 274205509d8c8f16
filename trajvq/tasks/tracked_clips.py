"""Clips of the scoreboard of samples: their tokens, and the objects in what these decode to.

All clips are treated alike: decoded from their tokens and tracked without knowing the truth.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trajvq.data.storage.clips import Clips
from trajvq.io.arrays import Floats
from trajvq.metrics.sampling.appearance import mean_appearance
from trajvq.metrics.sampling.objects import Objects
from trajvq.metrics.sampling.prdc import Features, path_features
from trajvq.metrics.sampling.real import RealObjects, real_objects
from trajvq.metrics.tracking import Tracks, join_tracks, track_clips
from trajvq.tokens.frozen import FrozenTokenizer

BATCH = 50


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


@dataclass(frozen=True)
class TrainingClips:
    """The clips that the generator trains on, in all versions of each, and the M objects that they show.

    Attributes:
        tokens: Any integer type ``(K, V, t, h, w)``.
        label: int64 ``(K,)``; -1 for a clip whose label is not used.
        paths: ``(M, T, 2)`` px; NaN where the object is not shown.
        clip: ``(M,)`` numbers of their clips.
        version: ``(M,)`` numbers of the versions.
        shift: Largest shift in px by which training moves tracks once more.
    """

    tokens: Tensor
    label: NDArray[np.int64]
    paths: Floats
    clip: NDArray[np.int64]
    version: NDArray[np.int64]
    shift: float = 0.0

    @classmethod
    def of_single(cls, tokens: Tensor, label: NDArray[np.int64], paths: Floats, shift: float = 0.0) -> "TrainingClips":
        """Return clips of one object each, whose paths are ``(K, V, T, 2)`` px."""
        clip, version = np.indices(paths.shape[:2]).reshape(2, -1)
        return cls(tokens, label, paths.reshape(-1, *paths.shape[2:]), clip, version, shift)

    @classmethod
    def decoded(
        cls, tokenizer: FrozenTokenizer, tokens: Tensor, label: NDArray[np.int64], most: int, shift: float = 0.0
    ) -> "TrainingClips":
        """Decode and track all versions of clips.

        Args:
            tokenizer: Of the tokens.
            tokens: See `TrainingClips`, as for ``label`` and ``shift``.
            label: Of the K clips.
            most: Largest number of objects of a real clip.
            shift: In px.
        """
        paths, number = [], []
        for batch, part in enumerate(torch.split(tokens.flatten(0, 1), BATCH)):
            video = tokenizer.decode(part.long())
            height, width = video.shape[-2:]
            objects = Objects.of_samples(track_clips(video), most, (height, width), strict=False)
            paths.append(objects.pixel)
            number.append(BATCH * batch + objects.clip)
        clip, version = np.divmod(np.concatenate(number), tokens.shape[1])
        return cls(tokens, label, np.concatenate(paths), clip, version, shift)


@dataclass(frozen=True)
class RealClips:
    """The clips of a split, with their truth.

    Attributes:
        clips: The split.
        tracked: Its clips, decoded and tracked.
    """

    clips: Clips
    tracked: TrackedClips

    @cached_property
    def matched(self) -> RealObjects:
        """Its objects and their truth."""
        return real_objects(self.clips, self.tracked.tracks)


def shift_of(augment: object) -> float:
    """Return ``shift`` of an augmentation, its largest shift in px; 0 if it has none."""
    return float(getattr(augment, "shift", 0))


def features_of(objects: Objects) -> Features:
    """Return the features of objects for density and coverage."""
    return Features(path_features(objects.pixel), mean_appearance(objects.radius, objects.color))
