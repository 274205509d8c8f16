"""Matching: which of the objects found is which of the true ones, and which is which over time.

N clips, T frames, K true objects, M objects found.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from trajvq.io.arrays import Floats, shown_in
from trajvq.metrics.tracking import Tracks

MATCH_DISTANCE = 8.0  # px, the largest distance at which an object counts as the true one
COLOR_PENALTY = 60.0  # px by which a pair seems farther apart for each unit of a channel of color that differs
RADIUS_PENALTY = 1.0  # the same for each px of radius
AHEAD = 2  # frames that an object which nothing shows is expected to go on; further, more objects are lost
LINKING = 2  # changes with what `link` does, so that linked tracks in caches are made again
PAIRS = 2**18  # of positions that are compared at a time
FORBIDDEN = 1e6  # cost of a pair that is no match; higher than all matches of a frame together


@dataclass(frozen=True)
class Matches:
    """Objects found, in the order of the true ones.

    Attributes:
        tracks: ``(N, T, K, ...)``; NaN, or a radius of 0, where a true object is not matched. ``count`` is the number
            of all objects found.
        matched: bool ``(N, T, K)``.
        surplus: int64 ``(N, T)``: objects found that match no true one.
    """

    tracks: Tracks
    matched: NDArray[np.bool_]
    surplus: NDArray[np.int64]


def match(tracks: Tracks, pixel: Floats) -> Matches:
    """Assign the objects found in every frame to true ones, one to one and no farther than 8 px.

    As many as possible are assigned, with the least sum of distances (Kuhn, 1955).

    Args:
        tracks: Of N clips of T frames.
        pixel: ``(N, T, K, 2)`` true positions in pixels; NaN where there is no object.
    """
    count, frames = pixel.shape[:2]
    index = assign(pixel, tracks.pixel)
    matched = index >= 0
    clip, frame = np.indices((count, frames))[..., None]
    chosen = np.where(matched, index, 0)

    def ordered(values: Floats, missing: float) -> Floats:
        mask = matched.reshape(*matched.shape, *[1] * (values.ndim - 3))
        return np.asarray(np.where(mask, values[clip, frame, chosen], missing))

    in_order = Tracks(
        pixel=ordered(tracks.pixel, np.nan),
        radius=ordered(tracks.radius, 0.0),
        color=ordered(tracks.color, np.nan),
        count=tracks.count,
    )
    return Matches(in_order, matched, tracks.count - matched.sum(axis=2))


def assign(
    first: Floats, second: Floats, limit: float = MATCH_DISTANCE, penalty: Floats | None = None
) -> NDArray[np.int64]:
    """Return for each first position the number of the second position assigned to it, -1 without any.

    Args:
        first: ``(..., K, 2)`` positions in pixels; NaN where there is none.
        second: ``(..., M, 2)``.
        limit: Largest distance of a pair in pixels.
        penalty: ``(..., K, M)`` px to add to the distances of pairs that are near enough; None for none.

    Returns:
        int64 ``(..., K)``.
    """
    shape, columns = first.shape[:-1], second.shape[-2]
    frames = math.prod(shape[:-1])
    if not frames * shape[-1] * columns:
        return np.full(shape, -1)
    first, second = first.reshape(frames, shape[-1], 2), second.reshape(frames, columns, 2)
    more = None if penalty is None else penalty.reshape(frames, shape[-1], columns)
    index = np.full(first.shape[:2], -1)
    step = max(PAIRS // (shape[-1] * columns), 1)  # frames at a time: a noisy one makes all of them large
    for block in (slice(start, start + step) for start in range(0, frames, step)):
        index[block] = _assign(first[block], second[block], limit, None if more is None else more[block])
    return index.reshape(shape)


def _assign(first: Floats, second: Floats, limit: float, penalty: Floats | None) -> NDArray[np.int64]:
    """Return `assign` of F frames: ``(F, K)`` of ``(F, K, 2)``, ``(F, M, 2)`` and ``(F, K, M)``."""
    distance = np.linalg.norm(first[:, :, None] - second[:, None], axis=-1)
    near = distance <= limit  # false for NaN
    cost = distance if penalty is None else distance + penalty
    # A pair that has no alternative needs no search.
    clear = near & (near.sum(axis=2, keepdims=True) == 1) & (near.sum(axis=1, keepdims=True) == 1)
    index = np.where(clear.any(axis=2), clear.argmax(axis=2), -1)
    for row in np.flatnonzero((near & ~clear).any(axis=(1, 2))):
        rows, chosen = linear_sum_assignment(np.where(near[row], cost[row], FORBIDDEN))
        kept = near[row][rows, chosen]
        index[row, rows[kept]] = chosen[kept]
    return index


def link(tracks: Tracks, limit: float = MATCH_DISTANCE) -> Tracks:
    """Give the objects of clips an identity over time.

    From frame to frame objects keep the number of the object assigned to them, which is at most ``limit`` px away from
    where it is expected: as far on as it last moved in a frame, or in two if nothing showed it meanwhile. Where several
    could be meant, as where objects cross, color and radius count, too. An object that is new gets a new number.

    Args:
        tracks: Of N clips of T frames.
        limit: Largest distance in pixels of an object from where it is expected.

    Returns:
        Tracks in which entry k is one object over time, the objects seen most often first; NaN, or a radius of 0, in
        frames without it. ``count`` is unchanged.
    """
    count, frames, most = tracks.pixel.shape[:3]
    number = np.full((count, frames, most), -1)
    appearance = np.concatenate([COLOR_PENALTY * tracks.color, RADIUS_PENALTY * tracks.radius[..., None]], axis=-1)
    appearance = np.nan_to_num(appearance)  # a tracker of the user's own may know no color
    for clip in range(count):
        number[clip] = _numbers(tracks.pixel[clip], appearance[clip], limit)
    return _renumbered(tracks, number)


def _numbers(pixel: Floats, appearance: Floats, limit: float) -> NDArray[np.int64]:
    """Return ``(T, K)`` numbers of the objects of a clip, -1 for none, the most frequent object first.

    Args:
        pixel: ``(T, K, 2)`` px.
        appearance: ``(T, K, 4)`` px; a difference is a penalty.
        limit: See `link`.
    """
    numbers = np.full(pixel.shape[:2], -1)
    last, speed, mean = np.zeros((0, 2)), np.zeros((0, 2)), np.zeros((0, 4))
    latest, sightings = np.zeros(0), np.zeros(0)  # the last frame that shows an object, and how many do
    for frame, points in enumerate(pixel):
        real = np.flatnonzero(shown_in(points))
        points, features = points[real], appearance[frame, real]
        penalty = np.abs(mean[:, None] - features).sum(axis=-1)
        since = (frame - latest)[:, None]
        index = assign(last + speed * np.minimum(since, AHEAD), points, limit, penalty)
        old = np.flatnonzero(index >= 0)
        chosen = index[old]
        numbers[frame, real[chosen]] = old
        speed[old] = (points[chosen] - last[old]) / since[old]
        last[old], latest[old] = points[chosen], frame
        sightings[old] += 1
        mean[old] += (features[chosen] - mean[old]) / sightings[old, None]
        new = np.setdiff1d(np.arange(len(real)), chosen)
        numbers[frame, real[new]] = len(last) + np.arange(len(new))
        last, mean = np.concatenate([last, points[new]]), np.concatenate([mean, features[new]])
        speed = np.concatenate([speed, np.zeros((len(new), 2))])
        latest = np.concatenate([latest, np.full(len(new), frame)])
        sightings = np.concatenate([sightings, np.ones(len(new))])
    order = np.argsort(-sightings, kind="stable")
    rank = np.empty(len(last) + 1, dtype=np.int64)
    rank[order], rank[-1] = np.arange(len(last)), -1
    return np.asarray(rank[numbers])


def _renumbered(tracks: Tracks, number: NDArray[np.int64]) -> Tracks:
    """Return tracks with each object at its number, ``(N, T, K)``; -1 for none."""
    clip, frame, entry = np.nonzero(number >= 0)
    target = number[clip, frame, entry]
    shape = (*number.shape[:2], max(int(number.max(initial=0)) + 1, 1))
    pixel, radius, color = np.full((*shape, 2), np.nan), np.zeros(shape), np.full((*shape, 3), np.nan)
    pixel[clip, frame, target] = tracks.pixel[clip, frame, entry]
    radius[clip, frame, target] = tracks.radius[clip, frame, entry]
    color[clip, frame, target] = tracks.color[clip, frame, entry]
    return Tracks(pixel, radius, color, tracks.count)
