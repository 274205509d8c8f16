"""Memorization: whether samples are copies of training clips, by the distance to the nearest one.

The generator trains on several versions of each clip. Samples are compared with all of them, object by object.

N clips or objects, M clips or objects of the training in all versions, T frames.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajvq.io.arrays import Floats
from trajvq.metrics.sampling.prdc import ABSENT

SYMMETRIES = 16  # of paths: two mirrors, the transpose, and reversal in time
BLOCK = 200  # clips compared at a time
MARGIN = 1e-3  # px²; more than float32 rounds
TAIL = 0.01  # share of unseen clips that come closer to a training clip than a sample should


@dataclass(frozen=True)
class Nearest:
    """The nearest of M of the training, for each of N.

    Attributes:
        distance: ``(N,)``.
        index: ``(N,)`` its number among the M.
    """

    distance: Floats
    index: NDArray[np.int64]


def nearest_paths(paths: Floats, train: Floats, size: tuple[int, int] = (64, 64), shift: float = 0.0) -> Nearest:
    """Find the nearest training path of every path, under all mirrors, the transpose, reversal and small shifts.

    Training augments its clips in these ways, so that a copy of a mirrored clip is a copy too.

    Args:
        paths: ``(N, T, 2)`` px; NaN where there is no object.
        train: ``(M, T, 2)`` px.
        size: Height and width of the picture in pixels.
        shift: Largest shift in px, along x and along y.

    Returns:
        The distance is RMS over frames, px.
    """
    center = np.array([size[1] / 2, size[0] / 2])
    centered, flat = (np.nan_to_num(pixel, nan=ABSENT) - center for pixel in (paths, train))
    square, index = np.full(len(paths), np.inf), np.zeros(len(paths), dtype=np.int64)
    for symmetry in range(SYMMETRIES):
        turned = flat * np.array([1 - 2 * (symmetry & 1), 1 - (symmetry & 2)])
        turned = turned[..., ::-1] if symmetry & 4 else turned
        turned = turned[:, ::-1] if symmetry & 8 else turned
        for start in range(0, len(centered), BLOCK):
            rows = slice(start, start + BLOCK)
            _update(square[rows], index[rows], centered[rows], turned, shift)
    return Nearest(np.sqrt(square), index)


def _update(square: Floats, index: NDArray[np.int64], paths: Floats, train: Floats, shift: float) -> None:
    """Replace the least mean squared distances ``(N,)``, and where they are, by what is less among M more paths.

    The best shift of a path is the difference of the means, as far as it is allowed.
    """
    means, train_means = paths.mean(axis=1), train.mean(axis=1)
    forms = [
        ((of - mean[:, None]) / np.sqrt(of.shape[1])).reshape(len(of), -1).astype(np.float32)
        for of, mean in ((paths, means), (train, train_means))
    ]
    lower = _squares(*forms)  # without what a shift cannot undo

    def complete(rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Floats:
        beyond = np.maximum(np.abs(means[rows] - train_means[columns]) - shift, 0)
        return np.asarray(np.maximum(lower[rows, columns], 0) + np.square(beyond).sum(axis=1))

    numbers = np.arange(len(paths))
    first = lower.argmin(axis=1)
    limit = np.minimum(square, complete(numbers, first) + MARGIN)
    rows, columns = np.nonzero(lower <= limit[:, None].astype(np.float32))
    candidates = complete(rows, columns)
    order = np.lexsort((columns, candidates, rows))
    best = order[np.unique(rows[order], return_index=True)[1]]
    best = best[candidates[best] < square[rows[best]]]
    square[rows[best]], index[rows[best]] = candidates[best], columns[best]


def _squares(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return squared distances ``(N, M)`` of ``(N, F)`` and ``(M, F)``, in one product of matrices."""
    ones = np.ones((max(len(first), len(second)), 1), dtype=np.float32)
    left = np.concatenate([-2 * first, np.square(first).sum(axis=1, keepdims=True), ones[: len(first)]], axis=1)
    right = np.concatenate([second, ones[: len(second)], np.square(second).sum(axis=1, keepdims=True)], axis=1)
    return np.asarray(left @ right.T)


def nearest_tokens(tokens: NDArray[np.int64], train: NDArray[np.int64]) -> Nearest:
    """Find for every clip the one of the training that shares most tokens.

    Args:
        tokens: ``(N, ...)``.
        train: ``(M, ...)``.

    Returns:
        The distance is the share of tokens that differ.
    """
    kind = np.min_scalar_type(max(int(tokens.max(initial=0)), int(train.max(initial=0))))
    flat, train_flat = (each.reshape(len(each), -1).astype(kind) for each in (tokens, train))
    distance, index = np.zeros(len(flat)), np.zeros(len(flat), dtype=np.int64)
    for row, clip in enumerate(flat):
        differing = (train_flat != clip).sum(axis=1, dtype=np.uint32)
        index[row] = differing.argmin()
        distance[row] = differing[index[row]] / flat.shape[1]
    return Nearest(distance, index)


def is_apart(val: Nearest) -> bool:
    """Return whether most validation clips differ from all training clips, so that a distance to them is a measure."""
    return bool(np.median(val.distance) > 0)


def memorization(samples: Nearest, val: Nearest) -> tuple[float, NDArray[np.bool_]]:
    """Compare how close samples and unseen clips come to training clips.

    Args:
        samples: Of the samples.
        val: Of the validation clips, which no training run sees; `is_apart` from those of the training.

    Returns:
        The median distance of samples over that of ``val`` (1 if nothing is copied, 0 if every sample is a copy);
        and ``(N,)``: which samples are closer than all but 1 % of ``val``.
    """
    ratio = float(np.median(samples.distance) / np.median(val.distance))
    return ratio, np.asarray(samples.distance < np.quantile(val.distance, TAIL))


def keep_comparable(
    rows: Mapping[str, dict[str, Any]], trained_on: Mapping[str, Any], clips: Mapping[str, Any]
) -> list[str]:
    """Take out of the rows what would compare samples with other clips than the model was trained on.

    Args:
        rows: Figures by row, changed in place.
        trained_on: What the model's checkpoint tells of its training clips, such as ``dataset``.
        clips: The same of the clips at hand; ``versions`` is None where training encodes others in each step.

    Returns:
        What is left out and why, in at most one line.
    """
    if any(clips[name] != value for name, value in trained_on.items()):
        spaces, reason = ["path", "tokens"], "the model was trained on other clips than these, or on other versions"
    elif clips["versions"] is None:
        spaces, reason = ["tokens"], "training encoded other versions of its clips in each step"
    else:
        return []
    for row in rows.values():
        for space in spaces:
            row.pop(f"memorization_{space}", None)
            row.pop(f"nearer_{space}", None)
    return [f"memorization of {' and '.join(spaces)} is left out: {reason}"]
