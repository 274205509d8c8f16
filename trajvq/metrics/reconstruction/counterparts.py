"""Counterparts: what a reconstruction shows of each object of the target, and what it shows beyond them.

An object is looked for where the target has it, at 30 % of its own contrast. What a reconstruction shows elsewhere is
surplus only if it is clearer than that: it must stand out from the background and from the target alike. So the target
itself has no surplus, nor have its noisy copies. What covers an object is its counterpart only if it is about as large
and in its place: a picture that is black everywhere shows no object.

N clips, T frames, K objects; F = N T frames in a stack.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from trajvq.io.arrays import Bytes, Floats
from trajvq.metrics.matching import MATCH_DISTANCE, PAIRS, assign
from trajvq.metrics.reconstruction.areas import OBJECT_MARGIN
from trajvq.metrics.reconstruction.truth import Truth
from trajvq.metrics.tracking import IN_FRAME, NOISE, SHARE, contrast_of, positive_minimum

INSIDE = 0.5  # share of a piece's pixels that must lie within a true object for the piece to belong to it
CLEAR = 8 / 255  # contrast below which nothing is surplus
UNKNOWN_CONTRAST = 0.25  # in [0, 1], of the objects of a target that shows none
LARGE = 12.0  # pixels from which something clear is an object, however large those of the target are


@dataclass(frozen=True)
class Counterparts:
    """The counterparts of the true objects.

    Attributes:
        matched: bool ``(N, T, K)``: whether at least 30 % of an object's contrast and area are there, at most 8 px off,
            and no more than the area divided by 30 %, which a blurred disc has at 30 % of its contrast, or 12 px. The
            area of a tracked object is then that in the target at 30 % of its contrast.
        distance: ``(N, T, K)`` px between the object and its counterpart; NaN where it is not matched.
        pixel: ``(N, T, K, 2)`` centroid (x, y) of the counterpart, pixels; NaN where the object is not matched.
        radius: ``(N, T, K)`` radius of the counterpart, pixels; 0 where the object is not matched.
        radius_error: ``(N, T, K)`` px; the object's radius where it is not matched.
        surplus: int64 ``(N, T)`` objects that the target does not have.
    """

    matched: NDArray[np.bool_]
    distance: Floats
    pixel: Floats
    radius: Floats
    radius_error: Floats
    surplus: NDArray[np.int64]


def find_counterparts(truth: Truth, video: Bytes) -> Counterparts:
    """Find the counterparts of the objects of N clips.

    Args:
        truth: Of the clips.
        video: uint8 ``(N, T, 3, H, W)``, their reconstructions.
    """
    count, frames, objects = truth.radius.shape
    height, width = video.shape[-2:]
    stack = contrast_of(video, truth.background).reshape(-1, height, width)
    limit = np.maximum(SHARE * truth.peak, NOISE).reshape(-1, objects)
    body = _bodies(truth, stack, limit)
    member = np.bincount(body[body > 0] - 1, minlength=limit.size).reshape(limit.shape)
    window, reference, size = body, truth.pixel, truth.radius
    if truth.tracked:  # the target is measured in the same window, so that noise at its edge moves both alike
        window = np.where(body > 0, body, truth.numbers)
        target = contrast_of(truth.video, truth.background).reshape(stack.shape)
        center, radius = _measure(target, window, limit.size)
        reference, size = center.reshape(reference.shape), radius.reshape(size.shape)
    center, radius = _measure(stack, window, limit.size)
    center, area = center.reshape(reference.shape), truth.pixels
    covered = member.reshape(area.shape)
    most = np.maximum(area / SHARE, LARGE)
    if truth.tracked and (covered > most).any():  # a faint object is larger at 30 % of its contrast than as tracked
        own = np.bincount(_bodies(truth, target, limit).ravel(), minlength=limit.size + 1)[1:]
        most = np.maximum(most, own.reshape(area.shape) / SHARE)
    matched = (covered >= np.maximum(SHARE * area, 1)) & (covered <= most)
    matched &= np.linalg.norm(center - reference, axis=-1) <= MATCH_DISTANCE
    pixel = np.where(matched[..., None], center, np.nan)
    radius = np.where(matched, radius.reshape(size.shape), 0.0)
    return Counterparts(
        matched=matched,
        distance=np.linalg.norm(pixel - reference, axis=-1),
        pixel=pixel,
        radius=radius,
        radius_error=np.where(matched, np.abs(radius - size), truth.radius),
        surplus=_surplus(truth, video, stack, body).reshape(count, frames),
    )


def _bodies(truth: Truth, stack: NDArray[np.float32], limit: Floats) -> NDArray[np.int32]:
    """Return ``(F, H, W)``: 1 + number of the object, counted over all frames, that a pixel belongs to; 0 for none.

    A connected component belongs to the true object of which it covers 30 %, or within which most of it lies. One that
    covers several is divided between them. Another belongs to an object without any that is near.

    Args:
        truth: Of the clips.
        stack: ``(F, H, W)`` contrast of the reconstructions.
        limit: ``(F, K)`` lowest contrast of the pixels of each object; NaN where there is none.
    """
    frames, objects = limit.shape
    lowest = positive_minimum(limit, np.full(frames, np.inf))
    labels, total = ndimage.label(stack >= lowest[:, None, None], IN_FRAME)
    frame, row, column = np.unravel_index(np.flatnonzero(labels), labels.shape)
    component, true = labels[frame, row, column], truth.numbers[frame, row, column]
    pairs, overlap = np.unique(component[true > 0] * np.int64(limit.size + 1) + true[true > 0], return_counts=True)
    first, second = pairs // (limit.size + 1), pairs % (limit.size + 1)
    size = np.bincount(component, minlength=total + 1)
    covers = overlap >= SHARE * truth.pixels.reshape(-1)[second - 1]
    belongs = covers | (overlap >= INSIDE * size[first])
    order = np.argsort(overlap[belongs], kind="stable")  # the last one written is the one that is covered most
    owner = np.zeros(total + 1, dtype=np.int32)
    owner[first[belongs][order]] = second[belongs][order]
    _adopt(truth, stack, labels, owner, limit)
    body = owner[component]
    shared = np.bincount(first[covers], minlength=total + 1)[component] > 1
    if shared.any():
        covered = np.zeros(limit.size + 1, dtype=bool)
        covered[second[covers]] = True
        number = np.flatnonzero(shared)
        step = max(PAIRS // objects, 1)  # pixels at a time: a noisy frame has many, and many objects
        for part in (number[start : start + step] for start in range(0, len(number), step)):
            point = np.stack([column[part] + 0.5, row[part] + 0.5], axis=-1)
            body[part] = _nearest(truth, covered, frame[part], point)
        inside = true[shared]
        body[shared] = np.where((inside > 0) & covered[inside], inside, body[shared])
    solid = (body > 0) & (stack[frame, row, column] >= limit.reshape(-1)[body - 1])
    result = np.zeros(stack.shape, dtype=np.int32)
    result[frame[solid], row[solid], column[solid]] = body[solid]
    return result


def _nearest(truth: Truth, covered: NDArray[np.bool_], frame: NDArray[np.int64], point: Floats) -> NDArray[np.int64]:
    """Return ``(P,)``: 1 + number of the object nearest to each point ``(P, 2)`` px of a frame ``(P,)``.

    Only those of the objects count that are ``covered``, bool ``(F K + 1,)``.
    """
    objects = truth.radius.shape[2]
    distance = np.linalg.norm(truth.pixel.reshape(-1, objects, 2)[frame] - point[:, None], axis=-1)
    distance = distance - truth.radius.reshape(-1, objects)[frame]
    number = 1 + frame[:, None] * objects + np.arange(objects)
    distance = np.where(covered[number] & np.isfinite(distance), distance, np.inf)
    return np.asarray(number[np.arange(len(number)), distance.argmin(axis=1)])


def _adopt(
    truth: Truth, stack: NDArray[np.float32], labels: NDArray[np.int32], owner: NDArray[np.int32], limit: Floats
) -> None:
    """Give components without an owner to objects without a component, one to one and no farther than 8 px.

    Args:
        truth: Of the clips.
        stack: ``(F, H, W)`` contrast.
        labels: ``(F, H, W)`` number of the component, 0 for none.
        owner: ``(components + 1,)`` 1 + number of the object; changed in place.
        limit: See `_bodies`.
    """
    frames, objects = limit.shape
    alone = np.ones(limit.size + 1, dtype=bool)
    alone[owner] = False
    wanted = alone[1:].reshape(limit.shape) & np.isfinite(limit)
    sought = (labels > 0) & np.asarray(wanted.any(axis=1))[:, None, None]
    frame, row, column = np.unravel_index(np.flatnonzero(sought), labels.shape)
    component = labels[frame, row, column]
    free = owner[component] == 0
    if not free.any():
        return
    frame, row, column, component = (part[free] for part in (frame, row, column, component))
    numbers, member = np.unique(component, return_inverse=True)
    weight = stack[frame, row, column].astype(np.float64)
    mass = np.bincount(member, weight)
    center = np.stack([np.bincount(member, weight * (at + 0.5)) / mass for at in (column, row)], axis=-1)
    frame_of = np.zeros(len(numbers), dtype=np.int64)
    frame_of[member] = frame
    amount = np.bincount(frame_of, minlength=frames)
    rank = np.arange(len(numbers)) - (np.cumsum(amount) - amount)[frame_of]  # labels rise with the frame
    candidates = np.full((frames, int(amount.max()), 2), np.nan)
    candidates[frame_of, rank] = center
    true = np.where(wanted[..., None], truth.pixel.reshape(frames, objects, 2), np.nan)
    chosen = assign(true, candidates)
    at = np.full(candidates.shape[:2], 0)
    at[frame_of, rank] = numbers
    at_frame, which = np.nonzero(chosen >= 0)
    owner[at[at_frame, chosen[at_frame, which]]] = 1 + at_frame * objects + which


def _measure(stack: NDArray[np.float32], window: NDArray[np.int32], total: int) -> tuple[Floats, Floats]:
    """Return contrast-weighted centers ``(total, 2)`` and radii ``(total,)`` px in windows, and the pixels around them.

    Args:
        stack: ``(F, H, W)`` contrast.
        window: ``(F, H, W)`` 1 + number of the object; 0 for none.
        total: Number of objects.
    """
    wider = np.where(window > 0, window, ndimage.maximum_filter(window, (1, 3, 3)))  # with the faint edge
    frame, row, column = np.unravel_index(np.flatnonzero(wider), wider.shape)
    member, weight = wider[frame, row, column] - 1, stack[frame, row, column].astype(np.float64)
    mass, peak = np.bincount(member, weight, total), np.zeros(total)
    np.maximum.at(peak, member, weight)
    with np.errstate(invalid="ignore", divide="ignore"):
        center = np.stack([np.bincount(member, weight * (at + 0.5), total) / mass for at in (column, row)], axis=-1)
        return center, np.sqrt(mass / peak / np.pi)


def _surplus(truth: Truth, video: Bytes, stack: NDArray[np.float32], body: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return ``(F,)`` numbers of components that are clear of the background, of the target and of every object.

    What is connected to an object is clear of it farther than 8 px away.
    """
    frames = truth.radius.shape[1]
    contrast = positive_minimum(truth.contrast, np.full(len(truth.contrast), UNKNOWN_CONTRAST))
    area = positive_minimum(truth.pixels.reshape(len(contrast), -1), np.full(len(contrast), LARGE))
    least = np.clip(SHARE * area, 1.0, LARGE)
    threshold = np.repeat(np.maximum(SHARE * contrast, CLEAR), frames)[:, None, None]
    window = 2 * int(OBJECT_MARGIN) + 1
    clear = (stack >= threshold) & ((body == 0) | ~truth.surroundings)
    clear &= ndimage.maximum_filter(truth.numbers, (1, window, window)) == 0
    number = np.zeros(len(stack), dtype=np.int64)
    rows = np.flatnonzero(clear.any(axis=(1, 2)))
    # Neighbors are averaged, since what compression does to edges has opposite signs side by side.
    target, reconstruction = (v.reshape(-1, *v.shape[2:])[rows] for v in (truth.video, video))
    change = ndimage.uniform_filter(reconstruction.astype(np.float32) - target, (1, 1, 3, 3))
    clear = clear[rows] & (np.abs(change).mean(axis=1) / 255 >= threshold[rows])
    labels, total = ndimage.label(clear, IN_FRAME)
    frame, row, column = np.unravel_index(np.flatnonzero(labels), labels.shape)
    frame_of = np.zeros(total + 1, dtype=np.int64)
    frame_of[labels[frame, row, column]] = rows[frame]
    size = np.bincount(labels[frame, row, column], minlength=total + 1)[1:]
    enough = size >= np.repeat(least, frames)[frame_of[1:]]
    number += np.bincount(frame_of[1:][enough], minlength=len(stack))
    return number
