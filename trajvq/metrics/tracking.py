"""Find the objects in every frame from pixels and a background: no ground truth, no learned weights."""

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
    """The objects of N clips of T frames, at most K in a frame.

    The objects of a frame are ordered by size, the largest first. K is the largest number of any frame, at least 1.

    Attributes:
        pixel: ``(N, T, K, 2)`` intensity-weighted centroids (x, y), pixels; NaN beyond the objects of a frame.
        radius: ``(N, T, K)`` radius of a disc of the object's area, pixels; 0 beyond.
        color: ``(N, T, K, 3)`` color of its strongest pixels in [0, 1]; NaN beyond.
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

    def widened(self, objects: int) -> "Tracks":
        """Return the same tracks with ``objects`` entries a frame, at least K."""
        more = ((0, 0), (0, 0), (0, objects - self.pixel.shape[2]))
        return Tracks(
            pixel=np.pad(self.pixel, (*more, (0, 0)), constant_values=np.nan),
            radius=np.pad(self.radius, more),
            color=np.pad(self.color, (*more, (0, 0)), constant_values=np.nan),
            count=self.count,
        )


@runtime_checkable
class Tracker(Protocol):
    """A callable that finds the objects of every frame.

    Attributes:
        version: Identifies the tracker and its settings. Cached tracks are recomputed when it changes.
    """

    version: str

    def __call__(
        self, video: Bytes, background: Bytes, contrast: Floats | None = None, area: Floats | None = None
    ) -> Tracks:
        """Track the objects of every frame.

        Args:
            video: uint8 ``(N, T, 3, H, W)``.
            background: uint8, broadcastable to ``(N, 1, 3, H, W)``.
            contrast: ``(N, K)`` contrasts of the true objects in [0, 1], as `contrast_of` measures them; NaN where a
                clip has fewer; None if unknown.
            area: ``(N, T, K)`` areas of the true objects in pixels; NaN or 0 where there is none; None if unknown.
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

    An object is a connected component of pixels with at least 30 % of the lowest true contrast of its clip that covers
    at least 30 % of the smallest true area of its frame. Without true contrasts the clip's own is used; without true
    areas any size is enough.
    """

    version = "2"

    def __call__(
        self, video: Bytes, background: Bytes, contrast: Floats | None = None, area: Floats | None = None
    ) -> Tracks:
        """Track the objects of every frame; see `Tracker`."""
        count, frames, _, height, width = video.shape
        difference = contrast_of(video, background)
        own = np.median(difference.max(axis=(2, 3)), axis=1)
        lowest = own if contrast is None else _lowest(contrast, own)
        threshold = np.maximum(SHARE * lowest, NOISE)
        least = np.ones((count, frames)) if area is None else np.maximum(SHARE * _lowest(area, np.zeros(())), 1.0)
        stack = difference.reshape(-1, height, width)
        objects = _find_objects(stack, np.repeat(threshold, frames), least.reshape(-1))
        found = _measure(stack, video.reshape(-1, 3, height, width), objects)
        number = np.bincount(objects.frame, minlength=count * frames)
        rank = np.arange(len(objects.frame)) - (np.cumsum(number) - number)[objects.frame]
        shape = (count * frames, max(int(number.max(initial=0)), 1))
        pixel, radius, color = np.full((*shape, 2), np.nan), np.zeros(shape), np.full((*shape, 3), np.nan)
        pixel[objects.frame, rank], radius[objects.frame, rank], color[objects.frame, rank] = found
        return Tracks(
            pixel=pixel.reshape(count, frames, -1, 2),
            radius=radius.reshape(count, frames, -1),
            color=color.reshape(count, frames, -1, 3),
            count=number.reshape(count, frames),
        )


def _lowest(values: Floats, default: NDArray[np.floating]) -> Floats:
    """Return the lowest positive value of the last axis; a default where there is none."""
    lowest = np.where(values > 0, values, np.inf).min(axis=-1, initial=np.inf)  # NaN is not positive
    return np.where(np.isfinite(lowest), lowest, default)


class _Objects(NamedTuple):
    """The M objects of a stack of F frames, ordered by frame and within a frame by size, the largest first.

    Attributes:
        labels: ``(F, H, W)`` number of the object that a pixel belongs to, from 1 on; 0 for none.
        peak: ``(M,)`` its highest contrast.
        frame: ``(M,)`` its frame.
    """

    labels: NDArray[np.int32]
    peak: Floats
    frame: NDArray[np.int64]


def _find_objects(stack: NDArray[np.float32], threshold: Floats, least: Floats) -> _Objects:
    """Find the objects of F frames.

    Args:
        stack: ``(F, H, W)`` contrast.
        threshold: ``(F,)`` lowest contrast of an object's pixels.
        least: ``(F,)`` fewest pixels of an object.
    """
    labels, components = ndimage.label(stack >= threshold[:, None, None], IN_FRAME)
    foreground = np.flatnonzero(labels)
    component = labels.flat[foreground]
    sizes = np.bincount(component, minlength=components + 1)
    peaks = np.zeros(components + 1)
    np.maximum.at(peaks, component, stack.flat[foreground])
    frame_of = np.zeros(components + 1, dtype=np.int64)
    frame_of[component] = foreground // (stack.shape[1] * stack.shape[2])
    objects = 1 + np.flatnonzero(sizes[1:] >= least[frame_of[1:]])
    objects = objects[np.lexsort((-sizes[objects], frame_of[objects]))]
    number = np.zeros(components + 1, dtype=np.int32)
    number[objects] = 1 + np.arange(len(objects))
    labels.flat[foreground] = number[component]
    return _Objects(labels, peaks[objects], frame_of[objects])


def _measure(stack: NDArray[np.float32], pictures: Bytes, objects: _Objects) -> tuple[Floats, Floats, Floats]:
    """Return centroid ``(M, 2)``, radius ``(M,)`` and color ``(M, 3)`` of the objects; see `Tracks`."""
    # The neighboring pixels hold the faint edge of the object.
    wider = np.where(objects.labels > 0, objects.labels, ndimage.maximum_filter(objects.labels, (1, 3, 3)))
    frame, row, column = np.nonzero(wider)
    member, total = wider[frame, row, column] - 1, len(objects.peak)
    weight = stack[frame, row, column].astype(np.float64)
    mass = np.bincount(member, weight, total)
    x = np.bincount(member, weight * (column + 0.5), total) / mass
    y = np.bincount(member, weight * (row + 0.5), total) / mass
    radius = np.sqrt(mass / objects.peak / np.pi)
    strong = stack[frame, row, column] >= 0.9 * objects.peak[member]
    frame, row, column, member = (part[strong] for part in (frame, row, column, member))
    colors = pictures[frame, :, row, column] / 255.0
    summed = np.stack([np.bincount(member, colors[:, c], total) for c in range(3)], axis=-1)
    return np.stack([x, y], axis=-1), radius, summed / np.bincount(member, minlength=total)[:, None]


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
    """Return the tracks of several batches of clips as one, with as many objects a frame as the largest batch."""
    most = max(part.pixel.shape[2] for part in parts)
    wide = [part.widened(most) for part in parts]
    return Tracks(*(np.concatenate([getattr(part, field.name) for part in wide]) for field in fields(Tracks)))
