"""Objects of clips as rows of their own, so that every figure of a forecast is one of an object.

N clips, K objects in each, R rows; T frames, n of context.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from trajvq.data.storage.clips import Clips
from trajvq.io.arrays import Floats, shown_in
from trajvq.io.video import to_float
from trajvq.metrics.matching import assign, link
from trajvq.metrics.reconstruction.objects import MISSING_ERROR
from trajvq.metrics.reconstruction.truth import Truth, truth_of
from trajvq.metrics.tracking import Tracks

BATCH = 50  # clips tracked at a time


@dataclass(frozen=True)
class Objects:
    """The objects that can be forecast: those that are visible in some frame of the context.

    Attributes:
        clip: int64 ``(R,)`` rows of their clips among N.
        number: int64 ``(R,)`` their numbers among the K of the clip.
        later: int64 ``(N,)`` objects that are visible in later frames alone.
    """

    clip: NDArray[np.int64]
    number: NDArray[np.int64]
    later: NDArray[np.int64]

    @classmethod
    def in_context(cls, valid: NDArray[np.bool_], context: int) -> "Objects":
        """Return the objects of N clips, from the frames in which they are visible, bool ``(N, T, K)``."""
        early = valid[:, :context].any(axis=1)
        clip, number = np.nonzero(early)
        return cls(clip, number, (valid.any(axis=1) & ~early).sum(axis=1))

    def take(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the rows ``(R, T, ...)`` of values ``(N, T, K, ...)``."""
        return values[self.clip, :, self.number]


def identities(truth: Truth) -> tuple[Floats, NDArray[np.bool_]]:
    """Return positions ``(N, T, K, 2)`` px of true objects, and where they are valid ``(N, T, K)``.

    Each object has the same number in all frames, also where the truth is tracked; see `link`.
    """
    if not truth.tracked:
        return truth.pixel, truth.valid
    present = shown_in(truth.pixel)
    color = np.full((*truth.radius.shape, 3), np.nan)
    tracks = link(Tracks(truth.pixel, truth.radius, color, present.sum(axis=-1)), MISSING_ERROR)
    return tracks.pixel, shown_in(tracks.pixel)


def labels_of(objects: Objects, columns: Mapping[str, Tensor]) -> dict[str, NDArray[Any]]:
    """Return ``label`` and ``identifiable`` ``(R,)`` of objects, where the columns of their N clips have them."""
    labels: dict[str, NDArray[Any]] = {}
    if "label" in columns:
        labels["label"] = columns["label"].numpy()[objects.clip]
    if "identifiable" in columns:
        labels["identifiable"] = columns["identifiable"].numpy()[objects.clip, objects.number]
    return labels


def paths_of(clips: Clips, count: int | None = None) -> Floats:
    """Return the paths ``(R, T, 2)`` px of all objects of the first clips of a split; tracked where none are stored."""
    if "pixel" in clips.columns:
        pixels = [clips.columns["pixel"].numpy().astype(np.float64)[:count]]
    else:
        rows = np.arange(len(clips))[:count]
        batches = (clips.batch(part.tolist()) for part in np.array_split(rows, max(len(rows) // BATCH, 1)))
        truths = (truth_of(batch | {"video": to_float(batch["video"])}) for batch in batches)
        pixels = [identities(truth)[0] for truth in truths]
    present = [shown_in(pixel) for pixel in pixels]
    objects = [Objects.in_context(frames, frames.shape[1]) for frames in present]
    return np.concatenate([rows.take(pixel) for rows, pixel in zip(objects, pixels, strict=True)])


def follow(tracks: Tracks, positions: Floats) -> Floats:
    """Return where each true object is predicted, ``(N, T, K, 2)`` px; NaN where it is missing.

    Of every frame as many objects as are true count, the largest. They are assigned to the true ones, one to one and
    at any distance: a second object where one is true is no second chance.

    Args:
        tracks: Of N clips of T frames.
        positions: ``(N, T, K, 2)`` true positions; NaN where there is no object.
    """
    count = shown_in(positions).sum(axis=-1)
    largest = np.arange(tracks.pixel.shape[2]) < count[..., None]
    candidates = np.where(largest[..., None], tracks.pixel, np.nan)
    index = assign(positions, candidates, limit=np.inf)
    pixel = np.take_along_axis(candidates, np.maximum(index, 0)[..., None], axis=2)
    return np.where((index >= 0)[..., None], pixel, np.nan)
