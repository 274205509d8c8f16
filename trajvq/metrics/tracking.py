"""Find the object in every frame from pixels and a background: no ground truth, no learned weights."""

from dataclasses import dataclass, fields
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from trajvq.io.arrays import Bytes, Floats
from trajvq.io.video import to_uint8
from trajvq.metrics.background import estimate_background

SHARE = 0.3  # of the contrast, and of the area, that makes a component an object
NOISE = 4 / 255  # contrast below which a pixel belongs to the background
IN_FRAME = np.zeros((3, 3, 3), dtype=bool)
IN_FRAME[1] = True  # neighbors within a frame, diagonals included, and none across frames


@dataclass(frozen=True)
class Tracks:
    """The tracked objects of N clips of T frames.

    Attributes:
        pixel: ``(N, T, 2)`` intensity-weighted centroid (x, y) of the largest component, pixels; NaN without one.
        radius: ``(N, T)`` radius of a disc of the component's area, pixels; 0 without one.
        color: ``(N, T, 3)`` color of its strongest pixels in [0, 1]; NaN without one.
        count: ``(N, T)`` number of objects.
    """

    pixel: Floats
    radius: Floats
    color: Floats
    count: NDArray[np.int64]

    @property
    def present(self) -> NDArray[np.bool_]:
        """``(N, T)``: whether there is any object at all."""
        return self.count > 0


@runtime_checkable
class Tracker(Protocol):
    """A callable that finds the object of every frame.

    Attributes:
        version: Identifies the tracker and its settings. Cached tracks are recomputed when it changes.
    """

    version: str

    def __call__(
        self, video: Bytes, background: Bytes, contrast: Floats | None = None, area: Floats | None = None
    ) -> Tracks:
        """Track the largest object of every frame.

        Args:
            video: uint8 ``(N, T, 3, H, W)``.
            background: uint8, broadcastable to ``(N, 1, 3, H, W)``.
            contrast: ``(N,)`` contrast of the true object in [0, 1], as `contrast_of` measures it; None if unknown.
            area: ``(N, T)`` area of the true object in pixels; None if unknown.
        """


def contrast_of(video: Bytes, background: Bytes) -> NDArray[np.float32]:
    """Return ``(N, T, H, W)`` mean absolute differences from the background in [0, 1].

    Args:
        video: uint8 ``(N, T, 3, H, W)``.
        background: uint8, broadcastable to ``(N, 1, 3, H, W)``.
    """
    difference = np.abs(video.astype(np.int16) - background.astype(np.int16))
    return np.asarray(difference.sum(axis=2, dtype=np.int32) / (3 * 255), dtype=np.float32)


class DiscTracker:
    """Track connected components that stand out from the background.

    An object is a connected component of pixels with at least 30 % of the true contrast that covers at least 30 % of
    the true area. Without a true contrast the clip's own is used; without a true area any size is enough.
    """

    version = "1"

    def __call__(
        self, video: Bytes, background: Bytes, contrast: Floats | None = None, area: Floats | None = None
    ) -> Tracks:
        """Track the largest object of every frame; see `Tracker`."""
        count, frames, _, height, width = video.shape
        difference = contrast_of(video, background)
        if contrast is None:
            contrast = np.median(difference.max(axis=(2, 3)), axis=1)
        threshold = np.maximum(SHARE * np.asarray(contrast), NOISE)
        least = np.ones(count * frames) if area is None else np.maximum(SHARE * area.reshape(-1), 1.0)
        stack = difference.reshape(-1, height, width)
        objects = _largest_objects(stack, np.repeat(threshold, frames), least)
        pixel, radius, color = _measure(stack, video.reshape(-1, 3, height, width), objects)
        return Tracks(
            pixel=pixel.reshape(count, frames, 2),
            radius=radius.reshape(count, frames),
            color=color.reshape(count, frames, 3),
            count=objects.number.reshape(count, frames),
        )


class _Objects(NamedTuple):
    """The largest object of each of F frames.

    Attributes:
        body: bool ``(F, H, W)`` its pixels; none in a frame without object.
        peak: ``(F,)`` its highest contrast; 1 in a frame without object.
        number: ``(F,)`` objects in the frame.
    """

    body: NDArray[np.bool_]
    peak: Floats
    number: NDArray[np.int64]


def _largest_objects(stack: NDArray[np.float32], threshold: Floats, least: Floats) -> _Objects:
    """Find the largest object of each of F frames.

    Args:
        stack: ``(F, H, W)`` contrast.
        threshold: ``(F,)`` lowest contrast of an object's pixels.
        least: ``(F,)`` fewest pixels of an object.
    """
    labels, components = ndimage.label(stack >= threshold[:, None, None], IN_FRAME)
    foreground = np.flatnonzero(labels)
    sizes = np.bincount(labels.flat[foreground], minlength=components + 1)
    peaks = np.ones(components + 1)
    peaks[1:] = 0
    np.maximum.at(peaks, labels.flat[foreground], stack.flat[foreground])
    frame_of = np.zeros(components + 1, dtype=np.int64)
    frame_of[labels.flat[foreground]] = foreground // (stack.shape[1] * stack.shape[2])
    objects = np.flatnonzero(sizes >= least[frame_of])
    objects = objects[objects > 0]
    # Sorted by size, the last object written to a frame is its largest.
    largest = np.zeros(len(stack), dtype=np.int64)
    order = objects[np.argsort(sizes[objects], kind="stable")]
    largest[frame_of[order]] = order
    body = (labels == largest[:, None, None]) & (largest > 0)[:, None, None]
    return _Objects(body, peaks[largest], np.bincount(frame_of[objects], minlength=len(stack)))


def _measure(stack: NDArray[np.float32], pictures: Bytes, objects: _Objects) -> tuple[Floats, Floats, Floats]:
    """Return centroid ``(F, 2)``, radius ``(F,)`` and color ``(F, 3)`` of the largest objects; see `Tracks`."""
    # The neighboring pixels hold the faint edge of the object.
    frame, row, column = np.nonzero(ndimage.binary_dilation(objects.body, IN_FRAME, iterations=1))
    weight = stack[frame, row, column].astype(np.float64)
    total = np.bincount(frame, weight, len(stack))
    peak = objects.peak
    with np.errstate(invalid="ignore", divide="ignore"):
        x = np.bincount(frame, weight * (column + 0.5), len(stack)) / total
        y = np.bincount(frame, weight * (row + 0.5), len(stack)) / total
        radius = np.sqrt(total / peak / np.pi)  # a frame without object has no weight
        strong = stack[frame, row, column] >= 0.9 * peak[frame]
        colors = pictures[frame, :, row, column] / 255.0
        share = np.bincount(frame, strong, len(stack))
        summed = np.stack([np.bincount(frame, strong * colors[:, c], len(stack)) for c in range(3)], axis=-1)
        color = summed / share[:, None]
    return np.stack([x, y], axis=-1), radius, color


track: Tracker = DiscTracker()  # the default tracker; scoreboards always use it, so that their figures compare


def track_clips(video: Tensor, tracker: Tracker = track) -> Tracks:
    """Track clips without ground truth, against a background estimated from the clips themselves.

    Args:
        video: float ``(N, 3, T, H, W)``, clipped to [0, 1].
        tracker: The tracker.
    """
    video = video.clamp(0, 1)
    return tracker(to_uint8(video), to_uint8(estimate_background(video)))


def join_tracks(parts: list[Tracks]) -> Tracks:
    """Return the tracks of several batches of clips as one."""
    return Tracks(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Tracks)))
